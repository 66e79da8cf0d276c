//! The table of contents (`WriteToc` in src/bin/pg_dump/pg_backup_archiver.c,
//! `WriteOffset` behind each entry).
//!
//! Invariants: what is kept is kept within limits. A large object and what is said of it
//! are never kept: before 17 there is an entry for each.

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

/// How many dependencies are kept at most.
const MOST_DEPENDENCIES: usize = 16 << 20;

/// The longest definition of a table that is looked into, in bytes.
const LONGEST_DEFINITION: usize = 64 << 20;

/// Which entries are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Those that have data.
    WithData,
    /// All but large objects.
    All,
}

/// An entry of the table of contents.
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
    /// What it is: `TABLE`, `TABLE DATA`, `FK CONSTRAINT` and so on.
    pub description: Box<[u8]>,
    /// The schema of its table, in the encoding of the dump.
    pub namespace: Option<Box<[u8]>>,
    /// The name of its table, in the encoding of the dump.
    pub tag: Box<[u8]>,
    /// The dump ids of what it needs; some are of no entry.
    pub dependencies: Vec<i32>,
    /// Whether it is a table whose definition says that it is another one's child; since
    /// 14 an entry `TABLE ATTACH` says it of partitions.
    pub is_child: bool,
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
    kept: Kept,
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
    dependencies: usize,
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
    pub(super) fn new(version: Version, kept: Kept) -> Self {
        Self {
            version,
            kept,
            left: None,
            step: Step::DumpId,
            integer: Integer::default(),
            text: Text::default(),
            file_offset: Bytes::default(),
            entry: None,
            dump_id: 0,
            entries: Vec::new(),
            names: 0,
            dependencies: 0,
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
                    let is_kept = has_data || self.kept == Kept::All;
                    self.entry = is_kept.then(|| TocEntry::new(self.dump_id));
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
                        entry.description = name.unwrap_or_default();
                        entry.kind = DataKind::named(&entry.description);
                    }
                    Step::Section
                }
                Step::Section => {
                    // SECTION_NONE to SECTION_POST_DATA in pg_backup.h.
                    self.field(input, 1..=4)?;
                    Step::Definition
                }
                Step::Definition => {
                    match &mut self.entry {
                        Some(entry) if self.kept == Kept::All && entry.is_table() => {
                            let text = self.text.keep(input, LONGEST_DEFINITION)?;
                            entry.is_child = text.is_some_and(|text| says_child(&text));
                        }
                        _ => {
                            self.text.skip(input)?;
                        }
                    }
                    Step::DropStatement
                }
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
                Step::Dependency => match self.text.keep(input, LONGEST_NUMBER)? {
                    Some(text) => {
                        if let (Some(entry), Some(id)) = (&mut self.entry, number(Some(&text))) {
                            entry.dependencies.push(id);
                            self.dependencies += 1;
                        }
                        Step::Dependency
                    }
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
            if self.kept == Kept::All && entry.is_of_one_large_object() {
                self.dependencies -= entry.dependencies.len();
                return Ok(());
            }
            self.names += entry.tag.len() + entry.namespace.as_ref().map_or(0, |name| name.len());
            if self.entries.len() >= MOST_ENTRIES
                || self.names > MOST_NAMES
                || self.dependencies > MOST_DEPENDENCIES
            {
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

    /// Reads a name, and keeps it where the entry is kept.
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
            description: Box::default(),
            namespace: None,
            tag: Box::default(),
            dependencies: Vec::new(),
            is_child: false,
            copy: false,
        }
    }

    fn is_table(&self) -> bool {
        matches!(&*self.description, b"TABLE" | b"FOREIGN TABLE")
    }

    /// Whether it is a large object without its data, or what is said of one.
    fn is_of_one_large_object(&self) -> bool {
        match &*self.description {
            b"BLOB" | b"BLOB METADATA" => true,
            b"ACL" | b"COMMENT" | b"SECURITY LABEL" => {
                self.namespace.is_none() && self.tag.starts_with(b"LARGE OBJECT")
            }
            _ => false,
        }
    }
}

/// Whether a table's definition makes it another one's child (`dumpTableSchema` in
/// src/bin/pg_dump/pg_dump.c; partitions so before 14).
fn says_child(definition: &[u8]) -> bool {
    let says = |words: &[u8]| definition.windows(words.len()).any(|text| text == words);
    says(b"\nINHERITS (") || says(b" ATTACH PARTITION ")
}

impl DataKind {
    fn named(description: &[u8]) -> Self {
        match description {
            b"TABLE DATA" => Self::Table,
            b"BLOBS" => Self::LargeObjects,
            _ => Self::Other,
        }
    }
}

fn number<T: std::str::FromStr>(text: Option<&[u8]>) -> Option<T> {
    std::str::from_utf8(text?).ok()?.parse().ok()
}
