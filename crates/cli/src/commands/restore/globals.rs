//! `pgkeep restore --globals`: the roles and tablespaces that a server lacks.
//!
//! Invariant: what was made and what was left alone is told.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::records::BackupRecord;
use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_restore::{FailedTablespace, GlobalsPlan, RestoreError};
use pgkeep_types::BackupId;
use serde::Serialize;

use super::{Chosen, Standing};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    backup: &'a BackupId,
    /// How far it can be relied on.
    #[serde(flatten)]
    standing: &'a Standing,
    roles_made: &'a BTreeSet<String>,
    roles_left_alone: &'a [String],
    /// Member and role.
    memberships_left_alone: &'a [(String, String)],
    tablespaces_made: &'a [String],
    tablespaces_left_alone: &'a [String],
    /// Names, and why not.
    tablespaces_failed: BTreeMap<&'a str, &'a str>,
    /// The first words of statements that were not run.
    unknown: &'a [String],
}

/// Refuses a backup that has none with it.
pub(super) fn check_globals(record: &BackupRecord) -> Result<(), RestoreError> {
    match record.globals {
        true => Ok(()),
        false => Err(RestoreError::NoGlobals {
            backup: record.id.clone(),
        }),
    }
}

/// Makes what is missing. Done in part where a tablespace could not be made.
pub(super) async fn run(
    context: &Context,
    chosen: &Chosen,
    connection: &ConnectionParameters,
) -> Result<Exit, CliError> {
    let what = "the restore of the globals";
    let apply = async {
        let plan = GlobalsPlan::look(&chosen.backup, connection).await?;
        for note in plan.notes() {
            context.output.warning(note);
        }
        let restored = plan.apply().await?;
        Ok((plan, restored))
    };
    let (plan, restored) = context.unless_interrupted(what, apply).await?;
    tell_roles(context, plan.roles().iter(), plan.left_alone());
    let tell = |what: &str, names: &[String]| {
        if !names.is_empty() {
            let names = quoted(names);
            context.output.say(format_args!("{what} {names}"));
        }
    };
    tell("left alone, since they exist: roles", plan.existing_roles());
    tell("made tablespaces", &restored.tablespaces);
    tell(
        "left alone, since they exist: tablespaces",
        plan.existing_tablespaces(),
    );
    for failed in &restored.failed_tablespaces {
        tell_failed(context, &plan, failed);
    }
    tell_unknown(context, plan.unknown());
    let failed = restored.failed_tablespaces.iter();
    context.output.json(&Report {
        version: JSON_VERSION,
        backup: &chosen.backup.record().id,
        standing: &chosen.standing,
        roles_made: plan.roles(),
        roles_left_alone: plan.existing_roles(),
        memberships_left_alone: plan.left_alone(),
        tablespaces_made: &restored.tablespaces,
        tablespaces_left_alone: plan.existing_tablespaces(),
        tablespaces_failed: failed
            .map(|failed| (failed.name.as_str(), failed.problem.as_str()))
            .collect(),
        unknown: plan.unknown(),
    })?;
    Ok(match restored.failed_tablespaces.is_empty() {
        true => Exit::Done,
        false => Exit::Partial,
    })
}

fn tell_failed(context: &Context, plan: &GlobalsPlan, failed: &FailedTablespace) {
    let FailedTablespace {
        name,
        is_made,
        problem,
    } = failed;
    if *is_made {
        context.output.warning(format_args!(
            "tablespace {name:?} was made, and is not all that it was: {problem}"
        ));
        return;
    }
    let mut missing = plan.tablespaces().iter();
    let way_out = missing
        .find(|missing| missing.name == *name)
        .map(|missing| format!("; {}", missing.way_out()))
        .unwrap_or_default();
    context.output.warning(format_args!(
        "tablespace {name:?} could not be made: {problem}{way_out}"
    ));
}

/// Tells which statements are not run.
pub(super) fn tell_unknown(context: &Context, unknown: &[String]) {
    for words in unknown {
        context.output.warning(format_args!(
            "a statement of the globals is left alone: {words} …"
        ));
    }
}

/// Tells which roles were made, and what of theirs did not come back.
pub(super) fn tell_roles<'a>(
    context: &Context,
    roles: impl ExactSizeIterator<Item = &'a String>,
    left_alone: &[(String, String)],
) {
    if roles.len() > 0 {
        let names = quoted(roles);
        context.output.say(format_args!("made roles {names}"));
    }
    tell_left_alone(context, left_alone);
}

/// Tells which memberships do not come back: member and role.
pub(super) fn tell_left_alone(context: &Context, left_alone: &[(String, String)]) {
    for (member, role) in left_alone {
        context.output.warning(format_args!(
            "role {member:?} was in role {role:?}; one of them exists, so that is left alone"
        ));
    }
}

/// Names in quotes, with commas between.
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names = names.into_iter().map(|name| format!("{name:?}"));
    let names: Vec<String> = names.collect();
    names.join(", ")
}
