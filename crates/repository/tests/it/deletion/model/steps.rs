//! What can happen next in a state.

use super::losses::lose;
use super::pinning::pin;
use super::planner::Planner;
use super::pruning::prune;
use super::state::{BACKUPS, Kind, Manifest, Objects, Reader, State, Writer, Writing};
use super::{Setting, Without};

/// Every state that can follow.
pub(super) fn successors(setting: &Setting, planner: &Planner, state: &State) -> Vec<State> {
    let mut next = Vec::new();
    for writer in 0..setting.writers {
        write(setting, state, writer, &mut next);
    }
    for pruner in 0..setting.pruners {
        next.extend(prune(setting, planner, state, pruner));
    }
    for pinner in 0..setting.pinners {
        pin(setting, state, pinner, &mut next);
    }
    read(state, &mut next);
    lose(setting, state, &mut next);
    // It makes no difference which pruner is which.
    for state in &mut next {
        state.pruners.sort_unstable();
    }
    next
}

fn write(setting: &Setting, state: &State, number: usize, next: &mut Vec<State>) {
    use Writing as W;
    let run = number + 1;
    let rests = setting.rests && run == 2;
    let backup = if setting.copies && !rests { 1 } else { run };
    let writer = state.writers[number];
    let has = |kind, backup| state.objects.has(kind, backup);
    let damaged = state.losses.damaged;
    let parent = writer.parent.map(usize::from);
    let lacks = |part| setting.lacks(part);
    let own = u8::try_from(run).unwrap();
    // Of one who copies: whether somebody may rely on the record that is there.
    let is_of_use =
        has(Kind::Commit, backup) && !has(Kind::Failed, usize::from(state.committed_by));
    let mut step = |change: &dyn Fn(&mut State, &mut Writer)| {
        let mut state = state.clone();
        let mut writer = writer;
        change(&mut state, &mut writer);
        state.writers[number] = writer;
        next.push(state);
    };
    let mut go = |to: Writing| step(&|_, writer| writer.next = to);
    match writer.next {
        W::Choose if setting.copies => {
            let reads = |kind| has(kind, 0) && !damaged.has(kind, 0);
            let is_sure = reads(Kind::Commit) && reads(Kind::Complete);
            let called_failed = has(Kind::Failed, usize::from(state.committed_by));
            let is_there = has(Kind::Commit, 1) && !called_failed;
            let is_deleted = (0..=backup).any(|b| has(Kind::Tombstone, b));
            if is_sure && !is_deleted && !is_there {
                step(&|_, writer| {
                    writer.parent = Some(0);
                    writer.next = W::Begin;
                });
            }
        }
        W::Choose => {
            go(W::Begin);
            for other in (0..BACKUPS).filter(|other| *other != backup) {
                let reads = |kind| has(kind, other) && !damaged.has(kind, other);
                let confirmed = reads(Kind::Complete)
                    || lacks(Without::ConfirmedParent) && !has(Kind::Failed, other);
                if reads(Kind::Commit) && confirmed && !has(Kind::Tombstone, other) {
                    step(&|_, writer| {
                        writer.parent = u8::try_from(other).ok();
                        writer.next = W::Begin;
                    });
                }
            }
        }
        W::Begin => step(&|state, writer| {
            state.objects = state.objects.and(Objects::one(Kind::Begin, run));
            writer.next = match parent {
                Some(_) if setting.copies => W::LookForOwnTombstone,
                Some(_) => W::LookForTombstoneOfParent,
                None => W::Pack,
            };
        }),
        W::LookForOwnTombstone if has(Kind::Tombstone, backup) => go(W::Failed),
        W::LookForOwnTombstone if rests && lacks(Without::OthersTombstones) => go(W::Pack),
        W::LookForOwnTombstone if rests => go(W::LookForOthersTombstone),
        W::LookForOwnTombstone => go(W::LookForTombstoneOfParent),
        W::LookForOthersTombstone if has(Kind::Tombstone, 1) => go(W::Failed),
        W::LookForOthersTombstone => go(W::Pack),
        W::LookForTombstoneOfParent => match parent {
            Some(parent) if !has(Kind::Tombstone, parent) => go(W::LookForCommitOfParent),
            Some(_) if lacks(Without::ParentAfterBegin) => go(W::LookForCommitOfParent),
            _ if setting.copies => go(W::Failed),
            _ => go(W::Pack),
        },
        W::LookForCommitOfParent => {
            let reads = |parent| has(Kind::Commit, parent) && !damaged.has(Kind::Commit, parent);
            let there = parent.is_some_and(reads);
            step(&|_, writer| {
                writer.uses_parent = there;
                writer.next = match there || !setting.copies {
                    true => W::Pack,
                    false => W::Failed,
                };
            });
        }
        W::Pack if rests => step(&|state, writer| {
            let packs = Objects::one(Kind::Pack, 1).and(Objects::one(Kind::Pack, 2));
            state.objects = state.objects.and(packs);
            writer.next = W::Commit;
        }),
        W::Pack => step(&|state, writer| {
            state.objects = state.objects.and(Objects::one(Kind::Pack, backup));
            writer.next = match setting.copies {
                true => W::LookForManifest,
                false => W::Commit,
            };
        }),
        W::LookForManifest => match state.manifest {
            Manifest::Absent => go(W::PutManifest),
            Manifest::Of(other) if other != own && lacks(Without::OthersPartsStay) => {
                go(W::DeleteManifest);
            }
            there @ Manifest::Of(_) => step(&|_, writer| {
                writer.cites = there;
                writer.next = W::LookForCommit;
            }),
            Manifest::Litter if lacks(Without::AloneAtIt) => go(W::LookForUse),
            Manifest::Litter => go(W::LookForOthers),
        },
        W::LookForOthers => {
            let ends = [Kind::Complete, Kind::Failed, Kind::Dead];
            let is_at_it = |run| has(Kind::Begin, run) && !ends.iter().any(|end| has(*end, run));
            let mut others = (1..=setting.writers).filter(|other| *other != run);
            match others.any(is_at_it) {
                true => go(W::Failed),
                false => go(W::LookForUse),
            }
        }
        W::LookForUse if is_of_use => go(W::Failed),
        W::LookForUse => go(W::DeleteManifest),
        // It looks just before: only that it does not stand still in between for as long as
        // it takes to be taken for dead rests on a clock.
        W::DeleteManifest if has(Kind::Dead, run) || !has(Kind::Begin, run) => go(W::Failed),
        W::DeleteManifest => step(&|state, writer| {
            state.manifest = Manifest::Absent;
            writer.next = W::PutManifest;
        }),
        W::PutManifest if state.manifest != Manifest::Absent => go(W::LookForManifest),
        W::PutManifest => step(&|state, writer| {
            state.manifest = Manifest::Of(own);
            writer.cites = state.manifest;
            writer.next = W::LookForCommit;
        }),
        W::LookForCommit if is_of_use && !lacks(Without::OthersRecordStays) => go(W::Failed),
        W::LookForCommit => step(&|state, writer| {
            let there = Objects::one(Kind::Commit, backup);
            state.objects = state.objects.without(there);
            writer.next = W::Commit;
        }),
        W::Commit if setting.copies && has(Kind::Commit, backup) => go(W::Failed),
        W::Commit => step(&|state, writer| {
            if !rests {
                state.committed_by = own;
                state.cited = writer.cites;
            }
            state.objects = state.objects.and(Objects::one(Kind::Commit, backup));
            writer.next = W::LookForTombstone;
            if lacks(Without::Confirmation) {
                state.good |= 1 << backup;
                writer.next = W::Complete;
            }
        }),
        W::LookForTombstone if has(Kind::Tombstone, backup) => go(W::Failed),
        W::LookForTombstone => match lacks(Without::DeadBeforeBegin) {
            true => go(W::LookForBegin),
            false => go(W::LookForDead),
        },
        W::LookForDead if has(Kind::Dead, run) => go(W::Tombstone),
        W::LookForDead => match lacks(Without::DeadBeforeBegin) {
            true => go(W::LookForPacks),
            false => go(W::LookForBegin),
        },
        W::LookForBegin if !has(Kind::Begin, run) => go(W::Tombstone),
        W::LookForBegin => match lacks(Without::DeadBeforeBegin) {
            true => go(W::LookForDead),
            false => go(W::LookForPacks),
        },
        W::LookForPacks if !state.is_whole(backup) => go(W::Tombstone),
        W::LookForPacks if setting.copies && !rests && !lacks(Without::CitedParts) => {
            go(W::LookForCitedManifest);
        }
        W::LookForCitedManifest if state.manifest != writer.cites => go(W::Failed),
        W::LookForPacks | W::LookForCitedManifest => step(&|state, writer| {
            state.good |= 1 << backup;
            writer.next = W::Complete;
        }),
        W::Complete => step(&|state, writer| {
            state.objects = state.objects.and(Objects::one(Kind::Complete, run));
            writer.next = W::Ended;
        }),
        W::Tombstone if setting.copies => go(W::Failed),
        W::Tombstone => {
            // It is written where that can be.
            go(W::Failed);
            step(&|state, writer| {
                state.objects = state.objects.and(Objects::one(Kind::Tombstone, backup));
                writer.next = W::Failed;
            });
        }
        W::Failed => step(&|state, writer| {
            state.objects = state.objects.and(Objects::one(Kind::Failed, run));
            writer.next = W::Ended;
        }),
        W::Ended => {}
    }
}

