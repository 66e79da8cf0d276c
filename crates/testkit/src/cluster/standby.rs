//! A server that follows another one by streaming replication.
//!
//! Invariant: what was committed on the primary before `caught_up` is seen on the
//! standby after it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use pgkeep_postgres::server::ThrowawayServer;
use tokio::process::Command;

use super::Cluster;
use super::client::DEADLINE;

impl Cluster {
    /// Starts a standby of this server.
    ///
    /// # Panics
    /// Where it cannot be made or started.
    pub async fn standby(&self) -> Self {
        let connection = self.connection("postgres");
        let socket = connection.socket_directory().expect("a socket");
        let copy = tempfile::tempdir().expect("a temporary directory");
        // Root's servers run as another account, which copies it.
        fs::set_permissions(copy.path(), Permissions::from_mode(0o711)).expect("permissions");
        let data = copy.path().join("data");
        let taken = Command::new(self.major.programs().join("pg_basebackup"))
            .args(["--checkpoint=fast", "--wal-method=stream", "--no-sync"])
            .args(["--username", connection.user()])
            .args(["--port", &connection.port().to_string()])
            .arg("--host")
            .arg(socket)
            .arg("--pgdata")
            .arg(&data)
            .output();
        let taken = taken.await.expect("pg_basebackup");
        assert!(taken.status.success(), "{taken:?}");
        fs::write(data.join("standby.signal"), "").expect("the standby's signal");
        let mut owned = std::ffi::OsString::from("--reference=");
        owned.push(self.server.data_directory());
        let owner = Command::new("chown")
            .args(["--recursive".into(), owned])
            .arg(&data)
            .status();
        assert!(owner.await.expect("chown").success());

        let mut options = Self::options(self.major);
        options.template = Some(data);
        options.configuration.push(format!(
            "primary_conninfo = 'host=''{}'' port={} user=''{}'''",
            socket.display(),
            connection.port(),
            connection.user()
        ));
        let server = ThrowawayServer::start(options).await.expect("a standby");
        Self {
            major: self.major,
            server,
        }
    }

    /// Waits until `standby` has replayed what this server has written by now.
    ///
    /// # Panics
    /// Where it does not.
    pub async fn caught_up(&self, standby: &Self) {
        let written = self.psql("postgres", "SELECT pg_current_wal_lsn()").await;
        let replayed = format!(
            "SELECT pg_last_wal_replay_lsn() >= '{}'::pg_lsn",
            written.trim()
        );
        let deadline = Instant::now() + DEADLINE;
        while standby.psql("postgres", &replayed).await.trim() != "t" {
            assert!(Instant::now() < deadline, "the standby does not follow");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}
