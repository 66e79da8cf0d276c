//! What a backup needs besides its own records: packs, of its own and of others.
//!
//! Invariant: it is told by the `backup` record alone.

use pgkeep_format::names;
use pgkeep_format::records::{BackupRecord, PackSummary};
use pgkeep_types::{ObjectName, ObjectNameError};

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
