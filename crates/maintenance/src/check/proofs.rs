//! What is proven of a database's backups, against what is wanted.
//!
//! Invariants: a proof that says that a backup is not good is never outweighed by an older
//! one; *not provable here* is neither good nor bad.

use std::collections::BTreeMap;
use std::time::Duration;

use pgkeep_config::ProveSettings;
use pgkeep_format::records::Level;
use pgkeep_types::Timestamp;

use super::finding::{Severity, What};
use super::judge::age;
use super::seen::Proofs;

/// What is wanted of proofs.
#[derive(Clone, Debug, Default)]
pub struct ProofLimits {
    /// How old the newest may become; twice that is critical. None where nothing is said.
    pub max_age: Option<Duration>,
    /// The databases of which questions are to be asked, and how many.
    pub questioned: BTreeMap<String, u32>,
}

impl ProofLimits {
    /// What the configuration wants.
    #[must_use]
    pub fn of(settings: &ProveSettings) -> Self {
        let mut questioned = BTreeMap::new();
        for query in &settings.queries {
            let questions: &mut u32 = questioned.entry(query.database.clone()).or_default();
            *questions = questions.saturating_add(1);
        }
        Self {
            max_age: settings.max_age,
            questioned,
        }
    }

    /// Whether anything says that backups are to be proven.
    #[must_use]
    pub(super) fn are_wanted(&self) -> bool {
        self.max_age.is_some() || !self.questioned.is_empty()
    }
}

/// What is proven of a database in all repositories.
#[derive(Debug, Default)]
pub(super) struct Proven {
    /// When the oldest good backup was made.
    since: Option<Timestamp>,
    restorable: Option<Timestamp>,
    /// When that was, and how many questions were asked.
    proven: Option<(Timestamp, u32)>,
    is_tried: bool,
    ever: Option<Level>,
}

impl Proven {
    /// Adds what is known in a repository.
    pub(super) fn add(&mut self, since: Option<Timestamp>, proofs: &Proofs) {
        self.since = self.since.into_iter().chain(since).min();
        self.restorable = self.restorable.max(proofs.restorable);
        let proven = proofs.proven.map(|at| (at, proofs.asked));
        self.proven = self.proven.max(proven);
        self.ever = self.ever.max(proofs.ever);
        self.is_tried |= proofs.failed.is_some() || proofs.not_provable.is_some();
    }

    /// Whether no backup was ever restored for a proof, nor tried to be.
    pub(super) fn is_nothing(&self) -> bool {
        self.restorable.is_none() && self.proven.is_none() && !self.is_tried
    }
}

/// How much is proven, and how many seconds ago.
pub(super) fn measured(proofs: &Proofs, now: Timestamp) -> Option<(Level, u64)> {
    let proven = proofs.proven.map(|at| (Level::Proven, at));
    let restorable = proofs.restorable.map(|at| (Level::Restorable, at));
    let (level, at) = proven.or(restorable)?;
    Some((level, age(at, now)))
}

/// What proofs there are that are none.
pub(super) fn refusals(name: &str, proofs: &Proofs) -> Option<(Severity, What)> {
    if let Some(failed) = proofs.failed.clone() {
        let what = What::ProofFailed {
            database: name.to_owned(),
            id: failed.id,
            at: failed.at,
            host: failed.host,
        };
        return Some((Severity::Critical, what));
    }
    proofs.not_provable.clone().map(|refused| {
        let what = What::NotProvable {
            database: name.to_owned(),
            id: refused.id,
            at: refused.at,
            host: refused.host,
        };
        (Severity::Warning, what)
    })
}

/// What there is to say of the age of the newest proof.
pub(super) fn freshness(
    name: &str,
    seen: &Proven,
    limits: &ProofLimits,
    now: Timestamp,
) -> Option<(Severity, What)> {
    let database = name.to_owned();
    let is_questioned = limits.questioned.contains_key(name);
    let last_proven = seen.proven.map(|(at, _)| at);
    let proven = match is_questioned {
        true => last_proven,
        false => seen.restorable.max(last_proven),
    };
    let max_age = limits.max_age.map(|max_age| max_age.as_secs());
    let severity = |age| match max_age {
        Some(max_age) if age > max_age.saturating_mul(2) => Some(Severity::Critical),
        Some(max_age) if age > max_age => Some(Severity::Warning),
        _ => None,
    };
    let Some(at) = proven else {
        if max_age.is_none() && !is_questioned {
            return None;
        }
        // Since its first good backup there was time for it.
        let since = age(seen.since?, now);
        let severity = severity(since).unwrap_or(Severity::Warning);
        let enough = match is_questioned {
            true => Level::Proven,
            false => Level::Restorable,
        };
        let what = match seen.ever >= Some(enough) {
            true => What::NoLongerProven { database },
            false => What::NeverProven { database },
        };
        return Some((severity, what));
    };
    let age = age(at, now);
    let what = What::ProofOld {
        database,
        at,
        age,
        wanted: max_age?,
    };
    Some((severity(age)?, what))
}

