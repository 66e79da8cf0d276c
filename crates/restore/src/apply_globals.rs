//! A backup's globals into a server: the roles and tablespaces that it lacks.
//!
//! Invariants: what exists is never changed; what was made and what was left alone is
//! told; looking changes nothing.

use std::collections::BTreeSet;

use pgkeep_postgres::client::{
    self, Connection, ConnectionParameters, QueryError, Rights, ServerVersion, identifier,
};
use pgkeep_repository::OpenBackup;

use crate::RestoreError;
use crate::globals::{Globals, Tablespace};
use crate::preflight::Problem;
use crate::roles::RolePlan;
use crate::server::connect_somewhere;

/// What a server lacks of a backup's globals.
pub struct GlobalsPlan {
    session: Connection,
    /// The role that makes it.
    made_by: String,
    roles: RolePlan,
    existing_roles: Vec<String>,
    tablespaces: Vec<MissingTablespace>,
    existing_tablespaces: Vec<String>,
    unknown: Vec<String>,
    problems: Vec<Problem>,
}

/// A tablespace that a server lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTablespace {
    /// Its name.
    pub name: String,
    /// The directory on the server; none where it is PostgreSQL's own.
    pub location: Option<String>,
    /// Why it cannot be made, where that is known beforehand.
    pub problem: Option<String>,
    statements: Vec<String>,
}

/// A tablespace that could not be made, or not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTablespace {
    /// Its name.
    pub name: String,
    /// Whether it is there now, and lacks something.
    pub is_made: bool,
    /// Why.
    pub problem: String,
}

/// What became of globals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalsRestored {
    /// Tablespaces that were made.
    pub tablespaces: Vec<String>,
    /// Tablespaces that could not be made.
    pub failed_tablespaces: Vec<FailedTablespace>,
}

impl GlobalsPlan {
    /// Looks which of a backup's globals the server of `connection` lacks.
    ///
    /// # Errors
    /// Where the backup has none, they cannot be read, or the server does not answer.
    pub async fn look(
        backup: &OpenBackup,
        connection: &ConnectionParameters,
    ) -> Result<Self, RestoreError> {
        let globals = Globals::read(backup).await?;
        let globals = globals.ok_or_else(|| RestoreError::NoGlobals {
            backup: backup.record().id.clone(),
        })?;
        let session = connect_somewhere(connection)
            .await
            .map_err(|source| RestoreError::ConnectForGlobals { source })?;
        let looked = Self::compare(globals, session).await;
        looked.map_err(|source| RestoreError::LookForGlobals { source })
    }

    async fn compare(globals: Globals, session: Connection) -> Result<Self, QueryError> {
        let rights = Rights::read(&session).await?;
        let known: Vec<&str> = globals.roles.keys().map(String::as_str).collect();
        let missing = client::unknown_roles(&session, &known).await?;
        let missing: BTreeSet<String> = missing.into_iter().collect();
        let roles = RolePlan::new(&globals, &missing);
        let problems = roles.not_allowed(&rights, "--into").into_iter().collect();
        let (mut tablespaces, mut existing_tablespaces) = (Vec::new(), Vec::new());
        for (name, tablespace) in globals.tablespaces {
            if client::tablespace_exists(&session, &name).await? {
                existing_tablespaces.push(name);
            } else {
                let missing = MissingTablespace::look(name, tablespace, &session, &rights);
                tablespaces.push(missing.await?);
            }
        }
        let existing_roles = globals.roles.into_keys();
        Ok(Self {
            existing_roles: existing_roles.filter(|r| !missing.contains(r)).collect(),
            made_by: rights.role,
            roles,
            tablespaces,
            existing_tablespaces,
            unknown: globals.unknown.into_iter().collect(),
            problems,
            session,
        })
    }

