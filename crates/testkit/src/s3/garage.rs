//! Garage: a real, distributed S3 server, as one node. For the soak alone, since it
//! takes half an hour to install.
//!
//! Invariants: it has ports, directories and keys of its own; it is up when its S3
//! port answers.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgkeep_storage::Storage;
use tempfile::TempDir;

use super::S3Access;
use crate::cache;

const ID: &str = "GK0123456789abcdef01234567";
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const BUCKET: &str = "backups";
const REGION: &str = "garage";
const DEADLINE: Duration = Duration::from_secs(60);

/// A running Garage. It takes conditions and ignores them.
#[derive(Debug)]
pub struct Garage {
    child: Child,
    access: S3Access,
    /// Removed last, when nothing writes there any more.
    _directory: TempDir,
}

impl Garage {
    /// Starts a node with an empty bucket.
    ///
    /// # Panics
    /// Where it is not installed or does not start.
    pub async fn start() -> Self {
        let program = cache::path("cargo/bin/garage");
        assert!(
            program.exists(),
            "{} is not there: run scripts/setup garage",
            program.display()
        );
        let directory = tempfile::tempdir().expect("a directory");
        let (rpc, s3) = (free_port(), free_port());
        let at = directory.path().display();
        let configuration = format!(
            "metadata_dir = \"{at}/meta\"\ndata_dir = \"{at}/data\"\ndb_engine = \"sqlite\"\n\
             replication_factor = 1\nrpc_bind_addr = \"127.0.0.1:{rpc}\"\n\
             rpc_public_addr = \"127.0.0.1:{rpc}\"\nrpc_secret = \"{SECRET}\"\n\
             [s3_api]\ns3_region = \"{REGION}\"\napi_bind_addr = \"127.0.0.1:{s3}\"\n"
        );
        let file = directory.path().join("garage.toml");
        std::fs::write(&file, configuration).expect("its configuration");
        let child = Command::new(program)
            .arg("-c")
            .arg(file)
            .args(["server", "--single-node", "--default-bucket"])
            .env("GARAGE_DEFAULT_ACCESS_KEY", ID)
            .env("GARAGE_DEFAULT_SECRET_KEY", SECRET)
            .env("GARAGE_DEFAULT_BUCKET", BUCKET)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("garage starts");
        let garage = Self {
            child,
            access: S3Access {
                endpoint: format!("http://127.0.0.1:{s3}"),
                bucket: BUCKET.to_owned(),
                id: ID.to_owned(),
                secret: SECRET.to_owned(),
                region: REGION.to_owned(),
            },
            _directory: directory,
        };
        let begun = Instant::now();
        while let Err(error) = garage.access.bare("").list("", None).await {
            assert!(
                begun.elapsed() < DEADLINE,
                "garage does not answer: {error}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        garage
    }

    /// How to get to its bucket.
    #[must_use]
    pub fn access(&self) -> &S3Access {
        &self.access
    }
}

impl Drop for Garage {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}
