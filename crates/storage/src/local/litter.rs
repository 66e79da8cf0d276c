//! What uploads and puts that were killed have left in a local directory.
//!
//! Invariants: only regular files under a temporary name go, and only those that
//! nothing was written to since an instant; no object has such a name. No symbolic
//! link is followed.

use std::fs;
use std::io;
use std::path::Path;

use pgkeep_types::{ObjectName, Timestamp};

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

/// Removes the unfinished files below `folder` whose paths begin with `prefix` and
/// that were last changed before `before`; tells how many bytes came back.
pub(super) fn discard(
    root: &Path,
    folder: &str,
    prefix: &str,
    before: Timestamp,
) -> io::Result<u64> {
    let entries = match fs::read_dir(root.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && root.is_dir() => return Ok(0),
        other => other?,
    };
    let mut bytes = 0;
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
            if path.starts_with(prefix) {
                bytes += discard_file(&entry.path(), before)?;
            }
        } else if path.parse::<ObjectName>().is_ok() {
            let inside = format!("{path}/");
            let wanted = inside.starts_with(prefix) || prefix.starts_with(&inside);
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && wanted => {
                    bytes += discard(root, &path, prefix, before)?;
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(bytes)
}

fn discard_file(path: &Path, before: Timestamp) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let removed = fs::symlink_metadata(path).and_then(|meta| {
        let modified = Timestamp::try_from(meta.modified()?).map_err(io::Error::other)?;
        if !meta.is_file() || modified >= before {
            return Ok(0);
        }
        fs::remove_file(path)?;
        // One that was killed after it was linked to its own name shares the bytes
        // with the object.
        Ok(if meta.nlink() > 1 { 0 } else { meta.len() })
    });
    match removed {
        // Finished, or discarded by another, since the directory was read.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        other => other,
    }
}
