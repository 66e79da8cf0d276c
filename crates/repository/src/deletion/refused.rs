//! Why there is no plan of what to delete.
//!
//! Invariant: each reason names what is in the way, and the way out.

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
    /// A run refers to a backup that should be deleted.
    #[error("run {run}, which goes on, refers to backup {backup}")]
    InUse {
        /// The backup.
        backup: BackupId,
        /// The run.
        run: RunId,
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

impl PlanError {
    /// Whether another look may come to something else; `before` is what the last one did.
    pub(super) fn may_pass(&self, before: Option<&Self>) -> bool {
        match self {
            Self::Changed { .. } | Self::Gone { .. } => true,
            // Somebody may just have deleted it: then its tombstone is seen next time.
            Self::Missing { .. } => before != Some(self),
            Self::Unreadable { .. }
            | Self::InUse { .. }
            | Self::InTheMaking { .. }
            | Self::Name(_) => false,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreadable { .. } => {
                "use a newer pgkeep where it is a newer one's; where it is damaged for good, \
                 delete that backup with 'pgkeep prune --id ID'"
            }
            Self::Missing { backup, object } => {
                return Some(format!(
                    "bring {object} back from another copy of the repository; where there is \
                     none, give that backup up with 'pgkeep prune --id {backup}'"
                ));
            }
            Self::InUse { .. } | Self::InTheMaking { .. } => "wait until it has ended",
            Self::Changed { .. } | Self::Gone { .. } => "try again",
            Self::Name(_) => return None,
        };
        Some(hint.to_owned())
    }
}
