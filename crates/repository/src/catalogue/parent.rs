//! Which backup the next one is compared with.
//!
//! Invariants: only one of which its run says that it is whole, and that nothing
//! calls hurt, nor may; only one that the host
//! that is about to write can open. Which is the newest is told by the storage's clock:
//! by a host's that once ran ahead, one backup would be the newest for good.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use pgkeep_format::Recipient;
use pgkeep_format::records::{BackupKind, BackupRecord};
use pgkeep_types::BackupId;

use super::Catalogue;
use crate::WriteAccess;

/// Of so many backups a parent may need packs.
const GENERATIONS: usize = 64;
/// A parent that is older than another host's backup by more than this stores so much
/// more that it is told.
const MUCH_OLDER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Where a backup comes from.
#[derive(Debug)]
pub(super) struct Origin {
    /// The host that wrote it, by the name of its key.
    pub(super) host: String,
    /// Its host's key, which opens its manifest and its index packs; and those of all
    /// that it refers to, since a host compares with nothing else.
    pub(super) recipient: Option<Recipient>,
    /// When it was committed, by the storage's clock.
    pub(super) committed: Timestamp,
}

/// What the next backup is compared with.
#[derive(Clone, Debug)]
pub struct ParentChoice<'a> {
    /// The newest one that may be referred to; none where all is to be stored.
    pub backup: Option<&'a BackupRecord>,
    /// The newest of all, where that is another host's, and nothing that is nearly as
    /// new can be had.
    pub shut: Option<ShutParent<'a>>,
    /// Backups that are newer than `backup`, and of whose runs nothing is there that says
    /// whether they are whole: the storage has lost it, or it was not copied.
    pub runless: Vec<&'a BackupRecord>,
}

/// A backup that this host's key does not open.
#[derive(Clone, Copy, Debug)]
pub struct ShutParent<'a> {
    /// The backup.
    pub backup: &'a BackupRecord,
    /// The host that wrote it, by the name of its key.
    pub host: &'a str,
}

impl Catalogue {
    /// The backup that the next one of this database may refer to: the newest one of
    /// which its run says that it is whole, and that `access` opens. One that was
    /// committed and of which nothing was said may have been given up meanwhile. None
    /// where that one refers to so many others that a whole backup is due: what an old
    /// pack has lost is stored anew by then, and a restore does not gather from ever
    /// more places. None of `unfit` is chosen.
    #[must_use]
    pub fn parent(
        &self,
        access: &WriteAccess,
        kind: BackupKind,
        database: &str,
        unfit: &BTreeSet<BackupId>,
    ) -> ParentChoice<'_> {
        let mut of_database: Vec<(&Origin, &BackupRecord)> = self
            .complete()
            .filter(|backup| backup.kind == kind && backup.database == database)
            .filter_map(|backup| Some((self.origins.get(&backup.id)?, backup)))
            .collect();
        // They come by the time that hosts tell, which decides between those of an instant.
        of_database.sort_by_key(|(origin, _)| origin.committed);
        let whole = of_database.iter().copied();
        let whole: Vec<_> = whole
            // Of one that was chosen for deletion a run finds the tombstone.
            .filter(|(_, backup)| self.confirmed.contains(&backup.id))
            .filter(|(_, backup)| !unfit.contains(&backup.id))
            .filter(|(_, backup)| self.chosen(&backup.id).is_none())
            .filter(|(_, backup)| self.unread_verification(&backup.id).is_none())
            .collect();
        let opens = |origin: &Origin| {
            !self.is_sealed || origin.recipient.as_ref() == Some(&access.recipient)
        };
        let own = whole.iter().rfind(|(origin, _)| opens(origin));
        let newest = whole.last().filter(|(newest, _)| {
            let is_much_older = own
                .is_none_or(|(own, _)| newest.committed.duration_since(own.committed) > MUCH_OLDER);
            !opens(newest) && is_much_older
        });
        let after = own.map(|(own, _)| own.committed);
        let runless = of_database.into_iter().filter(|(origin, backup)| {
            !self.runs.contains(&backup.run) && after.is_none_or(|own| origin.committed >= own)
        });
        ParentChoice {
            runless: runless.map(|(_, backup)| backup).collect(),
            backup: own
                .map(|(_, backup)| *backup)
                .filter(|backup| backup.needs.len() <= GENERATIONS),
            shut: newest.map(|(origin, backup)| ShutParent {
                backup,
                host: &origin.host,
            }),
        }
    }
}
