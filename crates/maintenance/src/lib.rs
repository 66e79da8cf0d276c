//! Looking after what is stored: which backups stay, and what goes.
//!
//! Invariants: what stays is decided by the retention policy, of what the catalogue knows;
//! nothing that is damaged counts as good, nor goes by a policy. What goes is deleted by the
//! repository's protocol alone.

mod going;
mod judge;
mod series;
mod sweeping;

pub use going::{Going, InUse, going, left};
pub use judge::{Judged, Verdict, all_going, judge};
pub use series::{Damage, SeriesName};
pub use sweeping::Sweeping;
