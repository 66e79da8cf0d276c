//! One new data directory for each version, made once and then copied.
//!
//! Invariant: a template is either whole or not there: it is made under another
//! name, by one process at a time, and renamed.

use std::fs::{self, DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use pgkeep_postgres::server::ThrowawayServer;

use super::{Cluster, Major};

/// Raised when what a template holds changes.
const REVISION: u32 = 1;

/// The data directory to copy for a server of that version.
pub(super) async fn of(major: Major) -> PathBuf {
    let directory = directory_of_this_user();
    let template = directory.join(format!("r{REVISION}-{}", major.server_version()));
    let lock = File::create(directory.join(format!("lock-{major}"))).expect("a lock file");
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
    let _lock = lock.await.expect("a thread").expect("the lock");
    if !template.exists() {
        make(major, &template).await;
    }
    template
}

async fn make(major: Major, template: &Path) {
    let options = Cluster::options(major);
    let mut server = ThrowawayServer::start(options).await.expect("a server");
    server.shut_down().await.expect("a server that shuts down");
    let unfinished = template.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).expect("an unfinished template that can go");
    }
    let copied = Command::new("cp")
        .arg("--archive")
        .arg(server.data_directory())
        .arg(&unfinished)
        .status()
        .expect("the program cp");
    assert!(copied.success(), "cp failed: {copied}");
    fs::rename(&unfinished, template).expect("a template");
}

/// Others may pass through (root's servers run as another account), none may
/// look around or write.
fn directory_of_this_user() -> PathBuf {
    let home = tempfile::tempdir().expect("a temporary directory");
    let user = fs::metadata(home.path()).expect("its owner").uid();
    let directory = std::env::temp_dir().join(format!("pgkeep-test-templates-{user}"));
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            panic!("cannot make {}: {error}", directory.display())
        }
        _ => {}
    }
    let found = fs::symlink_metadata(&directory).expect("the directory of templates");
    assert!(
        found.is_dir() && found.uid() == user,
        "{} is somebody else's: remove it",
        directory.display()
    );
    fs::set_permissions(&directory, Permissions::from_mode(0o711)).expect("permissions");
    directory
}
