//! Room on a file system, looked at before anything is written.
//!
//! Invariant: a file system that does not tell is no reason to refuse.

use std::io;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

/// How many bytes can be written into `directory`; none where its file system does not
/// tell, as some of a network do.
///
/// # Errors
/// Where nothing can be made in it, or it is not there.
pub(crate) fn free(directory: &Path) -> io::Result<Option<u64>> {
    access(directory, Access::WRITE_OK | Access::EXEC_OK)?;
    let found = statvfs(directory)?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    Ok((found.f_blocks > 0).then_some(free))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_tells_its_room_and_one_that_is_not_there_an_error() {
        assert!(free(Path::new(".")).unwrap().is_some());
        // It has no blocks of its own.
        assert_eq!(free(Path::new("/proc/self/task")).ok().flatten(), None);
        let error = free(Path::new("/nowhere")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
