//! The way of a stream into packs: cut, hash, compress, seal, upload.
//!
//! Invariants: each stage runs on threads of its own and hands on through
//! bounded queues, so memory does not grow with the stream, but for what the
//! manifest says of it (some 64 bytes a frame of 1 MiB); frames keep the
//! stream's order; a stage ends well only when the one before it said so, so a
//! stream that was given up never looks like one that ended.

mod frames;
mod packs;
mod stream;

pub use stream::Limits;
pub(crate) use stream::{StreamWriter, Written};
