//! Planning what is fetched, ahead of what is delivered.
//!
//! Invariants: frames are asked for in the order in which files first need them,
//! each once for as long as it is remembered; what lies side by side in a pack is
//! fetched in one request. A frame's place in the order is told only after the
//! request for it was started, so nobody waits for what was never asked for.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use pgkeep_format::{Damage, FileEnd, FrameEntry, PackLayout, PackRef};
use tokio::runtime::Handle;

use super::backup::OpenBackup;
use super::decode::Decoded;
use super::packs::{Known, Packs};
use super::unseal::{Block, ToUnseal};
use super::walk::Walk;
use crate::RepositoryError;

/// A request asks for no more than this many bytes, but for one frame that is longer.
const REQUEST: u64 = 4 << 20;
/// Nor for more frames than this: what compresses well is large when it comes out.
const FRAMES: usize = 16;
/// Nor do more steps wait for one.
const STEPS: usize = 1024;
/// Bytes between two frames that are fetched rather than asking twice.
const GAP: u64 = 128 << 10;
/// How many frames are remembered after they were needed.
const REMEMBERED: usize = 12;

/// What files are made of, in order.
pub(super) enum Step {
    /// A frame that comes out of the slot, and is known by its number.
    Frame {
        number: u64,
        slot: Receiver<Decoded>,
    },
    /// The file's next bytes.
    Bytes {
        frame: u64,
        range: Range<usize>,
    },
    /// The frame is not needed any more.
    Forget(u64),
    /// A file begins.
    File(String),
    /// The file is whole.
    FileEnd(FileEnd),
    /// All files were told.
    End,
    Failed(RepositoryError),
}

/// The stage behind is gone.
struct Gone;

/// Why planning ends early.
enum Stop {
    Gone,
    Failed(RepositoryError),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<RepositoryError> for Stop {
    fn from(error: RepositoryError) -> Self {
        Self::Failed(error)
    }
}

/// Plans the reading of files.
pub(super) struct Planner {
    backup: OpenBackup,
    runtime: Handle,
    paths: Vec<String>,
    packs: Packs,
    unseal: SyncSender<ToUnseal>,
    steps: SyncSender<Step>,
    /// A request that may yet grow, and the steps behind it.
    pending: Option<Pending>,
    remembered: VecDeque<Remembered>,
    next: u64,
}

struct Pending {
    known: Known,
    layout: PackLayout,
    range: Range<u64>,
    frames: Vec<(FrameEntry, SyncSender<Decoded>)>,
    steps: Vec<Step>,
}

struct Remembered {
    pack: PackRef,
    offset: u64,
    number: u64,
}

impl Planner {
    pub(super) fn new(
        backup: &OpenBackup,
        runtime: &Handle,
        paths: Vec<String>,
        unseal: SyncSender<ToUnseal>,
        steps: SyncSender<Step>,
    ) -> Self {
        Self {
            backup: backup.clone(),
            runtime: runtime.clone(),
            paths,
            packs: Packs::new(backup, runtime),
            unseal,
            steps,
            pending: None,
            remembered: VecDeque::new(),
            next: 0,
        }
    }

    /// Plans all files.
    pub(super) fn run(mut self) {
        let last = match self.plan_all() {
            Ok(()) => Step::End,
            Err(Stop::Failed(error)) => Step::Failed(error),
            Err(Stop::Gone) => return,
        };
        if self.flush().is_ok() {
            // Nobody may be waiting any more.
            let _ = self.steps.send(last);
        }
    }

    fn plan_all(&mut self) -> Result<(), Stop> {
        for path in std::mem::take(&mut self.paths) {
            let walk = Walk::new(&self.backup, &self.runtime, &path);
            self.step(Step::File(path))?;
            let end = self.plan(walk)?;
            self.step(Step::FileEnd(end))?;
        }
        Ok(())
    }

    fn plan(&mut self, mut walk: Walk) -> Result<FileEnd, Stop> {
        let mut end = None;
        while let Some(part) = walk.next()? {
            for extent in part.extents() {
                let wrong = || self.backup.index.wrong_manifest(Damage::Range("extent"));
                let (pack, entry, range) = extent.ok_or_else(wrong)?;
                let frame = self.frame(pack, entry)?;
                self.step(Step::Bytes { frame, range })?;
            }
            end = part.end();
        }
        let wrong = || {
            self.backup
                .index
                .wrong_manifest(Damage::Range("file's end"))
        };
        end.ok_or_else(|| wrong().into())
    }

