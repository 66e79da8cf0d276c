//! The head of an archive (`WriteHead` in src/bin/pg_dump/pg_backup_archiver.c).

use super::NotUnderstood;
use super::input::{Input, Stop};
use super::primitives::{Bytes, Integer, Text};

/// `archCustom` in src/bin/pg_dump/pg_backup.h.
const CUSTOM: u8 = 1;

/// Fields of the moment of the dump: a `struct tm` from seconds to `tm_isdst`.
const CREATED: u8 = 7;

/// The database's name, the server's version and `pg_dump`'s.
const TEXTS: u8 = 3;

/// The second number of the archive format's version, which is 1.something.
///
/// `pg_dump` 13 to 15 writes 14, 16 writes 15, 17 and 18 write 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u8);

impl Version {
    const OLDEST: Self = Self(12);
    const NEWEST: Self = Self(16);

    /// The compression is a byte for the algorithm, no number for the level.
    const COMPRESSION_ALGORITHM: Self = Self(15);

    /// Entries have a table access method.
    pub(super) fn has_table_access_method(self) -> bool {
        self >= Self(14)
    }

    /// Entries have the kind of their relation.
    pub(super) fn has_relation_kind(self) -> bool {
        self >= Self(16)
    }
}

/// Reads the head.
#[derive(Debug, Default)]
pub(super) struct Head {
    step: Step,
    fixed: Bytes<11>,
    integer: Integer,
    text: Text,
}

#[derive(Clone, Copy, Debug, Default)]
enum Step {
    #[default]
    Fixed,
    Compression(Version),
    Created(Version, u8),
    Texts(Version, u8),
}

impl Head {
    pub(super) fn read(&mut self, input: &mut Input<'_>) -> Result<Version, Stop> {
        loop {
            self.step = match self.step {
                Step::Fixed => Step::Compression(version(self.fixed.read(input)?)?),
                Step::Compression(version) => {
                    // PG_COMPRESSION_NONE is 0, and so is the level of none.
                    let compression = if version >= Version::COMPRESSION_ALGORITHM {
                        i32::from(input.byte()?)
                    } else {
                        self.integer.read(input)?
                    };
                    if compression != 0 {
                        return Err(NotUnderstood::Compressed.into());
                    }
                    Step::Created(version, CREATED)
                }
                Step::Created(version, 0) => Step::Texts(version, TEXTS),
                Step::Created(version, left) => {
                    self.integer.read(input)?;
                    Step::Created(version, left - 1)
                }
                Step::Texts(version, 0) => return Ok(version),
                Step::Texts(version, left) => {
                    self.text.skip(input)?;
                    Step::Texts(version, left - 1)
                }
            }
        }
    }
}

fn version(fixed: [u8; 11]) -> Result<Version, NotUnderstood> {
    let [magic @ .., major, minor, _, integer, offset, format] = fixed;
    if magic != *b"PGDMP" {
        return Err(NotUnderstood::Magic);
    }
    let version = Version(minor);
    if major != 1 || version < Version::OLDEST || version > Version::NEWEST {
        return Err(NotUnderstood::Version { major, minor });
    }
    if (integer, offset) != (4, 8) {
        return Err(NotUnderstood::Sizes { integer, offset });
    }
    if format != CUSTOM {
        return Err(NotUnderstood::Format(format));
    }
    Ok(version)
}
