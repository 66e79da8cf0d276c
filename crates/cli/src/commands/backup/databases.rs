//! Which databases a backup is of.
//!
//! Invariant: all of a server's but templates, new ones too, unless some are chosen;
//! one that is named has to be there; one that is left out though nobody asked for
//! that is told.

use pgkeep_capture::CaptureError;
use pgkeep_config::Databases;
use pgkeep_postgres::client::{ConnectionParameters, connect, databases};

use crate::context::Context;

/// Databases of hosted PostgreSQL that belong to the provider, and that nobody else
/// gets into: Amazon RDS, Google Cloud SQL, Azure.
const PROVIDERS_OWN: [&str; 4] = [
    "azure_maintenance",
    "azure_sys",
    "cloudsqladmin",
    "rdsadmin",
];

/// The databases of the connection's server that the configuration chooses: all, where
/// it chooses none.
///
/// # Errors
/// Where the server cannot be asked; then no backup can be made.
pub(super) async fn chosen(
    context: &Context,
    chosen: &Databases,
    connection: &ConnectionParameters,
) -> Result<Vec<String>, CaptureError> {
    let named = || connection.database().to_owned();
    let session = connect(connection)
        .await
        .map_err(|source| CaptureError::Connect {
            database: named(),
            source,
        })?;
    let listed = databases(&session)
        .await
        .map_err(|source| CaptureError::Facts {
            database: named(),
            source,
        })?;
    let mut all = Vec::with_capacity(listed.len());
    let listed = listed.into_iter();
    for database in listed.filter(|database| chosen.has(&database.name)) {
        if !database.allows_connections {
            context.output.warning(format_args!(
                "database {:?} takes no connections and is not backed up",
                database.name
            ));
        } else if !PROVIDERS_OWN.contains(&database.name.as_str()) {
            all.push(database.name);
        }
    }
    let missing = chosen
        .named()
        .filter(|name| !all.iter().any(|known| known == name));
    let missing: Vec<String> = missing.map(str::to_owned).collect();
    all.extend(missing);
    Ok(all)
}
