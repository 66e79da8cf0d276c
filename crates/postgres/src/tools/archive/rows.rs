//! How many rows COPY data holds.
//!
//! Invariant: exact, or not told. In the text format a row is a line and no
//! value holds a line's end (COPY's documentation, "Text Format": `\n` and `\r`
//! stand for them); `pg_dump` ends the data with a line `\.` and two empty ones
//! (`dumpTableData_copy` in src/bin/pg_dump/pg_dump.c).

/// The last line and what follows it.
const END: [u8; 5] = *b"\\.\n\n\n";

/// How many of the lines are the end's.
const END_LINES: u64 = 3;

/// Counts rows as data passes by.
#[derive(Debug)]
pub(super) struct Rows {
    lines: u64,
    /// The last eight bytes, the newest lowest. Data begins a line.
    last: u64,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            lines: 0,
            last: u64::from(b'\n'),
        }
    }
}

impl Rows {
    #[inline]
    pub(super) fn see(&mut self, bytes: &[u8]) {
        self.lines += line_ends(bytes);
        match bytes.last_chunk() {
            Some(&last) => self.last = u64::from_be_bytes(last),
            None => {
                for &byte in bytes {
                    self.last = self.last << 8 | u64::from(byte);
                }
            }
        }
    }

    /// The rows; `None` where the data has not ended as COPY data does.
    pub(super) fn count(&self) -> Option<u64> {
        let [_, _, before, end @ ..] = self.last.to_be_bytes();
        let ended = before == b'\n' && end == END;
        ended.then(|| self.lines.saturating_sub(END_LINES))
    }
}

/// How many bytes a counter of one byte can count over; a multiple of the width
/// of vectors.
const RUN: usize = 240;

/// Counts line ends. With a counter as narrow as what is counted, compilers make
/// vector instructions of the loop, ten times as fast as with a wide one.
#[inline]
fn line_ends(bytes: &[u8]) -> u64 {
    let mut lines = 0;
    for run in bytes.chunks(RUN) {
        let mut counter = 0u8;
        for &byte in run {
            counter = counter.wrapping_add(u8::from(byte == b'\n'));
        }
        lines += u64::from(counter);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_line_end_is_counted(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..20_000),
        ) {
            let mut expected = 0;
            for &byte in &bytes {
                expected += u64::from(byte == b'\n');
            }
            prop_assert_eq!(line_ends(&bytes), expected);
        }
    }

    #[test]
    fn a_counter_never_overflows() {
        let bytes = vec![b'\n'; 100_000];
        assert_eq!(line_ends(&bytes), 100_000);
    }

    #[test]
    fn data_that_does_not_end_as_copys_does_has_no_count() {
        let count = |bytes: &[u8]| {
            let mut rows = Rows::default();
            rows.see(bytes);
            rows.count()
        };
        assert_eq!(count(b"\\.\n\n\n"), Some(0));
        assert_eq!(count(b"\n\n\\.\n\n\n"), Some(2));
        assert_eq!(count(b"a\\.\n\n\n"), None);
        assert_eq!(count(b"\\.\n\n"), None);
        assert_eq!(count(b""), None);
    }
}
