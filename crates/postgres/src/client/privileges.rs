//! A database's privileges as the statements that give them again.
//!
//! Invariant: run in order against a new database of the same owner, the
//! statements make the same access list, entry by entry, each given by the
//! grantor that had given it.

use super::database_facts::Privilege;
use super::quote::identifier;

/// A statement, and the role that has to run it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// `None` for whoever administers the database.
    pub(super) as_role: Option<String>,
    pub(super) sql: String,
}

/// The statements that turn the default privileges of `database` into
/// `privileges`.
pub(super) fn statements(database: &str, owner: &str, privileges: &[Privilege]) -> Vec<Grant> {
    let database = identifier(database);
    let revoke = |from: &str| Grant {
        as_role: None,
        sql: format!("REVOKE ALL ON DATABASE {database} FROM {from}"),
    };
    let grant = |privilege: &Privilege| {
        let to = privilege
            .grantee
            .as_deref()
            .map_or_else(|| "PUBLIC".to_owned(), identifier);
        let option = if privilege.grantable {
            " WITH GRANT OPTION"
        } else {
            ""
        };
        Grant {
            as_role: (privilege.grantor != owner).then(|| privilege.grantor.clone()),
            sql: format!(
                "GRANT {} ON DATABASE {database} TO {to}{option}",
                privilege.privilege
            ),
        }
    };

    let mut statements = vec![revoke("PUBLIC"), revoke(&identifier(owner))];
    let mut given: Vec<&Privilege> = Vec::with_capacity(privileges.len());
    let mut pending: Vec<&Privilege> = privileges.iter().collect();
    // The list is in the order in which grantor and grantee first met; a right
    // that came later may be what an earlier entry was widened by.
    while !pending.is_empty() {
        let before = pending.len();
        pending.retain(|privilege| {
            let allowed = privilege.grantor == owner
                || given.iter().any(|held| {
                    held.grantee.as_deref() == Some(&privilege.grantor)
                        && held.privilege == privilege.privilege
                        && held.grantable
                });
            if allowed {
                given.push(privilege);
                statements.push(grant(privilege));
            }
            !allowed
        });
        if pending.len() == before {
            // Given by one who no longer may: let the server say so.
            statements.extend(pending.drain(..).map(grant));
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn privilege(grantor: &str, grantee: &str, privilege: &str, grantable: bool) -> Privilege {
        Privilege {
            grantor: grantor.to_owned(),
            grantee: (grantee != "PUBLIC").then(|| grantee.to_owned()),
            privilege: privilege.to_owned(),
            grantable,
        }
    }

    fn sql(privileges: &[Privilege]) -> Vec<(Option<String>, String)> {
        let statements = statements("d", "o", privileges);
        assert_eq!(
            statements[0].sql,
            r#"REVOKE ALL ON DATABASE "d" FROM PUBLIC"#
        );
        assert_eq!(statements[1].sql, r#"REVOKE ALL ON DATABASE "d" FROM "o""#);
        statements
            .into_iter()
            .skip(2)
            .map(|grant| (grant.as_role, grant.sql))
            .collect()
    }

    #[test]
    fn no_entry_at_all_is_not_the_default() {
        assert!(sql(&[]).is_empty());
    }

    #[test]
    fn each_right_is_given_by_its_own_grantor() {
        let statements = sql(&[
            privilege("o", "PUBLIC", "CONNECT", false),
            privilege("o", "a", "CREATE", true),
            privilege("a", "b\"", "CREATE", false),
        ]);
        assert_eq!(
            statements,
            [
                (
                    None,
                    r#"GRANT CONNECT ON DATABASE "d" TO PUBLIC"#.to_owned()
                ),
                (
                    None,
                    r#"GRANT CREATE ON DATABASE "d" TO "a" WITH GRANT OPTION"#.to_owned()
                ),
                (
                    Some("a".to_owned()),
                    r#"GRANT CREATE ON DATABASE "d" TO "b""""#.to_owned()
                ),
            ]
        );
    }

    #[test]
    fn a_right_is_handed_on_only_after_it_was_received() {
        let statements = sql(&[
            privilege("a", "b", "CREATE", false),
            privilege("o", "a", "CREATE", true),
        ]);
        assert_eq!(statements[0].0, None);
        assert_eq!(statements[1].0.as_deref(), Some("a"));
    }

    #[test]
    fn a_right_whose_source_is_gone_is_still_tried() {
        assert_eq!(sql(&[privilege("a", "b", "CREATE", false)]).len(), 1);
    }
}
