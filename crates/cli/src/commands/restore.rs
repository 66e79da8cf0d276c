//! `pgkeep restore`: a database beside the old one, or an archive in a file.
//!
//! Invariants: nothing that exists is touched, but a database that is to be replaced,
//! and that only after a yes; the new name is told before the work begins.

mod clocks;
mod database;
mod file;
mod globals;
mod plan;
mod progress;
mod report;
mod standing;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pgkeep_format::Encryption;
use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_repository::OpenBackup;
use pgkeep_restore::{
    DumpRestore, Jobs, LeftOut, Progress, Replace, ScriptRestore, Selection, Wish, newer_attempt,
    select,
};
use pgkeep_types::{BackupId, Clock, Timestamp};

use self::progress::RestoreRow;
use self::report::{PartsReport, Report, left_out_words, of_part};
use self::standing::Standing;
use crate::arguments::{Format, Restore};
use crate::commands::database_name::{NAME_LIMIT, check_name};
use crate::context::{Context, Opened};
use crate::error::{CliError, Exit, sentence};
use crate::instant::instant;
use crate::{server_password, words};

/// The backup that is meant.
struct Chosen {
    opened: Opened,
    backup: OpenBackup,
    standing: Standing,
}

/// Restores.
pub(crate) async fn run(arguments: &Restore, context: &Context) -> Result<Exit, CliError> {
    for name in arguments.new_name.iter().chain(&arguments.database) {
        check_name(name)?;
    }
    check_file(arguments)?;
    let selection = selection(arguments)?;
    let given = |option, text: &Option<String>| {
        let text = text.as_deref();
        text.map(|text| context.connection_argument(option, text))
            .transpose()
    };
    let into = given("--into", &arguments.into)?;
    let admin = given("--admin", &arguments.admin)?;
    let what = match (&arguments.backup, &arguments.database) {
        (Some(id), _) => format!("the restore of backup {id}"),
        (None, Some(database)) => format!("the restore of database {database:?}"),
        (None, None) => "the restore".to_owned(),
    };
    let open = open(arguments, context, &selection);
    let chosen = context.unless_interrupted(&what, open).await?;
    if let Some(path) = &arguments.to_file {
        return into_file(arguments, context, &chosen, &context.path(path)).await;
    }
    let connection = match into {
        Some(into) => into,
        None => {
            let opened = &chosen.opened;
            context.connection(&opened.cluster, &opened.cluster_settings)?
        }
    };
    let connection = with_password(context, connection).await?;
    if arguments.globals && arguments.dry_run {
        return plan::globals::run(context, &chosen, &connection).await;
    }
    if arguments.globals {
        return globals::run(context, &chosen, &connection).await;
    }
    let admin = match admin {
        Some(admin) => with_password(context, admin).await?,
        None => connection.clone(),
    };
    into_server(arguments, context, &chosen, &connection, &admin).await
}

