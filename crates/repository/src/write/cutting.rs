//! Cutting files, and finding out what of them is stored already.
//!
//! Invariants: a chunk that the parent has is referred to, any other goes into a
//! frame; every byte of a file is hashed; no frame stays open for long. Where the parent cannot be read any more
//! the rest is stored as if there were none, and it is told.

use std::sync::mpsc::{SyncSender, sync_channel};

use bytes::Bytes;
use pgkeep_format::cut::{Chunks, ContentCutter, Cutting, PageCutter, PageSize};
use pgkeep_format::{ChunkHash, FileEnd, FingerprintKey, Fingerprints, Hasher, RepositorySecret};
use tokio::sync::mpsc;

use super::compress::Job;
use super::gather::{Gathered, Gatherer, NewChunk};
use super::leaves::{FrameHandle, LeafBuilder};
use super::packing::Cut;
use crate::RepositoryError;
use crate::parent::{ChunkWindow, PageCursor, ParentReader};

/// A relation's file can be divided between leaves every so many bytes.
const DIVIDE_PAGES: u64 = 128 << 20;
/// A frame that is not full is closed after so many others were begun.
const STALE: u64 = 256;
/// A stream can be divided behind one chunk in so many.
const DIVIDE_CHUNKS: u16 = 1024;

/// What the source sends.
pub(super) enum Input {
    File {
        path: String,
        cutting: Cutting,
    },
    Bytes(Bytes),
    /// Something begins here, such as a table's data.
    Hint,
    /// The file has ended.
    FileEnd,
    /// All files have ended.
    End,
}

/// Why cutting ends early.
pub(super) enum Stop {
    /// The stage before or behind is gone.
    Gone,
    Refused(RepositoryError),
}

impl From<RepositoryError> for Stop {
    fn from(error: RepositoryError) -> Self {
        Self::Refused(error)
    }
}

/// Cuts files.
pub(super) struct Cutter {
    secret: RepositorySecret,
    prints: FingerprintKey,
    parent: Option<ParentReader>,
    parent_lost: Option<RepositoryError>,
    leaves: LeafBuilder,
    pages: Gatherer<u64>,
    page_size: PageSize,
    content: Gatherer<(u32, ChunkHash)>,
    /// The number that the next frame gets.
    next: u64,
    jobs: SyncSender<Job>,
    output: SyncSender<Cut>,
}

/// A file that is being cut.
struct File {
    kind: Kind,
    hasher: Hasher,
    size: u64,
}

enum Kind {
    Content(Box<ContentCutter>, Option<ChunkWindow>),
    Pages(PageCutter, PageSize, Option<PageCursor>),
}

impl Cutter {
    pub(super) fn new(
        secret: &RepositorySecret,
        parent: Option<ParentReader>,
        jobs: SyncSender<Job>,
        output: SyncSender<Cut>,
    ) -> Self {
        let prints = secret.fingerprint_key();
        Self {
            secret: secret.clone(),
            leaves: LeafBuilder::new(prints.clone()),
            prints,
            parent,
            parent_lost: None,
            pages: Gatherer::new(),
            page_size: PageSize::USUAL,
            content: Gatherer::new(),
            next: 0,
            jobs,
            output,
        }
    }

    /// Cuts all that comes, to its end.
    pub(super) fn run(mut self, mut input: mpsc::Receiver<Input>) {
        match self.cut_all(&mut input) {
            // Whoever is gone has told why.
            Ok(()) | Err(Stop::Gone) => {}
            Err(Stop::Refused(error)) => {
                let _ = self.output.send(Cut::Refused(error));
            }
        }
    }

    fn cut_all(&mut self, input: &mut mpsc::Receiver<Input>) -> Result<(), Stop> {
        let mut file: Option<File> = None;
        loop {
            match input.blocking_recv() {
                Some(Input::File { path, cutting }) => file = Some(self.begin(&path, cutting)?),
                Some(Input::Bytes(bytes)) => {
                    if let Some(file) = &mut file {
                        self.bytes(file, bytes)?;
                    }
                }
                Some(Input::Hint) => {
                    if let Some(file) = &mut file {
                        file.hint();
                    }
                }
                Some(Input::FileEnd) => {
                    if let Some(file) = file.take() {
                        self.end(file)?;
                    }
                }
                Some(Input::End) if file.is_none() => return self.end_all(),
                // A file that has not ended was given up.
                Some(Input::End) | None => return Err(Stop::Gone),
            }
        }
    }

