//! The account that a server runs as.
//!
//! Invariant: never root: PostgreSQL refuses it (`check_root` in
//! src/backend/main/main.c), so root gives its servers to an ordinary account.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::ServerError;
use super::isolation::Isolation;

/// Who runs the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// The user that runs this program.
    Own,
    /// An ordinary account that root hands the server to.
    Other {
        /// Its user id.
        user: u32,
        /// Its group id.
        group: u32,
    },
}

impl Account {
    /// The account for this process's servers. One that is kept from others is not given
    /// to `postgres`, as which this machine's own server runs, unless there is nobody else.
    pub(super) fn choose(isolation: Isolation) -> Result<Self, ServerError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let names = match isolation {
            Isolation::None => ["postgres", "nobody"],
            Isolation::Account | Isolation::Namespaces => ["nobody", "postgres"],
        };
        let found = names.into_iter().find_map(|name| find(&accounts, name));
        found.ok_or(ServerError::NoAccount)
    }

    /// The user ids that a workspace may belong to, an earlier version's among them.
    pub(super) fn of_any_workspace() -> Vec<u32> {
        let choices = [Isolation::None, Isolation::Namespaces].map(Self::choose);
        let accounts = choices.into_iter().flatten();
        accounts.filter_map(Self::user).collect()
    }

    /// Its user id; none where it is this process's own.
    pub(super) fn user(self) -> Option<u32> {
        match self {
            Self::Own => None,
            Self::Other { user, .. } => Some(user),
        }
    }

    /// Gives a file or directory to the account.
    pub(super) fn own(self, path: &Path) -> Result<(), ServerError> {
        let Self::Other { user, group } = self else {
            return Ok(());
        };
        std::os::unix::fs::lchown(path, Some(user), Some(group)).map_err(|source| {
            ServerError::Prepare {
                path: path.to_owned(),
                source,
            }
        })
    }

    /// The first directory on the way to `path` that the account may not enter, by the rights
    /// that it shows; none where it is this process's own.
    pub(super) fn barred(self, path: &Path) -> Option<PathBuf> {
        let Self::Other { user, group } = self else {
            return None;
        };
        let path = path.canonicalize().ok()?;
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        let bars = |directory: &&&Path| {
            let Ok(found) = std::fs::metadata(directory) else {
                return false;
            };
            let enters = match (found.uid() == user, found.gid() == group) {
                (true, _) => 0o100,
                (false, true) => 0o010,
                (false, false) => 0o001,
            };
            found.is_dir() && found.mode() & enters == 0
        };
        way.iter()
            .find(bars)
            .map(|directory| directory.to_path_buf())
    }

    /// Its name, or its number where it has none.
    pub(super) fn name(self) -> String {
        let Self::Other { user, .. } = self else {
            return String::new();
        };
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let of_user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
        };
        let found = accounts.lines().find_map(of_user);
        found.unwrap_or_else(|| user.to_string())
    }

    /// Lets a command run as the account, and out of reach of what is typed at our
    /// terminal: it ends when it is told to.
    pub(super) fn apply(self, command: &mut Command) {
        command.process_group(0);
        if let Self::Other { user, group } = self {
            command.uid(user).gid(group);
        }
    }
}

/// An ordinary account of that name in the text of `/etc/passwd`.
fn find(accounts: &str, name: &str) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let user = fields.nth(1)?.parse().ok().filter(|&user| user != 0)?;
        let group = fields.next()?.parse().ok()?;
        Some(Account::Other { user, group })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\npostgresql:x:7:7::/:\npostgres:x:101:104::/:\n";
        assert_eq!(
            find(accounts, "postgres"),
            Some(Account::Other {
                user: 101,
                group: 104
            })
        );
        assert_eq!(find(accounts, "nobody"), None);
        assert_eq!(find(accounts, "root"), None);
    }
}