    /// Makes what is missing: first all roles or none, then each tablespace by itself,
    /// since its directory may not be there.
    ///
    /// # Errors
    /// Where the server refuses a role; nothing was made then.
    pub async fn apply(&self) -> Result<GlobalsRestored, RestoreError> {
        self.is_possible()?;
        self.roles.apply(&self.session).await?;
        let mut restored = GlobalsRestored::default();
        for tablespace in &self.tablespaces {
            match tablespace.make(&self.session).await {
                Ok(()) => restored.tablespaces.push(tablespace.name.clone()),
                Err(failed) => restored.failed_tablespaces.push(failed),
            }
        }
        Ok(restored)
    }

    /// Makes the missing roles and nothing else: all of them, or none.
    ///
    /// # Errors
    /// Where the server refuses a role; nothing was made then.
    pub async fn apply_roles(&self) -> Result<(), RestoreError> {
        self.is_possible()?;
        self.roles.apply(&self.session).await
    }

    /// Whether the roles can be made, as far as that is known beforehand.
    ///
    /// # Errors
    /// `UnmetGlobals` with all that is missing.
    pub fn is_possible(&self) -> Result<(), RestoreError> {
        match self.problems.as_slice() {
            [] => Ok(()),
            problems => Err(RestoreError::UnmetGlobals {
                problems: problems.to_vec(),
            }),
        }
    }

    /// What keeps the roles from being made.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The version of the server.
    #[must_use]
    pub fn server_version(&self) -> ServerVersion {
        self.session.server_version()
    }

    /// The role that makes it all.
    #[must_use]
    pub fn made_by(&self) -> &str {
        &self.made_by
    }

    /// Roles that are missing.
    #[must_use]
    pub fn roles(&self) -> &BTreeSet<String> {
        &self.roles.roles
    }

    /// Which of the roles that are missing come as superusers, or with what else no rights
    /// give: in words.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.roles.powers()
    }

    /// Roles that exist and are left alone.
    #[must_use]
    pub fn existing_roles(&self) -> &[String] {
        &self.existing_roles
    }

    /// Memberships between a role that is missing and one that exists, which are left
    /// out: member and role.
    #[must_use]
    pub fn left_alone(&self) -> &[(String, String)] {
        &self.roles.left_alone
    }

    /// Tablespaces that are missing.
    #[must_use]
    pub fn tablespaces(&self) -> &[MissingTablespace] {
        &self.tablespaces
    }

    /// Tablespaces that exist and are left alone.
    #[must_use]
    pub fn existing_tablespaces(&self) -> &[String] {
        &self.existing_tablespaces
    }

    /// Statements that pgkeep does not know and does not run, by their first words.
    #[must_use]
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

impl MissingTablespace {
    async fn look(
        name: String,
        tablespace: Tablespace,
        session: &Connection,
        rights: &Rights,
    ) -> Result<Self, QueryError> {
        let Tablespace {
            location,
            statements,
        } = tablespace;
        let mut problem = None;
        if !rights.superuser {
            let role = &rights.role;
            problem = Some(format!(
                "role {role:?} is no superuser, and nobody else makes tablespaces"
            ));
        } else if let Some(directory) = &location
            && !client::has_directory(session, directory).await?
        {
            problem = Some(format!("the server has no directory {directory:?}"));
        }
        Ok(Self {
            name,
            location,
            problem,
            statements,
        })
    }

    async fn make(&self, session: &Connection) -> Result<(), FailedTablespace> {
        for (number, sql) in self.statements.iter().enumerate() {
            // One statement a message: nothing in it can be another one.
            if let Err(error) = session.execute(sql, &[]).await {
                return Err(FailedTablespace {
                    name: self.name.clone(),
                    is_made: number > 0,
                    problem: error.to_string(),
                });
            }
        }
        Ok(())
    }

    /// What to do where it cannot be made.
    #[must_use]
    pub fn way_out(&self) -> String {
        format!(
            "make an empty directory on the server that belongs to the user who runs PostgreSQL, \
             and restore the globals again, or: CREATE TABLESPACE {} LOCATION '…'",
            identifier(&self.name)
        )
    }
}
