//! Making the repository, which takes as long as its storage does.
//!
//! Invariants: who asks to stop is heeded at once, and told what there is; the keys on
//! this machine stay exactly where the repository that they are for may be used.

use std::sync::Arc;
use std::time::Duration;

use pgkeep_repository::{Begun, NewRepository, Repository, RepositoryError, Withdrawn};
use pgkeep_storage::Storage;

use crate::context::Context;
use crate::error::CliError;
use crate::private_file::Drafts;

/// How long who asked to stop waits for what was begun to be removed.
const CLEANING: Duration = Duration::from_secs(5);

/// Makes the repository, keeps the files, and tells whether the storage refuses to
/// replace what exists. `made` is what there is then, for who stops it too late.
pub(super) async fn make(
    new: &NewRepository<'_>,
    storage: &Arc<dyn Storage>,
    files: Drafts,
    made: &str,
    context: &Context,
) -> Result<bool, CliError> {
    let create = new.create(storage.as_ref(), &context.clock, &context.random);
    let created = tokio::select! {
        created = create => created,
        () = context.interrupt.requested() => {
            return interrupted(new, storage, files, made, context).await;
        }
    };
    let trust = [new.trust()];
    let open = Repository::open(Arc::clone(storage), &trust);
    let opened = tokio::select! {
        opened = open => opened,
        () = context.interrupt.requested() => Err(RepositoryError::GivenUp),
    };
    // An answer that was lost: where the repository is there and is ours, its keys
    // must stay.
    let create_only = match (&opened, created) {
        (_, Ok(capabilities)) => capabilities.create_only,
        (Ok(repository), Err(_)) => repository.capabilities().create_only,
        (Err(_), Err(error)) => return Err(error.into()),
    };
    files.keep();
    // Two that make one at once in a storage that overwrites leave none of both.
    match opened {
        Err(RepositoryError::GivenUp) => Err(left(made)),
        opened => Ok(opened.map(|_| create_only)?),
    }
}

/// Removes what was begun, as far as that is quick, and tells what there is.
async fn interrupted<T>(
    new: &NewRepository<'_>,
    storage: &Arc<dyn Storage>,
    files: Drafts,
    made: &str,
    context: &Context,
) -> Result<T, CliError> {
    let location = storage.location();
    match new.begun() {
        Begun::Nothing => return Err(left("nothing was made")),
        Begun::Probing => {
            return Err(left(format!(
                "nothing was made, but for objects probe-… that may be left in {location}: \
                 remove them, or leave them to the first 'pgkeep prune' there"
            )));
        }
        Begun::Writing => {}
    }
    let withdraw = new.withdraw(storage.as_ref());
    let withdrawn = tokio::select! {
        withdrawn = tokio::time::timeout(CLEANING, withdraw) => {
            withdrawn.unwrap_or(Withdrawn::Unknown)
        }
        () = context.interrupt.insisted() => Withdrawn::Unknown,
    };
    Err(match withdrawn {
        Withdrawn::Gone => left("what was begun was removed again"),
        Withdrawn::Whole => {
            files.keep();
            left(made)
        }
        Withdrawn::Unknown => left(format!(
            "objects below keys/, and pgkeep.json, may be left in {location}, of a repository \
             that is none: remove them before the next 'pgkeep init' there"
        )),
    })
}

fn left(left: impl Into<String>) -> CliError {
    CliError::InitInterrupted { left: left.into() }
}
