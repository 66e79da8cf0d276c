//! Copying backups between repositories of one family: those that share the repository
//! secret, so that packs of the one are packs of the other.
//!
//! Invariants: a backup keeps its id, and its packs their bytes; records are signed anew. What
//! is put was read and verified on the way: nothing is finished whose hash is not the cited
//! one. A copy is a run of its own, whose `begin` says that it copies: what it leaves half
//! done stays, since the next one goes on under the same names
//! (docs/decisions/0022-copies.md).

mod beside;
mod object;
mod plan;
mod proofs;
mod run;
mod signed;

pub use plan::{CopyPlan, Left, Planned};
pub use run::CopyRun;
