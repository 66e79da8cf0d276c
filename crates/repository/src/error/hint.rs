//! What whoever meets an error of a repository can do about it.
//!
//! Invariant: a hint names a command only where that helps, and promises nothing.

use pgkeep_format::names::{self, Place};
use pgkeep_format::{Damage, FormatError};

use super::RepositoryError;

impl RepositoryError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Storage(error) => error.hint(),
            Self::Keys(error) => error.hint(),
            Self::Missing { .. } => Some(
                "check the address, and that the file system is mounted; \
                 'pgkeep init' makes a new repository"
                    .to_owned(),
            ),
            Self::Vanished { .. } => Some(
                "look whether its file system is still mounted, and who else can delete there; \
                 then make the backup again"
                    .to_owned(),
            ),
            Self::Exists { .. } => Some(
                "a new machine needs the host key that was made with it, by PGKEEP_HOST_KEY_FILE; \
                 where that is lost, 'pgkeep key new' makes another one for it. For a new \
                 repository choose another place"
                    .to_owned(),
            ),
            Self::Beheaded { .. } => Some(
                "bring pgkeep.json and keys/ back from another copy: without them nobody can \
                 restore these backups. Leave what is there as it is, and choose another place \
                 for a new repository"
                    .to_owned(),
            ),
            Self::Remains { in_use: true, .. } => Some(
                "bring pgkeep.json back from another copy: without it and these keys nobody can \
                 restore these backups; choose another place for a new repository"
                    .to_owned(),
            ),
            Self::Remains { .. } => Some(
                "somebody else is making a repository here: wait, and look again. Or an earlier \
                 'pgkeep init' was cut off: then no backup was ever sealed to these keys; remove \
                 these objects, and the recovery.key, host.key and pgkeep.toml that it may have \
                 left, and run it again; or choose another place"
                    .to_owned(),
            ),
            Self::Contested { .. } => Some(
                "no repository was made. Somebody else is making a repository here, or an earlier \
                 'pgkeep init' was cut off: wait until nobody does, and try again; that says \
                 what is left here"
                    .to_owned(),
            ),
            Self::UnreadableKeys { .. } => Some(
                "bring the objects back from another copy, or remove those that are foreign; \
                 backups can be restored meanwhile; 'pgkeep key repair' gives up what is lost"
                    .to_owned(),
            ),
            Self::Recipients { .. } => Some(
                "nothing was written; where this is meant, 'pgkeep key trust' on this host \
                 accepts it"
                    .to_owned(),
            ),
            Self::NotTrusted { .. } => Some(
                "nothing was written; 'pgkeep key trust' shows what there is, and accepts it"
                    .to_owned(),
            ),
            Self::Retired { .. } => Some(
                "make a new key with 'pgkeep key new', and have it added with 'pgkeep key add'"
                    .to_owned(),
            ),
            Self::NotBelieved { .. } => {
                Some("whoever has the retired key may have made it; use another backup".to_owned())
            }
            Self::BadTombstone {
                source,
                object,
                location,
                backup,
            } => match source.as_ref() {
                Self::Object {
                    source: FormatError::TooNew { .. } | FormatError::NotUnderstood { .. },
                    ..
                } => source.hint(),
                _ => Some(format!(
                    "where nobody has deleted that backup, remove {object} from {location} to have \
                     it back, and look at it with 'pgkeep show'; 'pgkeep prune --id {}' deletes it \
                     for good",
                    backup.short()
                )),
            },
            Self::Ending { .. } => Some(
                "nothing was written; 'pgkeep key retire' with a recovery key ends it, and a new \
                 key is made with 'pgkeep key new'"
                    .to_owned(),
            ),
            Self::SealedToOthers { readers, .. } => Some(format!(
                "use another backup, or a key that this one is sealed to: {}",
                readers.join(" or ")
            )),
            Self::Object {
                object,
                source: FormatError::Damaged { .. },
                ..
            } if names::descriptor().is_ok_and(|name| name.as_str() == object) => Some(
                "the storage has changed or lost bytes; nothing is read or written without this \
                 object: bring it back from another copy of the repository, as it never changes"
                    .to_owned(),
            ),
            Self::Object {
                source: FormatError::UnknownWriter { .. },
                ..
            } => Some(
                "'pgkeep key list' tells whether the record of a host's key is lost: bring that \
                 back from another copy, or have the same key added again with 'pgkeep key add'. \
                 Where none is, somebody else has made this object"
                    .to_owned(),
            ),
            Self::Object {
                source:
                    FormatError::Damaged {
                        damage: Damage::TooLong(_),
                        ..
                    },
                ..
            } => Some(
                "no pgkeep writes one so long: look who else can write to the storage, and remove \
                 the object where it is theirs"
                    .to_owned(),
            ),
            Self::Object {
                object,
                source: FormatError::Damaged { .. },
                ..
            } if again(object).is_some() => again(object),
            Self::Object {
                source: FormatError::Damaged { .. },
                ..
            }
            | Self::Uncited { .. }
            | Self::Hurt { .. }
            | Self::Lost { .. } => Some(
                "the storage has changed or lost bytes; use another backup, look at the storage \
                 before it takes more, and then make one with 'pgkeep backup --whole', which \
                 refers to nothing that is stored"
                    .to_owned(),
            ),
            Self::LostBegin { .. } => Some(
                "the storage has lost it: look at the storage before it takes more. The backup \
                 itself is not hurt by that"
                    .to_owned(),
            ),
            Self::Object {
                source: FormatError::TooNew { .. } | FormatError::NotUnderstood { .. },
                ..
            } => Some("use a newer pgkeep".to_owned()),
            Self::Foreign { .. } => Some(
                "somebody has replaced the repository, or the address is another one's; \
                 nothing was read or written"
                    .to_owned(),
            ),
            Self::NoCopy { backup, .. } => Some(format!(
                "'pgkeep show {}' with --repository shows either; a proof of the one tells nothing \
                 of the other",
                backup.short()
            )),
            Self::ForeignProof { backup, .. } => Some(format!(
                "it counts as none; prove the backup that is there with 'pgkeep prove {}'",
                backup.short()
            )),
            Self::Clock { .. } => Some("set the clock".to_owned()),
            Self::ClockBehind { backup, .. } => Some(format!(
                "nothing was begun; set the clock. Where it is right, and that backup's date is \
                 wrong: 'pgkeep prune --id {}' deletes that one, and 'pgkeep backup --whole' \
                 makes one all the same, compared with none",
                backup.short()
            )),
            Self::Overtaken { .. } => Some(
                "make the backup again; a run that goes on needs to reach the repository \
                 at least once a day"
                    .to_owned(),
            ),
            Self::KeysChanged { .. } => Some(
                "where the change is meant, 'pgkeep key trust' on this host accepts it; then make \
                 the backup again"
                    .to_owned(),
            ),
            Self::NotPinned { backup, left, .. } => Some(match left {
                true => {
                    format!("lift it with 'pgkeep unpin {backup}', then look with 'pgkeep list'")
                }
                false => "'pgkeep list' shows what is there, and can be pinned".to_owned(),
            }),
            Self::Deleted { .. } => Some("use another backup".to_owned()),
            Self::NotDeleted { source, .. } => source.hint(),
            Self::NoRoom { .. } => Some(
                "make a little room where the repository is, a megabyte is enough, by removing or \
                 moving something that is not the repository's; then prune again"
                    .to_owned(),
            ),
            Self::NotAWriter { .. } => Some(
                "use the host key file that 'pgkeep init' made for this repository, or have \
                     this one added with 'pgkeep key add'"
                    .to_owned(),
            ),
            Self::NoIdentity {
                recipients,
                passphrase,
                ..
            } => Some(format!(
                "give the recovery key with --identity FILE; it belongs to {}{}",
                recipients.join(" or "),
                if *passphrase {
                    "; or the passphrase, on a terminal or in PGKEEP_PASSPHRASE_FILE"
                } else {
                    ""
                }
            )),
            _ => None,
        }
    }
}

/// What finds anew what a damaged record has said, where anything does.
fn again(object: &str) -> Option<String> {
    match names::place(&object.parse().ok()?)? {
        Place::Proof(_, backup, _) => Some(format!(
            "the storage has changed or lost bytes; prove backup {id} again with 'pgkeep prove \
             {id}': that counts in its place",
            id = backup.short()
        )),
        Place::Verification(..) => Some(
            "the storage has changed or lost bytes; 'pgkeep verify' reads again what it was about, \
             and then 'pgkeep prune' removes it"
                .to_owned(),
        ),
        _ => None,
    }
}