/// What there is to say of the number of questions: those that were added since nobody has
/// answered.
pub(super) fn unanswered(
    name: &str,
    seen: &Proven,
    limits: &ProofLimits,
) -> Option<(Severity, What)> {
    let wanted = *limits.questioned.get(name)?;
    let (at, asked) = seen.proven.filter(|(_, asked)| *asked < wanted)?;
    let what = What::FewerQuestions {
        database: name.to_owned(),
        at,
        asked,
        wanted,
    };
    Some((Severity::Warning, what))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::seen::Refused;

    const HOUR: i64 = 3600;

    fn now() -> Timestamp {
        "2026-11-20T03:00:00Z".parse().unwrap()
    }

    fn ago(hours: i64) -> Timestamp {
        Timestamp::from_second(now().as_second() - hours * HOUR).unwrap()
    }

    fn daily(questioned: bool) -> ProofLimits {
        ProofLimits {
            max_age: Some(Duration::from_secs(24 * 3600)),
            questioned: questioned
                .then(|| ("app".to_owned(), 2))
                .into_iter()
                .collect(),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "each is made for one call")]
    fn told(proofs: Proofs, since: i64, limits: &ProofLimits) -> Vec<String> {
        let mut seen = Proven::default();
        seen.add(Some(ago(since)), &proofs);
        let found = refusals("app", &proofs).into_iter();
        let found = found.chain(freshness("app", &seen, limits, now()));
        let found = found.chain(unanswered("app", &seen, limits));
        let told = found.map(|(severity, what)| format!("{} {}", severity.as_str(), what.name()));
        told.collect()
    }

    #[test]
    fn the_newest_proof_is_to_be_as_young_as_is_configured() {
        let proven = |hours| Proofs {
            proven: Some(ago(hours)),
            asked: 2,
            ..Proofs::default()
        };
        assert!(told(proven(24), 1, &daily(true)).is_empty());
        assert_eq!(told(proven(25), 1, &daily(true)), ["WARNING proof-old"]);
        assert_eq!(told(proven(49), 1, &daily(true)), ["CRITICAL proof-old"]);
        assert!(told(proven(490), 1, &ProofLimits::default()).is_empty());
    }

    #[test]
    fn a_proof_that_was_asked_less_than_is_configured_now_is_told() {
        let proven = |hours, asked| Proofs {
            proven: Some(ago(hours)),
            asked,
            ..Proofs::default()
        };
        for (asked, expected) in [
            (1, &["WARNING proof-of-fewer-questions"][..]),
            (2, &[]),
            (3, &[]),
        ] {
            assert_eq!(told(proven(1, asked), 1, &daily(true)), expected, "{asked}");
        }
        assert!(told(proven(1, 1), 1, &daily(false)).is_empty());
        // The newest one tells, in whichever repository it is.
        let newest_was_asked = |here, there| {
            let mut seen = Proven::default();
            seen.add(None, &proven(2, here));
            seen.add(None, &proven(1, there));
            unanswered("app", &seen, &daily(true)).is_none()
        };
        assert!(newest_was_asked(1, 2));
        assert!(!newest_was_asked(2, 1));
    }

    #[test]
    fn what_was_restored_is_not_proven_where_questions_are_to_be_asked() {
        let restored = || Proofs {
            restorable: Some(ago(1)),
            ..Proofs::default()
        };
        assert!(told(restored(), 1, &daily(false)).is_empty());
        assert_eq!(told(restored(), 1, &daily(true)), ["WARNING never-proven"]);
        assert_eq!(
            told(restored(), 49, &daily(true)),
            ["CRITICAL never-proven"]
        );
    }

    #[test]
    fn what_was_never_proven_is_told_where_it_should_have_been() {
        let never = Proofs::default;
        assert_eq!(told(never(), 1, &daily(false)), ["WARNING never-proven"]);
        assert_eq!(told(never(), 49, &daily(false)), ["CRITICAL never-proven"]);
        assert!(told(never(), 490, &ProofLimits::default()).is_empty());
        let mut seen = Proven::default();
        seen.add(Some(ago(490)), &never());
        assert!(seen.is_nothing());
    }

    #[test]
    fn what_was_proven_once_is_not_called_never_proven() {
        let once = |ever| Proofs {
            ever: Some(ever),
            ..Proofs::default()
        };
        let (restorable, proven) = (once(Level::Restorable), once(Level::Proven));
        assert_eq!(
            told(proven.clone(), 1, &daily(true)),
            ["WARNING no-longer-proven"]
        );
        assert_eq!(
            told(proven, 49, &daily(true)),
            ["CRITICAL no-longer-proven"]
        );
        assert_eq!(
            told(restorable.clone(), 1, &daily(true)),
            ["WARNING never-proven"]
        );
        assert_eq!(
            told(restorable, 1, &daily(false)),
            ["WARNING no-longer-proven"]
        );
    }

    #[test]
    fn a_failed_proof_is_critical_and_what_nobody_could_tell_is_not() {
        let refused = || {
            Some(Refused {
                id: "20261120T030000Z-7k3m9q2x".parse().unwrap(),
                at: ago(1),
                host: "db".to_owned(),
            })
        };
        let failed = Proofs {
            failed: refused(),
            not_provable: refused(),
            proven: Some(ago(0)),
            asked: 2,
            ..Proofs::default()
        };
        assert_eq!(told(failed, 1, &daily(true)), ["CRITICAL proof-failed"]);
        let not_provable = Proofs {
            not_provable: refused(),
            ..Proofs::default()
        };
        let none = ProofLimits::default();
        assert_eq!(told(not_provable, 1, &none), ["WARNING not-provable"]);
    }

    proptest! {
        #[test]
        fn an_older_proof_is_never_better(hours in 0_i64..100, more in 0_i64..100, questioned: bool) {
            let severity = |hours| {
                let seen = Proven {
                    proven: Some((ago(hours), 2)),
                    ..Proven::default()
                };
                freshness("app", &seen, &daily(questioned), now()).map(|(severity, _)| severity)
            };
            prop_assert!(severity(hours) <= severity(hours + more));
        }
    }
}
