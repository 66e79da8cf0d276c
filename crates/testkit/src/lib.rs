//! Real clusters, strict fakes and scripted seams, for the tests of pgkeep.
//!
//! Invariants: nothing here is part of the program; nothing is skipped silently:
//! what a test needs and this machine lacks is a panic that says how to get it.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used
)]

mod cache;
pub mod cluster;
mod counting;
mod hooked;
mod memory_storage;
pub mod proxy;
pub mod s3;
mod seams;
pub mod soak;
pub mod storage_conformance;

pub use counting::{Counting, Counts};
pub use hooked::{Call, Hook, Hooked};
pub use memory_storage::{Failure, MemoryStorage};
pub use seams::{ScriptedClock, SeededRandom};
