//! Gathering chunks into the plaintexts of frames.
//!
//! Invariants: a frame holds whole chunks in the order in which they came; its
//! fingerprints are those of its chunks.

use bytes::Bytes;

/// A frame is closed by the chunk that brings it to this many bytes.
const TARGET: u32 = 1 << 20;

/// A chunk that is not stored yet.
pub(super) struct NewChunk<'a, P> {
    /// What it was cut from.
    pub(super) block: &'a Bytes,
    /// Where it begins there.
    pub(super) start: usize,
    pub(super) length: u32,
    pub(super) print: P,
}

/// A frame that is being filled with chunks whose fingerprints are of type `P`.
pub(super) struct Gatherer<P> {
    open: Option<Open<P>>,
}

struct Open<P> {
    number: u64,
    pieces: Vec<Bytes>,
    run: Run,
    length: u32,
    prints: Vec<P>,
}

/// Chunks that follow one another in one block.
struct Run {
    block: Bytes,
    start: usize,
    end: usize,
}

/// A frame that is full.
pub(super) struct Gathered<P> {
    /// The number that it was given when its first chunk came.
    pub(super) number: u64,
    pub(super) pieces: Vec<Bytes>,
    pub(super) prints: Vec<P>,
}

impl<P> Gatherer<P> {
    pub(super) fn new() -> Self {
        Self { open: None }
    }

    /// Adds a chunk; a frame that is begun takes its number from `next`. Tells the
    /// frame's number and the chunk's offset in it.
    pub(super) fn add(&mut self, chunk: NewChunk<'_, P>, next: &mut u64) -> (u64, u32) {
        let open = self.open.get_or_insert_with(|| {
            *next += 1;
            Open::new(*next - 1, chunk.block, chunk.start)
        });
        let offset = open.length;
        open.add(chunk);
        (open.number, offset)
    }

    /// The frame, if it is full.
    pub(super) fn full(&mut self) -> Option<Gathered<P>> {
        let open = self.open.take_if(|open| open.length >= TARGET)?;
        Some(open.close())
    }

    /// The frame, full or not.
    pub(super) fn rest(&mut self) -> Option<Gathered<P>> {
        self.open.take().map(Open::close)
    }

    /// The number of the frame that is being filled.
    pub(super) fn number(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.number)
    }
}

impl<P> Open<P> {
    fn new(number: u64, block: &Bytes, start: usize) -> Self {
        Self {
            number,
            pieces: Vec::new(),
            run: Run::new(block, start),
            length: 0,
            prints: Vec::new(),
        }
    }

    fn add(&mut self, chunk: NewChunk<'_, P>) {
        if !self.run.goes_on(chunk.block, chunk.start) {
            self.end_run();
            self.run = Run::new(chunk.block, chunk.start);
        }
        self.run.end += chunk.length as usize;
        self.length += chunk.length;
        self.prints.push(chunk.print);
    }

    fn end_run(&mut self) {
        let run = &self.run;
        if run.end > run.start {
            self.pieces.push(run.block.slice(run.start..run.end));
        }
    }

    fn close(mut self) -> Gathered<P> {
        self.end_run();
        Gathered {
            number: self.number,
            pieces: self.pieces,
            prints: self.prints,
        }
    }
}

impl Run {
    fn new(block: &Bytes, start: usize) -> Self {
        Self {
            block: block.clone(),
            start,
            end: start,
        }
    }

    fn goes_on(&self, block: &Bytes, start: usize) -> bool {
        let same = std::ptr::eq(self.block.as_ptr(), block.as_ptr());
        same && self.block.len() == block.len() && self.end == start
    }
}