/// Finds the backup that is meant, and opens it.
async fn open(
    arguments: &Restore,
    context: &Context,
    selection: &Selection,
) -> Result<Chosen, CliError> {
    let opened = context
        .open_for_reading(arguments.cluster.as_ref(), arguments.identity.as_deref())
        .await?
        .unlock(context, true)
        .await?;
    let sealed = opened.repository.encryption() == Encryption::Age;
    if sealed && !opened.repository.is_pinned() && !arguments.unpinned {
        let location = opened.repository.location();
        return Err(CliError::Unpinned { location });
    }
    let now = context.clock.now();
    if let Selection::Newest {
        database,
        before: Some(before),
    } = selection
    {
        clocks::warn_of_contested(context, &opened.catalogue, database, *before);
    }
    let record = select(&opened.catalogue, selection, now)?;
    if let Selection::Newest { before, .. } = selection
        && let Some((id, state)) = newer_attempt(&opened.catalogue, record, *before, now)
    {
        context.output.warning(format_args!(
            "backup {id} of database {:?} is newer and {state}; {} is restored",
            record.database, record.id
        ));
    }
    for unread in opened.catalogue.unread_of_run(record) {
        context.output.warning(format_args!(
            "whether the run of backup {} ended well is not known: {}",
            record.id.short(),
            sentence(&unread.error)
        ));
    }
    if *selection == Selection::Globals {
        context.output.say(format_args!(
            "the globals are those of backup {} of {}",
            record.id.short(),
            words::time(record.started)
        ));
        let mut all = opened.catalogue.complete();
        if let Some(newer) = all.rfind(|b| b.started > record.started && !b.globals) {
            context.output.warning(format_args!(
                "backup {} is newer, and the globals are not with it: what was changed of roles \
                 since may be missing",
                newer.id.short()
            ));
        }
    }
    let keys = opened.keys.recovery();
    let before = match selection {
        Selection::Newest { before, .. } => *before,
        Selection::Globals | Selection::Id(_) => None,
    };
    let standing = Standing::of(&opened, record, before, &keys).await;
    standing.warn(context, &opened.catalogue, record);
    let access = opened.repository.read_access_to(record, &keys)?;
    match opened.repository.open_backup(&access, record).await {
        Ok(backup) => Ok(Chosen {
            opened,
            backup,
            standing,
        }),
        Err(error) => Err(opened.repository.explain(record, error).await.into()),
    }
}

/// Writes the archive, the globals or SQL of it into a file, or tells how that would be
/// done.
async fn into_file(
    arguments: &Restore,
    context: &Context,
    chosen: &Chosen,
    path: &Path,
) -> Result<Exit, CliError> {
    match (arguments.format, arguments.dry_run) {
        (Format::Custom, true) => {
            return plan::file::run(context, chosen, arguments.globals, path).await;
        }
        (Format::Custom, false) => {
            return file::run(context, chosen, arguments.globals, path).await;
        }
        (Format::Sql, _) => {}
    }
    let record = chosen.backup.record();
    let tools = context.tools(&chosen.opened.settings).await;
    let progress = Arc::new(Progress::default());
    let script = ScriptRestore {
        tools: &tools,
        wish: &wish(arguments),
        left_out: left_out(arguments),
        progress: &progress,
    };
    if arguments.dry_run {
        return plan::file::run_sql(context, chosen, &script, path).await;
    }
    let row = RestoreRow::new(&record.database, Some(record.raw_bytes), &progress);
    file::run_sql(context, chosen, &script, path, row).await
}

/// Restores the database into a server, or tells how that would be done.
async fn into_server(
    arguments: &Restore,
    context: &Context,
    chosen: &Chosen,
    connection: &ConnectionParameters,
    admin: &ConnectionParameters,
) -> Result<Exit, CliError> {
    let record = chosen.backup.record();
    let name = match &arguments.new_name {
        Some(name) => name.clone(),
        None if arguments.replace => record.database.clone(),
        None => default_name(&record.database, &record.id),
    };
    let aside = with_suffix(&name, &stamp("_replaced", context.clock.now()));
    let tools = context.tools(&chosen.opened.settings).await;
    let progress = Arc::new(Progress::default());
    let scratch = scratch(context, arguments);
    let jobs = (arguments.jobs.get() > 1).then_some(Jobs {
        count: arguments.jobs,
        scratch: &scratch,
    });
    let restore = DumpRestore {
        connection,
        admin,
        tools: &tools,
        name: &name,
        wish: &wish(arguments),
        jobs,
        left_out: left_out(arguments),
        replace: arguments.replace.then_some(Replace {
            aside: &aside,
            drops: arguments.drop_replaced,
            names_backup: arguments.backup.is_some(),
        }),
        create_roles: arguments.create_roles,
        progress: &progress,
    };
    if arguments.dry_run {
        return plan::run(context, arguments, chosen, restore).await;
    }
    let row = RestoreRow::new(&name, Some(record.raw_bytes), &progress);
    database::run(context, arguments, chosen, restore, row).await
}

