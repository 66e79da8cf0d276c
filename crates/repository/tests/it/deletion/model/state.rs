//! A state of the model: which objects there are, and where everybody is.
//!
//! Invariant: it is small and holds no more than decides what can happen next, so
//! that states that are the same are found to be.

use super::losses::Losses;

/// The most backups: the one that is there from the start, and one a writer.
pub(super) const BACKUPS: usize = 3;

/// Kinds of objects that a backup, or its run, has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Begin,
    Dead,
    /// The outcome: the backup is complete.
    Complete,
    /// The outcome: the backup failed.
    Failed,
    Tombstone,
    Pack,
    Commit,
    Pin,
    Lift,
    OtherPin,
    OtherLift,
    /// Beside a tombstone that is damaged.
    SecondTombstone,
}

impl Kind {
    pub(super) const ALL: [Self; 12] = [
        Self::Begin,
        Self::Dead,
        Self::Complete,
        Self::Failed,
        Self::Tombstone,
        Self::Pack,
        Self::Commit,
        Self::Pin,
        Self::Lift,
        Self::OtherPin,
        Self::OtherLift,
        Self::SecondTombstone,
    ];

    pub(super) const TOMBSTONES: [Self; 2] = [Self::Tombstone, Self::SecondTombstone];

    /// Pins, each with what lifts it.
    pub(super) const PINS: [(Self, Self); 2] =
        [(Self::Pin, Self::Lift), (Self::OtherPin, Self::OtherLift)];
}

/// A set of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Objects(pub(super) u64);

impl Objects {
    pub(super) fn one(kind: Kind, backup: usize) -> Self {
        Self(1 << (kind as usize + Kind::ALL.len() * backup))
    }

    pub(super) fn of_kinds(kinds: &[Kind]) -> Self {
        let all = (0..BACKUPS).flat_map(|b| kinds.iter().map(move |kind| Self::one(*kind, b)));
        all.fold(Self::default(), Self::and)
    }

    pub(super) fn has(self, kind: Kind, backup: usize) -> bool {
        self.0 & Self::one(kind, backup).0 != 0
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn each(self) -> impl Iterator<Item = (Kind, usize)> {
        let all = (0..BACKUPS).flat_map(|b| Kind::ALL.map(|kind| (kind, b)));
        all.filter(move |(kind, b)| self.has(*kind, *b))
    }
}

/// Where a writer is: what it does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Writing {
    #[default]
    Choose,
    Begin,
    /// Of one who copies: under these names something may have been deleted before.
    LookForOwnTombstone,
    /// Of one whose copy rests on another backup of its run.
    LookForOthersTombstone,
    LookForTombstoneOfParent,
    LookForCommitOfParent,
    Pack,
    /// These are steps of one who copies.
    LookForManifest,
    LookForOthers,
    LookForUse,
    DeleteManifest,
    PutManifest,
    LookForCommit,
    Commit,
    LookForTombstone,
    LookForDead,
    LookForBegin,
    LookForPacks,
    LookForCitedManifest,
    Complete,
    Tombstone,
    Failed,
    Ended,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Writer {
    pub(super) next: Writing,
    /// The parent that `begin` names.
    pub(super) parent: Option<u8>,
    /// Whether it refers to it.
    pub(super) uses_parent: bool,
    /// Of one who copies: the manifest that its record cites.
    pub(super) cites: Manifest,
}

/// What is in the place of a manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Manifest {
    #[default]
    Absent,
    /// Of no use to anybody.
    Litter,
    /// Signed by the host of this run.
    Of(u8),
}

/// Where a pruner is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Pruning {
    #[default]
    Choose,
    /// Which of the listings, and how far.
    List(u8, u8),
    Read,
    Plan,
    Declare(u8),
    /// It has found a damaged tombstone, and deletes what is there.
    Replace(u8),
    Delete(u8),
    Ended,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Pruner {
    pub(super) next: Pruning,
    pub(super) sweeps: u8,
    pub(super) chosen: Option<u8>,
    pub(super) declared: bool,
    pub(super) seen: [Objects; 4],
    /// Records that it could not read.
    pub(super) unread: Objects,
    /// The plan's number in the planner's book.
    pub(super) plan: u32,
}

/// Where somebody is who pins a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Pinning {
    #[default]
    Choose,
    Write(u8),
    LookForTombstone(u8),
    LookForCommit(u8),
    /// It was told that it is pinned.
    Sure(u8),
    Lift(u8),
    Ended,
}

/// A reader: which backup, and how many of its packs it has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Reader {
    #[default]
    Choose,
    Read(u8, u8),
    /// A pack is missing: is there a tombstone?
    Explain(u8),
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) objects: Objects,
    pub(super) writers: [Writer; BACKUPS - 1],
    pub(super) pruners: [Pruner; 2],
    pub(super) reader: Reader,
    pub(super) pinners: [Pinning; 2],
    /// Backups whose writers have found that they are good.
    pub(super) good: u8,
    /// Backups that somebody has chosen to delete.
    pub(super) deleted: u8,
    /// The reader found a good backup's pack missing, and no tombstone.
    pub(super) unexplained: bool,
    pub(super) losses: Losses,
    /// Both writers copy backup 1; whose run its record names.
    pub(super) copies: bool,
    /// The second one copies backup 2 besides, which needs the pack of backup 1.
    pub(super) rests: bool,
    pub(super) committed_by: u8,
    /// Its manifest, and the one that its record cites.
    pub(super) manifest: Manifest,
    pub(super) cited: Manifest,
}

