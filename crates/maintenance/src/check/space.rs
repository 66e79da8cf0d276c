//! For how long the room lasts.
//!
//! Invariant: it is told by what was stored, not by what it will give back: where backups
//! are deleted again, the limits are those of a few days without that.

use pgkeep_config::CheckSettings;

use super::finding::{Severity, What};
use super::seen::{Seen, Space};

const DAY: u64 = 86_400;

/// For how many seconds the free space lasts by what was stored of late; none where nothing
/// was.
pub(super) fn lasts(seen: &Seen, free: u64) -> Option<u64> {
    let (bytes, seconds) = seen.stored;
    let lasts =
        u128::from(free) * u128::from(seconds) / u128::from(Some(bytes).filter(|b| *b > 0)?);
    Some(u64::try_from(lasts).unwrap_or(u64::MAX))
}

/// What there is to say of it.
pub(super) fn judge(seen: &Seen, limits: &CheckSettings) -> Option<(Severity, What)> {
    let Space::Free(free) = seen.space else {
        return None;
    };
    let (space, critical) = (limits.space.as_secs(), limits.critical_space.as_secs());
    let (wanted, critical) = match seen.pruned {
        true => (critical, critical.min(DAY)),
        false => (space, critical),
    };
    let severity = |lasts| match lasts {
        lasts if lasts < critical => Some(Severity::Critical),
        lasts if lasts < wanted => Some(Severity::Warning),
        _ => None,
    };
    let (lasts, severity) = match (lasts(seen, free), free) {
        (_, 0) => (0, Severity::Critical),
        (Some(lasts), _) => (lasts, severity(lasts)?),
        (None, _) => return None,
    };
    let (bytes, seconds) = seen.stored;
    let per_day = u128::from(bytes) * u128::from(DAY) / u128::from(seconds.max(1));
    let what = What::Space {
        free,
        per_day: u64::try_from(per_day).unwrap_or(u64::MAX),
        lasts,
        wanted,
    };
    Some((severity, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severity(free: u64, per_day: u64, pruned: bool) -> Option<Severity> {
        let seen = Seen {
            space: Space::Free(free),
            stored: (per_day * 14, 14 * DAY),
            pruned,
            ..Seen::default()
        };
        judge(&seen, &CheckSettings::default()).map(|(severity, _)| severity)
    }

    #[test]
    fn room_for_less_than_two_weeks_warns_and_for_less_than_three_days_is_critical() {
        use Severity::{Critical, Warning};
        for (free, per_day, pruned, expected) in [
            (1400, 100, false, None),
            (1399, 100, false, Some(Warning)),
            (299, 100, false, Some(Critical)),
            // What is deleted gives room again.
            (300, 100, true, None),
            (299, 100, true, Some(Warning)),
            (99, 100, true, Some(Critical)),
            (1, 0, false, None),
            (0, 0, false, Some(Critical)),
        ] {
            assert_eq!(severity(free, per_day, pruned), expected, "{free} {pruned}");
        }
    }
}
