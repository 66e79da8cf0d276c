//! Looking after what is stored: which backups stay, what goes, and what is still whole.
//!
//! Invariants: what stays is decided by the retention policy, of what the catalogue knows;
//! nothing that is damaged counts as good, nor goes by a policy. What goes is deleted by the
//! repository's protocol alone. What is whole was read.

pub mod check;
mod copy;
mod going;
mod judge;
mod series;
mod sweeping;
mod verify;
mod whole;

pub use copy::{Carried, Copied, Copy, CopyProgress, Mended, Todo};
pub use going::{Going, InUse, going, left};
pub use judge::{Judged, Verdict, all_going, judge};
pub use series::{Damage, SeriesName, pin};
pub use sweeping::Sweeping;
pub use verify::{Amount, Found, ReadBefore, Share, Unread, Verified, Verify, VerifyProgress};