/// What of the database is to come.
fn wish(arguments: &Restore) -> Wish {
    Wish {
        tables: arguments.tables.clone(),
        schemas: arguments.schemas.clone(),
    }
}

/// What is not to come with it.
fn left_out(arguments: &Restore) -> LeftOut {
    LeftOut {
        owner: arguments.no_owner,
        privileges: arguments.no_privileges,
        tablespaces: arguments.no_tablespaces,
    }
}

/// Refuses what a file cannot be.
fn check_file(arguments: &Restore) -> Result<(), CliError> {
    let Some(path) = &arguments.to_file else {
        return Ok(());
    };
    let usage = |problem: &str, hint: &str| {
        Err(CliError::Usage {
            problem: problem.to_owned(),
            hint: hint.to_owned(),
        })
    };
    if path == Path::new("-") {
        return usage(
            "an archive is not written to stdout, where its end would tell nothing",
            "name a file; ./- is one",
        );
    }
    let Restore {
        no_owner,
        no_privileges,
        no_tablespaces,
        tables,
        schemas,
        ..
    } = arguments;
    let is_chosen =
        *no_owner || *no_privileges || *no_tablespaces || !tables.is_empty() || !schemas.is_empty();
    if is_chosen && arguments.format == Format::Custom {
        return usage(
            "an archive is written as it is: nothing can be chosen of it or left out",
            "write SQL with --format sql, or choose when pg_restore reads the archive",
        );
    }
    Ok(())
}

/// Where scratch space is.
fn scratch(context: &Context, arguments: &Restore) -> PathBuf {
    match &arguments.scratch {
        Some(directory) => context.path(directory),
        None => {
            let named = context.environment.variable("TMPDIR");
            PathBuf::from(named.unwrap_or_else(|| OsStr::new("/tmp")))
        }
    }
}

async fn with_password(
    context: &Context,
    connection: ConnectionParameters,
) -> Result<ConnectionParameters, CliError> {
    let password = server_password::typed(context, &connection).await?;
    Ok(server_password::with_typed(connection, password.as_ref()))
}

fn selection(arguments: &Restore) -> Result<Selection, CliError> {
    match (&arguments.backup, &arguments.database) {
        (Some(id), _) => Ok(Selection::Id(id.clone())),
        (None, Some(database)) => Ok(Selection::Newest {
            database: database.clone(),
            before: arguments.before.as_deref().map(instant).transpose()?,
        }),
        (None, None) if arguments.globals => Ok(Selection::Globals),
        (None, None) => Err(CliError::Usage {
            problem: "neither a database nor a backup is named".to_owned(),
            hint: match &arguments.cluster {
                Some(name) => {
                    format!("{name} was taken for the cluster; give --database NAME or --backup ID")
                }
                None => "give --database NAME or --backup ID".to_owned(),
            },
        }),
    }
}

/// The old name, cut if need be, and the backup's time.
fn default_name(database: &str, backup: &BackupId) -> String {
    with_suffix(database, &stamp("", backup.time()))
}

fn stamp(word: &str, time: Timestamp) -> String {
    format!("{word}{}", time.strftime("_%Y%m%d_%H%M%S"))
}

fn with_suffix(database: &str, suffix: &str) -> String {
    let mut end = database.len().min(NAME_LIMIT - suffix.len());
    while !database.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &database[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_name_is_the_old_one_with_the_backups_time() {
        let id: BackupId = "20261120T030000Z-7k3m9q2x".parse().unwrap();
        assert_eq!(default_name("app", &id), "app_20261120_030000");
    }

    #[test]
    fn the_new_name_is_cut_between_characters() {
        let id: BackupId = "20261120T030000Z-7k3m9q2x".parse().unwrap();
        let name = default_name(&"ü".repeat(31), &id);
        assert!(name.len() <= NAME_LIMIT && name.ends_with("ü_20261120_030000"));
    }
}
