//! Where a backup is restored: a server, and the room that it is in.
//!
//! Invariant: both are gone once it is cleared, or dropped.

use std::time::{Duration, Instant};

use pgkeep_postgres::client::{Connection, ConnectionParameters, identifier};
use pgkeep_postgres::server::{ThrowawayServer, Workspace};
use pgkeep_repository::OpenBackup;

use crate::refusal::{Refusal, words};
use crate::server::Programs;

/// The databases that a new server has, to connect to.
const OWN_DATABASES: [&str; 2] = ["postgres", "template1"];
/// How often it is looked whether the server still runs.
const LOOK: Duration = Duration::from_millis(200);
/// How long it may take a server to write down that it has lost a process.
const LEARNS: Duration = Duration::from_secs(5);

/// A server, and the room that it is in.
pub(crate) struct Place {
    pub(crate) server: ThrowawayServer,
    pub(crate) workspace: Workspace,
    pub(crate) programs: Programs,
    pub(crate) backup: OpenBackup,
}

impl Place {
    /// A superuser's connection to a database that is not the one of this name.
    pub(crate) fn connection_beside(&self, name: &str) -> ConnectionParameters {
        let own = OWN_DATABASES.iter().find(|own| **own != name);
        let own = own.copied().unwrap_or("postgres");
        self.server.connection(own).without_libraries()
    }

    /// Waits until the server has ended by itself.
    pub(crate) async fn has_ended(&self) {
        while !self.server.has_ended() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What happened to the server that was not to happen.
    pub(crate) fn mishap(&self) -> Option<Refusal> {
        Refusal::of_mishaps(&self.server.mishaps(), self.server.has_ended())
    }

    /// The same, once more and for a moment, where a session was lost and nothing is known
    /// of why: the server learns of a process that died after its sessions do.
    pub(crate) async fn mishap_behind(&self, refusal: Option<&Refusal>) -> Option<Refusal> {
        let deadline = Instant::now() + LEARNS;
        loop {
            let mishap = self.mishap();
            let may_come = refusal.is_some_and(Refusal::is_of_a_lost_session);
            if mishap.is_some() || !may_come || Instant::now() > deadline {
                return mishap;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Stops the server and removes all that it had.
    pub(crate) async fn clear(self) -> Result<(), Refusal> {
        let stopped = self.server.stop().await;
        let removed = self.workspace.remove();
        match stopped.and(removed) {
            Ok(()) => Ok(()),
            Err(error) => Err(Refusal::of_server(&error)),
        }
    }
}

/// Drops the new server's own database of that name.
pub(crate) async fn make_way(admin: &Connection, name: &str) -> Result<(), Refusal> {
    if !OWN_DATABASES.contains(&name) {
        return Ok(());
    }
    let database = identifier(name);
    for statement in [
        format!("ALTER DATABASE {database} IS_TEMPLATE false"),
        format!("DROP DATABASE {database}"),
    ] {
        let done = admin.batch(&statement).await;
        done.map_err(|error| Refusal::Host(words(&error)))?;
    }
    Ok(())
}
