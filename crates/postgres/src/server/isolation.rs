//! Namespaces for a server that runs somebody else's code.
//!
//! Invariants: in them there is no network, no memory shared with others, no list of
//! processes, and of the file system what the operating system's packages brought, the
//! server's own directories and its programs; whoever runs there has no capability and
//! gains none. Each program becomes the next, so that the process that was started is the
//! server's first. Where one of them fails there is no server.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use super::error::ServerError;
use super::log::last_lines;

const SCRIPT: &str = include_str!("isolate.sh");
/// Where util-linux has its programs.
pub(super) const PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";
/// What lies beside a server's programs and belongs to them; a data directory may, too,
/// and does not.
const BESIDE_PROGRAMS: [&str; 4] = ["lib", "lib64", "share", "libexec"];

/// How far a server is kept from everything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Not at all: what it runs is its user's own.
    #[default]
    None,
    /// Root gives it to an account that owns nothing, where there is one.
    Account,
    /// That, and it sees neither a network nor others' files (namespaces of Linux).
    Namespaces,
}

/// Whether this host can isolate a server of these programs, which may use `directory`.
///
/// # Errors
/// Where it cannot, with what the programs said that were to do it.
pub fn can_isolate(programs: &Path, directory: &Path) -> Result<(), ServerError> {
    let account = Account::choose(Isolation::Namespaces)?;
    let mut command = isolated(programs, &[directory], directory, account);
    command.arg(programs.join("postgres")).arg("--version");
    let output = command
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir(directory)
        .output()
        .map_err(|error| {
            let program = command.get_program().display().to_string();
            ServerError::Isolate {
                messages: vec![format!("cannot run {program}: {error}")],
            }
        })?;
    match output.status.success() {
        true => Ok(()),
        false => Err(ServerError::Isolate {
            messages: last_lines(&output.stderr),
        }),
    }
}

/// What calls a program so that it sees the directories `kept` alone, and works in
/// `working`; the program and its arguments are to be added.
pub(super) fn isolated(
    programs: &Path,
    kept: &[&Path],
    working: &Path,
    account: Account,
) -> Command {
    let mut command = Command::new("unshare");
    command.process_group(0);
    if account == Account::Own {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command
        .args(["--net", "--ipc", "--mount", "--propagation", "private"])
        .args(["--", "/bin/sh", "-c", SCRIPT, "pgkeep-isolate"])
        .args(kept)
        .args(of_programs(programs))
        .arg("--")
        .arg(working)
        .arg("setpriv");
    if let Account::Other { user, group } = account {
        command
            .arg(format!("--reuid={user}"))
            .arg(format!("--regid={group}"))
            .arg("--clear-groups");
    }
    command
        .args(["--inh-caps=-all", "--ambient-caps=-all"])
        .args(["--bounding-set=-all", "--no-new-privs", "--"]);
    command
}

/// The directories of a server's programs that are not the operating system's.
fn of_programs(programs: &Path) -> Vec<PathBuf> {
    let real = programs.join("postgres").canonicalize().ok();
    let real = real.as_deref().and_then(Path::parent);
    let mut found = Vec::new();
    for programs in [Some(programs), real].into_iter().flatten() {
        let beside = programs.parent().into_iter();
        let beside = beside.flat_map(|prefix| BESIDE_PROGRAMS.map(|name| prefix.join(name)));
        found.push(programs.to_owned());
        found.extend(beside.filter(|path| path.is_dir()));
    }
    found.retain(|path| !is_of_system(path));
    found.sort();
    found.dedup();
    found
}

/// Whether the script leaves it where it is.
fn is_of_system(path: &Path) -> bool {
    let under = |directory: &str| path.starts_with(directory);
    let is_local = under("/usr/local");
    (under("/usr") && !is_local) || under("/lib") || under("/lib64") || under("/bin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_programs_elsewhere_their_own_directories_are_kept_and_no_data_beside_them() {
        assert!(of_programs(Path::new("/usr/lib/postgresql/15/bin")).is_empty());
        let prefix = tempfile::tempdir().unwrap();
        let prefix = prefix.path().canonicalize().unwrap();
        for name in ["bin", "lib", "share", "data"] {
            std::fs::create_dir(prefix.join(name)).unwrap();
        }
        let expected = ["bin", "lib", "share"].map(|name| prefix.join(name));
        assert_eq!(of_programs(&prefix.join("bin")), expected);
    }
}
