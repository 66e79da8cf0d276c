//! Which backup the next one is compared with.
//!
//! Invariants: only one of which its run says that it is whole, and that nothing
//! calls hurt, nor may; only one that the last proof could read; only one that the host
//! that is about to write can open. Which is the newest is told by the storage's clock:
//! by a host's that once ran ahead, one backup would be the newest for good. A backup of the
//! same server comes before any of another one.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use pgkeep_format::Recipient;
use pgkeep_format::records::{BackupKind, BackupRecord};
use pgkeep_types::{BackupId, SystemId};

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
    /// Backups that would come before `backup`, and of whose runs nothing is there that says
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
    /// The backup that the next one of this database of server `system` may refer to: the
    /// newest one of which its run says that it is whole, and that `access` opens. One that was
    /// committed and of which nothing was said may have been given up meanwhile. None
    /// where that one refers to so many others that a whole backup is due: what an old
    /// pack has lost is stored anew by then, and a restore does not gather from ever
    /// more places. None of `unfit` is chosen.
    ///
    /// A database of the same name on another server may have nothing in common with it, and
    /// where two servers take turns, each would store everything anew every time: so the
    /// server's own backups come first. Where it has none, another one's is taken: after an
    /// upgrade or a move the rows are the same, and where they are not, nothing is lost. A
    /// server that does not tell what it is has its own ones among those that did not either.
    #[must_use]
    pub fn parent(
        &self,
        access: &WriteAccess,
        kind: BackupKind,
        database: &str,
        system: Option<SystemId>,
        unfit: &BTreeSet<BackupId>,
    ) -> ParentChoice<'_> {
        let mut of_database: Vec<(&Origin, &BackupRecord)> = self
            .complete()
            .filter(|backup| backup.kind == kind && backup.database == database)
            .filter_map(|backup| Some((self.origins.get(&backup.id)?, backup)))
            .collect();
        let rank = |(origin, backup): &(&Origin, &BackupRecord)| {
            (backup.system_id == system, origin.committed)
        };
        // They come by the time that hosts tell, which decides between those of an instant.
        of_database.sort_by_key(rank);
        let whole = of_database.iter().copied();
        let whole: Vec<_> = whole
            // Of one that was chosen for deletion a run finds the tombstone.
            .filter(|(_, backup)| self.confirmed.contains(&backup.id))
            .filter(|(_, backup)| !unfit.contains(&backup.id))
            .filter(|(_, backup)| self.chosen(&backup.id).is_none())
            .filter(|(_, backup)| self.unread_verification(&backup.id).is_none())
            .filter(|(_, backup)| !self.is_damaged_by_proof(&backup.id))
            .collect();
        let opens = |origin: &Origin| {
            !self.is_sealed || origin.recipient.as_ref() == Some(&access.recipient)
        };
        let own = whole.iter().rfind(|(origin, _)| opens(origin));
        let newest = whole.last().filter(|newest| {
            let is_much_older = own.map(rank).is_none_or(|(is_own_server, committed)| {
                let (is_newest_of_it, newest) = rank(newest);
                is_newest_of_it != is_own_server || newest.duration_since(committed) > MUCH_OLDER
            });
            !opens(newest.0) && is_much_older
        });
        let after = own.map(rank);
        let runless = of_database.iter().filter(|of_it| {
            !self.runs.contains(&of_it.1.run) && after.is_none_or(|own| rank(of_it) >= own)
        });
        ParentChoice {
            runless: runless.map(|(_, backup)| *backup).collect(),
            backup: own
                .map(|(_, backup)| *backup)
                .filter(|backup| backup.needs.len() <= GENERATIONS),
            shut: newest.map(|(origin, backup)| ShutParent {
                backup,
                host: &origin.host,
            }),
        }
    }

    /// Whether a proof that stands could not read what the backup needs. A verification may still
    /// call that whole: the bytes are those that were written, and nothing can be made of them.
    ///
    /// A proof that failed for anything else says nothing against the bytes. Were such a backup
    /// no parent either, a question that is answered wrong every night would have everything
    /// stored anew every night, while nothing is pruned.
    fn is_damaged_by_proof(&self, backup: &BackupId) -> bool {
        self.refuting(backup).any(|proof| proof.record.damage)
    }
}
