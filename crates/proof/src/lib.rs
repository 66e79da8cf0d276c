//! Test restores: a backup into a throwaway server, compared with what was dumped, and
//! questioned.
//!
//! Invariants: nothing is called proven that was not restored, compared and asked; what
//! was not done says so. The server that the backup is of is never connected to: all that
//! is used of it is in the repository. What the host lacks is told apart from what the
//! backup lacks, and neither is ever taken for good. A throwaway server that lost a
//! process on the way proves nothing.

mod amcheck;
mod attempt;
mod judge;
mod place;
mod progress;
mod prover;
mod questions;
mod refusal;
mod room;
mod server;
mod steps;

pub use attempt::NOT_COMPARED;
pub use progress::ProofProgress;
pub use prover::{Proof, ProofError, Prover};
pub use steps::Step;
