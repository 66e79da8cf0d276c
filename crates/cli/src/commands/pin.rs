//! `pgkeep pin` and `pgkeep unpin`: to keep a backup whatever the rules say, and to let the
//! rules decide again.
//!
//! Invariants: only a good backup is pinned, and a pin that is told to hold does; nothing is
//! overwritten: that a pin holds no more is a record of its own.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use pgkeep_format::records::PinRecord;
use pgkeep_repository::{Repository, WriteAccess};
use pgkeep_restore::{Selection, select};
use pgkeep_types::{BackupId, Clock, ClusterName, PinId, Timestamp};
use serde::Serialize;

use super::prune::find;
use crate::arguments::{Pin, Unpin};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::instant::instant;
use crate::keys::note_ring;
use crate::output::JSON_VERSION;
use crate::words;

#[derive(Serialize)]
struct Pinned<'a> {
    version: u32,
    backup: BackupId,
    /// The one repository in which it holds.
    repository: &'a str,
    pin: PinId,
    until: Option<Timestamp>,
}

#[derive(Serialize)]
struct Unpinned {
    version: u32,
    backup: BackupId,
    lifted: Vec<PinId>,
    /// Somebody has chosen it for deletion while it was pinned: the next prune deletes it.
    goes: bool,
}

/// Pins.
pub(crate) async fn pin(arguments: &Pin, context: &Context) -> Result<Exit, CliError> {
    let now = context.clock.now();
    let until = until(arguments.until.as_deref(), now)?;
    let reason = arguments.reason.trim();
    if reason.is_empty() || reason.len() > PinRecord::REASON {
        return Err(CliError::Usage {
            problem: format!(
                "--reason has {} bytes, and takes 1 to {}",
                reason.len(),
                PinRecord::REASON
            ),
            hint: "say in a sentence why the backup is to be kept".to_owned(),
        });
    }
    let opened = context
        .open_for_reading(arguments.cluster.as_ref(), None)
        .await?;
    let meant = Selection::Id(arguments.backup.clone());
    let record = select(&opened.catalogue, &meant, now)?.clone();
    let (repository, access) = writing(context, arguments.cluster.as_ref()).await?;
    let id = PinId::new(&context.clock, &context.random);
    let pin = PinRecord {
        id: id.clone(),
        backup: record.id.clone(),
        cluster: record.cluster,
        reason: reason.to_owned(),
        until,
        pinned: now,
        host: access.host().to_owned(),
        pgkeep: env!("CARGO_PKG_VERSION").to_owned(),
    };
    repository.pin(&access, pin, now).await?;
    let until_told = until.map(|until| format!(", until {}", words::time_to_the_minute(until)));
    let (settings, of_cluster) = (&opened.settings, &opened.cluster_settings);
    let name = context.name_of(settings, of_cluster)?;
    context.output.data(format_args!(
        "backup {} of database {} is kept in repository {name}{}\n",
        record.id,
        words::printable(&record.database),
        until_told.unwrap_or_default()
    ));
    let others = of_cluster
        .repositories
        .iter()
        .filter(|other| *other != name);
    for other in others {
        context.output.say(format_args!(
            "in repository {other} the rules decide, as before; pin it there too with --repository \
             {other}"
        ));
    }
    context.output.json(&Pinned {
        version: JSON_VERSION,
        backup: record.id,
        repository: name,
        pin: id,
        until,
    })?;
    Ok(Exit::Done)
}

/// Lifts all pins of a backup.
pub(crate) async fn unpin(arguments: &Unpin, context: &Context) -> Result<Exit, CliError> {
    let opened = context
        .open_for_reading(arguments.cluster.as_ref(), None)
        .await?;
    let (cluster, catalogue) = (&opened.cluster, &opened.catalogue);
    let backup = find(catalogue, &arguments.backup)?;
    let pins: Vec<PinId> = catalogue.pins(&backup).map(|pin| pin.id.clone()).collect();
    if pins.is_empty() {
        return Err(CliError::NoSuchBackup {
            problem: format!("backup {backup} is not pinned"),
            hint: "'pgkeep list' shows which are".to_owned(),
        });
    }
    let (repository, access) = writing(context, arguments.cluster.as_ref()).await?;
    let now = context.clock.now();
    for pin in &pins {
        repository
            .unpin(
                &access,
                cluster,
                &backup,
                pin,
                now,
                env!("CARGO_PKG_VERSION"),
            )
            .await?;
    }
    context.output.data(format_args!(
        "backup {backup} is pinned no more ({} lifted)\n",
        words::counted(pins.len(), "pin")
    ));
    let chosen = repository.tombstone(cluster, &backup).await?;
    if let Some(chosen) = &chosen {
        context.output.warning(format_args!(
            "backup {backup} was chosen for deletion{}: the next 'pgkeep prune' deletes it",
            chosen
                .how()
                .map(|how| format!(" {how}"))
                .unwrap_or_default()
        ));
    }
    context.output.json(&Unpinned {
        version: JSON_VERSION,
        backup,
        lifted: pins,
        goes: chosen.is_some(),
    })?;
    Ok(Exit::Done)
}

/// The repository, with the right to write.
async fn writing(
    context: &Context,
    cluster: Option<&ClusterName>,
) -> Result<(Repository, WriteAccess), CliError> {
    let settings = context.settings()?;
    let (_, of_cluster) = context.cluster(&settings, cluster)?;
    let keys = context.keys(&settings, None)?;
    let repository = context.repository(&settings, &of_cluster, &keys).await?;
    let access = context.write_access(&settings, &repository, keys)?;
    note_ring(&settings, &repository);
    Ok((repository, access))
}

/// Until when: a time to come. A day is meant to its end.
fn until(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, CliError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let until = match text.trim().parse::<Date>() {
        // A time of day is longer.
        Ok(day) if text.trim().len() == DAY => end(day)?,
        _ => instant(text)?,
    };
    if until <= now {
        return Err(CliError::Usage {
            problem: format!("--until {text} is over"),
            hint: "give a time to come, or leave it out to keep the backup without an end"
                .to_owned(),
        });
    }
    Ok(Some(until))
}

/// The length of a day as it is written.
const DAY: usize = "2026-11-20".len();

/// When a day is over here.
fn end(day: Date) -> Result<Timestamp, CliError> {
    let next = day.tomorrow();
    let next = next.and_then(|next| next.to_zoned(TimeZone::system()));
    let end = next.map_err(|error| CliError::Usage {
        problem: format!("--until {day} is too far off: {error}"),
        hint: "leave it out to keep the backup without an end".to_owned(),
    });
    Ok(end?.timestamp())
}
