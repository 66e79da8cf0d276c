//! Which backups stay, and why.
//!
//! Invariants: what is decided depends on the backups, the policy and the time that are
//! given, and on nothing else. Nothing here deletes. What goes is named; all else stays:
//! a backup that no rule knows of is kept.

mod calendar;
mod decide;
mod policy;
mod rules;
mod series;
mod why;

pub use calendar::{Calendar, Period};
pub use decide::{Decision, decide};
pub use policy::{Policy, Rolling, Rules};
pub use series::{Candidate, Doubt, Failure, Level, Pin, Series};
pub use why::{Place, Rule, Until, Why};
