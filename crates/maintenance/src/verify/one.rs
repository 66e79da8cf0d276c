//! Reading back one object of which something else has shown that it may be hurt.
//!
//! Invariant: it belongs to the newest round, and neither begins one nor ends one that goes on.

use pgkeep_repository::RepositoryError;
use pgkeep_types::ObjectName;

use super::notes::Notes;
use super::{Verified, Verify, by_hash, sum};

impl Verify<'_> {
    /// Reads one object back, and writes down what it is; nothing where no backup needs it.
    ///
    /// # Errors
    /// Never in practice: ids are plain names.
    pub async fn one(&self, object: &ObjectName) -> Result<Verified, RepositoryError> {
        let needed = self.catalogue.needed()?;
        let mut verdict = Verified {
            all: sum(&needed),
            ..Verified::default()
        };
        let by_hash = by_hash(&needed);
        let said = self.catalogue.read_back();
        let mut notes = Notes::new(said.newest_round().max(1));
        for needed in needed.into_iter().filter(|needed| needed.name == *object) {
            let (needed, condition) = self.read(needed).await;
            self.take(needed, condition, &by_hash, &mut notes, &mut verdict)
                .await;
        }
        let is_open = said.unended_round().is_some();
        notes.write(self, Some(!is_open)).await;
        verdict.not_written = notes.failed;
        Ok(verdict)
    }
}
