//! Numbers one after the other, little-endian, without padding: how manifests and
//! fingerprints are written.
//!
//! Invariants: every count is checked against the bytes that are left before
//! anything is allocated; no input panics.

use pgkeep_types::BackupId;

use crate::error::{Damage, FormatError};

/// Collects the bytes.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// How many items follow.
    pub(crate) fn count(&mut self, count: usize) -> Result<(), FormatError> {
        self.u32(u32::try_from(count).map_err(|_| range("count"))?);
        Ok(())
    }

    /// A path: its length in 2 bytes, then its text.
    pub(crate) fn path(&mut self, path: &str) -> Result<(), FormatError> {
        let length = u16::try_from(path.len()).map_err(|_| range("path's length"))?;
        self.bytes(&length.to_le_bytes());
        self.bytes(path.as_bytes());
        Ok(())
    }

    /// A backup's id: its length in a byte, then its text.
    pub(crate) fn id(&mut self, id: &BackupId) -> Result<(), FormatError> {
        let text = id.as_str().as_bytes();
        self.u8(u8::try_from(text.len()).map_err(|_| range("backup id's length"))?);
        self.bytes(text);
        Ok(())
    }
}

/// Takes the bytes apart again.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// What is wrong at the place that was reached.
    pub(crate) fn wrong(&self, damage: Damage) -> FormatError {
        FormatError::damaged(self.at as u64, damage)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Refuses bytes that nothing has been read of.
    pub(crate) fn end(&self) -> Result<(), FormatError> {
        if self.is_at_end() {
            return Ok(());
        }
        Err(self.wrong(Damage::Length {
            expected: self.at as u64,
            found: self.bytes.len() as u64,
        }))
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], FormatError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..length).ok_or_else(|| {
            self.wrong(Damage::Length {
                expected: length as u64,
                found: rest.len() as u64,
            })
        })?;
        self.at += length;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, FormatError> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, FormatError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count, and as many items of at least `minimum` bytes each.
    pub(crate) fn many<T>(
        &mut self,
        minimum: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, FormatError>,
    ) -> Result<Vec<T>, FormatError> {
        let count = self.u32()? as usize;
        let left = self.bytes.len() - self.at;
        if count > left / minimum {
            return Err(self.wrong(Damage::Range("count")));
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    pub(crate) fn path(&mut self) -> Result<String, FormatError> {
        let length = u16::from_le_bytes(self.array()?);
        Ok(self.text(usize::from(length), "path")?.to_owned())
    }

    pub(crate) fn id(&mut self) -> Result<BackupId, FormatError> {
        let length = self.u8()?;
        let id = self.text(usize::from(length), "backup id")?.parse();
        id.map_err(|_| self.wrong(Damage::Text("backup id")))
    }

    fn text(&mut self, length: usize, what: &'static str) -> Result<&'a str, FormatError> {
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.wrong(Damage::Text(what)))
    }
}

/// A number that points nowhere.
pub(crate) fn range(what: &'static str) -> FormatError {
    FormatError::damaged(0, Damage::Range(what))
}
