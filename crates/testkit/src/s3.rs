//! Real S3 servers on loopback, for tests and measurements.
//!
//! Invariants: each server has a port, a directory and keys of its own, and ends
//! with its value, also when a test panics; one that is not installed is a panic
//! that says how to get it.

mod careless;
mod garage;
mod moto;
mod process;
mod s3s;

use std::fmt::{self, Write as _};
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use pgkeep_storage::s3::{Credentials, S3Settings, Secret};
use pgkeep_storage::{Patience, Retrying, S3Storage, Storage};

use crate::SeededRandom;

pub use careless::Careless;
pub use garage::Garage;
pub use moto::Moto;
pub use s3s::S3s;

/// How to get to a bucket of a test server.
#[derive(Clone, Debug)]
pub struct S3Access {
    /// The server's URL.
    pub endpoint: String,
    /// A bucket that is there and empty.
    pub bucket: String,
    /// The access key's id.
    pub id: String,
    /// The secret key.
    pub secret: String,
    /// The region that requests are signed for.
    pub region: String,
}

/// What servers expect that have no regions.
const REGION: &str = "us-east-1";

impl S3Access {
    /// The same bucket by another way: through a proxy.
    #[must_use]
    pub fn through(&self, endpoint: impl fmt::Display) -> Self {
        Self {
            endpoint: endpoint.to_string(),
            ..self.clone()
        }
    }

    /// The address of what lies below `prefix`, without the keys.
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        let Self {
            endpoint,
            bucket,
            region,
            ..
        } = self;
        format!("s3://{bucket}/{prefix}?region={region}&endpoint={endpoint}&allow_http=true")
    }

    /// The variables with the keys.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 2] {
        [
            ("AWS_ACCESS_KEY_ID", self.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret.clone()),
        ]
    }

    /// What a client needs.
    #[must_use]
    pub fn settings(&self, prefix: &str) -> S3Settings {
        S3Settings {
            bucket: self.bucket.clone(),
            prefix: prefix.to_owned(),
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            path_style: true,
            ca: None,
            proxy: None,
            credentials: Credentials::Static {
                id: self.id.clone(),
                secret: Secret::new(self.secret.clone()),
                token: None,
            },
            checksum: false,
            location: format!("s3://{}/{prefix}", self.bucket),
        }
    }

    /// What lies below `prefix`, each call tried once.
    #[must_use]
    pub fn bare(&self, prefix: &str) -> S3Storage {
        S3Storage::new(&self.settings(prefix)).expect("a client")
    }

    /// What lies below `prefix`, as the program has it: calls are tried again.
    #[must_use]
    pub fn storage(&self, prefix: &str) -> Arc<dyn Storage> {
        self.patient(prefix, Patience::default())
    }

    /// What lies below `prefix`, with a patience of one's own.
    #[must_use]
    pub fn patient(&self, prefix: &str, patience: Patience) -> Arc<dyn Storage> {
        let bare = Arc::new(self.bare(prefix));
        let random = Arc::new(SeededRandom::new(1));
        Arc::new(Retrying::new(bare, patience, random))
    }

    /// Puts an object with any key into the bucket, as a client that cares for nothing. Of
    /// use with servers that look at no signature.
    ///
    /// # Panics
    /// Where the server refuses.
    pub fn put_any(&self, key: &str, bytes: &[u8]) {
        let address = self.endpoint.trim_start_matches("http://");
        let mut path = String::new();
        for byte in key.bytes() {
            match byte {
                b'/' | b'.' => path.push(char::from(byte)),
                byte if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
                // Writing into a string does not fail.
                byte => drop(write!(path, "%{byte:02X}")),
            }
        }
        let mut connection = TcpStream::connect(address).expect("the server");
        let (bucket, length) = (&self.bucket, bytes.len());
        let head = format!(
            "PUT /{bucket}/{path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\
             Authorization: AWS {}:none\r\n\r\n",
            self.id
        );
        connection.write_all(head.as_bytes()).expect("it listens");
        connection.write_all(bytes).expect("it listens");
        let mut answer = String::new();
        let mut reader = BufReader::new(connection);
        reader.read_line(&mut answer).expect("an answer");
        assert!(answer.contains(" 200 "), "{key:?}: {answer}");
    }
}
