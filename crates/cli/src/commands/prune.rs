//! `pgkeep prune`: deletes backups that no rule keeps, or that are named, and what failed
//! or killed ones have left.
//!
//! Invariants: what goes, why, and how much it is, is told before anything
//! is touched; a backup that is named goes only when somebody has said yes, and so does a
//! great deal at once. With `--dry-run` all is
//! told as it would be done, by the same clock, and nothing is changed: the one object
//! that is written to see that clock is removed again. Where it cannot be written, nothing is
//! taken for older than it is.

mod chosen;
mod policy;
mod told;

use std::collections::BTreeSet;

use pgkeep_config::{ClusterSettings, Settings};
use pgkeep_format::Identities;
use pgkeep_repository::deletion::{Prune as Prepared, Pruner, Terms};
use pgkeep_repository::{Catalogue, Entry, Repository, RepositoryError, WriteAccess};
use pgkeep_storage::StorageErrorKind;
use pgkeep_types::{BackupId, Clock, ClusterName, ObjectName, RunId, Timestamp};
use serde::Serialize;

pub(super) use self::chosen::find;
use self::told::{Group, groups, tell, unfinished_bytes};
use super::keeping::{self, keep};
use crate::arguments::Prune;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::keys::note_ring;
use crate::output::JSON_VERSION;
use crate::{terminal, words};

/// What a prune did, or would do.
#[derive(Serialize)]
pub(super) struct Report {
    version: u32,
    dry_run: bool,
    /// Runs that were taken for dead.
    dead: Vec<RunId>,
    /// What went, by what it was of.
    groups: Vec<Group>,
    objects: usize,
    /// Uploads that nobody will finish, and that went too.
    unfinished: usize,
    /// What the objects had. Where old versions are kept they take that room still.
    bytes: u64,
    /// Objects that should go as well, and are left for the next prune.
    left: usize,
    /// Whether the storage was seen to keep old versions of what is deleted.
    keeps_versions: bool,
    /// Why it is not known what is unfinished, where it is not: it stays.
    unfinished_unknown: Option<String>,
    /// What is no object of a repository, and stays.
    foreign: Vec<ObjectName>,
    /// What becomes of each backup, where the policy decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<keeping::Report>,
}

/// Prunes.
pub(crate) async fn run(arguments: &Prune, context: &Context) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    let (cluster, cluster_settings) = context.cluster(&settings, arguments.cluster.as_ref())?;
    let asked = Asked {
        policy: arguments.policy.as_deref(),
        dry_run: arguments.dry_run,
        yes: arguments.yes,
        asks_always: true,
    };
    let name = context.name_of(&settings, &cluster_settings)?;
    let work = Work::open(context, &settings, &cluster, &cluster_settings, name, asked).await?;
    let report = match arguments.ids.is_empty() {
        true => {
            work.by_policy(&keep(&cluster_settings, asked.policy)?)
                .await?
        }
        false => work.by_id(&arguments.ids).await?,
    };
    context.output.json(&report)?;
    Ok(report.exit())
}

/// Prunes a repository by policy after a backup: by what is there, whatever others have.
pub(super) async fn after_backup(
    context: &Context,
    settings: &Settings,
    cluster: &ClusterName,
    cluster_settings: &ClusterSettings,
    repository: &str,
    yes: bool,
) -> Result<Report, CliError> {
    let asked = Asked {
        policy: None,
        dry_run: false,
        yes,
        asks_always: false,
    };
    let work = Work::open(
        context,
        settings,
        cluster,
        cluster_settings,
        repository,
        asked,
    )
    .await?;
    work.by_policy(&cluster_settings.dump.keep).await
}

/// How it is to be done.
#[derive(Clone, Copy)]
struct Asked<'a> {
    policy: Option<&'a str>,
    dry_run: bool,
    yes: bool,
    /// Whether whoever sits there is asked whatever goes, and not only where it is much.
    asks_always: bool,
}

/// A prune of one cluster.
struct Work<'a> {
    context: &'a Context,
    settings: &'a Settings,
    cluster: &'a ClusterName,
    repository: Repository,
    identities: Identities,
    access: WriteAccess,
    asked: Asked<'a>,
}

impl<'a> Work<'a> {
    async fn open(
        context: &'a Context,
        settings: &'a Settings,
        cluster: &'a ClusterName,
        cluster_settings: &ClusterSettings,
        repository: &str,
        asked: Asked<'a>,
    ) -> Result<Self, CliError> {
        // What is wrong with it is told first.
        keep(cluster_settings, asked.policy)?;
        let keys = context.keys(settings, None)?;
        let repository = context
            .open_repository(settings, repository, &keys.pins())
            .await?;
        let identities = keys.all();
        let access = context.write_access(settings, &repository, keys)?;
        Ok(Self {
            context,
            settings,
            cluster,
            repository,
            identities,
            access,
            asked,
        })
    }

    async fn catalogue(&self) -> Result<Catalogue, CliError> {
        let catalogue = self.repository.catalogue(self.cluster, &self.identities);
        Ok(catalogue.await?)
    }

