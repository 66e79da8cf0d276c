//! Making roles that are missing.
//!
//! Invariants: a role that exists is never changed, nor is one put into it that it had
//! not: memberships come back only where both roles are made, or the group is one of
//! PostgreSQL's own; all roles are made or none.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_postgres::client::{Connection, Rights, identifier};

use crate::RestoreError;
use crate::globals::Globals;
use crate::preflight::Problem;

/// Roles that are to be made, and how.
#[derive(Debug, Default)]
pub(crate) struct RolePlan {
    /// Their names.
    pub(crate) roles: BTreeSet<String>,
    /// What does it, each with the role that it is about.
    statements: Vec<(String, String)>,
    /// Those of them that are held to no rights, or see all, with the attributes.
    powers: BTreeMap<String, Vec<&'static str>>,
    /// Memberships between them and roles that exist, which are left alone: member
    /// and role.
    pub(crate) left_alone: Vec<(String, String)>,
}

impl RolePlan {
    /// How to make those of `missing` that the globals have.
    pub(crate) fn new(globals: &Globals, missing: &BTreeSet<String>) -> Self {
        let roles: BTreeSet<String> = globals
            .roles
            .keys()
            .filter(|role| missing.contains(*role))
            .cloned()
            .collect();
        let powers = globals
            .powers
            .iter()
            .filter(|(role, _)| roles.contains(*role));
        let mut plan = Self {
            powers: powers
                .map(|(role, of)| (role.clone(), of.clone()))
                .collect(),
            roles,
            ..Self::default()
        };
        for role in &plan.roles {
            let statements = globals.roles.get(role).into_iter().flatten();
            plan.statements
                .extend(statements.map(|sql| (role.clone(), sql.clone())));
        }
        for membership in &globals.memberships {
            let (role, member) = (&membership.role, &membership.member);
            let makes = |name| plan.roles.contains(name);
            match (makes(role) || role.starts_with("pg_"), makes(member)) {
                (true, true) => plan
                    .statements
                    .push((member.clone(), membership.sql.clone())),
                (false, false) => {}
                (true, false) if !makes(role) => {}
                _ => plan.left_alone.push((member.clone(), role.clone())),
            }
        }
        let parameters = globals.parameters.iter();
        let parameters = parameters.filter(|(role, _)| plan.roles.contains(role));
        plan.statements.extend(parameters.cloned());
        plan
    }

    /// Which of them come as superusers, or with what else no rights give: in words.
    pub(crate) fn powers(&self) -> Vec<String> {
        let told = self.powers.iter().map(|(role, powers)| {
            format!(
                "role {role:?}, which is missing and comes from the backup's globals, has {}",
                powers.join(", ")
            )
        });
        told.collect()
    }

    /// `needed`, and of `missing` the roles that those are in, and so on.
    pub(crate) fn with_groups(
        globals: &Globals,
        needed: &BTreeSet<String>,
        missing: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let mut all = needed.clone();
        loop {
            let groups: Vec<String> = globals
                .memberships
                .iter()
                .filter(|m| all.contains(&m.member) && missing.contains(&m.role))
                .map(|m| m.role.clone())
                .filter(|role| !all.contains(role))
                .collect();
            if groups.is_empty() {
                return all;
            }
            all.extend(groups);
        }
    }

    /// That whoever has these rights may not make them, and with which `option` to name
    /// another user; nothing where they may, or there are none.
    pub(crate) fn not_allowed(&self, rights: &Rights, option: &str) -> Option<Problem> {
        let role = &rights.role;
        let is_allowed = self.roles.is_empty() || rights.create_roles;
        (!is_allowed).then(|| Problem {
            what: format!("role {role:?} may not create roles"),
            hint: Some(format!(
                "name a user who may with {option} URL, or: ALTER ROLE {} CREATEROLE",
                identifier(role)
            )),
        })
    }

    /// Makes them.
    ///
    /// # Errors
    /// Where the server refuses one; then none is made.
    pub(crate) async fn apply(&self, admin: &Connection) -> Result<(), RestoreError> {
        if self.roles.is_empty() {
            return Ok(());
        }
        let refused = |role: &str, source| RestoreError::Role {
            role: role.to_owned(),
            source,
        };
        let all = "all of them";
        let begun = admin.batch("BEGIN").await;
        begun.map_err(|source| refused(all, source))?;
        for (role, sql) in &self.statements {
            // One statement a message: nothing in it can be another one.
            if let Err(source) = admin.execute(sql, &[]).await {
                // On a session that is gone there is nothing to roll back.
                let _ = admin.batch("ROLLBACK").await;
                return Err(refused(role, source));
            }
        }
        let committed = admin.batch("COMMIT").await;
        committed.map_err(|source| refused(all, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::globals::Membership;

    fn globals(roles: &[&str], memberships: &[(&str, &str)]) -> Globals {
        let sql = |role: &&str| ((*role).to_owned(), vec![format!("CREATE ROLE {role}")]);
        Globals {
            roles: roles.iter().map(sql).collect(),
            memberships: memberships
                .iter()
                .map(|(role, member)| Membership {
                    role: (*role).to_owned(),
                    member: (*member).to_owned(),
                    sql: format!("GRANT {role} TO {member}"),
                })
                .collect(),
            ..Globals::default()
        }
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn memberships_come_back_only_between_what_is_made() {
        let globals = globals(
            &["a", "b", "old"],
            &[
                ("a", "b"),
                ("old", "a"),
                ("a", "old"),
                ("pg_monitor", "a"),
                ("pg_monitor", "old"),
            ],
        );
        let plan = RolePlan::new(&globals, &set(&["a", "b"]));
        let sql: Vec<&str> = plan
            .statements
            .iter()
            .map(|(_, sql)| sql.as_str())
            .collect();
        assert_eq!(
            sql,
            [
                "CREATE ROLE a",
                "CREATE ROLE b",
                "GRANT a TO b",
                "GRANT pg_monitor TO a"
            ]
        );
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(plan.left_alone, [pair("a", "old"), pair("old", "a")]);
    }

    #[test]
    fn the_groups_of_a_needed_role_are_needed_too() {
        let globals = globals(&["a", "b", "c", "d"], &[("b", "a"), ("c", "b"), ("a", "d")]);
        let all = RolePlan::with_groups(&globals, &set(&["a"]), &set(&["a", "b", "c", "d"]));
        assert_eq!(all, set(&["a", "b", "c"]));
    }
}
