//! Records that count by being there, where one is there already.
//!
//! Invariant: what may count for somebody is never replaced.

use pgkeep_format::names::Place;
use pgkeep_format::{FormatError, Identities};
use pgkeep_types::ObjectName;

use crate::{Repository, RepositoryError};

impl Repository {
    /// Whether the record that is there counts; what does not, and never will, may be
    /// replaced: nobody goes by it.
    ///
    /// # Errors
    /// Where that cannot be told: a newer pgkeep may have written it.
    pub(crate) async fn counts(
        &self,
        name: &ObjectName,
        place: &Place,
    ) -> Result<bool, RepositoryError> {
        let none = Identities::default();
        match self.cluster_record(name, place, None, &none).await {
            Ok(_) => Ok(true),
            Err(
                RepositoryError::NotBelieved { .. }
                | RepositoryError::Object {
                    source: FormatError::Damaged { .. } | FormatError::UnknownWriter { .. },
                    ..
                },
            ) => Ok(false),
            // Somebody has just removed it.
            Err(RepositoryError::Storage(error)) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}