    /// Deletes the backups that are named.
    async fn by_id(&self, ids: &[String]) -> Result<Report, CliError> {
        let (context, catalogue) = (self.context, self.catalogue().await?);
        let chosen = ids.iter().map(|text| find(&catalogue, text));
        let chosen = chosen.collect::<Result<BTreeSet<BackupId>, _>>()?;
        let terms = Terms {
            chosen: chosen.clone(),
            ..Terms::at(now(context, &self.repository, self.cluster).await?)
        };
        let prune = self.repository.prune(self.cluster, terms).await?;
        tell(context, &catalogue, &chosen, &prune, prune.preview());
        if !self.asked.dry_run {
            let question = chosen::question(&catalogue, &chosen, context.clock.now());
            terminal::confirm(context, &question, self.asked.yes).await?;
        }
        self.finish(prune, &chosen, "it was chosen by its id").await
    }

    /// Does it, unless it is only to be told, and tells what went.
    async fn finish(
        &self,
        prune: Prepared,
        chosen: &BTreeSet<BackupId>,
        reason: &str,
    ) -> Result<Report, CliError> {
        let context = self.context;
        let mut report = Report::of(&prune, self.asked.dry_run);
        if !self.asked.dry_run {
            note_ring(self.settings, &self.repository);
            let pruner = Pruner {
                access: &self.access,
                pgkeep: env!("CARGO_PKG_VERSION"),
                now: context.clock.now(),
                reason,
            };
            let swept = prune.carry_out(pruner, |_| {}).await?;
            context.output.data(format_args!(
                "deleted {}{}, {}\n",
                words::counted(swept.objects, "object"),
                match swept.unfinished {
                    0 => String::new(),
                    uploads => format!(" and {}", words::counted(uploads, "unfinished upload")),
                },
                words::size(swept.bytes)
            ));
            report.objects = swept.objects;
            report.unfinished = swept.unfinished;
            report.bytes = swept.bytes;
            report.left = swept.left;
            if let Some(left) = told::left_over(swept.left) {
                context.output.warning(left);
            }
            check_gone(&self.repository, self.cluster, chosen).await?;
        }
        report.keeps_versions = self.repository.capabilities().versions;
        if report.keeps_versions && report.objects > 0 {
            context.output.say(
                "the storage keeps old versions: what is deleted takes room until its lifecycle \
                 rule removes them (docs/storage.md)",
            );
        }
        Ok(report)
    }
}

impl Report {
    /// How a prune ends that did this.
    pub(super) fn exit(&self) -> Exit {
        match self.left {
            0 => Exit::Done,
            _ => Exit::Partial,
        }
    }

    /// What would be done.
    fn of(prune: &Prepared, dry_run: bool) -> Self {
        let plan = prune.preview();
        let dead = prune.declarations().dead.iter();
        Self {
            version: JSON_VERSION,
            dry_run,
            dead: dead.map(|dead| dead.run.clone()).collect(),
            groups: groups(plan),
            objects: plan.deletions.len(),
            unfinished: plan.unfinished.len(),
            bytes: plan.deletions.iter().map(|d| d.size).sum::<u64>() + unfinished_bytes(plan),
            left: 0,
            keeps_versions: false,
            unfinished_unknown: plan.unfinished_unknown.clone(),
            foreign: plan.foreign.clone(),
            retention: None,
        }
    }
}

/// The storage's now. Where nothing can be written that would tell it, the newest instant
/// that is known to have been, and no later one than the host's: what is deleted makes room.
async fn now(
    context: &Context,
    repository: &Repository,
    cluster: &ClusterName,
) -> Result<Timestamp, CliError> {
    use StorageErrorKind::{Denied, NoSpace};
    let error = match repository.storage_now(&context.random).await {
        Err(RepositoryError::Storage(error)) if matches!(error.kind, Denied | NoSpace) => error,
        now => return Ok(now?),
    };
    let newest = repository.newest_instant(cluster).await?;
    let now = context.clock.now();
    let now = newest.map_or(now, |newest| newest.min(now));
    context.output.warning(format_args!(
        "the storage's clock cannot be seen: {error}; the newest object's time is taken for now, \
         {}: what is younger than a day by that stays",
        words::time(now)
    ));
    Ok(now)
}

/// Looks whether what was chosen is gone: what deletes it believes no more than what
/// lists it.
async fn check_gone(
    repository: &Repository,
    cluster: &ClusterName,
    chosen: &BTreeSet<BackupId>,
) -> Result<(), CliError> {
    if chosen.is_empty() {
        return Ok(());
    }
    let catalogue = repository
        .catalogue(cluster, &Identities::default())
        .await?;
    for entry in &catalogue.entries {
        let (id, problem) = match entry {
            Entry::Complete(record) => (Some(&record.id), "it is still listed".to_owned()),
            Entry::Unreadable(unreadable) => (unreadable.id.as_ref(), unreadable.error.to_string()),
            Entry::Attempt(_) => continue,
        };
        if let Some(id) = id.filter(|id| chosen.contains(id)) {
            let id = id.clone();
            return Err(match catalogue.chosen(&id) {
                Some(_) => CliError::PinnedMeanwhile { id },
                None => CliError::StillThere { id, problem },
            });
        }
    }
    Ok(())
}
