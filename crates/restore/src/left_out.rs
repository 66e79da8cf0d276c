//! What a restore is told to leave out.

use pgkeep_postgres::client::{DatabaseFacts, Privilege};

use crate::preflight::DEFAULT_TABLESPACE;

/// What is not to come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Owners: everything belongs to who fills the database.
    pub owner: bool,
    /// Privileges, on the database and on what is in it, and the settings that single roles
    /// have in it, which too are only made by who has rights over those roles.
    pub privileges: bool,
    /// Tablespaces: the database and all in it lies where new databases do.
    pub tablespaces: bool,
}

impl LeftOut {
    /// What the database is to be where `user` fills it.
    pub(crate) fn of(self, mut facts: DatabaseFacts, user: &str) -> DatabaseFacts {
        if self.privileges {
            facts.privileges = None;
            facts.settings.retain(|setting| setting.role.is_none());
        }
        if self.owner {
            // What the owner has given or has, the new one gives and has: PostgreSQL
            // does the same where a database changes hands.
            let had_privileges = facts.privileges.is_some();
            let mut privileges = facts.privileges.take().unwrap_or_default();
            let to_user = |role: &mut String| {
                if *role == facts.owner {
                    user.clone_into(role);
                }
            };
            for privilege in &mut privileges {
                to_user(&mut privilege.grantor);
                privilege.grantee.iter_mut().for_each(to_user);
            }
            // Both may have had the same right.
            let mut merged: Vec<Privilege> = Vec::new();
            for privilege in privileges {
                let same = |held: &&mut Privilege| {
                    held.grantor == privilege.grantor
                        && held.grantee == privilege.grantee
                        && held.privilege == privilege.privilege
                };
                match merged.iter_mut().find(same) {
                    Some(held) => held.grantable |= privilege.grantable,
                    None => merged.push(privilege),
                }
            }
            facts.privileges = had_privileges.then_some(merged);
            user.clone_into(&mut facts.owner);
        }
        if self.tablespaces {
            DEFAULT_TABLESPACE.clone_into(&mut facts.tablespace);
            facts.tablespaces = None;
        }
        if self.owner && self.privileges {
            facts.roles.clear();
        }
        facts
    }
}
