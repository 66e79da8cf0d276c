//! `pgkeep restore --globals`: the roles and tablespaces that a server lacks.
//!
//! Invariant: what was made and what was left alone is told.

use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_repository::OpenBackup;
use pgkeep_restore::{GlobalsRestored, apply_globals};
use pgkeep_types::BackupId;
use serde::Serialize;

use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    backup: &'a BackupId,
    roles_made: &'a [String],
    roles_left_alone: &'a [String],
    /// Member and role.
    memberships_left_alone: &'a [(String, String)],
    tablespaces_made: &'a [String],
    tablespaces_left_alone: &'a [String],
    /// Names, and why not.
    tablespaces_failed: &'a std::collections::BTreeMap<String, String>,
    /// The first words of statements that were not run.
    unknown: &'a [String],
}

/// Makes what is missing. Done in part where a tablespace could not be made.
pub(super) async fn run(
    context: &Context,
    backup: &OpenBackup,
    connection: &ConnectionParameters,
) -> Result<Exit, CliError> {
    let what = "the restore of the globals";
    let apply = async { Ok(apply_globals(backup, connection).await?) };
    let restored = context.unless_interrupted(what, apply).await?;
    let GlobalsRestored {
        roles,
        existing_roles,
        left_alone,
        tablespaces,
        existing_tablespaces,
        failed_tablespaces,
        unknown,
    } = &restored;
    tell_roles(context, roles.iter(), left_alone);
    let tell = |what: &str, names: &[String]| {
        if !names.is_empty() {
            let names = quoted(names.iter());
            context.output.say(format_args!("{what} {names}"));
        }
    };
    tell("left alone, since they exist: roles", existing_roles);
    tell("made tablespaces", tablespaces);
    tell(
        "left alone, since they exist: tablespaces",
        existing_tablespaces,
    );
    for (name, problem) in failed_tablespaces {
        context.output.warning(format_args!(
            "tablespace {name:?} could not be made whole: {problem}"
        ));
    }
    for words in unknown {
        context.output.warning(format_args!(
            "a statement of the globals was left alone: {words} …"
        ));
    }
    context.output.json(&Report {
        version: JSON_VERSION,
        backup: &backup.record().id,
        roles_made: roles,
        roles_left_alone: existing_roles,
        memberships_left_alone: left_alone,
        tablespaces_made: tablespaces,
        tablespaces_left_alone: existing_tablespaces,
        tablespaces_failed: failed_tablespaces,
        unknown,
    })?;
    Ok(match failed_tablespaces.is_empty() {
        true => Exit::Done,
        false => Exit::Partial,
    })
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
    for (member, role) in left_alone {
        context.output.warning(format_args!(
            "role {member:?} was in role {role:?}; one of them existed, so that was left alone"
        ));
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    names.join(", ")
}
