//! A model of writers, pruners and a reader on one storage, explored state by state.
//!
//! What the model leaves out is what does not matter to the protocol: a backup is one
//! pack and its `backup` record, bytes are never looked at. A copied one has a manifest
//! besides, of which it matters whose signature it has: each host signs its own, and the
//! record cites one of them. What it has is every order
//! of single storage calls, of the single objects that a listing passes by, writers
//! and pruners that stop anywhere for ever, and runs that seem dead at any moment,
//! whatever any clock says. What a pruner does is decided by the program's own
//! planner.
//!
//! The storage may lose one record, at any moment: a `begin`, an `outcome`, a tombstone or
//! a `backup` is gone, or can no longer be read.
//!
//! Who pins a backup is there too: a pin that its writer has found to hold, one that came too
//! late, one that was lifted.
//!
//! Whether a storage creates only what is absent makes no difference to any state: the
//! only objects that two may write, tombstones and `dead`, count by being there. But for a
//! damaged tombstone, which one that overwrites mends; both are gone through.

mod explore;
mod leftovers;
mod losses;
mod pinning;
mod planner;
mod pruning;
mod state;
mod steps;
mod tests;

/// Parts of the protocol that are left out, to see that the model notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    /// A pruner deletes by what it saw before it declared anything.
    SecondLook,
    /// Runs are listed before backups only.
    RunsAgain,
    /// What a run says is looked for after backups were listed.
    RunsFirst,
    /// Whose records went away between being listed and being read is not asked.
    ReadAgain,
    /// A writer does not look after its commit.
    Confirmation,
    /// A writer looks for `begin` first, then for `dead`.
    DeadBeforeBegin,
    /// A pruner deletes `dead` before `begin`.
    BeginBeforeDead,
    /// A writer does not look for its parent's tombstone after its `begin`.
    ParentAfterBegin,
    /// A parent is any backup that is committed.
    ConfirmedParent,
    /// Pruners do not spare what the parents of runs need.
    ParentsSpared,
    /// What belongs to no run that is known goes.
    UnaccountedStays,
    /// A backup without a record is one that failed, whatever its run says.
    MissingStops,
    /// A parent without a record is none.
    NoParentStops,
    /// A pruner does not look again once `backup` records have gone.
    LookAfterCommits,
    /// What copies have left goes as what other runs have left.
    CopiesStay,
    /// Who copies replaces a record that is there.
    OthersRecordStays,
    /// Who copies replaces the manifest that another host has put.
    OthersPartsStay,
    /// Who copies deletes what is of no use without looking for others who are at it.
    AloneAtIt,
    /// Who copies does not look, after its commit, whether its manifest is the one it cites.
    CitedParts,
    /// Who copies looks for no tombstone of another backup of the run whose pack it needs.
    OthersTombstones,
    /// Pins are listed before tombstones.
    PinsAfterTombstones,
    /// Who pins does not look for a tombstone afterwards.
    LookAfterPin,
    /// Pruners know nothing of pins.
    PinsSpared,
    /// Who pins looks for `backup` before looking for the tombstone.
    TombstoneBeforeCommit,
    /// A pruner that finds a tombstone beside a pin deletes the tombstone.
    TombstonesStay,
    /// A pruner deletes a damaged tombstone, and writes it anew.
    DamagedTombstonesStay,
}

/// How a listing passes by the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listings {
    /// All at once.
    Whole,
    /// One by one.
    Single,
    /// One by one, backwards.
    Backwards,
}

/// What is explored.
#[derive(Clone, Copy, Debug)]
struct Setting {
    writers: usize,
    pruners: usize,
    /// How often each pruner begins.
    sweeps: u8,
    reader: bool,
    /// How many pin a backup, once each.
    pinners: usize,
    listings: Listings,
    /// The kinds of records of which the storage may lose one.
    losses: &'static [state::Kind],
    /// Of the backup that is there from the start only its own folder was copied.
    half: bool,
    /// Both writers copy the same backup, which needs the pack of the one that is there.
    copies: bool,
    /// The second one copies another backup with it, which needs its pack: that pack is put,
    /// and the copy of the first comes to nothing.
    rests: bool,
    /// In the place of its manifest there is something of no use.
    litter: bool,
    without: &'static [Without],
}

impl Setting {
    fn lacks(&self, part: Without) -> bool {
        self.without.contains(&part)
    }
}
