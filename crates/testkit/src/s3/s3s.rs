//! s3s-fs: a strict S3 server over a directory.
//!
//! Invariant: it has a port, a directory and keys of its own.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::process::Process;
use super::{REGION, S3Access};
use crate::cache;

const ID: &str = "pgkeep-test";
const SECRET: &str = "never-in-an-output-of-pgkeep";
const BUCKET: &str = "backups";

/// A running s3s-fs. It honours conditions, on `put` and on completing an upload,
/// and verifies signatures and hashes.
#[derive(Debug)]
pub struct S3s {
    process: Process,
    access: S3Access,
    directory: TempDir,
}

impl S3s {
    /// Starts a server with an empty bucket.
    ///
    /// # Panics
    /// Where it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let program = cache::path("cargo/bin/s3s-fs");
        assert!(
            program.exists(),
            "{} is not there: run scripts/setup",
            program.display()
        );
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join(BUCKET)).expect("a bucket");
        let mut command = Command::new(program);
        command
            .args(["--host", "127.0.0.1", "--port", "0"])
            .args(["--access-key", ID, "--secret-key", SECRET])
            .arg(directory.path())
            .env_clear()
            .env("RUST_LOG", "s3s_fs=info");
        let process = Process::start(command, "server is running at ");
        Self {
            access: S3Access {
                endpoint: process.address.clone(),
                bucket: BUCKET.to_owned(),
                id: ID.to_owned(),
                secret: SECRET.to_owned(),
                region: REGION.to_owned(),
            },
            process,
            directory,
        }
    }

    /// How to get to its bucket.
    #[must_use]
    pub fn access(&self) -> &S3Access {
        &self.access
    }

    /// The directory that holds the bucket's objects as files.
    #[must_use]
    pub fn bucket_directory(&self) -> PathBuf {
        self.directory.path().join(BUCKET)
    }

    /// The server's process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}