/// The reader takes a backup that is listed as good, and reads its packs.
fn read(state: &State, next: &mut Vec<State>) {
    let mut go = |reader: Reader| {
        let mut state = state.clone();
        state.reader = reader;
        next.push(state);
    };
    match state.reader {
        Reader::Choose => {
            for backup in 0..BACKUPS {
                let has = |kind| state.objects.has(kind, backup);
                let readable = !state.losses.damaged.has(Kind::Commit, backup);
                let deleted = has(Kind::Tombstone) && !state.is_pinned(backup);
                let good = has(Kind::Commit) && !deleted && !has(Kind::Failed);
                let good = good && readable;
                if good && state.is_whole(backup) {
                    go(Reader::Read(u8::try_from(backup).unwrap(), 0));
                }
            }
        }
        Reader::Read(backup, position) => {
            let needs = state.needs(backup.into());
            let mut needed = (0..BACKUPS).filter(|b| needs & (1 << b) != 0);
            match needed.nth(position.into()) {
                None => go(Reader::Ended),
                Some(holder) if state.objects.has(Kind::Pack, holder) => {
                    go(Reader::Read(backup, position + 1));
                }
                Some(_) => go(Reader::Explain(backup)),
            }
        }
        Reader::Explain(backup) => {
            let told = state.objects.has(Kind::Tombstone, backup.into());
            // What was deleted may be forgotten; what was never good may vanish.
            let is_good = state.good & !state.deleted & (1 << backup) != 0;
            let is_good = is_good && !state.losses.excuse(backup.into());
            let mut state = state.clone();
            state.reader = Reader::Ended;
            state.unexplained = is_good && !told;
            next.push(state);
        }
        Reader::Ended => {}
    }
}
