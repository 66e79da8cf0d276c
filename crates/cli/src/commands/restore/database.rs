//! A backup into a database.
//!
//! Invariant: a database that is to be replaced is asked for before anything is made.

use pgkeep_restore::{DumpRestore, LeftOut, Parts, PreparedRestore, Restored};
use pgkeep_types::Clock;

use super::progress::RestoreRow;
use super::{Chosen, PartsReport, Report, globals, left_out_words, of_part};
use crate::arguments::Restore;
use crate::context::Context;
use crate::error::{CliError, Exit, sentence};
use crate::output::JSON_VERSION;
use crate::{terminal, words};

/// Restores.
pub(super) async fn run(
    context: &Context,
    arguments: &Restore,
    chosen: &Chosen,
    restore: DumpRestore<'_>,
    row: RestoreRow,
) -> Result<Exit, CliError> {
    let Chosen {
        backup, standing, ..
    } = chosen;
    let record = backup.record();
    let what = format!("the restore of database {:?}", restore.name);
    let prepare = async { Ok(restore.prepare(backup).await?) };
    let prepared = context.unless_interrupted(&what, prepare).await?;
    for note in prepared.notes() {
        context.output.warning(note);
    }
    let dumped_part = prepared.dumped_part();
    if let (Some(aside), []) = (prepared.replaced(), prepared.problems()) {
        check_server(context, arguments, chosen, &restore, &prepared).await?;
        let end = match arguments.drop_replaced {
            true => "is dropped then".to_owned(),
            false => format!("stays as {aside:?}"),
        };
        let by = match &dumped_part {
            Some(part) => format!(" by a part of {:?} ({part})", record.database),
            None => String::new(),
        };
        let with = prepared.attached();
        let with = with.map(|attached| format!(", with {attached}"));
        let question = format!(
            "replace database {:?} on {}{by}? its sessions are ended, and it {end}{with}",
            restore.name,
            restore.connection.server(),
            with = with.unwrap_or_default()
        );
        terminal::confirm(context, &question, arguments.yes).await?;
    }
    let create_roles = async { Ok(prepared.create_roles().await?) };
    context.unless_interrupted(&what, create_roles).await?;
    globals::tell_roles(context, prepared.roles().iter(), prepared.left_alone());
    let started = context.clock.now();
    let parts = prepared.parts().map(PartsReport::new);
    let of = of_part(format!("{:?}", record.database), dumped_part.as_deref());
    let of = match &parts {
        Some(parts) => format!("{} of {of}", parts.words()),
        None => of,
    };
    context.output.say(format_args!(
        "{} START restore of {of} from {} into new database {:?} on {}",
        words::time(started),
        record.id,
        restore.name,
        restore.connection.server()
    ));
    let LeftOut {
        owner,
        privileges,
        tablespaces,
    } = restore.left_out;
    let mut stop = Box::pin(context.interrupt.requested());
    let shown = context.live(row);
    let applied = prepared.apply(stop.as_mut()).await;
    drop(shown);
    let now = context.clock.now();
    if applied.is_err() {
        context.output.say(format_args!(
            "{} END   restore of {of}: FAILED after {}",
            words::time(now),
            words::duration(started, now)
        ));
    }
    let restored: Restored = applied?;
    context.output.say(format_args!(
        "{} END   restore of {of}: {} in {}, {}",
        words::time(now),
        words::size(restored.raw_bytes),
        words::duration(started, now),
        words::counted(restored.tables, "table")
    ));
    for note in &restored.notes {
        context.output.say(format_args!("note: {note}"));
    }
    for message in &restored.said {
        let name = restore.name;
        let words = format_args!("pg_restore of database {name:?} says: {message}");
        context.output.warning(words);
    }
    if let [first, ..] = restored.uncounted.as_slice() {
        context.output.warning(format_args!(
            "of {} ({first} …) the rows were not counted when they were dumped, and could not be \
             compared",
            words::counted(restored.uncounted.len(), "table")
        ));
    }
    let mut exit = Exit::Done;
    let mut replaced = prepared.replaced();
    if arguments.drop_replaced && replaced.is_some() {
        match prepared.drop_replaced().await {
            Ok(()) => replaced = None,
            Err(error) => {
                context.output.warning(sentence(&error));
                exit = Exit::Partial;
            }
        }
    }
    if let Some(old) = replaced {
        context.output.say(format_args!(
            "the old database stays as {old:?}; once it is not needed: {}",
            prepared.way_to_drop(old)
        ));
    }
    if let Some(parts) = &parts {
        parts.tell(context);
    }
    let not_compared = prepared.parts().map(Parts::not_compared);
    let not_compared = not_compared.unwrap_or_default();
    if !not_compared.is_empty() {
        context.output.say(format_args!(
            "there, and what they show was not compared: {}",
            not_compared.join(", ")
        ));
    }
    if owner {
        context.output.say(format_args!(
            "owners were left out and not compared: all belongs to {:?}",
            restored.owner
        ));
    }
    if privileges {
        let words = "privileges, and settings of single roles, were left out and not compared";
        context.output.say(words);
    }
    if tablespaces {
        let words = "tablespaces were left out: all lies in \"pg_default\"";
        context.output.say(words);
    }
    context.output.data(format_args!("{}\n", restored.database));
    context.output.json(&Report {
        version: JSON_VERSION,
        backup: &record.id,
        standing,
        database: Some(&restored.database),
        file: None,
        raw_bytes: restored.raw_bytes,
        roles_made: prepared.roles().iter().collect(),
        replaced,
        left_out: left_out_words(restore.left_out),
        dumped_part,
        parts,
        uncounted: restored.uncounted,
        not_compared,
        notes: restored.notes,
        said: restored.said,
    })?;
    Ok(exit)
}

/// Refuses to replace a database of a server that has backups of its own by the newest backup,
/// where that is of another one: who wants that names it.
async fn check_server(
    context: &Context,
    arguments: &Restore,
    chosen: &Chosen,
    restore: &DumpRestore<'_>,
    prepared: &PreparedRestore<'_>,
) -> Result<(), CliError> {
    let record = chosen.backup.record();
    let (Some(of_backup), None) = (record.system_id, &arguments.backup) else {
        return Ok(());
    };
    let asked = async {
        let answer = prepared.system_id().await;
        answer.map_err(|source| CliError::NoAnswer {
            cluster: record.cluster.to_string(),
            source,
        })
    };
    let what = format!("the restore of database {:?}", restore.name);
    let here = context.unless_interrupted(&what, asked).await?;
    let Some(here) = here.filter(|here| *here != of_backup) else {
        return Ok(());
    };
    let of_here = chosen.opened.catalogue.complete().filter(|other| {
        other.database == record.database && other.system_id.is_some_and(|of| of == here)
    });
    let Some(newest) = of_here.max_by_key(|other| other.started) else {
        return Ok(());
    };
    let (id, own) = (record.id.short(), newest.id.short());
    Err(CliError::Usage {
        problem: format!(
            "database {:?} on {} would be replaced by backup {id}, which is of another server \
             (system {of_backup}; this one is {here}), and there are backups of this one",
            restore.name,
            restore.connection.server()
        ),
        hint: format!(
            "name the one that is meant: --backup {own} is this server's newest, --backup {id} \
             the other one's"
        ),
    })
}
