//! `pgkeep backup`: a run that makes a dump of each database of a server, or of
//! those that it was given, with the cluster's globals.
//!
//! Invariants: the run is written down before anything else is tried, and how it
//! ended after all else; a database that fails does not keep the next one from
//! its turn; exit code 0 only where every backup is complete, globals included; nothing is
//! pruned where it would not be 0. A server that cannot be asked is a failure of each of its
//! databases.

mod beginning;
pub(super) mod databases;
mod others;
mod parents;
mod progress;
mod report;
mod systems;
mod work;

use std::num::NonZeroUsize;

use pgkeep_capture::{Excluded, Pace};
use pgkeep_config::{ClusterSettings, Content, Settings};
use pgkeep_format::records::{Outcome, Selection};
use pgkeep_postgres::tools::check_dump_argument;
use pgkeep_repository::Run;
use pgkeep_types::{Clock, ClusterName};

use self::beginning::{Aim, begin, plan};
use self::others::Others;
use self::report::{Pruned, Report, tell_failures};
use self::work::Work;
use crate::arguments::Backup;
use crate::commands::database_name::check_name;
use crate::commands::prune;
use crate::context::Context;
use crate::error::{CliError, Exit, sentence};
use crate::server_password;

/// Backs up, and tells how it ended.
pub(crate) async fn run(arguments: &Backup, context: &Context) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    let (cluster, cluster_settings) = context.cluster(&settings, arguments.cluster.as_ref())?;
    check_keep(arguments, &cluster, &cluster_settings)?;
    let connection = context.connection(&cluster, &cluster_settings)?;
    for database in &arguments.databases {
        check_name(database)?;
    }
    let selection = selection(&cluster, &cluster_settings.dump.content)?;
    let pace = cluster_settings.dump.rate_limit.map(Pace::new);
    let first = arguments.databases.first();
    let first = first.map_or_else(|| connection.clone(), |name| connection.with_database(name));
    let password = server_password::typed(context, &first).await?;
    let connection = server_password::with_typed(connection, password.as_ref());
    let chosen = &cluster_settings.dump.databases;
    let listing = async {
        Ok(match arguments.databases.as_slice() {
            [] => databases::chosen(context, &cluster, chosen, &connection).await,
            named => {
                let first = named.first().map(String::as_str);
                let first = context.connection_to(&cluster, &cluster_settings, first)?;
                let first = server_password::with_typed(first, password.as_ref());
                Ok(databases::named(named, &first).await)
            }
        })
    };
    let listed = context.unless_interrupted("the backup", listing).await?;
    let (databases, system) = match &listed {
        Ok(meant) => (meant.databases.clone(), meant.system),
        // The run fails, and says so where its backups would be.
        Err(_) => (vec![connection.database().to_owned()], None),
    };
    if databases.is_empty() {
        return Err(CliError::NoDatabases {
            cluster: cluster.to_string(),
        });
    }
    // A password file can have another line for each database.
    let connections = databases.iter().map(|database| {
        let known = context.connection_to(&cluster, &cluster_settings, Some(database))?;
        Ok(server_password::with_typed(known, password.as_ref()))
    });
    let connections = connections.collect::<Result<Vec<_>, CliError>>()?;
    let plan = plan(context, &cluster, arguments.kind, &databases);
    let aim = match (&listed, arguments.whole) {
        (Err(_), _) => Aim::Failure,
        (Ok(_), true) => Aim::Whole(system),
        (Ok(_), false) => Aim::Change(system),
    };
    let begun = begin(context, &settings, &cluster_settings, plan, aim);
    let begun = context.unless_interrupted("the backup", begun).await;
    let (run, first_repository, before) = begun.map_err(|source| CliError::NotBegun {
        databases,
        source: Box::new(source),
    })?;

    let excluded = Excluded::default();
    let (mut report, interrupted) = match listed {
        Ok(_) => {
            let jobs = arguments.jobs.unwrap_or(cluster_settings.dump.jobs);
            let at_once = jobs.get().min(connections.len());
            let jobs = NonZeroUsize::new(at_once).unwrap_or(jobs);
            let work = Work {
                context,
                jobs,
                dump: &cluster_settings.dump,
                selection: &selection,
                excluded: &excluded,
                pace: pace.as_ref(),
                tools: &context.tools(&settings).await,
                run: &run,
            };
            // A password file may know the databases that are named, and no other.
            let (first, others) = match connections.split_first() {
                Some(named) if !arguments.databases.is_empty() => named,
                _ => (&connection, connections.as_slice()),
            };
            let globals = work.globals(first, others).await;
            let ended = work.dumps(&connections, globals.as_ref().ok()).await;
            // Of databases that were not looked at nobody knows.
            if arguments.databases.is_empty() && ended.iter().all(|(_, made)| made.is_ok()) {
                for told in excluded.without_effect(&selection) {
                    context.output.warning(told);
                }
            }
            before.tell_change(context, &ended);
            let report = Report::new(&cluster, &run, &globals, &ended);
            (report, tell_failures(context, globals, ended))
        }
        Err(error) => {
            context.output.failure(&error);
            (Report::not_asked(&cluster, &run, &error), false)
        }
    };
    let mut exit = finish(context, run, &mut report, interrupted).await;
    if !interrupted {
        let others = Others {
            settings: &settings,
            cluster: &cluster,
            cluster_settings: &cluster_settings,
            first: &first_repository,
        };
        exit = others::copied(context, others, exit, &mut report).await;
    }
    if arguments.prune {
        let asked = Asked {
            settings: &settings,
            cluster: &cluster,
            cluster_settings: &cluster_settings,
            first: &first_repository,
            yes: arguments.yes,
        };
        exit = prune_after(context, asked, exit, &mut report).await;
    }
    context.output.json(&report)?;
    Ok(exit)
}

