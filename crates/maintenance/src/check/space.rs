//! For how long the room lasts.
//!
//! Invariants: it is told by what was stored, not by what it will give back: of clusters of
//! which backups are deleted again, the limits are those of a few days without that. All
//! clusters that are looked at store into the same room, and what others store is told to be
//! missing.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_config::CheckSettings;
use pgkeep_types::ClusterName;

use super::finding::{Severity, What};
use super::seen::{Clusters, Repository, Seen, Space, Stored};

const DAY: u64 = 86_400;

/// What is looked at of a cluster: its repositories, by name.
pub type Looked<'a> = (&'a ClusterName, &'a mut BTreeMap<String, Repository>);

/// Adds up what the clusters have stored in the same repositories, and has each be judged by
/// the sum.
pub fn share_room(clusters: &mut [Looked<'_>]) {
    let mut sums: BTreeMap<String, (Stored, BTreeSet<ClusterName>)> = BTreeMap::new();
    for (cluster, repositories) in clusters.iter() {
        for (name, repository) in repositories.iter() {
            if let Repository::Seen(seen) = repository {
                let (sum, of) = sums.entry(name.clone()).or_default();
                *sum = sum.and(seen.stored);
                of.insert((*cluster).clone());
            }
        }
    }
    for (_, repositories) in clusters {
        for (name, repository) in repositories.iter_mut() {
            let (Repository::Seen(seen), Some((sum, of))) = (repository, sums.get(name)) else {
                continue;
            };
            seen.stored = *sum;
            if let Clusters::Listed(clusters) = &mut seen.clusters {
                clusters.retain(|cluster| !of.contains(cluster));
            }
        }
    }
}

/// For how many seconds the free space lasts by what is stored in a day; none where nothing
/// is.
pub(super) fn lasts(free: u64, per_day: u64) -> Option<u64> {
    let lasts = u128::from(free) * u128::from(DAY) / u128::from(Some(per_day).filter(|b| *b > 0)?);
    Some(u64::try_from(lasts).unwrap_or(u64::MAX))
}

/// What there is to say of it.
pub(super) fn judge(seen: &Seen, limits: &CheckSettings) -> Option<(Severity, What)> {
    let Space::Free(free) = seen.space else {
        return None;
    };
    let (space, critical) = (limits.space.as_secs(), limits.critical_space.as_secs());
    // What is given back makes days of it, and what is not, weeks.
    let kept = (seen.stored.kept, space.max(critical), critical);
    let all = (seen.stored.all, critical, critical.min(DAY));
    let found = [kept, all]
        .into_iter()
        .filter_map(|(per_day, wanted, critical)| {
            let (lasts, severity) = match (lasts(free, per_day), free) {
                (_, 0) => (0, Severity::Critical),
                (Some(lasts), _) if lasts < critical => (lasts, Severity::Critical),
                (Some(lasts), _) if lasts < wanted => (lasts, Severity::Warning),
                _ => return None,
            };
            let what = What::Space {
                free,
                per_day,
                lasts,
                wanted,
            };
            Some((severity, what))
        });
    // The first of two that are as bad.
    found.reduce(|first, other| if other.0 > first.0 { other } else { first })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CRITICAL: Option<Severity> = Some(Severity::Critical);
    const WARNING: Option<Severity> = Some(Severity::Warning);

    fn stored(per_day: u64, pruned: bool) -> Stored {
        Stored {
            all: per_day,
            kept: if pruned { 0 } else { per_day },
        }
    }

    fn seen(free: u64, stored: Stored) -> Seen {
        Seen {
            space: Space::Free(free),
            stored,
            ..Seen::default()
        }
    }

    fn severity(seen: &Seen) -> Option<Severity> {
        judge(seen, &CheckSettings::default()).map(|(severity, _)| severity)
    }

    #[test]
    fn room_for_less_than_two_weeks_warns_and_for_less_than_three_days_is_critical() {
        for (free, per_day, pruned, expected) in [
            (1400, 100, false, None),
            (1399, 100, false, WARNING),
            (299, 100, false, CRITICAL),
            // What is deleted gives room again.
            (300, 100, true, None),
            (299, 100, true, WARNING),
            (99, 100, true, CRITICAL),
            (1, 0, false, None),
            (0, 0, false, CRITICAL),
        ] {
            let seen = seen(free, stored(per_day, pruned));
            assert_eq!(severity(&seen), expected, "{free} {pruned}");
        }
    }

    #[test]
    fn the_limit_that_is_told_is_the_one_that_is_not_met() {
        let limits = CheckSettings {
            critical_space: Duration::from_secs(99 * DAY),
            ..CheckSettings::default()
        };
        let judged = judge(&seen(1400, stored(100, false)), &limits);
        assert!(
            matches!(judged, Some((Severity::Critical, What::Space { wanted, .. })) if wanted == 99 * DAY),
            "{judged:?}"
        );
    }

    #[test]
    fn what_all_clusters_store_in_a_repository_takes_its_room() {
        let judged = |free, first: Stored, second: Stored, more: &[&str]| {
            let name = |name: &str| name.parse::<ClusterName>().unwrap();
            let of = |stored| {
                let mut seen = seen(free, stored);
                let there = ["first", "second"].iter().chain(more);
                seen.clusters = Clusters::Listed(there.map(|there| name(there)).collect());
                BTreeMap::from([("local".to_owned(), Repository::Seen(Box::new(seen)))])
            };
            let (names, mut both) = ([name("first"), name("second")], [of(first), of(second)]);
            let mut looked: Vec<Looked<'_>> = names.iter().zip(&mut both).collect();
            share_room(&mut looked);
            let judged = both.iter().map(|of| match &of["local"] {
                Repository::Seen(seen) => match &seen.clusters {
                    Clusters::Listed(others) => (severity(seen), others.len()),
                    unknown => panic!("{unknown:?}"),
                },
                other => panic!("{other:?}"),
            });
            judged.collect::<Vec<_>>()
        };
        // Each alone would have room for two weeks.
        let both = judged(1400, stored(100, false), stored(60, false), &[]);
        assert_eq!(both, [(WARNING, 0); 2]);
        let both = judged(1400, stored(100, false), stored(0, false), &["third"]);
        assert_eq!(both, [(None, 1); 2]);
        // What one of them gives back is none of the other's growth.
        let both = judged(1400, stored(300, true), stored(100, false), &[]);
        assert_eq!(both, [(None, 0); 2]);
        let both = judged(1100, stored(300, true), stored(100, false), &[]);
        assert_eq!(both, [(WARNING, 0); 2]);
    }
}
