//! Why there is no plan of what to delete.
//!
//! Invariant: each reason names what is in the way, and the way out.

use std::collections::BTreeSet;

use pgkeep_format::names::{self, Place};
use pgkeep_types::{BackupId, ObjectName, ObjectNameError, RunId};

/// Why it cannot be told what to delete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// What a backup or a run needs is not known.
    #[error("what {object} needs cannot be told: {problem}")]
    Unreadable {
        /// The object that cannot be read.
        object: ObjectName,
        /// Why not.
        problem: String,
        /// Backups that may be a run's whose record it is: nothing else tells of them.
        left: BTreeSet<BackupId>,
    },
    /// A backup's record is not there, though its run says that it is whole: what it
    /// needs of others is not known.
    #[error(
        "what backup {backup} needs cannot be told: {object} is not there, though its run \
         says that it was committed"
    )]
    Missing {
        /// The backup.
        backup: BackupId,
        /// Its record.
        object: ObjectName,
    },
    /// There are objects of backups of which neither the record is there nor anything of a
    /// run: what they need of others is not known, nor whether they were whole.
    #[error(
        "what {} needs cannot be told: objects of it are there, and neither its record 'backup' \
         nor anything of a run that made it", listed(.backups)
    )]
    Unaccounted {
        /// The backups.
        backups: BTreeSet<BackupId>,
    },
    /// The parent of a run that goes on has no record: what the run may refer to is not known.
    #[error("what run {run}, which goes on, refers to cannot be told: {object} is not there")]
    NoParent {
        /// The run.
        run: RunId,
        /// The parent's record.
        object: ObjectName,
    },
    /// A run refers to a backup that should be deleted.
    #[error("run {run}, which goes on, refers to backup {backup}")]
    InUse {
        /// The backup.
        backup: BackupId,
        /// The run.
        run: RunId,
    },
    /// A backup that should be deleted is to be kept.
    #[error("backup {backup} is pinned")]
    Pinned {
        /// The backup.
        backup: BackupId,
    },
    /// A backup that should be deleted is still being made.
    #[error("run {run}, which goes on, makes backup {backup}")]
    InTheMaking {
        /// The backup.
        backup: BackupId,
        /// The run.
        run: RunId,
    },
    /// Something changed between two listings: they have to be made again.
    #[error("run {run} changed while it was looked at")]
    Changed {
        /// The run.
        run: RunId,
    },
    /// A record went away between being listed and being read: as above.
    #[error("{object} went away while it was looked at")]
    Gone {
        /// The record.
        object: ObjectName,
    },
    /// A name could not be put together.
    #[error(transparent)]
    Name(#[from] ObjectNameError),
}

/// So many backups are named at most.
const NAMED: usize = 10;

/// So many are in a command at most.
const IN_A_COMMAND: usize = 5;

fn listed(backups: &BTreeSet<BackupId>) -> String {
    let named = backups.iter().take(NAMED).map(BackupId::to_string);
    let named = named.collect::<Vec<_>>().join(", ");
    match (backups.len(), backups.len().saturating_sub(NAMED)) {
        (1, _) => format!("backup {named}"),
        (_, 0) => format!("each of the backups {named}"),
        (_, more) => format!("each of the backups {named} and {more} more"),
    }
}

/// The command that gives backups up.
fn giving_up(backups: &BTreeSet<BackupId>) -> String {
    let ids = backups.iter().take(IN_A_COMMAND);
    let ids: Vec<String> = ids.map(|id| format!("--id {id}")).collect();
    let command = format!("'pgkeep prune {}'", ids.join(" "));
    match backups.len().saturating_sub(IN_A_COMMAND) {
        0 => command,
        more => format!("{command}, and so on for {more} more"),
    }
}

impl PlanError {
    /// Whether another look may come to something else; `before` is what the last one did.
    pub(super) fn may_pass(&self, before: Option<&Self>) -> bool {
        match self {
            Self::Changed { .. } | Self::Gone { .. } => true,
            // Somebody may just have deleted it, or the run may have ended: that is seen then.
            Self::Missing { .. } | Self::Unaccounted { .. } | Self::NoParent { .. } => {
                before != Some(self)
            }
            Self::Unreadable { .. }
            | Self::InUse { .. }
            | Self::InTheMaking { .. }
            | Self::Pinned { .. }
            | Self::Name(_) => false,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreadable { object, left, .. } => match names::place(object) {
                Some(Place::Run(..)) => {
                    let then = match left.is_empty() {
                        true => String::new(),
                        false => format!("; what it has left then goes with {}", giving_up(left)),
                    };
                    return Some(format!(
                        "use a newer pgkeep where it is a newer one's; where it is damaged for \
                         good, wait: the run is taken for dead a day after its last sign of \
                         life{then}"
                    ));
                }
                Some(Place::Backup(_, id, _)) => {
                    return Some(format!(
                        "use a newer pgkeep where it is a newer one's; where it is damaged for \
                         good, delete that backup with 'pgkeep prune --id {id}'"
                    ));
                }
                _ => "use a newer pgkeep",
            },
            Self::Unaccounted { backups } => {
                return Some(format!(
                    "bring what is missing back from another copy of the repository, runs/ \
                     first; what is nobody's or lost for good is given up with {}",
                    giving_up(backups)
                ));
            }
            Self::Missing { backup, object } => {
                return Some(format!(
                    "bring {object} back from another copy of the repository; where there is \
                     none, give that backup up with 'pgkeep prune --id {backup}'"
                ));
            }
            Self::Pinned { backup } => {
                return Some(format!(
                    "'pgkeep show {backup}' tells why; 'pgkeep unpin {backup}' lets it go"
                ));
            }
            Self::InUse { .. } | Self::InTheMaking { .. } | Self::NoParent { .. } => {
                "wait until it has ended"
            }
            Self::Changed { .. } | Self::Gone { .. } => "try again",
            Self::Name(_) => return None,
        };
        Some(hint.to_owned())
    }
}
