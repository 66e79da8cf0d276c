//! What a restore would do, told before it does anything.

use std::collections::BTreeSet;

use pgkeep_postgres::client::{DatabaseFacts, ServerVersion};
use pgkeep_postgres::tools::ToolDirectory;

use crate::preflight::Problem;
use crate::{Parts, PreparedRestore, RestoreError, dumped_part};

/// What a restored database is counted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Tables whose rows are counted.
    pub tables: usize,
    /// How many rows these have.
    pub rows: u64,
    /// Sequences.
    pub sequences: usize,
}

impl PreparedRestore<'_> {
    /// What is not as it was, and no reason to stop.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.preflight.notes
    }

    /// What is missing; nothing will be restored where it is not empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.preflight.problems
    }

    /// The roles that will be made.
    #[must_use]
    pub fn roles(&self) -> &BTreeSet<String> {
        &self.preflight.roles.roles
    }

    /// Memberships of theirs in roles that exist, and the other way round, which do
    /// not come back: member and role.
    #[must_use]
    pub fn left_alone(&self) -> &[(String, String)] {
        &self.preflight.roles.left_alone
    }

    /// What the new database will be.
    #[must_use]
    pub fn properties(&self) -> &DatabaseFacts {
        &self.expected.properties
    }

    /// What of its database the backup was to have, in words; none where that is all of it.
    #[must_use]
    pub fn dumped_part(&self) -> Option<String> {
        dumped_part::in_words(&self.expected.selection)
    }

    /// What of the database comes; all of what was backed up where there is none.
    #[must_use]
    pub fn parts(&self) -> Option<&Parts> {
        self.parts.as_ref()
    }

    /// The version of the server.
    #[must_use]
    pub fn server_version(&self) -> ServerVersion {
        self.server.admin.server_version()
    }

    /// The role that makes the database.
    #[must_use]
    pub fn made_by(&self) -> &str {
        &self.server.maker
    }

    /// The role that fills it.
    #[must_use]
    pub fn filled_by(&self) -> &str {
        &self.server.user
    }

    /// The programs to do it with, where there are any.
    #[must_use]
    pub fn tools(&self) -> Option<&ToolDirectory> {
        self.preflight.tools.as_ref()
    }

    /// What will be compared afterwards.
    #[must_use]
    pub fn compared(&self) -> Compared {
        let rows = || self.expected.tables.iter().filter_map(|table| table.rows);
        Compared {
            tables: rows().count(),
            rows: rows().sum(),
            sequences: self.expected.sequences.len(),
        }
    }

    /// Whether everything is there that the restore needs.
    ///
    /// # Errors
    /// `Unmet` with all that is missing.
    pub fn is_possible(&self) -> Result<(), RestoreError> {
        self.check().map(|_| ())
    }
}
