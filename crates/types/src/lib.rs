//! The nouns that every other crate of pgkeep speaks in, how amounts are told, and the
//! seams through which the outside world reaches them.
//!
//! Invariants: nothing here does I/O, knows a runtime, or reads the process's
//! clock, randomness or environment. A value that exists is valid: each type is
//! made only by a constructor that checks it.

mod amount;
mod clock;
mod environment;
mod id;
mod names;
mod nearest;
mod object_name;
mod random;
mod system_id;

pub use amount::{counted, size};
pub use clock::Clock;
pub use environment::Environment;
pub use id::{BackupId, IdError, PinId, ProofId, RunId, VerificationId};
pub use jiff::Timestamp;
pub use names::{ClusterName, NameError};
pub use nearest::nearest;
pub use object_name::{ObjectName, ObjectNameError};
pub use random::Random;
pub use system_id::SystemId;
