//! moto: an S3 server with versions and locks, in Python.
//!
//! Invariant: it looks at no signature and at no hash of an upload, so nothing is
//! shown of these by it.

use std::process::Command;

use super::process::Process;
use super::{REGION, S3Access};
use crate::cache;
use crate::cluster::PrivateFiles;

const BUCKET: &str = "backups";
/// Puts the second argument to the URL that is the first.
const PUT: &str = "import ssl, sys, urllib.request as u
kind = {'Content-Type': 'application/xml'}
request = u.Request(sys.argv[1], sys.argv[2].encode(), kind, method='PUT')
near = ssl._create_unverified_context() if sys.argv[1].startswith('https') else None
u.urlopen(request, context=near)";
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
        Self::start_with(None)
    }

    /// Starts a server that shows a certificate; it must be for `127.0.0.1`.
    ///
    /// # Panics
    /// Where it is not installed or does not start.
    #[must_use]
    pub fn start_with_tls(certificate: &PrivateFiles) -> Self {
        Self::start_with(Some(certificate))
    }

    fn start_with(certificate: Option<&PrivateFiles>) -> Self {
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
        if let Some(files) = certificate {
            command.arg("-c").arg(&files.certificate);
            command.arg("-k").arg(&files.key);
        }
        let process = Process::start(command, "Running on ");
        let moto = Self {
            access: S3Access {
                endpoint: process.address.clone(),
                bucket: BUCKET.to_owned(),
                id: "testing".to_owned(),
                secret: "never-in-an-output-of-pgkeep".to_owned(),
                region: REGION.to_owned(),
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
        let url = format!("{}/{BUCKET}{query}", self.access.endpoint);
        let asked = Command::new("python3")
            .args(["-c", PUT, &url, body])
            .status()
            .expect("python3");
        assert!(asked.success(), "PUT {url}");
    }
}
