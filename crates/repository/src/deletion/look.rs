//! Looking: the listings and the records of which a pruner decides.
//!
//! Invariants: what is decided upon was seen in one look, in the order that FORMAT.md
//! gives; what cannot be told is looked at again as long as that may help.

use pgkeep_format::Identities;
use pgkeep_format::names::{self, RunRecord};
use pgkeep_storage::{list_all, list_unfinished};
use pgkeep_types::ClusterName;

use super::refused::PlanError;
use super::seen::{Listing, Records, Seen};
use crate::cluster_records::ClusterRecord;
use crate::{Repository, RepositoryError};

/// How often it is looked again where something changed meanwhile.
pub(super) const LOOKS: usize = 8;

impl Repository {
    /// Looks again and again until what was seen can be decided upon; `deleted` objects
    /// have gone before.
    pub(super) async fn look_until<T>(
        &self,
        cluster: &ClusterName,
        deleted: usize,
        decide: impl Fn(&Seen) -> Result<T, PlanError>,
    ) -> Result<T, RepositoryError> {
        let mut looks = 0;
        let mut before = None;
        loop {
            looks += 1;
            let again = match self.look(cluster).await?.and_then(|seen| decide(&seen)) {
                Ok(decided) => return Ok(decided),
                Err(error) => error,
            };
            if !again.may_pass(before.as_ref()) || looks >= LOOKS {
                return Err(RepositoryError::NotDeleted {
                    location: self.location(),
                    deleted,
                    source: again,
                });
            }
            before = Some(again);
        }
    }

    /// Makes the listings, and reads what they name; the inner error where a record
    /// went away meanwhile.
    async fn look(
        &self,
        cluster: &ClusterName,
    ) -> Result<Result<Seen, PlanError>, RepositoryError> {
        let storage = self.storage.as_ref();
        let mut listing = Listing {
            runs: list_all(storage, &names::runs(cluster)).await?,
            tombstones: list_all(storage, &names::tombstones(cluster)).await?,
            proofs: list_all(storage, &names::proofs(cluster)).await?,
            pins: list_all(storage, &names::pins(cluster)).await?,
            backups: list_all(storage, &names::backups(cluster)).await?,
            verifications: list_all(storage, &names::verifications(cluster)).await?,
            ..Listing::default()
        };
        self.look_beside(&mut listing).await?;
        match list_unfinished(storage, &format!("{cluster}/")).await {
            Ok(unfinished) => listing.unfinished = unfinished,
            Err(error) if error.is_transient() => return Err(error.into()),
            // Not every server can tell, and not everybody may ask.
            Err(error) => listing.unfinished_unknown = Some(error.to_string()),
        }
        listing.runs_again = list_all(storage, &names::runs(cluster)).await?;
        let read = self
            .cluster_records(listing.records(), &Identities::default())
            .await?;
        let mut records = Records {
            keys_over: self.keys.over(&listing.beside),
            ..Records::default()
        };
        for (object, place, record) in read {
            use names::Place as P;
            let problem = match record {
                Ok(ClusterRecord::Begin(begin)) => {
                    records.begins.insert(begin.run.clone(), Ok(begin));
                    continue;
                }
                Ok(ClusterRecord::Outcome(outcome, _)) => {
                    records.outcomes.insert(outcome.run.clone(), outcome);
                    continue;
                }
                Ok(ClusterRecord::Backup(record, ..)) => {
                    records.backups.insert(record.id.clone(), Ok(*record));
                    continue;
                }
                Ok(ClusterRecord::Proof(_)) => continue,
                Ok(ClusterRecord::Tombstone(tombstone)) => {
                    records.tombstones.insert(tombstone.backup, true);
                    continue;
                }
                Ok(ClusterRecord::Verification(verification)) => {
                    let id = verification.id.clone();
                    records.verifications.insert(id, Ok(*verification));
                    continue;
                }
                Ok(ClusterRecord::Pin(pin)) => {
                    records.pins.insert((pin.backup, pin.id), pin.until);
                    continue;
                }
                Ok(ClusterRecord::Lift(lift)) => {
                    records.lifts.insert((lift.backup, lift.pin));
                    continue;
                }
                Err(RepositoryError::Storage(error)) if error.is_not_found() => {
                    return Ok(Err(PlanError::Gone { object }));
                }
                Err(error) if error.is_about_nothing() => {
                    if let P::Run(_, run, RunRecord::Begin) = &place {
                        let begin = self.disowned_begin(&object, cluster, run).await?;
                        let planned = begin.into_iter().flat_map(|begin| begin.backups);
                        records.disowned.extend(planned.map(|planned| planned.id));
                    }
                    records.nothing.insert(object);
                    continue;
                }
                Err(error @ (RepositoryError::Storage(_) | RepositoryError::GivenUp)) => {
                    return Err(error);
                }
                Err(error) => {
                    if let P::Run(_, run, RunRecord::Begin) = &place
                        && error.is_of_damage()
                    {
                        records.damaged.insert(run.clone());
                    }
                    error.to_string()
                }
            };
            match place {
                P::Run(_, run, RunRecord::Begin) => {
                    records.begins.insert(run, Err(problem));
                }
                P::Backup(_, id, _) => {
                    records.backups.insert(id, Err(problem));
                }
                P::Tombstone(_, id) | P::SecondTombstone(_, id) => {
                    // One of the two is enough.
                    records.tombstones.entry(id).or_insert(false);
                }
                P::Verification(_, id) => {
                    records.verifications.insert(id, Err(problem));
                }
                P::Pin(_, id, pin) => {
                    records.pins.insert((id, pin), None);
                }
                P::Run(..)
                | P::Alive(..)
                | P::Pack(..)
                | P::Index(..)
                | P::Lift(..)
                | P::Proof(..) => {}
            }
        }
        Ok(Ok(Seen {
            cluster: cluster.clone(),
            listing,
            records,
        }))
    }

    /// Lists what is in no cluster's folder.
    async fn look_beside(&self, listing: &mut Listing) -> Result<(), RepositoryError> {
        let storage = self.storage.as_ref();
        for prefix in [names::KEYS, names::PROBES] {
            listing.beside.extend(list_all(storage, prefix).await?);
            match list_unfinished(storage, prefix).await {
                Ok(unfinished) => listing.unfinished_beside.extend(unfinished),
                Err(error) if error.is_transient() => return Err(error.into()),
                // It is told of the cluster's folder.
                Err(_) => {}
            }
        }
        Ok(())
    }
}
