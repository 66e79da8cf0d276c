//! Whole listings, page by page.
//!
//! Invariant: a listing ends. A storage whose pages come round to a cursor that it has given
//! before is in a circle, which no more pages end: an error, never the names so far.

use std::collections::BTreeSet;
use std::io;

use crate::{Cursor, ObjectMeta, Operation, Storage, StorageError, StorageErrorKind, Unfinished};

/// Names all objects that begin with `prefix`, sorted.
///
/// # Errors
/// Whatever a page of the listing fails with; one that is not transient where the listing
/// goes round in a circle.
pub async fn list_all(
    storage: &dyn Storage,
    prefix: &str,
) -> Result<Vec<ObjectMeta>, StorageError> {
    let mut objects = Vec::new();
    let mut walk = Walk::new(storage, Operation::List, prefix);
    let mut cursor = None;
    loop {
        let page = storage.list(prefix, cursor).await?;
        objects.extend(page.objects);
        cursor = walk.goes_on(page.next)?;
        if cursor.is_none() {
            objects.sort_by(|a, b| a.name.cmp(&b.name));
            return Ok(objects);
        }
    }
}

/// Names all that is unfinished below `prefix`, sorted by the object.
///
/// # Errors
/// Whatever a page of the listing fails with; one that is not transient where the
/// storage cannot tell, or the listing goes round in a circle.
pub async fn list_unfinished(
    storage: &dyn Storage,
    prefix: &str,
) -> Result<Vec<Unfinished>, StorageError> {
    let mut unfinished = Vec::new();
    let mut walk = Walk::new(storage, Operation::ListUnfinished, prefix);
    let mut cursor = None;
    loop {
        let page = storage.unfinished(prefix, cursor).await?;
        unfinished.extend(page.unfinished);
        cursor = walk.goes_on(page.next)?;
        if cursor.is_none() {
            unfinished.sort_by(|a, b| (&a.object, &a.id).cmp(&(&b.object, &b.id)));
            return Ok(unfinished);
        }
    }
}

/// Where a listing has been.
struct Walk<'a> {
    storage: &'a dyn Storage,
    operation: Operation,
    prefix: &'a str,
    /// One a page: a few dozen bytes for a thousand objects.
    seen: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    fn new(storage: &'a dyn Storage, operation: Operation, prefix: &'a str) -> Self {
        Self {
            storage,
            operation,
            prefix,
            seen: BTreeSet::new(),
        }
    }

    /// The cursor of the next page, where it is a new one.
    fn goes_on(&mut self, next: Option<Cursor>) -> Result<Option<Cursor>, StorageError> {
        let Some(cursor) = &next else {
            return Ok(None);
        };
        if self.seen.insert(cursor.0.clone()) {
            return Ok(next);
        }
        let pages = self.seen.len();
        Err(StorageError {
            operation: self.operation,
            object: self.prefix.to_owned(),
            location: self.storage.location(),
            kind: StorageErrorKind::Other,
            source: io::Error::other(format!(
                "after {pages} pages the list goes on where it has been before: it has no end"
            )),
        })
    }
}
