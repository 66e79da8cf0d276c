//! What passes by of an archive: where tables begin, and how many rows they have.
//!
//! Invariants: nothing is counted by halves; a table whose data was not seen to its
//! end has no numbers. An archive that ends before its end is known as such, as long as it is
//! understood, whatever `pg_dump` ended with: a script or a pipe in its place loses that.

use std::collections::HashMap;

use bytes::Bytes;
use pgkeep_postgres::tools::{
    ArchiveEvent, ArchiveScanner, ArchiveState, DataKind, GaveUp, TocEntry,
};

use crate::Phase;

/// What a custom-format archive begins with (src/bin/pg_dump/pg_backup_archiver.c,
/// `WriteHead`).
const MAGIC: &[u8] = b"PGDMP";

/// What the data of a table came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableData {
    /// None where it was no COPY data.
    pub(crate) rows: Option<u64>,
    /// How many bytes of the archive.
    pub(crate) bytes: u64,
}

/// An archive that has passed by.
#[derive(Debug)]
pub(crate) struct Archive {
    /// In bytes.
    pub(crate) length: u64,
    /// Whether it begins as archives do.
    pub(crate) has_magic: bool,
    /// The data of tables, by the table's object identifier.
    pub(crate) tables: HashMap<u32, TableData>,
    /// Why tables are missing there.
    pub(crate) gave_up: Option<GaveUp>,
    /// Where it ends, if that is no end of an archive.
    pub(crate) cut_short: Option<String>,
}

/// An archive that passes by.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    scanner: ArchiveScanner,
    length: u64,
    head: Vec<u8>,
    began: u64,
    /// The entry that was told to pass by.
    entered: Option<i32>,
    /// By dump id.
    data: HashMap<i32, TableData>,
}

impl Passing {
    /// What passes by, where that is another entry's data than when this was last asked.
    pub(crate) fn entered(&mut self) -> Option<Phase> {
        let entry = self.scanner.current()?;
        if self.entered == Some(entry.dump_id) {
            return None;
        }
        self.entered = Some(entry.dump_id);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(match entry.kind {
            DataKind::LargeObjects => Phase::LargeObjects,
            DataKind::Table | DataKind::Other => Phase::Rows {
                schema: entry.namespace.as_deref().map(text).unwrap_or_default(),
                table: text(&entry.tag),
            },
        })
    }

    /// Sees the next bytes; tells where in them a table's data begins.
    pub(crate) fn see(&mut self, bytes: &Bytes) -> Vec<usize> {
        let missing = MAGIC.len().saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(missing));
        let Self {
            scanner,
            length,
            began,
            data,
            ..
        } = self;
        let mut begins = Vec::new();
        scanner.push(bytes, |event| match event {
            ArchiveEvent::DataBegins { offset, .. } => {
                *began = offset;
                if let Ok(at) = usize::try_from(offset.saturating_sub(*length)) {
                    begins.push(at.min(bytes.len()));
                }
            }
            ArchiveEvent::DataEnds {
                offset,
                dump_id,
                rows,
            } => {
                let bytes = offset.saturating_sub(*began);
                data.insert(dump_id, TableData { rows, bytes });
            }
        });
        *length += bytes.len() as u64;
        begins
    }

    /// All has passed by.
    pub(crate) fn end(mut self) -> Archive {
        let cut_short = self.cut_short();
        let entries = self.scanner.toc().unwrap_or_default();
        let with_data = entries.iter();
        let tables = with_data.filter_map(|entry| {
            let data = self.data.remove(&entry.dump_id)?;
            (entry.kind == DataKind::Table).then_some((entry.oid, data))
        });
        Archive {
            length: self.length,
            has_magic: self.head == MAGIC,
            tables: tables.collect(),
            gave_up: self.scanner.gave_up(),
            cut_short,
        }
    }

    /// Where the archive ends, if there ought to be more of it.
    fn cut_short(&self) -> Option<String> {
        let entries = self.scanner.toc().unwrap_or_default();
        let missing = entries.iter().find(|e| !self.data.contains_key(&e.dump_id));
        match self.scanner.state() {
            ArchiveState::Head => Some("its head".to_owned()),
            ArchiveState::Toc => Some("its table of contents".to_owned()),
            ArchiveState::Data { .. } => self.scanner.current().map(data_of),
            ArchiveState::Between => missing.map(|e| format!("front of {}", data_of(e))),
            ArchiveState::Lost => None,
        }
    }
}

/// Data of an entry, in words.
fn data_of(entry: &TocEntry) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let name = text(&entry.tag);
    match (entry.kind, entry.namespace.as_deref().map(text)) {
        (DataKind::LargeObjects, _) => "the large objects".to_owned(),
        (_, Some(schema)) => format!("the data of {schema}.{name}"),
        (_, None) => format!("the data of {name}"),
    }
}
