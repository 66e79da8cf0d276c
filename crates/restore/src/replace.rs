//! The new database in the place of one that is there.
//!
//! Invariant: the old one is set aside, and dropped only where that was asked for and
//! the new one is in its place.

use pgkeep_postgres::client;

use crate::server::connect_beside;
use crate::{PreparedRestore, RestoreError};

/// How a database is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replace<'a> {
    /// What the old one is called from then on.
    pub aside: &'a str,
    /// Whether it is dropped then.
    pub drops: bool,
    /// Whether the very backup was named, and not the newest of a database: only then does
    /// a backup of a part take the place of what may be whole.
    pub names_backup: bool,
}

impl PreparedRestore<'_> {
    /// What the database that is there will be called; none where there is none.
    #[must_use]
    pub fn replaced(&self) -> Option<&str> {
        let replace = self.restore.replace.as_ref();
        replace
            .filter(|_| self.preflight.replaces)
            .map(|replace| replace.aside)
    }

    /// Sets the old database aside and gives the new one its name, both or none.
    pub(crate) async fn swap(&self, draft: &str, aside: &str) -> Result<(), RestoreError> {
        let name = self.restore.name;
        let admin = &self.server.admin;
        let helper = connect_beside(admin.parameters(), name).await;
        let helper = helper.map_err(|source| RestoreError::Connect {
            database: name.to_owned(),
            source,
        })?;
        client::swap_databases(admin, &helper, name, aside, draft)
            .await
            .map_err(|source| RestoreError::Swap {
                database: name.to_owned(),
                source,
            })
    }

    /// Drops the database that was set aside.
    ///
    /// # Errors
    /// Where the server refuses; it stays then.
    pub async fn drop_replaced(&self) -> Result<(), RestoreError> {
        let Some(database) = self.replaced() else {
            return Ok(());
        };
        let dropped = client::drop_database(&self.server.admin, database).await;
        dropped.map_err(|source| RestoreError::DropReplaced {
            database: database.to_owned(),
            source,
        })
    }
}
