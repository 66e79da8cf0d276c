//! The table of contents (`WriteToc` in src/bin/pg_dump/pg_backup_archiver.c,
//! `WriteOffset` behind each entry).
//!
//! Invariant: only entries that have data are kept, and these within limits:
//! before 17 there is an entry for each large object.

use super::NotUnderstood;
use super::head::Version;
use super::input::{Input, Stop};
use super::primitives::{Bytes, Integer, Text};

/// The longest name that is kept, in bytes.
const LONGEST_NAME: usize = 64 << 10;

/// The longest text of a number, in bytes.
const LONGEST_NUMBER: usize = 10;

/// How many entries with data are kept at most.
const MOST_ENTRIES: usize = 2 << 20;

/// How many bytes of names are kept at most.
const MOST_NAMES: usize = 64 << 20;

/// An entry of the table of contents that has data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TocEntry {
    /// Its number in this archive; the same table can have another one in the
    /// next.
    pub dump_id: i32,
    /// The object identifier of its table in the dumped database; 0 for large
    /// objects before 17.
    pub oid: u32,
    /// What data it is.
    pub kind: DataKind,
    /// The schema of its table, in the encoding of the dump.
    pub namespace: Option<Box<[u8]>>,
    /// The name of its table, in the encoding of the dump.
    pub tag: Box<[u8]>,
    /// Whether the data is COPY's (and not INSERT statements).
    pub(super) copy: bool,
}

/// What data an entry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// The rows of a table: `TABLE DATA`.
    Table,
    /// Large objects, all or some of them: `BLOBS`.
    LargeObjects,
    /// Another kind; none is known today.
    Other,
}

/// Reads the table of contents.
#[derive(Debug)]
pub(super) struct Toc {
    version: Version,
    /// Entries that are still to come; `None` before their number was read.
    left: Option<i32>,
    step: Step,
    integer: Integer,
    text: Text,
    file_offset: Bytes<9>,
    /// The entry that is being read, if it has data.
    entry: Option<TocEntry>,
    dump_id: i32,
    entries: Vec<TocEntry>,
    names: usize,
}

/// The field that comes next.
#[derive(Clone, Copy, Debug)]
enum Step {
    DumpId,
    HasData,
    CatalogOid,
    Oid,
    Tag,
    Description,
    Section,
    Definition,
    DropStatement,
    CopyStatement,
    Namespace,
    Tablespace,
    AccessMethod,
    RelationKind,
    Owner,
    WithOids,
    Dependency,
    FileOffset,
}

impl Toc {
    pub(super) fn new(version: Version) -> Self {
        Self {
            version,
            left: None,
            step: Step::DumpId,
            integer: Integer::default(),
            text: Text::default(),
            file_offset: Bytes::default(),
            entry: None,
            dump_id: 0,
            entries: Vec::new(),
            names: 0,
        }
    }

    /// Reads to its end and tells the entries that have data.
    pub(super) fn read(&mut self, input: &mut Input<'_>) -> Result<Vec<TocEntry>, Stop> {
        let mut left = match self.left {
            Some(left) => left,
            None => match self.integer.read(input)? {
                count @ 0.. => count,
                count => return Err(NotUnderstood::Length(count).into()),
            },
        };
        self.left = Some(left);
        while left > 0 {
            self.read_entry(input)?;
            left -= 1;
            self.left = Some(left);
        }
        Ok(std::mem::take(&mut self.entries))
    }

