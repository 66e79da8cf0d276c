//! The roles and tablespaces that a backup's globals have.
//!
//! Invariant: only statements whose kind is known are ever run, each by itself; the
//! others are told.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::records::GLOBALS_FILE;
use pgkeep_postgres::globals::{Statement, Word, split};
use pgkeep_repository::{OpenBackup, RepositoryError};

use crate::RestoreError;

/// Attributes that a new role has without being told: to say them takes rights that
/// not everybody has who may make a role.
const DEFAULTS: [&str; 7] = [
    "NOSUPERUSER",
    "INHERIT",
    "NOCREATEROLE",
    "NOCREATEDB",
    "NOLOGIN",
    "NOREPLICATION",
    "NOBYPASSRLS",
];

/// Attributes by which a role is held to no rights, or sees all.
const POWERS: [&str; 3] = ["SUPERUSER", "REPLICATION", "BYPASSRLS"];

/// Globals, by what they are of.
#[derive(Debug, Default)]
pub(crate) struct Globals {
    /// What makes each role: `CREATE ROLE` first.
    pub(crate) roles: BTreeMap<String, Vec<String>>,
    /// What each role may that no rights give: superusers, who replicate, whom no policy holds.
    pub(crate) powers: BTreeMap<String, Vec<&'static str>>,
    /// Who is in which role.
    pub(crate) memberships: Vec<Membership>,
    /// Rights on settings of the server, by who has them.
    pub(crate) parameters: Vec<(String, String)>,
    /// The tablespaces.
    pub(crate) tablespaces: BTreeMap<String, Tablespace>,
    /// Statements of other kinds, by their first words.
    pub(crate) unknown: BTreeSet<String>,
}

/// A tablespace.
#[derive(Debug, Default)]
pub(crate) struct Tablespace {
    /// The directory that it was in; none where it was PostgreSQL's own.
    pub(crate) location: Option<String>,
    /// What makes it: `CREATE TABLESPACE` first.
    pub(crate) statements: Vec<String>,
}

/// One role in another.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) role: String,
    pub(crate) member: String,
    pub(crate) sql: String,
}

impl Globals {
    /// The globals that are with a backup; none where it has none.
    pub(crate) async fn read(backup: &OpenBackup) -> Result<Option<Self>, RestoreError> {
        if !backup.record().globals {
            return Ok(None);
        }
        let id = || backup.record().id.clone();
        let read = |source: RepositoryError| RestoreError::Read {
            backup: id(),
            source,
        };
        let mut reader = backup.read(GLOBALS_FILE).map_err(read)?;
        let mut bytes = Vec::new();
        loop {
            match reader.next().await {
                Ok(Some(part)) => bytes.extend_from_slice(&part),
                Ok(None) => break,
                Err(error) => return Err(read(backup.explain(error).await)),
            }
        }
        let strange = |problem: String| RestoreError::Globals {
            backup: id(),
            problem,
        };
        let sql = std::str::from_utf8(&bytes).map_err(|error| strange(error.to_string()))?;
        Self::parse(sql).map(Some).map_err(strange)
    }

    fn parse(sql: &str) -> Result<Self, String> {
        let mut globals = Self::default();
        for statement in split(sql).map_err(|error| error.to_string())? {
            if is_encoding(&statement) && !sql.is_ascii() && !is_utf8(&statement) {
                return Err(format!("they are in another encoding ({statement})"));
            }
            globals.add(&statement);
        }
        Ok(globals)
    }

