//! The other repositories of a cluster, which have copies of what is proved.
//!
//! Invariant: that a proof could not be carried there changes nothing of what it says; it is
//! told, with what brings it later.

use std::path::Path;

use pgkeep_format::records::{BackupRecord, ProofRecord};
use pgkeep_repository::{Repository, WriteAccess};
use tokio::sync::OnceCell;

use crate::context::{Context, Opened};
use crate::error::{CliError, sentence};

/// The cluster's other repositories; each is opened when there is first anything to carry.
pub(super) struct Others {
    /// The name of the one that is proved from.
    first: String,
    others: Vec<Other>,
}

struct Other {
    name: String,
    /// None where it cannot be opened, which was told.
    opened: OnceCell<Option<(Repository, WriteAccess)>>,
}

impl Others {
    pub(super) fn of(context: &Context, opened: &Opened) -> Result<Self, CliError> {
        let first = context.name_of(&opened.settings, &opened.cluster_settings)?;
        let names = opened.cluster_settings.repositories.iter();
        let others = names.filter(|name| *name != first).map(|name| Other {
            name: name.clone(),
            opened: OnceCell::new(),
        });
        Ok(Self {
            first: first.to_owned(),
            others: others.collect(),
        })
    }

    /// Carries a proof that was just written down, and what is missing of earlier ones of the
    /// same backup, to each repository that has the backup.
    pub(super) async fn carry(
        &self,
        context: &Context,
        opened: &Opened,
        identity: Option<&Path>,
        backup: &BackupRecord,
        proof: &ProofRecord,
    ) {
        if !proof.tells_of_all_copies() {
            return;
        }
        let earlier = opened.catalogue.proofs(&backup.id).iter();
        let proofs: Vec<&ProofRecord> = earlier.map(|proof| &proof.record).chain([proof]).collect();
        for other in &self.others {
            let carried = async {
                let open = other.opened.get_or_init(|| async {
                    let opening = open(context, opened, identity, &other.name).await;
                    opening
                        .map_err(|error| self.warn(context, other, &sentence(&error)))
                        .ok()
                });
                let Some((repository, access)) = open.await else {
                    return;
                };
                let proofs = proofs.iter().copied();
                let from = &opened.repository;
                if let Err(error) = repository.carry_proofs(access, from, backup, proofs).await {
                    let error = CliError::Repository(error);
                    self.warn(context, other, &sentence(&error));
                }
            };
            tokio::select! {
                () = carried => {}
                () = context.interrupt.requested() => {
                    self.warn(context, other, "somebody asked to stop");
                }
            }
        }
    }

    fn warn(&self, context: &Context, other: &Other, problem: &str) {
        let (first, name) = (&self.first, &other.name);
        context.output.warning(format_args!(
            "repository {name:?} does not know of what was proved; 'pgkeep copy --from {first} \
             --to {name}' tells it: {problem}"
        ));
    }
}

async fn open(
    context: &Context,
    opened: &Opened,
    identity: Option<&Path>,
    name: &str,
) -> Result<(Repository, WriteAccess), CliError> {
    let settings = &opened.settings;
    let keys = context.keys(settings, identity)?;
    let repository = context
        .open_repository(settings, name, &keys.pins())
        .await?;
    let access = context.write_access(settings, &repository, keys)?;
    Ok((repository, access))
}
