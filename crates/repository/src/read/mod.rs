//! The way of a backup's bytes out of a repository: walk the manifest, fetch,
//! unseal, verify, decompress, put together.
//!
//! Invariants: what comes out is what was captured, or an error: every frame is
//! verified, and the end of a file is told only after its size and its hash were
//! found right. What comes next is fetched in several requests at once and
//! decompressed on all cores, through bounded queues: memory does not grow with the
//! file. A queue that ends without its end was given up.

mod backup;
mod decode;
mod deliver;
mod packs;
mod plan;
mod unseal;
mod walk;

pub use backup::OpenBackup;
pub use deliver::{FileReader, FilesReader, Piece};
