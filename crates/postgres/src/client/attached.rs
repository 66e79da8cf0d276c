//! What holds on to a database and ends with no session.
//!
//! Invariant: looking needs no more than the right to connect.

use super::connection::Connection;
use super::query_error::QueryError;
use super::quote::{identifier, literal};

/// What holds on to a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// Subscriptions in it.
    pub subscriptions: Vec<Subscription>,
    /// Logical replication slots of it.
    pub slots: Vec<String>,
    /// Prepared transactions in it.
    pub prepared: Vec<String>,
    /// Whether it is a template, which cannot be dropped.
    pub is_template: bool,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// Whether it is applied.
    pub is_enabled: bool,
}

impl Attached {
    /// Looks, from another database.
    ///
    /// # Errors
    /// Where the server refuses or is gone.
    pub async fn read(admin: &Connection, database: &str) -> Result<Self, QueryError> {
        let subscriptions = "SELECT s.subname::text AS name, s.subenabled AS is_enabled \
             FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
             WHERE d.datname::text = $1 ORDER BY 1";
        let rows = admin.query(subscriptions, &[&database]).await?;
        let subscriptions: Result<_, QueryError> = rows
            .iter()
            .map(|row| {
                Ok(Subscription {
                    name: admin.column(row, "name")?,
                    is_enabled: admin.column(row, "is_enabled")?,
                })
            })
            .collect();
        let names = async |sql| {
            let rows = admin.query(sql, &[&database]).await?;
            let names: Result<Vec<String>, _> =
                rows.iter().map(|row| admin.column(row, "name")).collect();
            names
        };
        let slots = "SELECT slot_name::text AS name FROM pg_catalog.pg_replication_slots \
             WHERE database::text = $1 ORDER BY 1";
        let prepared = "SELECT gid AS name FROM pg_catalog.pg_prepared_xacts \
             WHERE database::text = $1 ORDER BY 1";
        let template = "SELECT datname::text AS name FROM pg_catalog.pg_database \
             WHERE datname::text = $1 AND datistemplate";
        Ok(Self {
            subscriptions: subscriptions?,
            slots: names(slots).await?,
            prepared: names(prepared).await?,
            is_template: !names(template).await?.is_empty(),
        })
    }

    /// The statements that drop the database with all that holds on to it.
    #[must_use]
    pub fn way_to_drop(&self, database: &str) -> String {
        let database = identifier(database);
        let mut way = String::new();
        for gid in &self.prepared {
            way += &format!("ROLLBACK PREPARED {} in it; ", literal(gid));
        }
        for Subscription { name, .. } in &self.subscriptions {
            way += &format!("{} in it; ", drop_subscription(name).join("; "));
        }
        if self.is_template {
            way += &format!("ALTER DATABASE {database} IS_TEMPLATE false; ");
        }
        format!("{way}DROP DATABASE {database};")
    }
}

/// The statements that drop a subscription and leave its slot where it is.
fn drop_subscription(name: &str) -> [String; 3] {
    let name = identifier(name);
    [
        format!("ALTER SUBSCRIPTION {name} DISABLE"),
        format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"),
        format!("DROP SUBSCRIPTION {name}"),
    ]
}

/// Drops the subscriptions of the session's database, and leaves their slots where they
/// are: another database may have the same ones.
///
/// # Errors
/// Where the server refuses.
pub async fn drop_subscriptions(session: &Connection) -> Result<(), QueryError> {
    let database = session.parameters().database();
    let attached = Attached::read(session, database).await?;
    for Subscription { name, .. } in &attached.subscriptions {
        for statement in drop_subscription(name) {
            session.batch(&statement).await?;
        }
    }
    Ok(())
}
