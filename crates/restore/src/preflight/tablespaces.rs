//! Where a database and what is in it lie, held against where they may.
//!
//! Invariant: looking changes nothing.

use pgkeep_postgres::client::{self, QueryError, identifier};

use super::{Preflight, Wanted};
use crate::server::Server;

/// That of every new database.
pub(crate) const DEFAULT: &str = "pg_default";

impl Preflight {
    /// That of the database, and those of what is in it.
    pub(super) async fn tablespaces(
        &mut self,
        wanted: &Wanted<'_>,
        server: &Server,
    ) -> Result<(), QueryError> {
        let admin = &server.admin;
        let own = [wanted.facts.tablespace.as_str()];
        // To name the default one takes no right where it is not named.
        let maker = match own {
            [DEFAULT] => &[][..],
            _ => &own,
        };
        let held = wanted.facts.tablespaces.iter().flatten();
        let held: Vec<&str> = held.map(String::as_str).collect();
        let [mut missing, forbidden] =
            client::unfit_tablespaces(admin, &server.maker, maker).await?;
        self.forbidden_tablespaces(&server.maker, &forbidden);
        let [lacking, forbidden] = client::unfit_tablespaces(admin, &server.user, &held).await?;
        if wanted.is_everything && wanted.is_whole {
            missing.extend(lacking);
            self.forbidden_tablespaces(&server.user, &forbidden);
        } else {
            // Which of them the part needs only the archive knows.
            self.notes.extend(lacking.iter().map(|name| {
                format!(
                    "tablespace {name:?} does not exist here; the restore fails if what comes has \
                     something in it, unless with --no-tablespaces"
                )
            }));
        }
        missing.sort();
        missing.dedup();
        if !missing.is_empty() {
            let create =
                |name: &String| format!("CREATE TABLESPACE {} LOCATION '…';", identifier(name));
            let create: Vec<String> = missing.iter().map(create).collect();
            let names: Vec<String> = missing.iter().map(|name| format!("{name:?}")).collect();
            self.problem(
                match names.as_slice() {
                    [name] => format!("tablespace {name} does not exist here"),
                    names => format!("tablespaces {} do not exist here", names.join(", ")),
                },
                format!(
                    "do without with --no-tablespaces, make them from the backup's globals with \
                     --globals, or: {}",
                    create.join(" ")
                ),
            );
        }
        Ok(())
    }

    fn forbidden_tablespaces(&mut self, role: &str, names: &[String]) {
        for name in names {
            self.problem(
                format!("role {role:?} may put nothing into tablespace {name:?}"),
                format!(
                    "do without with --no-tablespaces, or: GRANT CREATE ON TABLESPACE {} TO {}",
                    identifier(name),
                    identifier(role)
                ),
            );
        }
    }
}