    fn read_entry(&mut self, input: &mut Input<'_>) -> Result<(), Stop> {
        loop {
            self.step = match self.step {
                Step::DumpId => {
                    self.dump_id = self.field(input, 1..=i32::MAX)?;
                    Step::HasData
                }
                Step::HasData => {
                    let has_data = self.field(input, 0..=1)? == 1;
                    self.entry = has_data.then(|| TocEntry::new(self.dump_id));
                    Step::CatalogOid
                }
                Step::CatalogOid => {
                    self.text.skip(input)?;
                    Step::Oid
                }
                Step::Oid => {
                    let text = self.text.keep(input, LONGEST_NUMBER)?;
                    if let Some(entry) = &mut self.entry {
                        entry.oid = number(text.as_deref()).unwrap_or(0);
                    }
                    Step::Tag
                }
                Step::Tag => {
                    let name = self.name(input)?;
                    if let (Some(entry), Some(name)) = (&mut self.entry, name) {
                        entry.tag = name;
                    }
                    Step::Description
                }
                Step::Description => {
                    let name = self.name(input)?;
                    if let Some(entry) = &mut self.entry {
                        entry.kind = DataKind::named(name.as_deref());
                    }
                    Step::Section
                }
                Step::Section => {
                    // SECTION_NONE to SECTION_POST_DATA in pg_backup.h.
                    self.field(input, 1..=4)?;
                    Step::Definition
                }
                Step::Definition => self.skip(input, Step::DropStatement)?,
                Step::DropStatement => self.skip(input, Step::CopyStatement)?,
                Step::CopyStatement => {
                    let length = self.text.skip(input)?;
                    if let Some(entry) = &mut self.entry {
                        entry.copy = length.is_some_and(|length| length > 0);
                    }
                    Step::Namespace
                }
                Step::Namespace => {
                    let name = self.name(input)?;
                    if let Some(entry) = &mut self.entry {
                        entry.namespace = name.filter(|name| !name.is_empty());
                    }
                    Step::Tablespace
                }
                Step::Tablespace if self.version.has_table_access_method() => {
                    self.skip(input, Step::AccessMethod)?
                }
                Step::Tablespace => self.skip(input, Step::Owner)?,
                Step::AccessMethod if self.version.has_relation_kind() => {
                    self.skip(input, Step::RelationKind)?
                }
                Step::AccessMethod => self.skip(input, Step::Owner)?,
                Step::RelationKind => {
                    self.field(input, 0..=0x7f)?;
                    Step::Owner
                }
                Step::Owner => self.skip(input, Step::WithOids)?,
                Step::WithOids => self.skip(input, Step::Dependency)?,
                Step::Dependency => match self.text.skip(input)? {
                    Some(_) => Step::Dependency,
                    None => Step::FileOffset,
                },
                Step::FileOffset => {
                    // K_OFFSET_POS_NOT_SET to K_OFFSET_NO_DATA, and an offset,
                    // which a pipe never has.
                    let [flag, ..] = self.file_offset.read(input)?;
                    if !(1..=3).contains(&flag) {
                        return Err(NotUnderstood::TocField(flag.into()).into());
                    }
                    self.step = Step::DumpId;
                    return self.finish_entry();
                }
            }
        }
    }

    fn finish_entry(&mut self) -> Result<(), Stop> {
        if let Some(entry) = self.entry.take() {
            self.names += entry.tag.len() + entry.namespace.as_ref().map_or(0, |name| name.len());
            if self.entries.len() >= MOST_ENTRIES || self.names > MOST_NAMES {
                return Err(NotUnderstood::TocTooLarge.into());
            }
            self.entries.push(entry);
        }
        Ok(())
    }

    fn field(
        &mut self,
        input: &mut Input<'_>,
        possible: std::ops::RangeInclusive<i32>,
    ) -> Result<i32, Stop> {
        let value = self.integer.read(input)?;
        if possible.contains(&value) {
            Ok(value)
        } else {
            Err(NotUnderstood::TocField(value).into())
        }
    }

    fn skip(&mut self, input: &mut Input<'_>, next: Step) -> Result<Step, Stop> {
        self.text.skip(input)?;
        Ok(next)
    }

    /// Reads a name, and keeps it where the entry has data.
    fn name(&mut self, input: &mut Input<'_>) -> Result<Option<Box<[u8]>>, Stop> {
        if self.entry.is_some() {
            self.text.keep(input, LONGEST_NAME)
        } else {
            self.text.skip(input)?;
            Ok(None)
        }
    }
}

impl TocEntry {
    fn new(dump_id: i32) -> Self {
        Self {
            dump_id,
            oid: 0,
            kind: DataKind::Other,
            namespace: None,
            tag: Box::default(),
            copy: false,
        }
    }
}

impl DataKind {
    fn named(description: Option<&[u8]>) -> Self {
        match description {
            Some(b"TABLE DATA") => Self::Table,
            Some(b"BLOBS") => Self::LargeObjects,
            _ => Self::Other,
        }
    }
}

fn number(text: Option<&[u8]>) -> Option<u32> {
    std::str::from_utf8(text?).ok()?.parse().ok()
}