    fn add(&mut self, statement: &Statement) {
        let [first, second, third, rest @ ..] = statement.words.as_slice() else {
            self.unknown.insert(statement.to_string());
            return;
        };
        let sql = statement.to_string();
        let name = third.name();
        let known = match (first, second, name) {
            // Of the session that would run all of it.
            (first, _, _) if first.is("SET") => true,
            (first, second, Some(name)) if first.is("CREATE") && second.is("ROLE") => {
                self.roles.entry(name).or_default().push(sql);
                rest.is_empty()
            }
            (first, second, Some(name)) if first.is("ALTER") && second.is("ROLE") => {
                match rest.first() {
                    Some(word) if word.is("WITH") => {
                        let powers = POWERS.into_iter();
                        let has = |power: &&str| rest.iter().any(|word| word.is(power));
                        let powers: Vec<&str> = powers.filter(has).collect();
                        if !powers.is_empty() {
                            self.powers.insert(name.clone(), powers);
                        }
                        let kept = attributes(statement);
                        self.of_role(&name, kept)
                    }
                    Some(word) if word.is("SET") => self.of_role(&name, Some(sql)),
                    _ => false,
                }
            }
            (first, second, Some(name)) if first.is("CREATE") && second.is("TABLESPACE") => {
                let tablespace = self.tablespaces.entry(name).or_default();
                tablespace.location = location(statement);
                tablespace.statements.push(sql);
                true
            }
            (first, second, Some(name)) if first.is("ALTER") && second.is("TABLESPACE") => {
                self.of_tablespace(&name, sql)
            }
            (first, _, _) if first.is("GRANT") && third.is("TO") => self.membership(statement),
            _ => self.on_something(statement, sql),
        };
        if !known {
            let words: Vec<String> = [first, second, third].map(ToString::to_string).into();
            self.unknown.insert(words.join(" "));
        }
    }

    /// Statements that name their object further behind: `… ON ROLE name …`.
    fn on_something(&mut self, statement: &Statement, sql: String) -> bool {
        let words = statement.words.as_slice();
        let on = words.windows(3).find_map(|three| match three {
            [on, kind, name] if on.is("ON") => Some((kind, name.name()?)),
            _ => None,
        });
        let Some((kind, name)) = on else {
            return false;
        };
        if kind.is("ROLE") {
            return self.of_role(&name, Some(sql));
        }
        if kind.is("TABLESPACE") {
            return self.of_tablespace(&name, sql);
        }
        let to = words.windows(2).find_map(|two| match two {
            [to, role] if to.is("TO") && !role.is("PUBLIC") => role.name(),
            _ => None,
        });
        match to {
            Some(role) if kind.is("PARAMETER") && words.first().is_some_and(|w| w.is("GRANT")) => {
                self.parameters.push((role, sql));
                true
            }
            _ => false,
        }
    }

    fn of_role(&mut self, name: &str, sql: Option<String>) -> bool {
        let role = self.roles.get_mut(name);
        role.map(|statements| statements.extend(sql)).is_some()
    }

    fn of_tablespace(&mut self, name: &str, sql: String) -> bool {
        let tablespace = self.tablespaces.get_mut(name);
        tablespace.map(|of| of.statements.push(sql)).is_some()
    }

    fn membership(&mut self, statement: &Statement) -> bool {
        let [_, role, _, member, rest @ ..] = statement.words.as_slice() else {
            return false;
        };
        let (Some(role), Some(member)) = (role.name(), member.name()) else {
            return false;
        };
        let one = rest.first();
        if one.is_some_and(|word| !word.is("WITH") && !word.is("GRANTED")) {
            return false;
        }
        // Who gave it may not be there: whoever restores gives it.
        let by = rest.iter().position(|word| word.is("GRANTED"));
        let length = statement.words.len() - by.map_or(0, |by| rest.len() - by);
        let words = statement.words.iter().take(length).cloned().collect();
        let sql = Statement { words }.to_string();
        self.memberships.push(Membership { role, member, sql });
        true
    }
}

/// `ALTER ROLE … WITH` without what a new role has anyway; none where that was all.
fn attributes(statement: &Statement) -> Option<String> {
    let is_default = |word: &Word| DEFAULTS.iter().any(|default| word.is(default));
    let words: Vec<Word> = statement
        .words
        .iter()
        .enumerate()
        .filter(|(number, word)| *number < 4 || !is_default(word))
        .map(|(_, word)| word.clone())
        .collect();
    (words.len() > 4).then(|| Statement { words }.to_string())
}

