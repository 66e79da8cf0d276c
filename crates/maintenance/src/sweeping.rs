//! When so much would go that somebody has to say yes.
//!
//! Invariant: what the policy keeps by no rule of its own is not counted as kept: that the
//! newest stays in any case is no sign that the policy is meant so.

use pgkeep_retention::Why;

use crate::judge::Judged;
use crate::series::SeriesName;

/// A great deal that would go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweeping {
    /// Series of which no rule keeps anything, and something goes.
    pub unkept: Vec<SeriesName>,
    /// How many of a cluster's good backups go, and how many there are, where that is more
    /// than half.
    pub most: Option<(usize, usize)>,
}

impl Sweeping {
    /// What is a great deal of what was judged; none where nothing is.
    #[must_use]
    pub fn of(judged: &[Judged<'_>]) -> Option<Self> {
        let is_unkept = |series: &&Judged<'_>| {
            let mut reasons = series.verdicts.iter().flat_map(|verdict| &verdict.stays);
            series.going().next().is_some() && !reasons.any(is_of_the_policy)
        };
        let unkept = judged.iter().filter(is_unkept);
        let unkept: Vec<SeriesName> = unkept.map(|series| series.name.clone()).collect();
        let going = judged.iter().flat_map(Judged::going).count();
        let good: usize = judged.iter().map(|series| series.verdicts.len()).sum();
        let most = (going * 2 > good).then_some((going, good));
        (!unkept.is_empty() || most.is_some()).then_some(Self { unkept, most })
    }
}

/// Whether somebody has asked for it, and it is none of the safeguards.
fn is_of_the_policy(why: &Why) -> bool {
    match why {
        Why::Rule(_) | Why::Pinned(_) | Why::NoPolicy => true,
        Why::AfterFailure(_) | Why::Newest(_) | Why::Undated | Why::Doubted(_) => false,
    }
}
