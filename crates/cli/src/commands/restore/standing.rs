//! What is known of the backup that is to be restored.
//!
//! Invariant: that its newest proof failed, or may have, is told before anything is made, with
//! what may be restored instead; it stops no restore, which may be all that there is.

use pgkeep_format::Identities;
use pgkeep_format::records::{BackupRecord, Level, ProofDetails, Tombstone};
use pgkeep_repository::{Catalogue, Proof};
use pgkeep_types::{BackupId, ObjectName, ProofId, Timestamp};
use serde::Serialize;

use crate::commands::keeping::warn_of_unread_of;
use crate::commands::list::warn_of_choice;
use crate::commands::prove::{elsewhere, level_word};
use crate::context::{Context, Opened};
use crate::error::sentence;
use crate::words;

/// How far a backup can be relied on.
#[derive(Debug, Serialize)]
pub(super) struct Standing {
    level: Level,
    /// The same, whichever copy of it was restored.
    worth: Level,
    /// The newest backup of the same database that is of another server.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_another_server: Option<BackupId>,
    /// Who has chosen it for deletion; it is there for as long as it is pinned.
    #[serde(skip)]
    chosen: Option<Tombstone>,
    /// The proof that says that it is not good.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_proof: Option<FailedProof>,
    /// What cannot be read, and may say that it is not good.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_doubt: Option<InDoubt>,
}

#[derive(Debug, Serialize)]
struct InDoubt {
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_proof: Option<ObjectName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_verification: Option<ObjectName>,
    /// The newest of the same database that was restored and found good.
    instead: Option<Instead>,
}

#[derive(Debug, Serialize)]
struct FailedProof {
    id: ProofId,
    started: Timestamp,
    host: String,
    /// Whether a copy of it in another repository was restored.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    elsewhere: bool,
    /// What failed; none where that cannot be read.
    problem: Option<String>,
    /// Why it cannot be read.
    #[serde(skip)]
    unread: Option<String>,
    /// The newest of the same database that was restored and found good.
    instead: Option<Instead>,
}

#[derive(Debug, Serialize)]
struct Instead {
    backup: BackupId,
    started: Timestamp,
    /// Whichever copy of it was restored.
    level: Level,
    #[serde(skip)]
    words: &'static str,
}

impl Standing {
    /// That of `backup`; with `before` only what was finished before that is offered instead.
    pub(super) async fn of(
        opened: &Opened,
        backup: &BackupRecord,
        before: Option<Timestamp>,
        identities: &Identities,
    ) -> Self {
        let catalogue = &opened.catalogue;
        let (level, worth) = (catalogue.level(&backup.id), catalogue.worth(&backup.id));
        let chosen = catalogue.chosen(&backup.id).cloned();
        let of_another_server = of_another_server(catalogue, backup);
        let Some(refuting @ Proof { record, .. }) = catalogue.refuted(&backup.id) else {
            let in_doubt = InDoubt {
                unread_proof: catalogue.unread_proof(&backup.id).cloned(),
                unread_verification: catalogue.unread_verification(&backup.id).cloned(),
                instead: instead(catalogue, backup, before),
            };
            return Self {
                level,
                worth,
                of_another_server,
                chosen,
                failed_proof: None,
                in_doubt: Some(in_doubt).filter(InDoubt::is_there),
            };
        };
        let details = opened.repository.proof_details(record, identities).await;
        let (problem, unread) = match details {
            Ok(Some(details)) => (problem(&details), None),
            Ok(None) => (
                None,
                Some("it is sealed, and no key at hand opens it".to_owned()),
            ),
            Err(error) => (None, Some(sentence(&error))),
        };
        Self {
            level,
            worth,
            of_another_server,
            chosen,
            in_doubt: None,
            failed_proof: Some(FailedProof {
                id: record.id.clone(),
                started: record.started,
                host: record.host.clone(),
                elsewhere: refuting.is_carried(),
                problem,
                unread,
                instead: instead(catalogue, backup, before),
            }),
        }
    }