/// The directory that `CREATE TABLESPACE … LOCATION` names.
fn location(statement: &Statement) -> Option<String> {
    let mut words = statement.words.iter();
    words.find(|word| word.is("LOCATION"))?;
    let Some(Word::Literal(literal)) = words.next() else {
        return None;
    };
    // With an E before it, backslashes are doubled too (appendStringLiteral in
    // src/fe_utils/string_utils.c).
    let (quoted, has_escapes) = match literal.strip_prefix(['E', 'e']) {
        Some(quoted) => (quoted, true),
        None => (literal.as_str(), false),
    };
    let text = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut text = text.replace("''", "'");
    if has_escapes {
        text = text.replace("\\\\", "\\");
    }
    Some(text).filter(|text| !text.is_empty())
}

fn is_encoding(statement: &Statement) -> bool {
    matches!(statement.words.as_slice(), [set, name, ..]
        if set.is("SET") && name.is("CLIENT_ENCODING"))
}

fn is_utf8(statement: &Statement) -> bool {
    statement.words.last() == Some(&Word::Literal("'UTF8'".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_finds_what_it_is_of_and_strangers_are_told() {
        let globals = Globals::parse(
            "SET client_encoding = 'UTF8';\n\
             CREATE ROLE a;\n\
             ALTER ROLE a WITH NOSUPERUSER INHERIT LOGIN PASSWORD 'NOLOGIN';\n\
             ALTER ROLE a SET work_mem TO '7MB';\n\
             COMMENT ON ROLE a IS 'x';\n\
             CREATE ROLE \"B b\"; ALTER ROLE \"B b\" WITH NOLOGIN;\n\
             GRANT a TO \"B b\" WITH ADMIN OPTION, INHERIT TRUE GRANTED BY postgres;\n\
             GRANT SET ON PARAMETER work_mem TO a;\n\
             CREATE TABLESPACE t OWNER a LOCATION '/t'; GRANT ALL ON TABLESPACE t TO a;\n\
             ALTER ROLE stranger SET work_mem TO '7MB'; DROP ROLE a;",
        )
        .unwrap();
        assert_eq!(
            globals.roles["a"],
            [
                "CREATE ROLE a",
                "ALTER ROLE a WITH LOGIN PASSWORD 'NOLOGIN'",
                "ALTER ROLE a SET work_mem TO '7MB'",
                "COMMENT ON ROLE a IS 'x'",
            ]
        );
        assert_eq!(globals.roles["B b"], ["CREATE ROLE \"B b\""]);
        let membership = &globals.memberships[0];
        assert_eq!(membership.role, "a");
        assert_eq!(membership.member, "B b");
        assert_eq!(
            membership.sql,
            "GRANT a TO \"B b\" WITH ADMIN OPTION , INHERIT TRUE"
        );
        assert_eq!(globals.parameters[0].0, "a");
        let tablespace = &globals.tablespaces["t"];
        assert_eq!(tablespace.statements.len(), 2);
        assert_eq!(tablespace.location.as_deref(), Some("/t"));
        let unknown: Vec<&String> = globals.unknown.iter().collect();
        assert_eq!(unknown, ["ALTER ROLE stranger", "DROP ROLE a"]);
    }

    #[test]
    fn the_directory_of_a_tablespace_is_told_as_it_is() {
        for (literal, directory) in [
            ("'/it''s'", Some("/it's")),
            (r"E'/a\\b'", Some(r"/a\b")),
            ("''", None),
        ] {
            let sql = format!("CREATE TABLESPACE t OWNER a LOCATION {literal};");
            let globals = Globals::parse(&sql).unwrap();
            assert_eq!(globals.tablespaces["t"].location.as_deref(), directory);
        }
    }

    #[test]
    fn another_encoding_is_refused_where_it_matters() {
        assert!(Globals::parse("SET client_encoding = 'LATIN1'; CREATE ROLE a;").is_ok());
        assert!(Globals::parse("SET client_encoding = 'LATIN1'; CREATE ROLE ä;").is_err());
    }
}
