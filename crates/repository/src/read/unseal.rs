//! Unsealing what was fetched, and handing frames to the decoders.
//!
//! Invariants: no more frames are on their way to the reader than there are permits;
//! an error goes to the frame that it befell, and nothing is handed on after it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use bytes::Bytes;
use pgkeep_format::{FrameEntry, OpenPack};
use pgkeep_types::ObjectName;

use super::backup::OpenBackup;
use super::decode::{Decoded, Job};
use super::packs::{self, Fetched};
use crate::RepositoryError;

/// What comes from the planner.
pub(super) enum ToUnseal {
    Open { number: u64, pack: Box<OpenPack> },
    Close(u64),
    Block(Block),
}

/// A request, and the frames that it was made for.
pub(super) struct Block {
    /// The number of the open pack.
    pub(super) pack: u64,
    pub(super) name: Arc<ObjectName>,
    /// Where in the object the bytes begin.
    pub(super) start: u64,
    pub(super) bytes: Fetched,
    pub(super) frames: Vec<(FrameEntry, SyncSender<Decoded>)>,
}

/// A frame may be on its way.
pub(super) struct Permit;

/// Unseals until no more can come.
pub(super) fn run(
    backup: &OpenBackup,
    queue: &Receiver<ToUnseal>,
    jobs: &SyncSender<Job>,
    permits: &SyncSender<Permit>,
) {
    let mut open: HashMap<u64, Box<OpenPack>> = HashMap::new();
    while let Ok(next) = queue.recv() {
        match next {
            ToUnseal::Open { number, pack } => drop(open.insert(number, pack)),
            ToUnseal::Close(number) => drop(open.remove(&number)),
            ToUnseal::Block(block) => {
                let Some(pack) = open.get_mut(&block.pack) else {
                    return;
                };
                if !unseal(backup, pack, block, jobs, permits) {
                    return;
                }
            }
        }
    }
}

/// Tells whether to go on.
fn unseal(
    backup: &OpenBackup,
    pack: &mut OpenPack,
    block: Block,
    jobs: &SyncSender<Job>,
    permits: &SyncSender<Permit>,
) -> bool {
    let fetched = block.bytes.blocking_recv();
    let mut failed = match fetched.unwrap_or(Err(RepositoryError::GivenUp)) {
        Ok(bytes) => {
            pack.supply(block.start, bytes);
            None
        }
        Err(error) => Some(error),
    };
    for (entry, slot) in block.frames {
        // The reader is gone where there are no permits any more.
        if permits.send(Permit).is_err() {
            return false;
        }
        let stored = match failed.take() {
            Some(error) => Err(error),
            None => pack
                .frame(entry.offset, entry.stored_length)
                .map_err(|source| packs::failed(backup, &block.name, source)),
        };
        match stored {
            Ok(stored) => {
                let job = Job {
                    stored,
                    entry,
                    object: Arc::clone(&block.name),
                    slot,
                };
                if jobs.send(job).is_err() {
                    return false;
                }
            }
            Err(error) => {
                // The slot has room for one: this never waits.
                let _ = slot.send(Err(error));
                return false;
            }
        }
    }
    // Many packs are open at once: none keeps what it has given.
    pack.supply(0, Bytes::new());
    true
}
