//! What a dump waits for before it begins.
//!
//! Invariant: it only looks; where it cannot, the dump goes on and nothing is told.

use std::convert::Infallible;
use std::time::Duration;

use pgkeep_postgres::client::{Connection, awaited_table};

use crate::{Phase, Progress};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);

/// Tells which table `pg_dump` waits for, beside which `connection` is open, until it is
/// dropped: once the first bytes come there are no more locks to wait for.
pub(crate) async fn tell(progress: &Progress, connection: &Connection) -> Infallible {
    loop {
        tokio::time::sleep(EVERY).await;
        match awaited_table(connection).await {
            Ok(Some((schema, table))) => progress.enter(Phase::WaitingFor { schema, table }),
            Ok(None) => progress.enter(Phase::Schema),
            Err(_) => return std::future::pending().await,
        }
    }
}