    /// The number of a frame, which is fetched unless it is remembered.
    fn frame(&mut self, pack: &PackRef, entry: &FrameEntry) -> Result<u64, Stop> {
        let is = |known: &Remembered| known.offset == entry.offset && known.pack == *pack;
        if let Some(at) = self.remembered.iter().rposition(is)
            && let Some(known) = self.remembered.remove(at)
        {
            let number = known.number;
            self.remembered.push_back(known);
            return Ok(number);
        }
        let plain = entry.offset..entry.offset.saturating_add(u64::from(entry.stored_length));
        let known = match self.packs.known(pack) {
            Some(known) => known,
            None => self.open(pack, &plain)?,
        };
        // What a request has begun with, it goes on with.
        let layout = match &self.pending {
            Some(pending) if pending.known.number == known.number => pending.layout,
            _ => known.layout(),
        };
        let range = layout.sealed_range(&plain);
        let range = range.map_err(|source| self.packs.failed(&known.name, source))?;
        if !self.grow(&known, &range) {
            self.flush()?;
            self.pending = Some(Pending {
                known,
                layout,
                range,
                frames: Vec::new(),
                steps: Vec::new(),
            });
        }
        let (sender, slot) = sync_channel(1);
        if let Some(pending) = &mut self.pending {
            pending.frames.push((entry.clone(), sender));
        }
        let number = self.next;
        self.next += 1;
        self.step(Step::Frame { number, slot })?;
        self.remember(pack, entry.offset, number)?;
        Ok(number)
    }

    fn open(&mut self, pack: &PackRef, plain: &Range<u64>) -> Result<Known, Stop> {
        // What it replaces may be asked for in the pending request.
        self.flush()?;
        let asked = self.packs.open(pack, plain)?;
        if let Some(closed) = asked.closed {
            self.to_unseal(ToUnseal::Close(closed))?;
        }
        let (number, opening) = (asked.known.number, Box::new(asked.opening));
        self.to_unseal(ToUnseal::Open { number, opening })?;
        Ok(asked.known)
    }

    /// Makes the pending request longer, if that is worth it.
    fn grow(&mut self, known: &Known, range: &Range<u64>) -> bool {
        let Some(pending) = &mut self.pending else {
            return false;
        };
        let follows = pending.known.number == known.number
            && range.start >= pending.range.start
            && range.end >= pending.range.end
            && range.start <= pending.range.end + GAP;
        // Of a frame that lies before the request there is no such length.
        let grows =
            follows && range.end - pending.range.start <= REQUEST && pending.frames.len() < FRAMES;
        if grows {
            pending.range.end = range.end;
        }
        grows
    }

    fn remember(&mut self, pack: &PackRef, offset: u64, number: u64) -> Result<(), Gone> {
        self.remembered.push_back(Remembered {
            pack: pack.clone(),
            offset,
            number,
        });
        if self.remembered.len() > REMEMBERED
            && let Some(oldest) = self.remembered.pop_front()
        {
            self.step(Step::Forget(oldest.number))?;
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), Gone> {
        match &mut self.pending {
            Some(pending) => {
                pending.steps.push(step);
                if pending.steps.len() < STEPS {
                    return Ok(());
                }
                self.flush()
            }
            None => self.steps.send(step).map_err(|_| Gone),
        }
    }

    /// Starts the pending request.
    fn flush(&mut self) -> Result<(), Gone> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        let block = Block {
            pack: pending.known.number,
            name: pending.known.name.clone(),
            start: pending.range.start,
            bytes: self.packs.fetch(&pending.known, pending.range),
            frames: pending.frames,
        };
        self.to_unseal(ToUnseal::Block(block))?;
        for step in pending.steps {
            self.steps.send(step).map_err(|_| Gone)?;
        }
        Ok(())
    }

    fn to_unseal(&self, what: ToUnseal) -> Result<(), Gone> {
        self.unseal.send(what).map_err(|_| Gone)
    }
}
