//! What of a database a dump was to have.
//!
//! Invariant: where nothing is chosen the dump has all of it.

use serde::{Deserialize, Serialize};

/// What of a database was chosen; `pg_dump`'s patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// These schemas alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    /// Not these schemas.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_schemas: Vec<String>,
    /// These tables alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// Not these tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_tables: Vec<String>,
    /// Of these tables not the rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_table_data: Vec<String>,
    /// Further arguments of `pg_dump`'s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
}

impl Selection {
    /// Whether the dump has all of the database.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the dump has no large objects: `pg_dump` leaves them out where schemas
    /// or tables are named.
    #[must_use]
    pub fn loses_large_objects(&self) -> bool {
        let says = |words: [&str; 2]| self.arguments.iter().any(|a| words.contains(&a.as_str()));
        let names_some = !self.schemas.is_empty() || !self.tables.is_empty();
        says(["--no-large-objects", "--no-blobs"])
            || names_some && !says(["--large-objects", "--blobs"])
    }

    /// Whether rows that policies hide from the user are left out: otherwise `pg_dump` fails
    /// at the first of them.
    #[must_use]
    pub fn reads_what_policies_show(&self) -> bool {
        let mut arguments = self.arguments.iter();
        arguments.any(|argument| argument == "--enable-row-security")
    }

    /// The arguments of `pg_dump` that make the choice.
    #[must_use]
    pub fn to_arguments(&self) -> Vec<String> {
        let choices = [
            ("--schema", &self.schemas),
            ("--exclude-schema", &self.exclude_schemas),
            ("--table", &self.tables),
            ("--exclude-table", &self.exclude_tables),
            ("--exclude-table-data", &self.exclude_table_data),
        ];
        let each = choices.into_iter().flat_map(|(option, patterns)| {
            patterns
                .iter()
                .map(move |pattern| format!("{option}={pattern}"))
        });
        each.chain(self.arguments.iter().cloned()).collect()
    }
}
