//! `pgkeep doctor`: examines the set-up, and says how to mend what is wrong.
//!
//! Invariants: a cluster that is in a bad way keeps no other from being looked at; exit
//! code 0 only where nothing is a problem.

mod directories;
mod findings;
mod repository;
pub(super) mod server;
mod sessions;

use pgkeep_config::{ClusterSettings, Settings};
use pgkeep_format::records::Selection;
use pgkeep_postgres::client::{BackupRole, connect, databases};
use pgkeep_types::ClusterName;
use serde::Serialize;

use self::findings::{Finding, Findings, State};
use self::server::LookedAt;
use crate::arguments::Doctor;
use crate::commands::backup::databases::Choice;
use crate::commands::backup::selection;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;
use crate::words;

#[derive(Serialize)]
struct Report {
    version: u32,
    clusters: Vec<Examined>,
}

#[derive(Serialize)]
struct Examined {
    cluster: ClusterName,
    findings: Vec<Finding>,
}

/// Examines.
pub(crate) async fn run(arguments: &Doctor, context: &Context) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    if arguments.role.is_some() {
        return role(arguments, context, &settings).await;
    }
    let mut examined = Vec::new();
    let mut problems = 0;
    for (cluster, of_cluster) in wanted(arguments, context, &settings)? {
        let mut findings = Findings::default();
        let selection = match selection(&cluster, &of_cluster.dump.content) {
            Ok(selection) => selection,
            Err(error) => {
                findings.error("dump", &error, error.hint());
                Selection::default()
            }
        };
        let looked_at = LookedAt {
            context,
            settings: &settings,
            cluster: &cluster,
            of_cluster: &of_cluster,
            selection: &selection,
        };
        let meant = server::look(&looked_at, &mut findings).await?;
        let meant = meant.as_ref();
        repository::look(
            context,
            &settings,
            &cluster,
            &of_cluster,
            meant,
            &mut findings,
        )
        .await;
        problems += findings.count(State::Problem);
        let described = context
            .output
            .folded(&findings.describe(), findings::INDENT);
        context
            .output
            .data(format_args!("cluster {cluster}\n\n{described}\n"));
        examined.push(Examined {
            cluster,
            findings: findings.0,
        });
    }
    context.output.data(match problems {
        0 => "no problems\n".to_owned(),
        many => format!("{}\n", words::counted(many, "problem")),
    });
    context.output.json(&Report {
        version: JSON_VERSION,
        clusters: examined,
    })?;
    Ok(match problems {
        0 => Exit::Done,
        _ => Exit::Failed,
    })
}

/// The clusters that are meant: the named one, or all.
fn wanted(
    arguments: &Doctor,
    context: &Context,
    settings: &Settings,
) -> Result<Vec<(ClusterName, ClusterSettings)>, CliError> {
    if arguments.cluster.is_some() || settings.clusters.is_empty() {
        return Ok(vec![context.cluster(settings, arguments.cluster.as_ref())?]);
    }
    let all = settings.clusters.iter();
    Ok(all.map(|(name, of)| (name.clone(), of.clone())).collect())
}

/// Prints the SQL that makes a role for backups and nothing else.
async fn role(
    arguments: &Doctor,
    context: &Context,
    settings: &Settings,
) -> Result<Exit, CliError> {
    let (cluster, of_cluster) = context.cluster(settings, arguments.cluster.as_ref())?;
    let connection = context.connection(&cluster, &of_cluster)?;
    let named = || cluster.to_string();
    let session = connect(&connection).await;
    let session = session.map_err(|source| CliError::NoServer {
        cluster: named(),
        source,
    })?;
    let listed = databases(&session).await;
    let listed = listed.map_err(|source| CliError::NoAnswer {
        cluster: named(),
        source,
    })?;
    let chosen = Choice::new(&of_cluster.dump.databases, listed).here;
    let open = chosen.iter().filter(|database| database.allows_connections);
    let databases: Vec<&str> = open.map(|database| database.name.as_str()).collect();
    let name = arguments.role.as_deref().unwrap_or_default();
    let role = BackupRole::new(session.server_version().major(), name, &databases);
    context.output.data(format_args!("{role}"));
    context.output.json(&serde_json::json!({
        "version": JSON_VERSION,
        "role": name,
        "sql": role.to_string(),
        "not_seen": BackupRole::NOT_SEEN,
    }))?;
    Ok(Exit::Done)
}
