//! Which databases a backup is of.
//!
//! Invariants: all of a server's but `template0` and `template1`, new ones too, unless
//! some are chosen; one that cannot be dumped is a failure, not left out; one that is
//! named has to be there.

use pgkeep_capture::CaptureError;
use pgkeep_config::Databases;
use pgkeep_postgres::client::{ConnectionParameters, connect, databases};

use crate::context::Context;

/// Databases of hosted PostgreSQL that belong to the provider, with the role that owns
/// them; nobody else gets into them: Azure, Google Cloud SQL, Amazon RDS.
const PROVIDERS_OWN: [(&str, &str); 4] = [
    ("azure_maintenance", "azuresu"),
    ("azure_sys", "azuresu"),
    ("cloudsqladmin", "cloudsqladmin"),
    ("rdsadmin", "rdsadmin"),
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
    for database in listed.into_iter().filter(|d| chosen.has(&d.name)) {
        let known = (database.name.as_str(), database.owner.as_str());
        if PROVIDERS_OWN.contains(&known) {
            let name = &database.name;
            context.output.say(format_args!(
                "database {name:?} is the provider's own and is left out"
            ));
        } else {
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
