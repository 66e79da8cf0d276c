//! The decision.
//!
//! Invariants, whatever the policy: the newest good backup stays, and so do the newest that
//! is restorable and the newest that is proven; nothing goes after a failure; what is pinned
//! stays, and what has no date that can be believed or may be no good one, which takes nobody's
//! place; what was chosen for deletion before stays for its pin alone, and takes nobody's place
//! either. There is one decision for each backup.

use std::collections::BTreeMap;

use pgkeep_types::{BackupId, Timestamp};

use crate::policy::Policy;
use crate::rules;
use crate::series::{Candidate, Level, Series};
use crate::why::Why;

/// What becomes of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Which one.
    pub id: BackupId,
    /// Why it stays; it goes where there is no reason.
    pub stays: Vec<Why>,
}

impl Decision {
    /// Whether nothing keeps it.
    #[must_use]
    pub fn goes(&self) -> bool {
        self.stays.is_empty()
    }
}

/// What becomes of each good backup of a series, the newest first.
#[must_use]
pub fn decide(series: &Series, policy: &Policy, now: Timestamp) -> Vec<Decision> {
    let mut newest_first: Vec<&Candidate> = series.good.iter().collect();
    newest_first.sort_by(|a, b| (b.started, &b.id).cmp(&(a.started, &a.id)));
    newest_first.dedup_by(|a, b| a.id == b.id);
    let dated: Vec<&Candidate> = newest_first
        .iter()
        .copied()
        .filter(|backup| backup.dated && !backup.chosen && backup.doubt.is_none())
        .collect();

    let mut kept = Kept::default();
    for backup in &newest_first {
        if let Some(pin) = backup.pin.as_ref().filter(|pin| pin.holds(now)) {
            kept.add(backup, Why::Pinned(pin.clone()));
        }
        if backup.chosen {
            continue;
        }
        if policy.rules.is_empty() {
            kept.add(backup, Why::NoPolicy);
        }
        if let Some(failure) = &series.failed {
            kept.add(backup, Why::AfterFailure(failure.clone()));
        }
        if !backup.dated {
            kept.add(backup, Why::Undated);
        }
        if let Some(doubt) = &backup.doubt {
            kept.add(backup, Why::Doubted(doubt.clone()));
        }
    }
    rules::apply(&dated, policy, |backup, place| {
        kept.add(backup, Why::Rule(place));
    });
    for level in Level::ALL {
        if let Some(newest) = dated.iter().find(|backup| backup.level >= level) {
            kept.add(newest, Why::Newest(level));
        }
    }
    newest_first
        .into_iter()
        .map(|backup| Decision {
            id: backup.id.clone(),
            stays: kept.0.remove(&backup.id).unwrap_or_default(),
        })
        .collect()
}

/// The reasons of each backup that stays.
#[derive(Default)]
struct Kept(BTreeMap<BackupId, Vec<Why>>);

impl Kept {
    fn add(&mut self, backup: &Candidate, why: Why) {
        self.0.entry(backup.id.clone()).or_default().push(why);
    }
}
