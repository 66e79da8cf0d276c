//! Globals: what belongs to no database of a cluster.
//!
//! Invariant: they are whole, or there are none; that passwords are missing is told.

use bytes::Bytes;
use pgkeep_postgres::client::{ConnectionParameters, connect, may_read_passwords};
use pgkeep_postgres::tools::{PgDumpAll, Tools};

use crate::GlobalsError;
use crate::dump::StopSignal;

/// Roles, their memberships and settings, and tablespaces, as SQL.
#[derive(Clone, Debug)]
pub struct Globals {
    pub(crate) sql: Bytes,
    passwords: bool,
    said: Vec<String>,
}

impl Globals {
    /// Reads the globals of the connection's cluster.
    ///
    /// # Errors
    /// Whatever fails.
    pub async fn read(
        connection: &ConnectionParameters,
        tools: &Tools,
        stop: StopSignal<'_>,
    ) -> Result<Self, GlobalsError> {
        let reading = async {
            let session = connect(connection).await?;
            let choice = tools.for_server(session.server_version().major())?;
            let passwords = may_read_passwords(&session).await?;
            // Of several servers the one that was asked.
            let program = PgDumpAll::new(&choice.tools, session.parameters());
            let program = if passwords {
                program
            } else {
                program.without_passwords()
            };
            let (sql, said) = program.read().await?;
            Ok(Self {
                sql: sql.into(),
                passwords,
                said: said.into_all(),
            })
        };
        tokio::select! {
            globals = reading => globals,
            () = stop => Err(GlobalsError::Interrupted),
        }
    }

    /// Whether the hashes of passwords are among them: not everybody may read them.
    #[must_use]
    pub fn has_passwords(&self) -> bool {
        self.passwords
    }

    /// What `pg_dumpall` said, and did not fail for.
    #[must_use]
    pub fn said(&self) -> &[String] {
        &self.said
    }

    /// How many bytes of SQL.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.sql.len() as u64
    }
}
