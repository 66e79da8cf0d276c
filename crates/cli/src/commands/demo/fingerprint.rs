//! What a database holds, in a few numbers that change when anything in it does.
//!
//! Invariants: every row of every table and materialized view counts, whatever
//! its order; so do large objects, the sequences' last values and every
//! definition. Asked of PostgreSQL with SQL of the demo's own, so that it does
//! not share a mistake with what it judges.

use pgkeep_postgres::client::{Connection, QueryError, identifier};

const RELATIONS: &str = include_str!("fingerprint/relations.sql");
const SEQUENCES: &str = include_str!("fingerprint/sequences.sql");
const LARGE_OBJECTS: &str = include_str!("fingerprint/large-objects.sql");
const DEFINITIONS: &str = include_str!("fingerprint/definitions.sql");

/// One kind of thing in a database, such as the rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The table, or what else it is.
    pub(super) name: String,
    /// Whether it is a table.
    pub(super) is_table: bool,
    /// How many there are.
    pub(super) count: u64,
    /// A sum over the hash of each.
    pub(super) checksum: String,
}

/// What a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// Tables and materialized views first.
    pub(super) parts: Vec<Part>,
    /// A checksum over all of it.
    pub(super) checksum: String,
}

impl Fingerprint {
    /// Takes it.
    pub(super) async fn take(session: &Connection) -> Result<Self, QueryError> {
        let mut parts = Vec::new();
        for row in session.query(RELATIONS, &[]).await? {
            let schema: String = session.column(&row, "schema")?;
            let name: String = session.column(&row, "name")?;
            let is_table = session.column(&row, "is_table")?;
            let question = of_rows(&schema, &name);
            parts.push(part(session, name, is_table, &question).await?);
        }
        for (name, question) in [
            ("large objects", LARGE_OBJECTS),
            ("sequences", SEQUENCES),
            ("definitions", DEFINITIONS),
        ] {
            let part = part(session, name.to_owned(), false, question).await?;
            parts.extend((part.count > 0).then_some(part));
        }
        let all = format!("{parts:?}");
        let row = session
            .query_one("SELECT pg_catalog.md5($1) AS checksum", &[&all])
            .await?;
        let checksum = session.column(&row, "checksum")?;
        Ok(Self { parts, checksum })
    }

    /// How many tables there are.
    pub(super) fn tables(&self) -> usize {
        self.parts.iter().filter(|part| part.is_table).count()
    }

    /// How many rows these have.
    pub(super) fn rows(&self) -> u64 {
        let tables = self.parts.iter().filter(|part| part.is_table);
        tables.map(|part| part.count).sum()
    }

    /// In what another one differs; nothing where it is the same.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let find = |name: &str, parts: &[Part]| parts.iter().find(|p| p.name == name).cloned();
        let mut differences = Vec::new();
        for part in &self.parts {
            let name = &part.name;
            match find(name, &other.parts) {
                None => differences.push(format!("{name}: gone")),
                Some(found) if found.count != part.count => {
                    differences.push(format!("{name}: {}, not {}", found.count, part.count));
                }
                Some(found) if found != *part => {
                    differences.push(format!("{name}: other contents"));
                }
                Some(_) => {}
            }
        }
        let added = other.parts.iter().map(|part| &part.name);
        let added = added.filter(|name| find(name, &self.parts).is_none());
        differences.extend(added.map(|name| format!("{name}: was not there")));
        if differences.is_empty() && self != other {
            differences.push("the whole: other contents".to_owned());
        }
        differences
    }
}

fn of_rows(schema: &str, name: &str) -> String {
    format!(
        "SELECT pg_catalog.count(*) AS rows, \
         pg_catalog.md5(coalesce(pg_catalog.sum( \
             pg_catalog.hashtextextended(\"the row\"::text, 0)), 0)::text) AS checksum \
         FROM {}.{} AS \"the row\"",
        identifier(schema),
        identifier(name)
    )
}

async fn part(
    session: &Connection,
    name: String,
    is_table: bool,
    question: &str,
) -> Result<Part, QueryError> {
    let row = session.query_one(question, &[]).await?;
    let count: i64 = session.column(&row, "rows")?;
    Ok(Part {
        name,
        is_table,
        count: count.unsigned_abs(),
        checksum: session.column(&row, "checksum")?,
    })
}

#[cfg(test)]
mod tests {
    use pgkeep_testkit::cluster::{Cluster, Major};

    use super::*;

    fn fingerprint(parts: &[(&str, u64, &str)]) -> Fingerprint {
        let part = |&(name, count, checksum): &(&str, u64, &str)| Part {
            name: name.to_owned(),
            is_table: true,
            count,
            checksum: checksum.to_owned(),
        };
        Fingerprint {
            parts: parts.iter().map(part).collect(),
            checksum: String::new(),
        }
    }

    #[test]
    fn the_same_differs_in_nothing() {
        let one = fingerprint(&[("a", 1, "x"), ("b", 2, "y")]);
        assert!(one.differences(&one.clone()).is_empty());
    }

    #[test]
    fn rows_contents_and_tables_that_differ_are_named() {
        let before = fingerprint(&[("lost", 1, "x"), ("short", 2, "y"), ("other", 3, "z")]);
        let after = fingerprint(&[("short", 1, "y"), ("other", 3, "?"), ("new", 0, "")]);
        assert_eq!(
            before.differences(&after),
            [
                "lost: gone",
                "short: 1, not 2",
                "other: other contents",
                "new: was not there"
            ]
        );
    }

    #[tokio::test]
    async fn any_change_of_a_database_is_seen() {
        let cluster = Cluster::start(Major::Fifteen).await;
        let session = cluster.connect("postgres").await;
        let made = "CREATE TABLE public.t (id integer GENERATED ALWAYS AS IDENTITY, x text); \
                    CREATE INDEX i ON public.t (x); \
                    INSERT INTO public.t (x) VALUES ('a'), ('b'); \
                    SELECT lo_from_bytea(70000, 'abc')";
        session.batch(made).await.unwrap();
        let before = Fingerprint::take(&session).await.unwrap();
        for (change, seen) in [
            (
                "UPDATE public.t SET x = 'c' WHERE x = 'b'",
                "t: other contents",
            ),
            (
                "UPDATE public.t SET x = chr(195 - ascii(x))",
                "t: other contents",
            ),
            ("DELETE FROM public.t WHERE id = 1", "t: 1, not 2"),
            (
                "SELECT lo_put(70000, 1, 'B')",
                "large objects: other contents",
            ),
            ("DROP INDEX public.i", "definitions: 2, not 3"),
            (
                "ALTER TABLE public.t ALTER x SET NOT NULL",
                "definitions: other contents",
            ),
            ("CREATE TABLE public.u ()", "u: was not there"),
            (
                "SELECT setval('public.t_id_seq', 3)",
                "sequences: other contents",
            ),
        ] {
            session.batch(&format!("BEGIN; {change}")).await.unwrap();
            let after = Fingerprint::take(&session).await.unwrap();
            assert_eq!(before.differences(&after), [seen], "{change}");
            session.batch("ROLLBACK").await.unwrap();
        }
    }
}
