//! The way of a backup's bytes out of a repository: fetch, unseal, verify,
//! decompress, put together.
//!
//! Invariants: what comes out is what was captured, or an error: every frame is
//! verified, and the end of a file is told only after its size and its hash were
//! found right. Frames are read ahead and decompressed on all cores, through
//! bounded queues; a queue that ends without its end was given up.

mod backup;
mod decode;
mod deliver;
mod fetch;

pub use backup::OpenBackup;
pub use deliver::FileReader;
