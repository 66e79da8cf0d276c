//! What a backup refers to, and what refers to it.
//!
//! Invariant: only backups that a restore would take count; what cannot be read may refer to
//! it too.

use pgkeep_format::records::BackupRecord;
use pgkeep_repository::{Catalogue, Entry};
use pgkeep_types::{BackupId, counted};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct References<'a> {
    /// The backups whose packs it needs.
    to: Vec<&'a BackupId>,
    /// The backups that need packs of it.
    by: Vec<&'a BackupId>,
}

impl<'a> References<'a> {
    pub(super) fn of(record: &'a BackupRecord, catalogue: &'a Catalogue) -> Self {
        let complete = catalogue.entries.iter().filter_map(|entry| match entry {
            Entry::Complete(other) => Some(other),
            Entry::Attempt(_) | Entry::Unreadable(_) => None,
        });
        let needs_it = complete.filter(|other| other.id != record.id && needs(other, &record.id));
        Self {
            to: needed(record).filter(|id| **id != record.id).collect(),
            by: needs_it.map(|other| &other.id).collect(),
        }
    }

    /// Lines of names and values.
    pub(super) fn told(&self, record: &BackupRecord) -> Vec<(&'static str, String)> {
        let packs: usize = record.needs.iter().map(|need| need.packs.len()).sum();
        let mut lines = vec![("packs", packs.to_string())];
        if let Some(parent) = &record.parent {
            lines.push(("compared with", parent.to_string()));
        }
        let of = |id: &BackupId| {
            let needs = record.needs.iter().filter(|need| need.backup == *id);
            let packs: usize = needs.map(|need| need.packs.len() + need.index.len()).sum();
            format!("{id} ({})", counted(packs, "pack"))
        };
        let to: Vec<String> = self.to.iter().map(|id| of(id)).collect();
        let by: Vec<String> = self.by.iter().map(ToString::to_string).collect();
        lines.push(match to.as_slice() {
            [] => ("refers to", "no other backup".to_owned()),
            to => ("refers to", to.join(", ")),
        });
        lines.push(match by.as_slice() {
            [] => ("referred to", "by no other backup".to_owned()),
            by => ("referred to", format!("by {}", by.join(", "))),
        });
        lines
    }
}

fn needed(record: &BackupRecord) -> impl Iterator<Item = &BackupId> {
    record.needs.iter().map(|need| &need.backup)
}

fn needs(record: &BackupRecord, id: &BackupId) -> bool {
    needed(record).any(|needed| needed == id)
}
