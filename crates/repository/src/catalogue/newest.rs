//! The newest backup of a database.
//!
//! Invariant: where it cannot be told which one that is, none is given.

use jiff::Timestamp;
use pgkeep_format::records::BackupRecord;
use pgkeep_types::BackupId;

use super::{Catalogue, Misdated, Unreadable, is_ahead};

/// Why it cannot be told which backup is the newest.
#[derive(Clone, Copy, Debug)]
pub enum Unclear<'a> {
    /// One may be it that cannot be read.
    Unreadable(&'a BackupId, &'a Unreadable),
    /// The newest by its date is of a time that has not come: by a clock that ran ahead one
    /// backup would be the newest for good.
    Ahead(&'a BackupRecord),
    /// The newest of those that say that they are old enough was made after one that is not.
    DatedBack(Misdated<'a>),
    /// Another one was made after the newest by its date.
    Misdated(Misdated<'a>),
}

impl Catalogue {
    /// The newest backup of a database, or of those that were finished `before`; none where
    /// there is none.
    ///
    /// # Errors
    /// Where that cannot be told.
    pub fn newest(
        &self,
        database: &str,
        before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<&BackupRecord>, Unclear<'_>> {
        let found = self.complete().rfind(|backup| {
            backup.database == database && before.is_none_or(|before| backup.finished < before)
        });
        // Ids tell the second only: one of the same second may be newer. Of one that is hurt
        // its record tells more.
        let may_be_newer = |id: &BackupId| {
            let begun = self
                .hurt()
                .find(|hurt| hurt.id == *id)
                .map(|hurt| hurt.started);
            let is_newer = |found: &BackupRecord| match begun {
                Some(begun) => begun >= found.started,
                None => id.time() >= found.id.time(),
            };
            found.is_none_or(is_newer)
                && before.is_none_or(|before| begun.unwrap_or_else(|| id.time()) < before)
        };
        for unreadable in self.unreadable() {
            let may_be_of_it = unreadable
                .database
                .as_deref()
                .is_none_or(|of| of == database);
            if let Some(id) = unreadable.id.as_ref().filter(|id| may_be_newer(id))
                && may_be_of_it
            {
                return Err(Unclear::Unreadable(id, unreadable));
            }
        }
        let Some(found) = found else { return Ok(None) };
        if is_ahead(found.started, now) {
            return Err(Unclear::Ahead(found));
        }
        if let Some(misdated) = before.and_then(|_| self.was_dated_back(found)) {
            return Err(Unclear::DatedBack(misdated));
        }
        match self.made_after(found) {
            Some(misdated) => Err(Unclear::Misdated(misdated)),
            None => Ok(Some(found)),
        }
    }

    /// The backups of a database that may be the newest one, of those that can be read: one
    /// where that is clear.
    #[must_use]
    pub fn candidates(&self, database: &str, now: Timestamp) -> Vec<&BackupRecord> {
        let mut of_database = self.complete().filter(|b| b.database == database).rev();
        let Some(newest) = of_database.next() else {
            return Vec::new();
        };
        // One that is dated ahead may be older than the newest of a time that has come.
        let come = match is_ahead(newest.started, now) {
            true => of_database.find(|b| !is_ahead(b.started, now)),
            false => None,
        };
        let dated = [Some(newest), come].into_iter().flatten();
        let later = |backup| self.made_after(backup).map(|misdated| misdated.later);
        let mut found: Vec<&BackupRecord> = Vec::new();
        for backup in dated
            .flat_map(|backup| [Some(backup), later(backup)])
            .flatten()
        {
            if !found.iter().any(|known| known.id == backup.id) {
                found.push(backup);
            }
        }
        found
    }
}
