//! Small archives for tests, of every version, with what is in them.

use super::{ArchiveEvent, DataKind};

/// An archive under construction.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    minor: u8,
    tag: String,
    toc: Vec<u8>,
    entries: i32,
    data: Vec<u8>,
    /// Offsets are relative to the beginning of the data.
    events: Vec<ArchiveEvent>,
}

impl Sample {
    pub(super) fn new(minor: u8) -> Self {
        Self {
            minor,
            tag: "a name".to_owned(),
            toc: Vec::new(),
            entries: 0,
            data: Vec::new(),
            events: Vec::new(),
        }
    }

    /// One without data and of each kind one with data.
    pub(super) fn small(minor: u8) -> Self {
        Self::new(minor)
            .entry(7, "TABLE", None)
            .entry(8, "TABLE DATA", Some(DataKind::Table))
            .entry(9, "TABLE DATA", Some(DataKind::Table))
            .entry(3, "BLOBS", Some(DataKind::LargeObjects))
            .entry(4, "INDEX", None)
            .table(8, &[b"a\n", b"\n\n", b"\\.\n\n\n"], Some(3))
            .table(9, &[&[b'x'; 300], b"\n", b"\\.\n\n\n"], Some(1))
            .large_objects(3, &[&[b"\n1", b"2"], &[], &[&[0; 50]]])
    }

    /// What the entries that follow are called.
    pub(super) fn tagged(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.tag);
        self
    }

    pub(super) fn entry(mut self, dump_id: i32, description: &str, data: Option<DataKind>) -> Self {
        let copy = (data == Some(DataKind::Table)).then_some("COPY t FROM stdin;\n");
        let toc = &mut self.toc;
        integer(toc, dump_id);
        integer(toc, data.is_some().into());
        text(toc, Some("1259"));
        text(toc, Some("16384"));
        text(toc, Some(&self.tag));
        text(toc, Some(description));
        integer(toc, 3);
        text(toc, Some(""));
        text(toc, None);
        text(toc, copy);
        text(toc, Some("a schema"));
        text(toc, None);
        if self.minor >= 14 {
            text(toc, None);
        }
        if self.minor >= 16 {
            integer(toc, b'r'.into());
        }
        text(toc, Some("an owner"));
        text(toc, Some("false"));
        for dependency in ["7", "12"] {
            text(toc, Some(dependency));
        }
        text(toc, None);
        toc.push(if data.is_some() { 1 } else { 3 });
        toc.extend([0; 8]);
        self.entries += 1;
        self
    }

    pub(super) fn table(mut self, dump_id: i32, chunks: &[&[u8]], rows: Option<u64>) -> Self {
        self.begin(1, dump_id);
        self.chunks(chunks);
        self.end(dump_id, rows);
        self
    }

    pub(super) fn large_objects(mut self, dump_id: i32, objects: &[&[&[u8]]]) -> Self {
        self.begin(3, dump_id);
        for chunks in objects {
            // Written as 1 with a minus.
            self.data.extend([1, 1, 0, 0, 0]);
            self.chunks(chunks);
        }
        integer(&mut self.data, 0);
        self.end(dump_id, None);
        self
    }

    fn begin(&mut self, kind: u8, dump_id: i32) {
        self.data.push(kind);
        integer(&mut self.data, dump_id);
        let offset = self.data.len() as u64;
        self.events
            .push(ArchiveEvent::DataBegins { offset, dump_id });
    }

    fn chunks(&mut self, chunks: &[&[u8]]) {
        for chunk in chunks {
            integer(&mut self.data, chunk.len().try_into().unwrap());
            self.data.extend(*chunk);
        }
        integer(&mut self.data, 0);
    }

    fn end(&mut self, dump_id: i32, rows: Option<u64>) {
        let offset = self.data.len() as u64;
        self.events.push(ArchiveEvent::DataEnds {
            offset,
            dump_id,
            rows,
        });
    }

    /// The archive, with `entries` said of its table of contents.
    pub(super) fn bytes_with_count(&self, entries: i32) -> Vec<u8> {
        let mut bytes = b"PGDMP".to_vec();
        bytes.extend([1, self.minor, 0, 4, 8, 1]);
        if self.minor >= 15 {
            bytes.push(0);
        } else {
            integer(&mut bytes, 0);
        }
        for created in [5, 4, 3, 2, 1, 126, 0] {
            integer(&mut bytes, created);
        }
        for words in ["a database", "18.4", "18.4"] {
            text(&mut bytes, Some(words));
        }
        integer(&mut bytes, entries);
        bytes.extend(&self.toc);
        bytes.extend(&self.data);
        bytes
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bytes_with_count(self.entries)
    }

    /// What is to be seen in it.
    pub(super) fn events(&self) -> Vec<ArchiveEvent> {
        let before = (self.bytes().len() - self.data.len()) as u64;
        let mut events = self.events.clone();
        for event in &mut events {
            let (ArchiveEvent::DataBegins { offset, .. } | ArchiveEvent::DataEnds { offset, .. }) =
                event;
            *offset += before;
        }
        events
    }
}

pub(super) fn integer(bytes: &mut Vec<u8>, value: i32) {
    bytes.push(u8::from(value < 0));
    bytes.extend(value.unsigned_abs().to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => {
            integer(bytes, text.len().try_into().unwrap());
            bytes.extend(text.as_bytes());
        }
        None => integer(bytes, -1),
    }
}
