//! The new database in the place of one that is there.
//!
//! Invariant: the old one is set aside, and dropped only where that was asked for and
//! the new one is in its place.

use pgkeep_postgres::client::{self, Attached, Connection, QueryError, identifier, literal};

use crate::preflight::Problem;
use crate::server::{Server, connect_beside};
use crate::{PreparedRestore, RestoreError};

/// How a database is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replace<'a> {
    /// What the old one is called from then on.
    pub aside: &'a str,
    /// Whether it is dropped then.
    pub drops: bool,
    /// Whether the very backup was named, and not the newest of a database: only then does
    /// a backup of a part take the place of what may be whole.
    pub names_backup: bool,
}

impl Replace<'_> {
    /// What is in the way of setting database `name` aside.
    pub(crate) async fn problems(
        &self,
        name: &str,
        attached: &Attached,
        server: &Server,
    ) -> Result<Vec<Problem>, QueryError> {
        let mut problems = Vec::new();
        let mut problem = |what, hint| {
            let hint = Some(hint);
            problems.push(Problem { what, hint });
        };
        let aside = self.aside;
        if client::database_exists(&server.admin, aside).await? {
            problem(
                format!("database {aside:?}, as the old one would be called, exists already"),
                "run it again: the name has the time in it".to_owned(),
            );
        }
        let subscriptions = attached.subscriptions.iter();
        for subscription in subscriptions.filter(|subscription| subscription.is_enabled) {
            problem(
                format!(
                    "subscription {:?} of database {name:?} is enabled: it would go on in the \
                     old one, and take from the publisher what the new one lacks",
                    subscription.name
                ),
                format!(
                    "in {name:?}: ALTER SUBSCRIPTION {} DISABLE",
                    identifier(&subscription.name)
                ),
            );
        }
        for gid in &attached.prepared {
            let gid = literal(gid);
            problem(
                format!("database {name:?} has a prepared transaction, {gid}, and keeps its name"),
                format!("in {name:?}: COMMIT PREPARED {gid} or ROLLBACK PREPARED {gid}"),
            );
        }
        Ok(problems)
    }

    /// What stays with the old one, or goes with it.
    pub(crate) fn notes(&self, attached: &Attached) -> Vec<String> {
        let subscriptions = attached.subscriptions.iter().map(|subscription| {
            let name = &subscription.name;
            match self.drops {
                true => format!(
                    "subscription {name:?} is dropped with the old database; its slot stays at \
                     the publisher"
                ),
                false => format!(
                    "subscription {name:?} stays with the old database, disabled: enable it in \
                     one of the two alone, since they have one slot at the publisher"
                ),
            }
        });
        let slots = attached.slots.iter().map(|name| {
            let end = match self.drops {
                true => "is dropped with",
                false => "stays with",
            };
            format!(
                "logical replication slot {name:?} {end} the old database: who reads it gets \
                 nothing of the new one"
            )
        });
        subscriptions.chain(slots).collect()
    }
}

impl PreparedRestore<'_> {
    /// The statements that drop the old database, once it is set aside.
    #[must_use]
    pub fn way_to_drop(&self, aside: &str) -> String {
        self.preflight.attached.way_to_drop(aside)
    }

    /// The old database's subscriptions and slots, in words; none where it has none.
    #[must_use]
    pub fn attached(&self) -> Option<String> {
        let Attached {
            subscriptions,
            slots,
            ..
        } = &self.preflight.attached;
        let subscriptions = subscriptions.iter();
        let subscriptions = subscriptions.map(|s| format!("subscription {:?}", s.name));
        let slots = slots.iter().map(|name| format!("slot {name:?}"));
        let words: Vec<String> = subscriptions.chain(slots).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// Gives what was filled and compared its name. Where that cannot be it stays.
    pub(crate) async fn give_name(&self, draft: &str) -> Result<(), RestoreError> {
        let name = self.restore.name;
        let admin = &self.server.admin;
        let create = |source| RestoreError::Create { source };
        let named = async {
            client::finish(admin, draft, &self.expected.properties)
                .await
                .map_err(create)?;
            let helper = connect_beside(admin.parameters(), name).await;
            let helper = helper.map_err(|source| RestoreError::Connect {
                database: name.to_owned(),
                source,
            })?;
            match self.restore.replace.filter(|_| self.preflight.replaces) {
                Some(replace) => self.swap(&helper, draft, &replace).await,
                None => client::rename_database(admin, &helper, draft, name)
                    .await
                    .map_err(create),
            }
        };
        let Err(source) = named.await else {
            return Ok(());
        };
        let rename = |from, to| {
            let [from, to] = [from, to].map(identifier);
            format!("ALTER DATABASE {from} RENAME TO {to};")
        };
        let aside = self.replaced().map(|aside| rename(name, aside) + " ");
        let read = Attached::read(admin, draft).await;
        Err(RestoreError::Unnamed {
            database: name.to_owned(),
            draft: draft.to_owned(),
            ways: format!(
                "by hand: {}{} or where it is not wanted: {}",
                aside.unwrap_or_default(),
                rename(draft, name),
                read.unwrap_or_default().way_to_drop(draft)
            ),
            source: Box::new(source),
        })
    }

    /// What the database that is there will be called; none where there is none.
    #[must_use]
    pub fn replaced(&self) -> Option<&str> {
        let replace = self.restore.replace.as_ref();
        replace
            .filter(|_| self.preflight.replaces)
            .map(|replace| replace.aside)
    }

    /// Sets the old database aside and gives the new one its name, both or none.
    async fn swap(
        &self,
        helper: &Connection,
        draft: &str,
        replace: &Replace<'_>,
    ) -> Result<(), RestoreError> {
        let name = self.restore.name;
        let database = || name.to_owned();
        let admin = &self.server.admin;
        let look = |source| RestoreError::Look {
            database: database(),
            source,
        };
        // Filling takes its time, and others may have gone on.
        let attached = Attached::read(admin, name).await.map_err(look)?;
        let problems = replace.problems(name, &attached, &self.server).await;
        let problems = problems.map_err(look)?;
        if !problems.is_empty() {
            let database = database();
            return Err(RestoreError::Unmet { database, problems });
        }
        let swapped = client::swap_databases(admin, helper, name, replace.aside, draft).await;
        swapped.map_err(|source| RestoreError::Swap {
            database: database(),
            source,
        })
    }

    /// Drops the database that was set aside.
    ///
    /// # Errors
    /// Where the server refuses; it stays then.
    pub async fn drop_replaced(&self) -> Result<(), RestoreError> {
        let Some(database) = self.replaced() else {
            return Ok(());
        };
        let dropped = self.server.drop(&self.server.admin, database).await;
        dropped.map_err(|(source, attached)| RestoreError::DropReplaced {
            database: database.to_owned(),
            way: attached.way_to_drop(database),
            source,
        })
    }
}
