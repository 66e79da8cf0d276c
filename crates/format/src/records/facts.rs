//! What was seen of a database, in the snapshot that was dumped.
//!
//! Invariant: it holds what `pg_dump -C` would tell and an archive restored
//! under another name would lose, so that a restore can bring it back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Selection;
use crate::error::{Damage, FormatError};

/// The sealed part of a dump's `facts` record; JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpFacts {
    /// The server's version, such as `15.18`.
    pub server_version: String,
    /// The version of `pg_dump`, such as `15.18`.
    pub pg_dump_version: String,
    /// What of it was to be dumped.
    #[serde(default, skip_serializing_if = "Selection::is_everything")]
    pub selection: Selection,
    /// The database itself.
    pub database: DatabaseFacts,
    /// Its ordinary tables, by schema and name; those of extensions left out.
    pub tables: Vec<TableFacts>,
    /// Its sequences, likewise.
    pub sequences: Vec<SequenceFacts>,
}

/// A table, and what the archive has of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFacts {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// How many rows the archive has, counted as they passed by; none where its
    /// rows are not in the archive or were not counted.
    pub rows: Option<u64>,
    /// How many bytes they take in the archive.
    pub bytes: Option<u64>,
}

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceFacts {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The last value that was drawn, just before the dump began; none where none
    /// was or where that was not to be seen.
    pub last_value: Option<i64>,
}

impl DumpFacts {
    /// The plaintext of the record's sealed part.
    ///
    /// # Errors
    /// Never in practice: the fields are plain text.
    pub fn to_json(&self) -> Result<Vec<u8>, FormatError> {
        serde_json::to_vec(self).map_err(|error| FormatError::damaged(0, Damage::Json(error)))
    }

    /// Reads the plaintext of the record's sealed part.
    ///
    /// # Errors
    /// `Damaged` where the JSON is not that of such facts.
    pub fn from_json(bytes: &[u8]) -> Result<Self, FormatError> {
        serde_json::from_slice(bytes).map_err(|error| FormatError::damaged(0, Damage::Json(error)))
    }
}

/// A database as the catalogs describe it (`pg_database`, `pg_db_role_setting`,
/// `pg_shdescription`, `pg_shseclabel`, `pg_extension`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    /// `datname`
    pub name: String,
    /// The role that owns it.
    pub owner: String,
    /// The encoding's name, such as `UTF8`.
    pub encoding: String,
    /// Who provides its collation.
    pub locale_provider: LocaleProvider,
    /// `datcollate`
    pub collate: String,
    /// `datctype`
    pub ctype: String,
    /// `datlocale` (17 and later) or `daticulocale` (15 and 16).
    pub locale: Option<String>,
    /// `daticurules` (16 and later).
    pub icu_rules: Option<String>,
    /// `datcollversion` (15 and later).
    pub collation_version: Option<String>,
    /// The default tablespace's name.
    pub tablespace: String,
    /// `datconnlimit`; -1 is no limit.
    pub connection_limit: i32,
    /// `datistemplate`
    pub is_template: bool,
    /// `datallowconn`
    pub allows_connections: bool,
    /// The comment on it.
    pub comment: Option<String>,
    /// Security labels on it.
    pub security_labels: Vec<SecurityLabel>,
    /// Its privileges; none where they were never changed from the default.
    pub privileges: Option<Vec<Grant>>,
    /// Settings of the database, and of roles in it.
    pub settings: Vec<DatabaseSetting>,
    /// Every role that it names; a restore needs them.
    pub roles: Vec<String>,
    /// The extensions in it.
    pub extensions: Vec<Extension>,
    /// Its schemas by name, those of extensions left out; none where that was not noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schemas: Option<Vec<String>>,
    /// The tablespaces beside its default one in which it has tables, indexes or materialized
    /// views; none where that was not noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tablespaces: Option<Vec<String>>,
    /// How many things it has of each kind; a kind that is not there was not counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<String, u64>,
    /// How many of them are not in the dump, since who made it may not read them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_dumped: BTreeMap<String, u64>,
    /// How many ordinary tables it has, partitions included.
    pub tables: u64,
    /// What it takes on the server's disk, in bytes.
    pub size: u64,
}

/// Who provides a database's collation (`datlocprovider`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LocaleProvider {
    /// The C library.
    Libc,
    /// ICU (15 and later).
    Icu,
    /// PostgreSQL itself (17 and later).
    Builtin,
}

/// A security label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityLabel {
    /// The label provider.
    pub provider: String,
    /// The label.
    pub label: String,
}

/// One privilege that somebody granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Who granted it.
    pub grantor: String,
    /// To whom; nobody in particular is PUBLIC.
    pub grantee: Option<String>,
    /// `CONNECT`, `CREATE` or `TEMPORARY`.
    pub privilege: String,
    /// Whether the grantee may grant it on.
    pub grantable: bool,
}

/// A setting that holds in a database (`pg_db_role_setting`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSetting {
    /// The role for which it holds; all of them where there is none.
    pub role: Option<String>,
    /// The setting's name.
    pub name: String,
    /// Its value, as the catalog has it.
    pub value: String,
}

/// An extension in a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The schema of its objects.
    pub schema: String,
}
