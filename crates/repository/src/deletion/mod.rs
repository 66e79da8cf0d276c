//! Deleting without locks.
//!
//! Writers and pruners agree on nothing but the order in which they write and look
//! (FORMAT.md, "Deletion"; the proof is in docs/decisions/0006-deletion.md). It
//! needs no clock: one only decides when a run is taken for dead, and then it is
//! that run's writer that fails.
//!
//! Invariants: nothing is deleted that was not looked at after everything that
//! makes it deletable had been written; what to delete is decided by [`plan`] and
//! [`deletions`], pure functions, and by nothing else; a `backup` record goes before anything that
//! it cites, which goes by a look that is begun once that has gone.

mod alive;
mod beside;
mod confirm;
mod keep;
mod look;
mod outlook;
mod plan;
mod refused;
mod seen;
mod sweep;
mod verified;

pub(crate) use alive::Signs;
pub use plan::{Deletion, GivenUp, Plan, Reason, Terms, deletions, plan};
pub use refused::PlanError;
pub use seen::{Listing, Records, Seen};
pub use sweep::{Prune, Pruner, Swept};
