//! What uploads and puts that were killed have left in a local directory.
//!
//! Invariants: only regular files under a temporary name are named and go, each only
//! when nothing was written to it since it was named; no object has such a name. No
//! symbolic link is followed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pgkeep_types::{ObjectName, Timestamp};

use crate::{Unfinished, UnfinishedPage};

/// What the names of unfinished files begin with.
const TEMPORARY: &str = ".tmp-";
/// How many hexadecimal digits follow.
const DIGITS: usize = 16;

/// The temporary name that was drawn.
pub(super) fn temporary_name(drawn: u64) -> String {
    format!("{TEMPORARY}{drawn:0DIGITS$x}")
}

fn is_temporary(name: &str) -> bool {
    let digits = name.strip_prefix(TEMPORARY);
    digits.is_some_and(|d| d.len() == DIGITS && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The unfinished files of objects whose names may begin with `prefix`.
pub(super) fn list(root: &Path, prefix: &str) -> io::Result<UnfinishedPage> {
    let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut unfinished = Vec::new();
    collect(root, folder, prefix, &mut unfinished)?;
    Ok(UnfinishedPage {
        unfinished,
        next: None,
    })
}

/// Adds the unfinished files below `folder` of objects that may begin with `prefix`.
fn collect(
    root: &Path,
    folder: &str,
    prefix: &str,
    unfinished: &mut Vec<Unfinished>,
) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && root.is_dir() => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let Some(part) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        let path = match folder {
            "" => part.clone(),
            folder => format!("{folder}/{part}"),
        };
        if is_temporary(&part) {
            // It may become any object of its folder.
            let inside = path.strip_suffix(&part).unwrap_or_default();
            let at = prefix.rfind('/').map_or(0, |slash| slash + 1);
            if inside.starts_with(prefix) || prefix.get(..at) == Some(inside) {
                unfinished.extend(file(folder, part, &entry.path())?);
            }
        } else if path.parse::<ObjectName>().is_ok() {
            let inside = format!("{path}/");
            let wanted = inside.starts_with(prefix) || prefix.starts_with(&inside);
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && wanted => {
                    collect(root, &path, prefix, unfinished)?;
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The unfinished file at `path`; none where it was finished, or discarded by another,
/// since the directory was read.
fn file(folder: &str, id: String, path: &Path) -> io::Result<Option<Unfinished>> {
    let meta = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if !meta.is_file() {
        return Ok(None);
    }
    let object = match folder {
        "" => String::new(),
        folder => format!("{folder}/"),
    };
    // One that was killed after it was linked to its own name shares the bytes with the
    // object.
    let bytes = if meta.nlink() > 1 { 0 } else { meta.len() };
    Ok(Some(Unfinished {
        object,
        id,
        modified: Timestamp::try_from(meta.modified()?).map_err(io::Error::other)?,
        bytes: Some(bytes),
    }))
}

/// Removes an unfinished file, unless something was written to it since it was named.
pub(super) fn discard(root: &Path, litter: &Unfinished) -> io::Result<bool> {
    if !is_temporary(&litter.id) {
        return Err(io::Error::other("it has no temporary file's name"));
    }
    let folder = litter.object.trim_end_matches('/');
    let path = root.join(folder).join(&litter.id);
    let Some(now) = file(folder, litter.id.clone(), &path)? else {
        return Ok(true);
    };
    if now.modified != litter.modified {
        return Ok(false);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(true),
    }
}
