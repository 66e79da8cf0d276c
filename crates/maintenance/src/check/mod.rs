//! Whether everything is fresh: what was seen of a cluster, held against limits.
//!
//! Invariants: it is judged from what the repository and the server show, never from what a
//! job said of itself; the judging is a pure function. Who was not seen is never well: a
//! database that should have a backup is counted fresh or has a finding, and what was not
//! looked at is told.

mod finding;
mod judge;
mod look;
mod proofs;
mod rows;
mod seen;
mod sizes;
mod space;

pub use finding::{Finding, Judgement, Measured, Note, Severity, What};
pub use judge::{Limits, judge};
pub use look::{Look, look};
pub use proofs::ProofLimits;
pub use seen::{
    Asked, Attempted, BadProof, Clusters, Damaged, Database, Good, Moved, Opens, Proofs, Refused,
    Repository, Rows, Seen, Server, Space, State, Stored, Tables,
};
pub use space::{Looked, share_room};
