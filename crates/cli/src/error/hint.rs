//! What the user can do about a failure.
//!
//! Invariant: a new error does not compile until it has its place here.

use std::io;

use super::CliError;

impl CliError {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. }
            | Self::Disagrees { hint, .. }
            | Self::NoSuchBackup { hint, .. } => Some(hint.clone()),
            Self::Elsewhere { source, hint } => Some(match source.hint() {
                Some(first) => format!("{hint}. Otherwise: {first}"),
                None => hint.clone(),
            }),
            Self::NoDatabases { .. } => Some(
                "template0 and template1 are left out; look at 'databases' in [cluster.….dump]"
                    .to_owned(),
            ),
            Self::StillThere { .. } => Some(
                "remove the object that is named, where it cannot be verified, and prune again"
                    .to_owned(),
            ),
            Self::PinnedMeanwhile { id } => Some(format!(
                "'pgkeep show {id}' tells who has pinned it; after 'pgkeep unpin {id}' the next \
                 'pgkeep prune' deletes it",
                id = id.short()
            )),
            Self::Config(error) => error.hint(),
            Self::Connection { source, .. } | Self::ConnectionArgument { source, .. } => {
                let form = "write it as postgres://USER@HOST:PORT/DATABASE, or as host=… dbname=…";
                Some(source.hint().unwrap_or_else(|| form.to_owned()))
            }
            Self::Connect(error) => error.hint(),
            Self::NoServer { source, .. } => source.hint(),
            Self::NoAnswer { source, .. } => source.hint(),
            Self::Address { source, .. } => source.hint(),
            Self::Storage(error) => error.hint(),
            Self::Repository(error) => error.hint(),
            Self::Capture(error) => error.hint(),
            Self::Globals(error) => error.hint(),
            Self::Restore(error) => error.hint(),
            Self::NotBegun { source, .. } | Self::NotPruned { source } => source.hint(),
            Self::Demo(error) => error.hint(),
            Self::NoHostKey => Some(
                "name its file: host_key_file in [encryption], or PGKEEP_HOST_KEY_FILE. \
                 'pgkeep init' makes it with a new repository; for one that is there, or where \
                 the key is lost, 'pgkeep key new' makes it, and says who adds it"
                    .to_owned(),
            ),
            Self::Exists { .. } => {
                Some("nothing was changed; move it away or choose another place".to_owned())
            }
            Self::CutOff { left, location, .. } => {
                let left: Vec<String> = left.iter().map(|f| f.display().to_string()).collect();
                Some(format!(
                    "nothing was changed. Where these keys are of a repository that is elsewhere, \
                     or not mounted now, have the new one's written to another place with \
                     --config. Where an earlier 'pgkeep init' was cut off, no backup was ever \
                     sealed to them: remove {}, and what is below keys/ in {location}, and run it \
                     again",
                    left.join(", ")
                ))
            }
            Self::NotEmpty { .. } => {
                Some("nothing was changed; name a new directory in it, or an empty one".to_owned())
            }
            Self::Exposed { path } => Some(format!("chmod 600 {}", path.display())),
            Self::NoIdentityFile { .. } => Some(
                "such a file has a line AGE-SECRET-KEY-1…; 'pgkeep init' wrote one as \
                 recovery.key, unless told otherwise"
                    .to_owned(),
            ),
            Self::KeyFile { .. } => {
                Some("'pgkeep init' and 'pgkeep key new' write such files and lines".to_owned())
            }
            Self::File { source, .. } | Self::HostKeyFile { source, .. } => {
                of_file(source).map(ToOwned::to_owned)
            }
            Self::HostsKey { .. } => Some(
                "give the file of a recovery key or of a prover's with --identity FILE; a host's \
                 is named by host_key_file in [encryption]"
                    .to_owned(),
            ),
            Self::Clock => Some("set the clock".to_owned()),
            Self::Insisted => {
                Some("a database whose name has '_unfinished_' in it may be left".to_owned())
            }
            Self::Unpinned { .. } => Some(
                "give the recovery key's own file, which names its repository; or, where you know \
                 that nobody else can write there, --unpinned"
                    .to_owned(),
            ),
            Self::Interrupted { .. }
            | Self::InitInterrupted { .. }
            | Self::Declined
            | Self::TooSlow { .. }
            | Self::UnreadableKey(_)
            | Self::Process { .. } => None,
        }
    }
}

/// What can be done where a file cannot be had.
fn of_file(error: &io::Error) -> Option<&'static str> {
    use io::ErrorKind as K;
    Some(match error.kind() {
        K::NotFound => "check the path, and whether what it lies on is mounted",
        K::NotADirectory => "a part of the path is a file where a directory should be",
        K::IsADirectory => "this is a directory: name a file in it",
        K::PermissionDenied => "this user may not",
        K::InvalidData => "it is no text: is it another file",
        K::StorageFull | K::QuotaExceeded => "make room there",
        _ => return None,
    })
}