/// Refuses to prune where nothing says what is to be kept.
fn check_keep(
    arguments: &Backup,
    cluster: &ClusterName,
    settings: &ClusterSettings,
) -> Result<(), CliError> {
    if !arguments.prune || settings.dump.keep.lets_go() {
        return Ok(());
    }
    Err(CliError::Usage {
        problem: format!("--prune: nothing says what of cluster {cluster} is to be kept"),
        hint: format!(
            "add 'keep' to [cluster.{cluster}.dump], such as \
             keep = {{ daily = 6, weekly = 4, monthly = 1 }}"
        ),
    })
}

/// What is to be pruned.
struct Asked<'a> {
    settings: &'a Settings,
    cluster: &'a ClusterName,
    cluster_settings: &'a ClusterSettings,
    /// The repository that the backups were made in.
    first: &'a str,
    yes: bool,
}

/// Prunes each repository that has all, if all was backed up, and tells how the whole ends.
async fn prune_after(context: &Context, asked: Asked<'_>, exit: Exit, report: &mut Report) -> Exit {
    if exit != Exit::Done {
        context
            .output
            .say("nothing was pruned, since not all was backed up");
        return exit;
    }
    let has_others = !report.repositories.is_empty();
    let (mut exit, pruned) = prune_one(context, &asked, asked.first, has_others).await;
    report.prune = Some(pruned);
    for replica in &mut report.repositories {
        let Some(name) = replica.whole().filter(|_| exit != Exit::Interrupted) else {
            continue;
        };
        let (ended, pruned) = prune_one(context, &asked, name, has_others).await;
        replica.pruned(pruned);
        // What failed as a whole counts for more than what failed in part.
        let is_worse = match ended {
            Exit::Interrupted => true,
            Exit::Failed => matches!(exit, Exit::Done | Exit::Partial),
            _ => exit == Exit::Done,
        };
        if is_worse {
            exit = ended;
        }
    }
    exit
}

/// Prunes one repository; where there are several, it is told which.
async fn prune_one(
    context: &Context,
    asked: &Asked<'_>,
    name: &str,
    is_told: bool,
) -> (Exit, Pruned) {
    let Asked {
        settings,
        cluster,
        cluster_settings,
        yes,
        ..
    } = *asked;
    if is_told {
        context
            .output
            .say(format_args!("pruning repository {name:?}"));
    }
    let pruning = prune::after_backup(context, settings, cluster, cluster_settings, name, yes);
    match context.unless_interrupted("the prune", pruning).await {
        Ok(pruned) => (pruned.exit(), Pruned::Done(pruned)),
        Err(source) => {
            let failed = CliError::NotPruned {
                source: Box::new(source),
            };
            context.output.failure(&failed);
            let error = sentence(&failed);
            (failed.exit_code(), Pruned::Failed { error })
        }
    }
}

/// What of each database, as the configuration chooses.
pub(in crate::commands) fn selection(
    cluster: &ClusterName,
    content: &Content,
) -> Result<Selection, CliError> {
    let Content {
        schemas,
        exclude_schemas,
        tables,
        exclude_tables,
        exclude_table_data,
        arguments,
    } = content.clone();
    for argument in &arguments {
        check_dump_argument(argument).map_err(|refused| CliError::Usage {
            problem: format!("'arguments' in [cluster.{cluster}.dump]: {refused}"),
            hint: match refused.nearest {
                Some(nearest) => format!("did you mean '{nearest}'"),
                None => "leave it out: what decides where a dump comes from, where it goes and \
                         its format is pgkeep's; what is dumped can be chosen by 'schemas', \
                         'tables' and 'table_data'"
                    .to_owned(),
            },
        })?;
    }
    Ok(Selection {
        schemas,
        exclude_schemas,
        tables,
        exclude_tables,
        exclude_table_data,
        arguments,
    })
}

/// Writes down how the run ended, and ends so. The backups are what they are; that
/// their run could not be given its end is a failure of its own.
async fn finish(context: &Context, run: Run, report: &mut Report, interrupted: bool) -> Exit {
    let finished = run.finish(context.clock.now(), report.for_outcome()).await;
    report.outcome = finished.unwrap_or_else(|error| {
        context.output.failure(&CliError::Repository(error));
        Outcome::Failed
    });
    match report.outcome {
        _ if interrupted => Exit::Interrupted,
        Outcome::Complete => Exit::Done,
        Outcome::Partial => Exit::Partial,
        Outcome::Failed => Exit::Failed,
    }
}
