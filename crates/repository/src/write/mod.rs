//! The way of files into packs: cut, compare with the parent, hash, compress,
//! seal, upload.
//!
//! Invariants: each stage runs on threads of its own and hands on through bounded
//! queues, so memory does not grow with what is captured, but for the manifest's
//! root (some hundred bytes for each leaf and each pack); frames are packed in the
//! order in which they were filled; a stage ends well only when the one before it
//! said so, so a file that was given up never looks like one that ended.

mod buffers;
mod compress;
mod cutting;
mod engine;
mod gather;
mod index_pack;
mod leaves;
mod limits;
mod packing;
mod part_sink;
mod root;
mod upload;

pub(crate) use engine::{Engine, Written};
pub(crate) use leaves::{FrameHandle, OldFrame};
pub use limits::Limits;
