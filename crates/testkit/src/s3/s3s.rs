//! s3s-fs: a strict S3 server over a directory, in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::S3Access;
use crate::cache;

const ID: &str = "pgkeep-test";
const SECRET: &str = "never-in-an-output-of-pgkeep";
const BUCKET: &str = "backups";
const READY: &str = "server is running at ";

/// A running s3s-fs. It honours conditions, on `put` and on completing an upload,
/// and verifies signatures and hashes.
#[derive(Debug)]
pub struct S3s {
    child: Child,
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
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join(BUCKET)).expect("a bucket");
        let program = cache::path("cargo/bin/s3s-fs");
        assert!(
            program.exists(),
            "{} is not there: run scripts/setup",
            program.display()
        );
        let mut child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", "0"])
            .args(["--access-key", ID, "--secret-key", SECRET])
            .arg(directory.path())
            .env_clear()
            .env("RUST_LOG", "s3s_fs=info")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("s3s-fs starts");
        let output = child.stdout.take().expect("its output");
        // Held before anything can panic, so that it ends in any case.
        let mut server = Self {
            child,
            access: S3Access {
                endpoint: String::new(),
                bucket: BUCKET.to_owned(),
                id: ID.to_owned(),
                secret: SECRET.to_owned(),
            },
            directory,
        };
        let mut lines = BufReader::new(output).lines();
        let ready = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once(READY)?.1.trim().to_owned()));
        server.access.endpoint = ready.expect("s3s-fs tells its address");
        // What it writes afterwards must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        server
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
        self.child.id()
    }
}

impl Drop for S3s {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