    fn begin(&mut self, path: &str, cutting: Cutting) -> Result<File, Stop> {
        self.leaves.begin(path)?;
        let kind = match cutting {
            Cutting::Content => {
                let known = self.parent.as_ref().map(|parent| parent.chunks(path));
                let cutter = ContentCutter::new(self.secret.cut_seed());
                Kind::Content(Box::new(cutter), self.or_lost(known))
            }
            Cutting::Pages(size) => {
                if size != self.page_size {
                    self.flush_pages()?;
                    self.page_size = size;
                }
                let known = self.parent.as_ref().map(|parent| Ok(parent.pages(path)));
                Kind::Pages(PageCutter::new(size), size, self.or_lost(known))
            }
        };
        Ok(File {
            kind,
            hasher: self.secret.content_key().hasher(),
            size: 0,
        })
    }

    fn bytes(&mut self, file: &mut File, bytes: Bytes) -> Result<(), Stop> {
        file.size += bytes.len() as u64;
        file.hasher.update(&bytes);
        match &mut file.kind {
            Kind::Content(cutter, known) => {
                cutter.push(&bytes, |chunks| self.chunks(known, &chunks))
            }
            Kind::Pages(cutter, size, known) => {
                cutter.push(bytes, |chunks| self.pages(*size, known, &chunks))
            }
        }
    }

    fn end(&mut self, file: File) -> Result<(), Stop> {
        match file.kind {
            Kind::Content(cutter, mut known) => {
                cutter.finish(|chunks| self.chunks(&mut known, &chunks))?;
            }
            Kind::Pages(cutter, size, mut known) => {
                cutter.finish(|chunks| self.pages(size, &mut known, &chunks))?;
            }
        }
        let end = FileEnd {
            size: file.size,
            hash: file.hasher.finish(),
        };
        self.flush_stale()?;
        match self.leaves.end(end) {
            Some(leaf) => self.emit_leaf(leaf),
            None => Ok(()),
        }
    }

    fn end_all(&mut self) -> Result<(), Stop> {
        if let Some(leaf) = self.leaves.rest() {
            self.emit_leaf(leaf)?;
        }
        self.flush_pages()?;
        self.flush_content()?;
        let parent_lost = self.parent_lost.take();
        let end = Cut::End { parent_lost };
        self.output.send(end).map_err(|_| Stop::Gone)
    }

    fn chunks(&mut self, known: &mut Option<ChunkWindow>, chunks: &Chunks) -> Result<(), Stop> {
        let mut start = 0;
        for &length in &chunks.lengths {
            let end = start + length as usize;
            let print = self.prints.chunk(&chunks.block[start..end]);
            let found = known.as_mut().map(|window| window.find(print, length));
            if matches!(found, Some(Err(_))) {
                *known = None;
            }
            match self.or_lost(found).flatten() {
                Some((frame, offset)) => self.leaves.extent(&frame, offset, length),
                None => {
                    let chunk = NewChunk {
                        block: &chunks.block,
                        start,
                        length,
                        print: (length, print),
                    };
                    let (frame, offset) = self.content.add(chunk, &mut self.next);
                    let frame = FrameHandle::New(frame);
                    self.leaves.extent(&frame, offset, length);
                    if let Some(full) = self.content.full() {
                        self.emit_content(full)?;
                    }
                }
            }
            start = end;
            if u16::from_le_bytes([print[0], print[1]]).is_multiple_of(DIVIDE_CHUNKS) {
                self.divide()?;
            }
        }
        Ok(())
    }