    /// Tells that the newest proof failed, or that the backup stays for its pin alone.
    pub(super) fn warn(&self, context: &Context, catalogue: &Catalogue, backup: &BackupRecord) {
        if let Some(chosen) = &self.chosen {
            warn_of_choice(context, chosen);
        }
        let id = backup.id.short();
        if let (Some(other), Some(system)) = (&self.of_another_server, backup.system_id) {
            let other = other.short();
            context.output.warning(format_args!(
                "database {:?} was backed up on several servers, and backup {id} is of the one \
                 with system id {system}; the newest of another one is {other}: --backup {other} \
                 restores that",
                backup.database
            ));
        }
        let instead = match (&self.failed_proof, &self.in_doubt) {
            (Some(failed), _) => {
                context.output.warning(format_args!(
                    "the newest proof of backup {id} FAILED, at {} on host {}{}: {}",
                    words::time(failed.started),
                    words::printable(&failed.host),
                    match failed.elsewhere {
                        true => ", of the copy in another repository",
                        false => "",
                    },
                    failed.what()
                ));
                &failed.instead
            }
            (None, Some(in_doubt)) => {
                warn_of_unread_of(catalogue, &backup.id, context.output);
                &in_doubt.instead
            }
            (None, None) => return,
        };
        context.output.say(match instead {
            Some(instead) => format!(
                "backup {} of {} is the newest of database {:?} that is {}; --backup {} restores \
                 that instead",
                instead.backup.short(),
                words::time(instead.started),
                backup.database,
                instead.words,
                instead.backup.short()
            ),
            None => format!(
                "no other backup of database {:?} is proven or restorable; what was done with this \
                 one: 'pgkeep show {id}'",
                backup.database
            ),
        });
    }

    /// In a line.
    pub(super) fn words(&self) -> String {
        let word = level_word(self.level, self.failed_proof.is_some());
        let offered = |instead: &Option<Instead>| {
            let offered = instead.as_ref().map(|instead| {
                let id = instead.backup.short();
                format!("; {id} is {}", instead.words)
            });
            offered.unwrap_or_default()
        };
        match (&self.failed_proof, &self.in_doubt) {
            (Some(failed), _) => {
                let at = words::time(failed.started);
                format!("{word} at {at}{}", offered(&failed.instead))
            }
            (None, Some(doubt)) => {
                let may_be = doubt.words();
                format!("{word}, and {may_be}{}", offered(&doubt.instead))
            }
            (None, None) => match elsewhere(self.level, self.worth) {
                Some(copies) => format!("{word}, {copies}"),
                None => word.to_owned(),
            },
        }
    }
}

impl InDoubt {
    fn is_there(&self) -> bool {
        self.unread_proof.is_some() || self.unread_verification.is_some()
    }

    /// What may be.
    fn words(&self) -> &'static str {
        match self.unread_proof {
            Some(_) => "a proof that cannot be read may have FAILED",
            None => "it may be HURT",
        }
    }
}

impl FailedProof {
    fn what(&self) -> String {
        match (&self.problem, &self.unread) {
            (Some(problem), _) => words::printable(problem),
            (None, Some(unread)) => format!("what failed cannot be told: {unread}"),
            (None, None) => "what failed was not written down".to_owned(),
        }
    }
}

/// The newest good backup of the same database that is of another server.
fn of_another_server(catalogue: &Catalogue, backup: &BackupRecord) -> Option<BackupId> {
    let system = backup.system_id?;
    let others = catalogue.complete().filter(|other| {
        other.database == backup.database
            && other.selected == backup.selected
            && other.system_id.is_some_and(|of| of != system)
    });
    let newest = others.max_by_key(|other| other.started)?;
    Some(newest.id.clone())
}

/// What failed, as far as it was written down.
fn problem(details: &ProofDetails) -> Option<String> {
    let wrong = || {
        let mut wrong = details.questions.iter().filter(|answer| !answer.right);
        let first = wrong.next()?;
        Some(format!("the answer to {} was wrong", first.name))
    };
    details.problem.clone().or_else(wrong)
}

/// The newest backup of the same database that was restored and found good, and has no
/// less in it.
fn instead(
    catalogue: &Catalogue,
    backup: &BackupRecord,
    before: Option<Timestamp>,
) -> Option<Instead> {
    let others = catalogue.complete().filter(|other| {
        other.database == backup.database
            && other.kind == backup.kind
            && (backup.selected || !other.selected)
            && (other.globals || !backup.globals)
            && before.is_none_or(|before| other.finished < before)
            && catalogue.worth(&other.id) >= Level::Restorable
            && catalogue.refuted(&other.id).is_none()
    });
    let newest = others.max_by_key(|other| other.started)?;
    let (level, worth) = (catalogue.level(&newest.id), catalogue.worth(&newest.id));
    Some(Instead {
        backup: newest.id.clone(),
        started: newest.started,
        level: worth,
        words: elsewhere(level, worth).unwrap_or(worth.as_str()),
    })
}
