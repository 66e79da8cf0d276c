//! A backup's globals into a server: the roles and tablespaces that it lacks.
//!
//! Invariants: what exists is never changed; what was made and what was left alone is
//! told.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_postgres::client::{self, ConnectionParameters};
use pgkeep_repository::OpenBackup;

use crate::RestoreError;
use crate::globals::Globals;
use crate::roles::RolePlan;
use crate::server::connect_somewhere;

/// What became of globals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalsRestored {
    /// Roles that were made.
    pub roles: Vec<String>,
    /// Roles that existed and were left alone.
    pub existing_roles: Vec<String>,
    /// Memberships between a role that was made and one that existed, which were left
    /// out: member and role.
    pub left_alone: Vec<(String, String)>,
    /// Tablespaces that were made.
    pub tablespaces: Vec<String>,
    /// Tablespaces that existed and were left alone.
    pub existing_tablespaces: Vec<String>,
    /// Tablespaces that could not be made, and why.
    pub failed_tablespaces: BTreeMap<String, String>,
    /// Statements that pgkeep does not know and did not run, by their first words.
    pub unknown: Vec<String>,
}

/// Makes what the server of `connection` lacks of a backup's globals: first all
/// roles or none, then each tablespace by itself, since its directory may not be there.
///
/// # Errors
/// Where the backup has none or they cannot be read, or the server refuses a role;
/// nothing was made then.
pub async fn apply_globals(
    backup: &OpenBackup,
    connection: &ConnectionParameters,
) -> Result<GlobalsRestored, RestoreError> {
    let globals = Globals::read(backup).await?;
    let globals = globals.ok_or_else(|| RestoreError::NoGlobals {
        backup: backup.record().id.clone(),
    })?;
    let session = connect_somewhere(connection)
        .await
        .map_err(|source| RestoreError::ConnectForGlobals { source })?;
    let look = |source| RestoreError::LookForGlobals { source };
    let known: Vec<&str> = globals.roles.keys().map(String::as_str).collect();
    let missing = client::unknown_roles(&session, &known)
        .await
        .map_err(look)?;
    let missing: BTreeSet<String> = missing.into_iter().collect();
    let plan = RolePlan::new(&globals, &missing);
    plan.apply(&session).await?;
    let mut restored = GlobalsRestored {
        existing_roles: globals
            .roles
            .into_keys()
            .filter(|role| !missing.contains(role))
            .collect(),
        roles: plan.roles.into_iter().collect(),
        left_alone: plan.left_alone,
        unknown: globals.unknown.into_iter().collect(),
        ..GlobalsRestored::default()
    };
    for (name, statements) in globals.tablespaces {
        if client::tablespace_exists(&session, &name)
            .await
            .map_err(look)?
        {
            restored.existing_tablespaces.push(name);
            continue;
        }
        let mut failure = None;
        for sql in statements {
            if let Err(error) = session.execute(&sql, &[]).await {
                failure = Some(error.to_string());
                break;
            }
        }
        match failure {
            None => restored.tablespaces.push(name),
            Some(problem) => {
                restored.failed_tablespaces.insert(name, problem);
            }
        }
    }
    Ok(restored)
}
