//! What can be wrong with bytes that should be a part of a repository.
//!
//! Invariant: an error says where in the object it was found; the object's name
//! is added by whoever fetched it.

use pgkeep_types::counted;

/// What is wrong, without where.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// Fewer bytes than there should be.
    #[error("{} where {expected} should be", counted(*.found, "byte"))]
    Length {
        /// How many bytes there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// More bytes than an object of this kind may have.
    #[error("it has more than the {0} bytes that it may have")]
    TooLong(u64),
    /// The first bytes are not those of this kind of object.
    #[error("it does not begin as a pgkeep record does")]
    Magic,
    /// The object holds something else than its name says.
    #[error("it holds a record of kind {found}, not {expected}")]
    Kind {
        /// The kind that the name stands for.
        expected: u16,
        /// The kind that was found.
        found: u16,
    },
    /// The content is not what was written.
    #[error("its BLAKE3 hash differs from the one written with it")]
    Hash,
    /// The signature is not that of the writer, for this name and repository.
    #[error("its signature does not hold for this name and repository")]
    Signature,
    /// The age layer refused the bytes.
    #[error("age refuses it: {0}")]
    Sealed(&'static str),
    /// The zstd layer refused the bytes.
    #[error("zstd refuses it: {0}")]
    Compressed(String),
    /// The JSON inside does not describe such a record.
    #[error("its JSON is not that of such a record: {0}")]
    Json(#[from] serde_json::Error),
    /// A number or reference inside points nowhere.
    #[error("its {0} is out of range")]
    Range(&'static str),
    /// A text inside is not of the form that it has to have.
    #[error("its {0} is malformed")]
    Text(&'static str),
}

/// Why bytes could not be read or written as a part of a repository.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The bytes are not what pgkeep wrote.
    #[error("damaged at offset {offset}: {damage}")]
    Damaged {
        /// Where in the object, in bytes from its start.
        offset: u64,
        /// What is wrong.
        #[source]
        damage: Damage,
    },
    /// A newer pgkeep wrote this.
    #[error("format version {found}; this pgkeep reads up to {newest}")]
    TooNew {
        /// The version found.
        found: u16,
        /// The newest version that is understood.
        newest: u16,
    },
    /// The writer of a record is none that this repository vouches for.
    #[error(
        "at offset {offset}: it names {writer} as its writer, whom this repository does not vouch for"
    )]
    UnknownWriter {
        /// The writer's public key.
        writer: String,
        /// Where in the object the key stands.
        offset: u64,
    },
    /// The record is whole and true, and says what this pgkeep does not
    /// understand.
    #[error("at offset {offset}: this pgkeep does not understand it: {problem}")]
    NotUnderstood {
        /// Where in the object the part begins.
        offset: u64,
        /// What is not understood.
        #[source]
        problem: serde_json::Error,
    },
    /// The bytes are sealed to keys that are not at hand.
    #[error("sealed to keys that are not at hand")]
    NoIdentity,
    /// What was given as a key is none.
    #[error("not a usable {what}")]
    Key {
        /// What it should have been.
        what: &'static str,
    },
    /// The bytes could not be had at all.
    #[error("cannot be read: {source}")]
    Read {
        /// Why not.
        source: std::io::Error,
    },
    /// A record was to be written that no reader would take.
    #[error("it would have {length} bytes, and may have {limit} at most")]
    TooLong {
        /// How many it would have.
        length: u64,
        /// How many its kind may have.
        limit: u64,
    },
    /// Compression or encryption failed while writing.
    #[error("cannot {what}: {source}")]
    Write {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl FormatError {
    pub(crate) fn damaged(offset: u64, damage: Damage) -> Self {
        Self::Damaged { offset, damage }
    }

    /// The same error for bytes that lie `base` bytes into an object.
    #[must_use]
    pub fn at(self, base: u64) -> Self {
        match self {
            Self::Damaged { offset, damage } => Self::Damaged {
                offset: offset.saturating_add(base),
                damage,
            },
            Self::UnknownWriter { writer, offset } => Self::UnknownWriter {
                writer,
                offset: offset.saturating_add(base),
            },
            other => other,
        }
    }
}