impl State {
    /// One backup that is complete.
    pub(super) fn start(setting: &super::Setting) -> Self {
        let there: &[Kind] = match setting.half {
            true => &[Kind::Pack, Kind::Commit],
            false => &[Kind::Begin, Kind::Complete, Kind::Pack, Kind::Commit],
        };
        let there = there.iter().map(|kind| Objects::one(*kind, 0));
        let mut state = Self {
            objects: there.fold(Objects::default(), Objects::and),
            writers: Default::default(),
            pruners: Default::default(),
            reader: Reader::Choose,
            pinners: Default::default(),
            good: 1,
            deleted: 0,
            unexplained: false,
            losses: Losses::new(setting),
            copies: setting.copies,
            rests: setting.rests,
            committed_by: 1,
            manifest: match setting.litter {
                true => Manifest::Litter,
                false => Manifest::Absent,
            },
            cited: Manifest::Absent,
        };
        for writer in state.writers.iter_mut().skip(setting.writers) {
            writer.next = Writing::Ended;
        }
        for (number, pruner) in state.pruners.iter_mut().enumerate() {
            pruner.sweeps = setting.sweeps;
            if number >= setting.pruners {
                pruner.next = Pruning::Ended;
                pruner.sweeps = 0;
            }
        }
        for pinner in state.pinners.iter_mut().skip(setting.pinners) {
            *pinner = Pinning::Ended;
        }
        if !setting.reader {
            state.reader = Reader::Ended;
        }
        state
    }

    /// The parent that the run of a backup names.
    pub(super) fn parent(&self, backup: usize) -> Option<usize> {
        let writer = self.writers.get(backup.checked_sub(1)?)?;
        writer.parent.map(usize::from)
    }

    /// The backups whose packs a backup needs, as its record says.
    pub(super) fn needs(&self, backup: usize) -> u8 {
        let own = 1 << backup;
        if self.copies && backup == 1 {
            return own | 1;
        }
        if self.rests && backup == 2 {
            return own | 1 << 1;
        }
        let writer = backup.checked_sub(1).and_then(|w| self.writers.get(w));
        match writer {
            Some(writer) if writer.uses_parent => {
                own | writer.parent.map_or(0, |p| self.needs(usize::from(p)))
            }
            _ => own,
        }
    }

    /// Whether all packs are there that a backup needs.
    pub(super) fn is_whole(&self, backup: usize) -> bool {
        let needs = self.needs(backup);
        (0..BACKUPS).all(|b| needs & (1 << b) == 0 || self.objects.has(Kind::Pack, b))
    }

    /// Whether a pin is there of a backup, and nothing that lifts it.
    pub(super) fn is_pinned(&self, backup: usize) -> bool {
        Kind::PINS
            .into_iter()
            .any(|(pin, lift)| self.objects.has(pin, backup) && !self.objects.has(lift, backup))
    }

    /// Whether a good backup was pinned, and what was told of that does not hold.
    fn breaks_its_word(&self) -> bool {
        let told = self.pinners.iter().filter_map(|pinner| match pinner {
            Pinning::Sure(backup) => Some(usize::from(*backup)),
            _ => None,
        });
        let mut good = told.filter(|b| self.good & (1 << b) != 0);
        let is_there = |b| self.objects.has(Kind::Commit, b) && self.is_whole(b);
        !self.losses.of_deletion && good.any(|b| !is_there(b) || !self.is_pinned(b))
    }

    /// What has gone wrong.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        for backup in (0..BACKUPS).filter(|b| self.good & !self.deleted & (1 << b) != 0) {
            if !self.objects.has(Kind::Commit, backup) && !self.losses.has_lost(backup) {
                return Some("a good backup has lost its record");
            }
            let run = usize::from(self.committed_by);
            if self.copies && backup == 1 && self.objects.has(Kind::Failed, run) {
                return Some("a good backup is called failed by the run that its record names");
            }
            if self.copies && backup == 1 && self.manifest != self.cited {
                return Some("a good backup has another manifest than its record cites");
            }
            if self.objects.has(Kind::Tombstone, backup) {
                return Some("a good backup has a tombstone that nobody chose");
            }
            if !self.is_whole(backup) && !self.losses.excuse(backup) {
                return Some("a good backup has lost a pack that it needs");
            }
        }
        if self.breaks_its_word() {
            return Some("a backup that was told to be pinned is gone, in part or whole");
        }
        self.unexplained
            .then_some("a reader was told nothing of why a pack is missing")
    }
}