    fn pages(
        &mut self,
        size: PageSize,
        known: &mut Option<PageCursor>,
        chunks: &Chunks,
    ) -> Result<(), Stop> {
        let mut start = 0;
        for &length in &chunks.lengths {
            let end = start + length as usize;
            let print = self.prints.page(&chunks.block[start..end]);
            let at = self.leaves.length();
            // A page that is cut short has no fingerprint of its own.
            let whole = length == size.bytes();
            let cursor = known.as_mut().filter(|_| whole);
            let found = cursor.map(|cursor| cursor.find(at, length, print));
            if matches!(found, Some(Err(_))) {
                *known = None;
            }
            match self.or_lost(found).flatten() {
                Some((frame, offset)) => self.leaves.extent(&frame, offset, length),
                None => {
                    let chunk = NewChunk {
                        block: &chunks.block,
                        start,
                        length,
                        print,
                    };
                    let (frame, offset) = self.pages.add(chunk, &mut self.next);
                    let frame = FrameHandle::New(frame);
                    self.leaves.extent(&frame, offset, length);
                    // After a short page no whole one would be where pages are.
                    if !whole {
                        self.flush_pages()?;
                    } else if let Some(full) = self.pages.full() {
                        self.emit_pages(full)?;
                    }
                }
            }
            start = end;
            if self.leaves.length().is_multiple_of(DIVIDE_PAGES) {
                self.divide()?;
            }
        }
        Ok(())
    }

    /// What was found, or nothing from now on where the parent cannot be read.
    fn or_lost<T>(&mut self, found: Option<Result<T, RepositoryError>>) -> Option<T> {
        match found? {
            Ok(found) => Some(found),
            Err(error) => {
                self.parent = None;
                self.parent_lost.get_or_insert(error);
                None
            }
        }
    }

    fn divide(&mut self) -> Result<(), Stop> {
        self.flush_stale()?;
        match self.leaves.divide() {
            Some(leaf) => self.emit_leaf(leaf),
            None => Ok(()),
        }
    }

    /// Closes a frame that has been open for long: leaves wait for it.
    fn flush_stale(&mut self) -> Result<(), Stop> {
        let next = self.next;
        let is_stale = |number: u64| number + STALE < next;
        if self.content.number().is_some_and(is_stale) {
            self.flush_content()?;
        }
        if self.pages.number().is_some_and(is_stale) {
            self.flush_pages()?;
        }
        Ok(())
    }

    fn flush_pages(&mut self) -> Result<(), Stop> {
        match self.pages.rest() {
            Some(rest) => self.emit_pages(rest),
            None => Ok(()),
        }
    }

    fn flush_content(&mut self) -> Result<(), Stop> {
        match self.content.rest() {
            Some(rest) => self.emit_content(rest),
            None => Ok(()),
        }
    }

    fn emit_pages(&self, full: Gathered<u64>) -> Result<(), Stop> {
        let prints = Fingerprints::Pages {
            size: self.page_size.bytes(),
            pages: full.prints,
        };
        self.emit(full.number, full.pieces, prints)
    }

    fn emit_content(&self, full: Gathered<(u32, ChunkHash)>) -> Result<(), Stop> {
        self.emit(full.number, full.pieces, Fingerprints::Chunks(full.prints))
    }

    fn emit(&self, number: u64, pieces: Vec<Bytes>, prints: Fingerprints) -> Result<(), Stop> {
        let (sender, slot) = sync_channel(1);
        let frame = Cut::Frame {
            number,
            slot,
            prints,
        };
        self.output.send(frame).map_err(|_| Stop::Gone)?;
        let job = Job {
            pieces,
            slot: sender,
        };
        self.jobs.send(job).map_err(|_| Stop::Gone)
    }

    fn emit_leaf(&self, leaf: super::leaves::DraftLeaf) -> Result<(), Stop> {
        // What later leaves can still name: what is in the open leaf, the frames
        // that are being filled, and those that are not begun.
        let open = [
            self.leaves.lowest(),
            self.pages.number(),
            self.content.number(),
        ];
        let lowest = open.into_iter().flatten().fold(self.next, u64::min);
        let leaf = Cut::Leaf { leaf, lowest };
        self.output.send(leaf).map_err(|_| Stop::Gone)
    }
}

impl File {
    fn hint(&mut self) {
        if let Kind::Content(cutter, _) = &mut self.kind {
            cutter.hint();
        }
    }
}
