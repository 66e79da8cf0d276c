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
use super::packs::{self, Fetched, Opening, arrived};
use crate::RepositoryError;

/// What comes from the planner.
pub(super) enum ToUnseal {
    Open { number: u64, opening: Box<Opening> },
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

/// A pack whose frames are wanted.
enum Pack {
    Asked(Box<Opening>),
    Open(Box<OpenPack>),
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
    let mut packs: HashMap<u64, Pack> = HashMap::new();
    while let Ok(next) = queue.recv() {
        match next {
            ToUnseal::Open { number, opening } => {
                packs.insert(number, Pack::Asked(opening));
            }
            ToUnseal::Close(number) => drop(packs.remove(&number)),
            ToUnseal::Block(block) => {
                let number = block.pack;
                let Some(pack) = packs.remove(&number) else {
                    return;
                };
                let Some(pack) = unseal(backup, pack, block, jobs, permits) else {
                    return;
                };
                packs.insert(number, Pack::Open(pack));
            }
        }
    }
}

/// Hands the pack back, where it is to go on.
fn unseal(
    backup: &OpenBackup,
    pack: Pack,
    block: Block,
    jobs: &SyncSender<Job>,
    permits: &SyncSender<Permit>,
) -> Option<Box<OpenPack>> {
    let supplied = supply(backup, pack, block.start, arrived(block.bytes));
    let mut frames = block.frames.into_iter();
    let mut pack = match supplied {
        Ok(pack) => pack,
        Err(error) => {
            if let Some((_, slot)) = frames.next() {
                // The slot has room for one: this never waits.
                let _ = slot.send(Err(error));
            }
            return None;
        }
    };
    for (entry, slot) in frames {
        // The reader is gone where there are no permits any more.
        permits.send(Permit).ok()?;
        match pack.frame(entry.offset, entry.stored_length) {
            Ok(stored) => {
                let job = Job {
                    stored,
                    entry,
                    object: Arc::clone(&block.name),
                    slot,
                };
                jobs.send(job).ok()?;
            }
            Err(source) => {
                let _ = slot.send(Err(packs::failed(backup, &block.name, source)));
                return None;
            }
        }
    }
    // Many packs are open at once: none keeps what it has given.
    pack.supply(0, Bytes::new());
    Some(pack)
}

/// Opens the pack, if need be, and hands it what was fetched.
fn supply(
    backup: &OpenBackup,
    pack: Pack,
    start: u64,
    fetched: Result<Bytes, RepositoryError>,
) -> Result<Box<OpenPack>, RepositoryError> {
    let (mut pack, bytes) = match pack {
        Pack::Open(pack) => (pack, fetched?),
        Pack::Asked(opening) => {
            let (opened, bytes) = opening.finish(backup, fetched)?;
            (Box::new(opened), bytes)
        }
    };
    pack.supply(start, bytes);
    Ok(pack)
}
