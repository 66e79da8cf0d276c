//! A directory for throwaway servers that is found again after a crash.
//!
//! Invariants: what is removed has a marker of ours that nobody holds locked, owned by
//! whoever runs this, in a directory that belongs to them or to the account of their
//! servers; a name alone is never enough. Whoever makes a workspace holds its marker
//! locked (`flock`) until it is gone, and the operating system lets go of that when they
//! die. A server is stopped only where its working directory lies in the workspace.

use std::fs::{File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access, FlockOperation, access, flock, statvfs};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::account::Account;
use super::error::ServerError;
use super::isolation::Isolation;
use super::postmaster::POLL;

const PREFIX: &str = "pgkeep-prove-";
const MARKER: &str = "marker";
/// What a marker begins with.
const IDENTITY: &str = "pgkeep throwaway workspace 1\n";
/// How long a server of an earlier run may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A directory of one's own, removed when it is dropped.
#[derive(Debug)]
pub struct Workspace {
    directory: TempDir,
    /// Held locked for as long as the workspace is in use.
    _marker: File,
}

impl Workspace {
    /// Makes one in `parent`, for the account that servers of others' code run as.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn make(parent: &Path) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Prepare {
            path: parent.to_owned(),
            source,
        };
        let account = Account::choose(Isolation::Account)?;
        // A server's directory is told from others by the path that it really has.
        let parent = &parent.canonicalize().map_err(failed)?;
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(failed)?;
        let marker = mark(directory.path()).map_err(failed)?;
        account.own(directory.path())?;
        Ok(Self {
            directory,
            _marker: marker,
        })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Removes it.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn remove(self) -> Result<(), ServerError> {
        let path = self.directory.path().to_owned();
        let removed = self.directory.close();
        removed.map_err(|source| ServerError::Stop { data: path, source })
    }
}

/// Writes the marker under another name, locks it, and gives it its own: whoever finds it
/// finds it locked.
fn mark(directory: &Path) -> std::io::Result<File> {
    let process = std::process::id();
    let started = start_of(process).unwrap_or_default();
    let draft = directory.join("marker.draft");
    let mut marker = File::create_new(&draft)?;
    writeln!(marker, "{IDENTITY}process {process} started {started}")?;
    flock(&marker, FlockOperation::NonBlockingLockExclusive)?;
    std::fs::rename(&draft, directory.join(MARKER))?;
    Ok(marker)
}

/// When a process was started, in the operating system's ticks since its own start
/// (`starttime` in proc(5)); none where there is no such process.
fn start_of(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let after = stat.rsplit_once(") ")?.1;
    after.split(' ').nth(19)?.parse().ok()
}

/// What an earlier run has left.
#[derive(Debug)]
pub struct Leftover {
    /// The directory.
    pub path: PathBuf,
    /// Whether it is gone; why not, where the operating system refuses.
    pub removed: std::io::Result<()>,
}

/// Stops and removes what earlier runs that were killed have left in `parent`.
pub async fn remove_leftovers(parent: &Path) -> Vec<Leftover> {
    let Ok(entries) = parent.canonicalize().and_then(std::fs::read_dir) else {
        return Vec::new();
    };
    let mut leftovers = Vec::new();
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        // Held until all is gone: of two that find it one removes it.
        let Some(_marker) = leftover(&path) else {
            continue;
        };
        for server in servers_in(&path) {
            stop(server, &path).await;
        }
        let removed = remove(&path);
        leftovers.push(Leftover { path, removed });
    }
    leftovers
}

/// Removes a workspace, its marker last: by that the rest is found again.
fn remove(path: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == MARKER {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => std::fs::remove_dir_all(entry.path())?,
            false => std::fs::remove_file(entry.path())?,
        }
    }
    std::fs::remove_dir_all(path)
}

/// The marker of a workspace of ours that nobody uses any more, locked.
fn leftover(path: &Path) -> Option<File> {
    let own = rustix::process::geteuid().as_raw();
    let directory = std::fs::symlink_metadata(path).ok()?;
    let is_ours = directory.uid() == own || Account::of_any_workspace().contains(&directory.uid());
    if !directory.is_dir() || !is_ours {
        return None;
    }
    let path = path.join(MARKER);
    let marker = std::fs::symlink_metadata(&path).ok()?;
    if !marker.is_file() || marker.uid() != own {
        return None;
    }
    let mut marker = File::open(&path).ok()?;
    let mut text = String::new();
    marker.read_to_string(&mut text).ok()?;
    let maker = text.strip_prefix(IDENTITY)?;
    flock(&marker, FlockOperation::NonBlockingLockExclusive).ok()?;
    // Where locks are not kept, as in some network's file systems, this is.
    let mut words = maker.split_whitespace();
    let process = words.nth(1)?.parse().ok()?;
    let started: u64 = words.nth(1)?.parse().ok()?;
    (start_of(process) != Some(started)).then_some(marker)
}

/// The servers whose data is in a workspace and that still run.
fn servers_in(workspace: &Path) -> Vec<Pid> {
    let homes = std::fs::read_dir(workspace).into_iter().flatten().flatten();
    let servers = homes.filter_map(|home| {
        let file = home.path().join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).ok()?;
        Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
    });
    servers.filter(|server| is_in(*server, workspace)).collect()
}

/// Whether a process works in the workspace, as a postmaster does in its data directory.
fn is_in(process: Pid, workspace: &Path) -> bool {
    let works_in = std::fs::read_link(format!("/proc/{process}/cwd"));
    works_in.is_ok_and(|works_in| works_in.starts_with(workspace))
}

async fn stop(server: Pid, workspace: &Path) {
    let deadline = Instant::now() + STOP_TIMEOUT;
    // One that has gone meanwhile is what is wanted.
    let _ = kill_process(server, Signal::QUIT);
    while is_in(server, workspace) {
        if Instant::now() > deadline {
            let _ = kill_process(server, Signal::KILL);
            return;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// How many bytes can be written into `directory`; none where its file system does not
/// tell.
///
/// # Errors
/// Where nothing can be made in it, or it is not there.
pub fn free_bytes(directory: &Path) -> std::io::Result<Option<u64>> {
    access(directory, Access::WRITE_OK | Access::EXEC_OK)?;
    let found = statvfs(directory)?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    Ok((found.f_blocks > 0).then_some(free))
}
