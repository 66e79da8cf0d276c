//! What somebody can do next who pins a backup.

use super::state::{BACKUPS, Kind, Objects, Pinning, State};
use super::{Setting, Without};

/// Every state that can follow when one of those who pin goes on.
pub(super) fn pin(setting: &Setting, state: &State, number: usize, next: &mut Vec<State>) {
    use Pinning as P;
    let (pin, lift) = Kind::PINS[number];
    let has = |kind, backup: u8| state.objects.has(kind, backup.into());
    let mut go = |to: Pinning, written: Option<(Kind, u8)>| {
        let mut state = state.clone();
        state.pinners[number] = to;
        if let Some((kind, backup)) = written {
            state.objects = state.objects.and(Objects::one(kind, backup.into()));
        }
        next.push(state);
    };
    let swapped = setting.lacks(Without::TombstoneBeforeCommit);
    match state.pinners[number] {
        P::Choose => {
            let backups = (0..BACKUPS).filter_map(|b| u8::try_from(b).ok());
            for backup in backups.filter(|b| has(Kind::Commit, *b) && !has(Kind::Tombstone, *b)) {
                go(P::Write(backup), None);
            }
        }
        P::Write(backup) => {
            let then = match (setting.lacks(Without::LookAfterPin), swapped) {
                (true, _) => P::Sure(backup),
                (false, true) => P::LookForCommit(backup),
                (false, false) => P::LookForTombstone(backup),
            };
            go(then, Some((pin, backup)));
        }
        P::LookForTombstone(backup) if has(Kind::Tombstone, backup) => go(P::Lift(backup), None),
        P::LookForTombstone(backup) if swapped => go(P::Sure(backup), None),
        P::LookForTombstone(backup) => go(P::LookForCommit(backup), None),
        P::LookForCommit(backup) if !has(Kind::Commit, backup) => go(P::Lift(backup), None),
        P::LookForCommit(backup) if swapped => go(P::LookForTombstone(backup), None),
        P::LookForCommit(backup) => go(P::Sure(backup), None),
        P::Sure(backup) => go(P::Lift(backup), None),
        P::Lift(backup) => go(P::Ended, Some((lift, backup))),
        P::Ended => {}
    }
}
