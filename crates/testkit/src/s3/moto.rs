//! moto: an S3 server with versions and locks, in Python.
//!
//! Invariant: it looks at no signature and at no hash of an upload, so nothing is
//! shown of these by it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use super::S3Access;
use super::process::Process;
use crate::cache;

const BUCKET: &str = "backups";
const VERSIONING: &str = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <Status>Enabled</Status></VersioningConfiguration>";

/// A running moto. It honours conditions.
#[derive(Debug)]
pub struct Moto {
    process: Process,
    access: S3Access,
}

impl Moto {
    /// Starts a server with an empty bucket.
    ///
    /// # Panics
    /// Where it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let packages = cache::path("moto-5.2.5");
        assert!(
            packages.exists(),
            "{} is not there: run scripts/setup",
            packages.display()
        );
        let mut command = Command::new("python3");
        command
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            .env("PYTHONPATH", packages)
            .env("PYTHONUNBUFFERED", "1");
        let process = Process::start(command, "Running on ");
        let moto = Self {
            access: S3Access {
                endpoint: process.address.clone(),
                bucket: BUCKET.to_owned(),
                id: "testing".to_owned(),
                secret: "never-in-an-output-of-pgkeep".to_owned(),
            },
            process,
        };
        moto.put("", "");
        moto
    }

    /// Lets the bucket keep versions from now on.
    #[must_use]
    pub fn with_versions(self) -> Self {
        self.put("?versioning", VERSIONING);
        self
    }

    /// How to get to its bucket.
    #[must_use]
    pub fn access(&self) -> &S3Access {
        &self.access
    }

    /// The server's process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// A request on the bucket itself, which no storage makes.
    fn put(&self, query: &str, body: &str) {
        let address = self.access.endpoint.trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).expect("a connection");
        write!(
            connection,
            "PUT /{BUCKET}{query} HTTP/1.1\r\nHost: s3.amazonaws.com\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("a request");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
