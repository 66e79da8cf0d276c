//! Why an archive is not followed any further.

/// Where and why the scanner fell silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset} of the archive: {why}")]
pub struct GaveUp {
    /// Behind what was not understood, in bytes from the archive's beginning.
    pub offset: u64,
    /// What was not understood.
    pub why: NotUnderstood,
}

/// What was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// It does not begin with `PGDMP`.
    #[error("this is no archive of pg_dump's")]
    Magic,
    /// Neither 1.12 to 1.16.
    #[error("version {major}.{minor} of the archive format is not known")]
    Version {
        /// The first number.
        major: u8,
        /// The second.
        minor: u8,
    },
    /// Integers not of 4 bytes or offsets not of 8.
    #[error("integers of {integer} bytes and offsets of {offset} are not known")]
    Sizes {
        /// Of an integer, in bytes.
        integer: u8,
        /// Of a file offset, in bytes.
        offset: u8,
    },
    /// Not the custom format.
    #[error("this is not the custom format but format {0}")]
    Format(u8),
    /// Data that is compressed has no rows to be seen.
    #[error("the data is compressed")]
    Compressed,
    /// An integer whose sign is neither plus nor minus.
    #[error("an integer has the sign {0}")]
    Sign(u8),
    /// A length or a count that cannot be.
    #[error("a length or count of {0} cannot be")]
    Length(i32),
    /// A field of the table of contents holds what none can hold.
    #[error("a field of the table of contents holds {0}")]
    TocField(i32),
    /// More entries with data, or longer names, than the scanner keeps.
    #[error("the table of contents is too large to be kept")]
    TocTooLarge,
    /// A block of data of no known type, or of another than its entry's.
    #[error("a block of data has the type {0}")]
    BlockType(u8),
    /// A block of data of an entry that has none, or has had it.
    #[error("a block of data belongs to dump id {0}, which is none of those that follow")]
    BlockId(i32),
}
