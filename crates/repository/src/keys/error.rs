//! Why the keys of a repository could not be changed, or none be had by a passphrase.
//!
//! Invariant: an error of a change says what holds now: whether anything was written.

use std::collections::BTreeSet;

use pgkeep_format::names::{self, Place};
use pgkeep_types::{ClusterName, RunId};

/// A change of the keys that came to nothing, or to something else; a passphrase that
/// opens none.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// No key at hand may change the keys.
    #[error("no key at hand may change the keys of the repository in {location}")]
    NotAnOwner {
        /// Where the repository is.
        location: String,
        /// Those that may.
        recipients: Vec<String>,
    },
    /// The key is one of the repository's already, or was one.
    #[error("key {fingerprint} is one of the repository in {location} already, or was one")]
    KeyExists {
        /// The key's fingerprint.
        fingerprint: String,
        /// Where the repository is.
        location: String,
    },
    /// There is no such key in use.
    #[error("the repository in {location} has no key {fingerprint} in use")]
    NoSuchKey {
        /// The key's fingerprint.
        fingerprint: String,
        /// Where the repository is.
        location: String,
    },
    /// A host that is to be retired has begun a run and not ended it.
    #[error(
        "run {run} of cluster {cluster} in {location} was begun with this key and has not ended"
    )]
    StillRuns {
        /// The run.
        run: RunId,
        /// Whose run it is.
        cluster: ClusterName,
        /// Where the repository is.
        location: String,
        /// Whether the key's end was announced: then no run begins any more.
        announced: bool,
    },
    /// It cannot be told whether a host that is to be retired has signed some records.
    #[error(
        "the key is not retired: what cannot be read in {location} may be signed with it, and \
         would never be believed again: {}", .objects.join(", ")
    )]
    Unattributed {
        /// The objects' names.
        objects: Vec<String>,
        /// Where the repository is.
        location: String,
    },
    /// The end of a host's key would list more than a record holds.
    #[error(
        "the end of key {fingerprint} in {location} would have to list {count} records, and \
         cannot hold so many"
    )]
    TooManySigned {
        /// The key's fingerprint.
        fingerprint: String,
        /// How many it has signed.
        count: usize,
        /// Where the repository is.
        location: String,
    },
    /// A host wrote while it was retired.
    #[error(
        "the key was retired, and {object} in {location} was signed with it meanwhile: \
         it is not believed"
    )]
    WrittenMeanwhile {
        /// The object's name.
        object: String,
        /// Where the repository is.
        location: String,
    },
    /// A change of the keys that holds, and that no ring lists yet.
    #[error(
        "the change of the keys in {location} was written and holds, but no key ring lists \
         it: others change the keys at the same time"
    )]
    NotListed {
        /// Where the repository is.
        location: String,
    },
    /// Nobody would be left who can read, or vouch.
    #[error("the last {role} key of the repository in {location} is not retired")]
    LastKey {
        /// What the key is for.
        role: &'static str,
        /// Where the repository is.
        location: String,
    },
    /// An unencrypted repository has no use for such a key.
    #[error("the repository in {location} is not encrypted, and has no {role} keys")]
    Unsuitable {
        /// What the key is for.
        role: &'static str,
        /// Where the repository is.
        location: String,
    },
    /// No key of the repository is under a passphrase.
    #[error("no key of the repository in {location} is under a passphrase")]
    NoPassphrase {
        /// Where the repository is.
        location: String,
    },
    /// The passphrase opens no key.
    #[error("the passphrase opens no key of the repository in {location}")]
    WrongPassphrase {
        /// Where the repository is.
        location: String,
    },
    /// Two have set a passphrase at once, and the other's holds.
    #[error("the passphrase was not set: another one is being set in {location} at the same time")]
    PassphraseOvertaken {
        /// Where the repository is.
        location: String,
    },
}

