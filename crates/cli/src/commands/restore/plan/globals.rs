//! Which roles and tablespaces `--globals` would make.
//!
//! Invariant: nothing is changed on the server.

use std::collections::BTreeSet;
use std::path::Path;

use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_restore::{GlobalsPlan, MissingTablespace};
use serde::Serialize;

use super::super::Chosen;
use super::super::globals::{quoted, tell_left_alone, tell_unknown};
use super::lines::{Lines, Missing};
use super::{Head, told};
use crate::context::Context;
use crate::error::{CliError, Exit};

#[derive(Serialize)]
struct Plan<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    server: String,
    server_version: String,
    /// The role that makes them.
    made_by: &'a str,
    roles_made: &'a BTreeSet<String>,
    roles_left_alone: &'a [String],
    /// Member and role.
    memberships_left_alone: &'a [(String, String)],
    tablespaces_made: Vec<TablespaceMade<'a>>,
    tablespaces_left_alone: &'a [String],
    /// The first words of statements that would not be run.
    unknown: &'a [String],
    /// What is to be known beforehand, and no reason to stop.
    notes: Vec<String>,
    /// What is missing: it would stop the restore.
    problems: Vec<Missing<'a>>,
}

#[derive(Serialize)]
struct TablespaceMade<'a> {
    name: &'a str,
    location: Option<&'a Path>,
    /// Why it cannot be made, where that is known before.
    problem: Option<&'a str>,
}

/// Tells the plan. It ends as the restore would, as far as that is known.
pub(in super::super) async fn run(
    context: &Context,
    chosen: &Chosen,
    connection: &ConnectionParameters,
) -> Result<Exit, CliError> {
    let look = async { Ok(GlobalsPlan::look(&chosen.backup, connection).await?) };
    let what = "the plan for the globals";
    let globals = context.unless_interrupted(what, look).await?;
    let plan = Plan::new(chosen, connection, &globals);
    for note in &plan.notes {
        context.output.warning(note);
    }
    tell_left_alone(context, plan.memberships_left_alone);
    tell_unknown(context, plan.unknown);
    let lines = plan.lines(chosen, globals.tablespaces());
    told(context, &lines, &plan)?;
    globals.is_possible()?;
    let mut tablespaces = globals.tablespaces().iter();
    Ok(match tablespaces.all(|missing| missing.problem.is_none()) {
        true => Exit::Done,
        false => Exit::Partial,
    })
}

impl<'a> Plan<'a> {
    fn new(
        chosen: &'a Chosen,
        connection: &ConnectionParameters,
        globals: &'a GlobalsPlan,
    ) -> Self {
        let tablespaces = globals.tablespaces().iter();
        let made = tablespaces.map(|missing| TablespaceMade {
            name: &missing.name,
            location: missing.location.as_deref().map(Path::new),
            problem: missing.problem.as_deref(),
        });
        Self {
            head: Head::of_globals(chosen),
            server: connection.server(),
            server_version: globals.server_version().to_string(),
            made_by: globals.made_by(),
            roles_made: globals.roles(),
            roles_left_alone: globals.existing_roles(),
            memberships_left_alone: globals.left_alone(),
            tablespaces_made: made.collect(),
            tablespaces_left_alone: globals.existing_tablespaces(),
            unknown: globals.unknown(),
            notes: globals.notes(),
            problems: globals.problems().iter().map(Missing::new).collect(),
        }
    }

    fn lines(&self, chosen: &Chosen, tablespaces: &[MissingTablespace]) -> Lines {
        let mut lines = Lines::default();
        lines.add_source(chosen, None);
        lines.add(
            "into",
            format!("{}, PostgreSQL {}", self.server, self.server_version),
        );
        lines.add("made by", format!("{:?}", self.made_by));
        if !self.roles_made.is_empty() {
            lines.add("makes", format!("roles {}", quoted(self.roles_made)));
        }
        for TablespaceMade { name, location, .. } in &self.tablespaces_made {
            let place = match location {
                Some(directory) => format!(" in {}", directory.display()),
                None => String::new(),
            };
            lines.add("makes", format!("tablespace {name:?}{place}"));
        }
        if self.roles_made.is_empty() && self.tablespaces_made.is_empty() {
            lines.add("makes", "nothing: the server lacks none of them");
        }
        for (what, names) in [
            ("roles", self.roles_left_alone),
            ("tablespaces", self.tablespaces_left_alone),
        ] {
            if !names.is_empty() {
                lines.add("stay", format!("{what} {}, as they are", quoted(names)));
            }
        }
        for missing in &self.problems {
            lines.add("missing", missing.what);
        }
        for missing in tablespaces {
            if let Some(problem) = &missing.problem {
                let name = &missing.name;
                lines.add("missing", format!("for tablespace {name:?}: {problem}"));
                lines.add("", missing.way_out());
            }
        }
        lines
    }
}
