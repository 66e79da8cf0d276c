//! Whether a size is out of line with those before it.
//!
//! Invariants: it is compared with the median of those before, so that what has shrunk is
//! told until half of these have; what has been as small before and came back is used to
//! that. A smaller one is never better, where the comparison is about shrinking.

/// So many sizes are needed before a share of them says anything.
pub(super) const HISTORY: usize = 3;
/// A database whose dumps take fewer bytes has next to nothing in it.
const SMALL: u64 = 64 << 10;
/// Growth by fewer bytes is nothing to tell of.
const GROWTH: u64 = 16 << 20;

/// What was usual: the median of what was before; the higher one of two.
pub(super) fn usual(before: &[u64]) -> Option<u64> {
    let mut sorted = before.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

/// What was usual, where a size is so many percent below that; `before` has the newest
/// first.
pub(super) fn shrunk(size: u64, before: &[u64], max_shrink: u32) -> Option<u64> {
    let usual = usual(before).filter(|_| before.len() >= HISTORY)?;
    let least = share(usual, 100_u32.saturating_sub(max_shrink));
    let is_low = size < least && !came_back(size, before, least);
    is_low.then_some(usual)
}

/// What was usual, where all of it is gone.
pub(super) fn emptied(before: &[u64], least: u64) -> Option<u64> {
    let usual = usual(before).filter(|usual| *usual >= least.max(1))?;
    (!came_back(0, before, usual)).then_some(usual)
}

/// What was usual, where a database's dump is out of line with that: and whether next to
/// nothing of it is left.
pub(super) fn dump_shrunk(bytes: u64, before: &[u64], max_shrink: u32) -> Option<(u64, bool)> {
    let usual = shrunk(bytes, before, max_shrink).filter(|usual| *usual >= SMALL)?;
    Some((usual, bytes < usual / 10))
}

/// What was usual, where a database's dump is so many percent above that.
pub(super) fn dump_grown(bytes: u64, before: &[u64], max_growth: u32) -> Option<u64> {
    let usual = usual(before).filter(|_| before.len() >= HISTORY)?;
    let most = share(usual, max_growth.saturating_add(100));
    (bytes > most && bytes - usual >= GROWTH).then_some(usual)
}

/// Whether it was as small once, and not any more later.
fn came_back(size: u64, before: &[u64], least: u64) -> bool {
    let mut later_is_high = false;
    for earlier in before {
        if *earlier <= size && later_is_high {
            return true;
        }
        later_is_high |= *earlier >= least;
    }
    false
}

fn share(of: u64, percent: u32) -> u64 {
    let share = u128::from(of) * u128::from(percent) / 100;
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_falls_below_half_of_the_median_is_told_until_half_of_them_have() {
        let nights = |low: usize| {
            let low = std::iter::repeat_n(100, low);
            low.chain(std::iter::repeat_n(1000, 7))
                .take(7)
                .collect::<Vec<u64>>()
        };
        for (low, told) in [(0, true), (1, true), (3, true), (4, false)] {
            assert_eq!(shrunk(100, &nights(low), 50).is_some(), told, "{low}");
        }
        assert_eq!(shrunk(499, &[1000; 3], 50), Some(1000));
        assert_eq!(shrunk(500, &[1000; 3], 50), None);
        // Of two nobody knows which is usual.
        assert_eq!(shrunk(1, &[1000; 2], 50), None);
    }

    #[test]
    fn what_comes_and_goes_is_used_to_that() {
        let queue = [900, 5, 1000, 900, 0, 800, 950];
        assert_eq!(shrunk(7, &queue, 50), None);
        assert_eq!(emptied(&queue, 100), None);
        assert_eq!(emptied(&[900, 5, 1000, 900, 800], 100), Some(900));
        // It has not come back yet.
        assert_eq!(emptied(&[0, 0, 900, 800, 900, 900], 100), Some(900));
    }

    #[test]
    fn a_table_that_was_seen_once_with_rows_is_emptied() {
        assert_eq!(emptied(&[100], 100), Some(100));
        assert_eq!(emptied(&[99], 100), None);
        assert_eq!(emptied(&[], 100), None);
        assert_eq!(emptied(&[0, 0], 0), None);
    }

    #[test]
    fn of_dumps_next_to_nothing_is_told_apart_and_little_is_nothing_to_tell_of() {
        let usual = 1 << 20;
        assert_eq!(
            dump_shrunk(usual / 3, &[usual; 3], 50),
            Some((usual, false))
        );
        assert_eq!(
            dump_shrunk(usual / 11, &[usual; 3], 50),
            Some((usual, true))
        );
        assert_eq!(dump_shrunk(0, &[1000; 3], 50), None);
        assert_eq!(dump_grown(usual * 6, &[usual; 3], 400), None);
        assert_eq!(dump_grown(usual * 17, &[usual; 3], 400), Some(usual));
        assert_eq!(dump_grown(usual * 400, &[usual * 99; 3], 400), None);
    }

    proptest! {
        #[test]
        fn a_smaller_one_is_never_better(
            before in prop::collection::vec(0_u64..2000, 0..9),
            size in 0_u64..2000,
            less in 0_u64..2000,
            max_shrink in 1_u32..100,
        ) {
            if shrunk(size, &before, max_shrink).is_some() {
                let smaller = size.saturating_sub(less);
                prop_assert!(shrunk(smaller, &before, max_shrink).is_some());
            }
        }

        #[test]
        fn what_is_as_it_always_was_is_in_line(size: u64, times in 0_usize..9) {
            let before = vec![size; times];
            prop_assert_eq!(dump_shrunk(size, &before, 50), None);
            prop_assert_eq!(dump_grown(size, &before, 400), None);
        }
    }
}
