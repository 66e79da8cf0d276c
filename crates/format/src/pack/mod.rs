//! Packs: large objects of many frames, one after the other, sealed as one age
//! stream.
//!
//! Invariant: offsets are in the plaintext of the seal, so that they mean the
//! same in sealed and unsealed repositories and can be reached by seeking.

mod read;
mod window;
mod write;

pub use read::{OpenPack, PackLayout};
pub use write::PackWriter;
