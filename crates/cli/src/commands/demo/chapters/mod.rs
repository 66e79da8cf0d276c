//! The chapters of the story: the calm days, the disaster with its end, and the proof.
//!
//! Invariant: each chapter does what it tells, and goes on only when what it
//! has told was true.

mod calm;
mod disaster;
mod proof;

pub(super) use calm::Listed;
pub(super) use disaster::Return;

use super::cluster::Cluster;
use super::error::DemoError;
use super::fingerprint::Fingerprint;
use super::sample::{LIBRARY, SHOP};
use super::teller::Teller;
use super::typed::Typist;

/// The folder that stands in for what is kept offline.
const RECOVERY_KEY: &str = "usb-stick/recovery.key";

/// Who plays.
pub(super) struct Scene<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) typist: Typist<'a>,
    pub(super) teller: &'a Teller,
    /// The server's version, such as `16.4`.
    pub(super) postgres: &'a str,
}

/// What the two databases hold.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    pub(super) shop: Fingerprint,
    pub(super) library: Fingerprint,
}

impl Scene<'_> {
    async fn contents(&self) -> Result<Contents, DemoError> {
        let (shop, library) = tokio::try_join!(
            self.contents_of(SHOP.database),
            self.contents_of(LIBRARY.database)
        )?;
        Ok(Contents { shop, library })
    }

    async fn contents_of(&self, database: &str) -> Result<Fingerprint, DemoError> {
        let session = self.cluster.connect(database).await?;
        Ok(Fingerprint::take(&session).await?)
    }
}
