//! What a backup needs: its own records, and packs, of its own and of others.
//!
//! Invariant: it is told by the `backup` record alone.

use pgkeep_format::Hash;
use pgkeep_format::names::{self, BackupPart, Place};
use pgkeep_format::records::{BackupRecord, PackSummary};
use pgkeep_types::{BackupId, ObjectName, ObjectNameError};

/// Every pack that `backup` cites, as it cites it.
pub(crate) fn cited(
    backup: &BackupRecord,
) -> Result<Vec<(ObjectName, PackSummary)>, ObjectNameError> {
    let cluster = &backup.cluster;
    let of_need = backup.needs.iter().flat_map(|need| {
        let packs = need.packs.iter().map(|pack| {
            let name = names::pack(cluster, &need.backup, pack.number);
            Ok((name?, *pack))
        });
        let index = need.index.iter().map(|pack| {
            let name = names::index(cluster, &need.backup, pack.number);
            Ok((name?, *pack))
        });
        packs.chain(index)
    });
    of_need.collect()
}

/// Every object that `backup` needs beside its own `backup` record, its length in bytes and
/// its hash.
pub(crate) fn everything(
    backup: &BackupRecord,
) -> Result<Vec<(ObjectName, u64, Hash)>, ObjectNameError> {
    let (cluster, id) = (&backup.cluster, &backup.id);
    let records = &backup.records;
    let mut all = vec![
        (
            names::backup(cluster, id, BackupPart::Manifest)?,
            records.manifest_length,
            records.manifest,
        ),
        (
            names::backup(cluster, id, BackupPart::Facts)?,
            records.facts_length,
            records.facts,
        ),
    ];
    let packs = cited(backup)?.into_iter();
    all.extend(packs.map(|(name, pack)| (name, pack.length, pack.blake3)));
    Ok(all)
}

/// Every object that `backup` needs beside its own `backup` record, and its length.
pub(crate) fn lengths(backup: &BackupRecord) -> Result<Vec<(ObjectName, u64)>, ObjectNameError> {
    let all = everything(backup)?.into_iter();
    Ok(all.map(|(name, length, _)| (name, length)).collect())
}

/// In whose folder an object is that backups need.
pub(crate) fn holder(name: &ObjectName) -> Option<BackupId> {
    match names::place(name)? {
        Place::Backup(_, holder, _) | Place::Pack(_, holder, _) | Place::Index(_, holder, _) => {
            Some(holder)
        }
        _ => None,
    }
}
