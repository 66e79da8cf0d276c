//! Whether whoever makes the database may: the database itself, its owner's, its settings,
//! the roles that are missing.
//!
//! Invariant: what belongs to an owner is made by who can be that role (`SET ROLE`), and
//! altered, renamed and dropped by who has its rights; a restore does both.

use std::collections::BTreeSet;

use pgkeep_postgres::client::{self, QueryError, Rights, identifier};

use super::{Preflight, Wanted};
use crate::roles::RolePlan;
use crate::server::Server;

impl Preflight {
    pub(super) async fn rights(
        &mut self,
        wanted: &Wanted<'_>,
        server: &Server,
    ) -> Result<(), QueryError> {
        let admin = &server.admin;
        let rights = Rights::read(admin).await?;
        let Rights { role, .. } = &rights;
        if !rights.create_databases {
            self.problem(
                format!("role {role:?} may not create databases"),
                format!(
                    "name a user who may with --admin URL, or: ALTER ROLE {} CREATEDB",
                    identifier(role)
                ),
            );
        }
        let needed = client::needed_roles(wanted.facts);
        let missing: BTreeSet<String> = client::unknown_roles(admin, &needed)
            .await?
            .into_iter()
            .collect();
        let owner = &wanted.facts.owner;
        let makes_for_owner = rights.superuser
            || missing.contains(owner)
            || client::may_give_to(admin, owner).await? && client::acts_as(admin, owner).await?;
        if !makes_for_owner {
            self.problem(
                format!("role {role:?} may not make a database that belongs to {owner:?}"),
                format!(
                    "restore with --no-owner, or: {}",
                    way_to_act_as(owner, server).await?
                ),
            );
        }
        self.settings(wanted, server).await?;
        self.not_inherited(&needed, server).await?;
        let Some(globals) = wanted.globals else {
            self.missing_roles(&missing, true);
            return Ok(());
        };
        let known: Vec<&str> = globals.roles.keys().map(String::as_str).collect();
        let absent = client::unknown_roles(admin, &known).await?;
        let absent: BTreeSet<String> = absent.into_iter().collect();
        let wanted = RolePlan::with_groups(globals, &missing, &absent);
        self.roles = RolePlan::new(globals, &wanted);
        self.notes.extend(self.roles.powers());
        let nowhere = missing.difference(&self.roles.roles).cloned().collect();
        self.missing_roles(&nowhere, false);
        self.problems
            .extend(self.roles.not_allowed(&rights, "--admin"));
        if !rights.superuser
            && rights.create_roles
            && self.roles.roles.contains(owner)
            && !client::is_in_roles_that_it_makes(admin).await?
        {
            self.problem(
                format!(
                    "role {role:?} is not in the roles that it makes, and may not make a database \
                     that belongs to {owner:?}"
                ),
                format!(
                    "restore with --no-owner, name a superuser with --admin URL, or: CREATE ROLE \
                     {}; {}",
                    identifier(owner),
                    way_to_act_as(owner, server).await?
                ),
            );
        }
        Ok(())
    }

    /// Roles that whoever fills the database is in without having their rights: what they own
    /// it can make, and then neither fill nor finish.
    async fn not_inherited(&mut self, needed: &[&str], server: &Server) -> Result<(), QueryError> {
        let (admin, user) = (&server.admin, &server.user);
        for role in client::roles_not_inherited(admin, user, needed).await? {
            let way = match admin.server_version().major() {
                ..16 => format!("ALTER ROLE {} INHERIT", identifier(user)),
                _ => format!(
                    "GRANT {} TO {} WITH INHERIT TRUE, SET TRUE",
                    identifier(&role),
                    identifier(user)
                ),
            };
            self.notes.push(format!(
                "role {user:?}, who fills the database, is in role {role:?} and does not inherit \
                 its rights: the restore fails where something belongs to {role:?}; restore with \
                 --no-owner, or: {way}"
            ));
        }
        Ok(())
    }

    /// Settings that come with the database and that the role may not make.
    async fn settings(&mut self, wanted: &Wanted<'_>, server: &Server) -> Result<(), QueryError> {
        let (admin, role) = (&server.admin, &server.maker);
        let settings = &wanted.facts.settings;
        let names: Vec<&str> = settings.iter().map(|s| s.name.as_str()).collect();
        let roles: Vec<&str> = settings.iter().filter_map(|s| s.role.as_deref()).collect();
        let forbidden = client::forbidden_settings(admin, &names).await?;
        let out_of_reach = client::roles_out_of_reach(admin, &roles).await?;
        let quoted = |names: &[String]| {
            let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
            names.join(", ")
        };
        const SUPERUSER: &str = "name a superuser with --admin URL";
        let mut says = Vec::new();
        if !forbidden.is_empty() {
            let words = format!(
                "role {role:?} may not set what is set for the database: {}",
                quoted(&forbidden)
            );
            says.push((words, SUPERUSER.to_owned()));
        }
        if !out_of_reach.is_empty() {
            let words = format!(
                "role {role:?} may not make the settings that roles have in the database: {}",
                quoted(&out_of_reach)
            );
            let without = "leave them out with --no-privileges";
            says.push((words, format!("{without}, or {SUPERUSER}")));
        }
        if says.is_empty() {
            return Ok(());
        }
        let hoster = client::hosters_role(admin, role).await?;
        for (says, mend) in says {
            match &hoster {
                None => self.problem(says, mend),
                Some(hoster) => self.notes.push(format!(
                    "{says}; as a member of {hoster:?} it may be let do so"
                )),
            }
        }
        Ok(())
    }

    /// `offered`: whether it is worth saying how they can be made.
    fn missing_roles(&mut self, missing: &BTreeSet<String>, offered: bool) {
        if missing.is_empty() {
            return;
        }
        let names: Vec<String> = missing.iter().map(|role| format!("{role:?}")).collect();
        let statements: Vec<String> = missing
            .iter()
            .map(|role| format!("CREATE ROLE {};", identifier(role)))
            .collect();
        let begin = match offered {
            true => {
                "make them from the backup's globals with --create-roles, do without with \
                     --no-owner --no-privileges, or: "
            }
            false => "the backup's globals do not have them: ",
        };
        self.problem(
            format!(
                "the backup needs roles that do not exist here: {}",
                names.join(", ")
            ),
            format!("{begin}{}", statements.join(" ")),
        );
    }
}

/// The statement by which whoever makes the database can be an owner and has its rights.
pub(super) async fn way_to_act_as(owner: &str, server: &Server) -> Result<String, QueryError> {
    let admin = &server.admin;
    let is_member = client::may_give_to(admin, owner).await?;
    let (owner, role) = (identifier(owner), identifier(&server.maker));
    Ok(match admin.server_version().major() {
        ..16 if is_member => format!("ALTER ROLE {role} INHERIT"),
        ..16 => format!("GRANT {owner} TO {role}"),
        _ => format!("GRANT {owner} TO {role} WITH INHERIT TRUE, SET TRUE"),
    })
}
