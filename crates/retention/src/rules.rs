//! The rules: each keeps what it keeps, whatever the others do.
//!
//! Invariant: each is asked of every level, about the backups that have at least it. So a
//! backup goes only where newer ones that were tried as far have its place, never because of
//! one that was tried less.

use crate::calendar::Period;
use crate::policy::Policy;
use crate::series::{Candidate, Level};
use crate::why::{Place, Rule};

/// Tells what the rules keep of backups that are given newest first.
pub(crate) fn apply(
    newest_first: &[&Candidate],
    policy: &Policy,
    mut keep: impl FnMut(&Candidate, Place),
) {
    let of_level = |level| -> Vec<&Candidate> {
        let all = newest_first.iter().copied();
        all.filter(|backup| backup.level >= level).collect()
    };
    let levels = Level::ALL.map(|level| (level, of_level(level)));
    for (rule, of) in asked(policy) {
        for (level, of_these) in &levels {
            let places = places(rule, of_these, policy);
            for (place, backup) in (1..=of).zip(places) {
                let place = Place {
                    rule,
                    place,
                    of,
                    level: *level,
                };
                keep(backup, place);
            }
        }
    }
}

/// The rules, each with how many places it has.
fn asked(policy: &Policy) -> Vec<(Rule, u32)> {
    let rules = &policy.rules;
    let mut asked = vec![(Rule::Minimum, policy.minimum)];
    asked.extend(rules.last.map(|count| (Rule::Last, count)));
    let periods = rules.periods.iter();
    asked.extend(periods.map(|(&period, &count)| (Rule::Each(period), count)));
    if let Some(rolling) = rules.rolling {
        asked.extend([
            (Rule::Rolling(Period::Day), rolling.daily),
            (Rule::Rolling(Period::Week), rolling.weekly),
            (Rule::Rolling(Period::Month), rolling.monthly),
        ]);
    }
    asked
}

/// Whom a rule's places go to, the first one first.
fn places<'a>(rule: Rule, newest_first: &[&'a Candidate], policy: &Policy) -> Vec<&'a Candidate> {
    let calendar = &policy.calendar;
    match rule {
        Rule::Minimum | Rule::Last => newest_first.to_vec(),
        Rule::Each(period) => {
            let stretch = |backup: &&Candidate| calendar.stretch(period, backup.started);
            let stretches = newest_first.chunk_by(|a, b| stretch(a) == stretch(b));
            stretches.filter_map(|same| same.first().copied()).collect()
        }
        Rule::Rolling(kind) => {
            let of_kind = newest_first.iter().copied();
            of_kind
                .filter(|backup| calendar.kind(backup.started) == kind)
                .collect()
        }
    }
}