impl KeysError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotListed { .. } => {
                Some("'pgkeep key repair' lists it, once the others are done".to_owned())
            }
            Self::NotAnOwner { recipients, .. } => Some(match recipients.as_slice() {
                [] => "nobody has its root key any more: its keys stay as they are".to_owned(),
                keys => format!(
                    "give the file of a key that may with --identity FILE; it belongs to {}",
                    keys.join(" or ")
                ),
            }),
            Self::KeyExists { .. } => Some(
                "'pgkeep key list' shows it; a key that was retired never comes back, make \
                      another one"
                    .to_owned(),
            ),
            Self::NoSuchKey { .. } => {
                Some("'pgkeep key list' shows those that there are".to_owned())
            }
            Self::StillRuns {
                announced: true, ..
            } => Some(
                "the key begins no run any more; retire it again once this one has ended: it \
                 may fail. One that was cut off is taken for dead by 'pgkeep prune' of another \
                 host, a day after its last sign of life; or retire it with --now"
                    .to_owned(),
            ),
            Self::StillRuns { .. } => Some(
                "the key is in use as before; wait until the run has ended. One that was cut off is taken \
                 for dead by 'pgkeep prune', a day after its last sign of life; a key that was \
                 stolen is retired with --now"
                    .to_owned(),
            ),
            Self::Unattributed { objects, .. } => Some(format!(
                "bring these objects back from another copy; where there is none, {}remove any \
                 other such object. A key that was stolen is retired with --now",
                ways_out(objects)
            )),
            Self::TooManySigned { .. } => Some(
                "the key writes no more, and is not retired yet; delete old backups of that host \
                 with 'pgkeep prune' on another one, and retire it again"
                    .to_owned(),
            ),
            Self::WrittenMeanwhile { .. } => Some(
                "'pgkeep list' shows what is not believed; where it was a backup, make it again \
                 with another host's key"
                    .to_owned(),
            ),
            Self::LastKey { .. } => Some("add another one first".to_owned()),
            Self::PassphraseOvertaken { .. } => {
                Some("set it again, once nobody else does".to_owned())
            }
            Self::NoPassphrase { .. } => Some("give a key's file with --identity FILE".to_owned()),
            Self::WrongPassphrase { .. } => Some(
                "type it again; a passphrase of before opens nothing once another one was set"
                    .to_owned(),
            ),
            Self::Unsuitable { .. } => Some(
                "whoever has the storage reads it; only hosts are added, to write there".to_owned(),
            ),
        }
    }
}

/// What takes such objects away.
fn ways_out(objects: &[String]) -> String {
    let places = objects.iter().filter_map(|object| object.parse().ok());
    let places: Vec<Place> = places.filter_map(|name| names::place(&name)).collect();
    let mut ways = BTreeSet::new();
    for place in places {
        match place {
            Place::Backup(_, id, _) | Place::Proof(_, id, _) => {
                let id = id.short();
                ways.insert(format!(
                    "'pgkeep prune --id {id}' deletes backup {id} with its proofs, "
                ));
            }
            Place::Verification(..) => {
                ways.insert(
                    "'pgkeep verify' and then 'pgkeep prune' remove what a verification \
                             has found, "
                        .to_owned(),
                );
            }
            _ => {}
        }
    }
    let ways: String = ways.into_iter().collect();
    match ways.is_empty() {
        true => ways,
        false => format!("{ways}and otherwise "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_key_from_being_retired_is_told_with_what_takes_it_away() {
        let hint = |object: &str| {
            let error = KeysError::Unattributed {
                objects: vec![object.to_owned()],
                location: "/backups".to_owned(),
            };
            error.hint().unwrap_or_default()
        };
        let proof = "main/proofs/20261120T030000Z-7k3m9q2x/20261121T030000Z-00000000";
        assert!(hint(proof).contains("'pgkeep prune --id 7k3m9q2x' deletes backup 7k3m9q2x"));
        let verification = "main/verified/20261121T030000Z-00000000";
        assert!(hint(verification).contains("'pgkeep verify' and then 'pgkeep prune' remove"));
        let begin = "main/runs/20261121T030000Z-00000000/begin";
        assert!(hint(begin).contains("where there is none, remove any other such object"));
    }
}
