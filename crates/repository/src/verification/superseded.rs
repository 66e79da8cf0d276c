//! Which records of verifications say nothing any more.
//!
//! Invariants: that an object is whole stays said as long as anything needs it, by the
//! record with the greatest id that says it; a finding stays until a record that is there
//! says that it is mended, or its object is gone and nothing needs it; what says that, until
//! no record has the finding. Each rule is about what else is there, and what takes a record's place has
//! a greater id: so pruners may decide at the same time, and stand still for as long as they
//! like.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::Hash;
use pgkeep_format::records::{Finding, FindingId, Verification};
use pgkeep_types::{ObjectName, ObjectNameError, Timestamp, VerificationId};

use super::said::{Stored, findings, whole_objects};

/// What backups want of the storage.
pub(crate) struct Wanted<'a> {
    /// Every object that one needs which stays.
    pub(crate) needed: &'a BTreeSet<ObjectName>,
    /// When an object that was listed came to be, by the storage's clock.
    pub(crate) came: &'a dyn Fn(&ObjectName) -> Option<Timestamp>,
    /// When a record came to be, by the same.
    pub(crate) stored: &'a dyn Fn(&VerificationId) -> Option<Timestamp>,
}

/// The records that may go.
pub(crate) fn superseded(
    records: &BTreeMap<VerificationId, Result<Verification, String>>,
    wanted: &Wanted<'_>,
) -> Result<BTreeSet<VerificationId>, ObjectNameError> {
    let readable = || records.values().flatten();
    let mended: BTreeSet<&FindingId> = readable().flat_map(|record| &record.mended).collect();
    let mut last: BTreeMap<(ObjectName, Hash), &VerificationId> = BTreeMap::new();
    // They come by their ids.
    for record in readable() {
        for object in whole_objects(record)? {
            last.insert(object, &record.id);
        }
    }
    let newest = records.keys().next_back();
    let mut over = BTreeSet::new();
    for (id, record) in records.iter().filter(|(id, _)| Some(*id) != newest) {
        let goes = match record {
            Ok(record) => {
                let is_said = |object: &(ObjectName, Hash)| {
                    !wanted.needed.contains(&object.0) || last.get(object) != Some(&id)
                };
                let is_over = |(id, finding): (FindingId, &Finding)| {
                    let is_wanted = wanted.needed.contains(&finding.object)
                        || (wanted.came)(&finding.object).is_some();
                    mended.contains(&id) || !is_wanted
                };
                whole_objects(record)?.iter().all(is_said)
                    && findings(record).all(is_over)
                    && record
                        .mended
                        .iter()
                        .all(|of| !records.contains_key(&of.verification))
            }
            // Whatever it has said of anything has been looked at again.
            Err(_) => is_told_anew(id, records, wanted)?,
        };
        if goes {
            over.insert(id.clone());
        }
    }
    Ok(over)
}

/// Whether all that is needed, and was there when a record came to be that cannot be read,
/// was read again since.
fn is_told_anew(
    id: &VerificationId,
    records: &BTreeMap<VerificationId, Result<Verification, String>>,
    wanted: &Wanted<'_>,
) -> Result<bool, ObjectNameError> {
    let Some(stored) = (wanted.stored)(id) else {
        return Ok(false);
    };
    let id = id.clone();
    let unread = Stored { id, stored };
    let mut told = BTreeSet::new();
    for record in records.values().flatten() {
        let stored = (wanted.stored)(&record.id);
        if stored.is_some_and(|stored| unread.is_before(&record.id, stored)) {
            let whole = whole_objects(record)?.into_iter();
            told.extend(whole.map(|(object, _)| object));
            told.extend(record.findings.iter().map(|finding| finding.object.clone()));
        }
    }
    let is_younger =
        |object| (wanted.came)(object).is_some_and(|came: Timestamp| came > unread.stored);
    let mut needed = wanted.needed.iter();
    Ok(needed.all(|object| is_younger(object) || told.contains(object)))
}

#[cfg(test)]
mod tests {
    use pgkeep_format::records::{Problem, WholeObjects, WholePack};
    use pgkeep_testkit::SeededRandom;

    use super::super::ReadBack;
    use super::*;

    const PACKS: u32 = 4;

    fn pack(number: u32) -> ObjectName {
        let name = format!("main/backups/20261120T030000Z-00000000/packs/{number}");
        name.parse().unwrap()
    }

    fn hash(number: u32) -> Hash {
        Hash::of(&number.to_le_bytes())
    }

    fn record(random: &SeededRandom, round: u64) -> Verification {
        // Clocks of hosts may be anywhere.
        let second = random.below(60);
        let id = format!("20261120T0300{second:02}Z-{round:08}");
        Verification {
            id: id.parse().unwrap(),
            cluster: "main".parse().unwrap(),
            written: "2026-11-20T03:00:00Z".parse().unwrap(),
            host: "db1".to_owned(),
            pgkeep: "0.0.0".to_owned(),
            round,
            ended: true,
            whole: Vec::new(),
            findings: Vec::new(),
            mended: Vec::new(),
        }
    }

    type Records = BTreeMap<VerificationId, Result<Verification, String>>;

    /// What is said of what is needed: findings that stand, and what was read.
    fn said(records: &Records, needed: &BTreeSet<ObjectName>) -> (Vec<FindingId>, Vec<u32>) {
        let readable = records.values().flatten();
        let at = "2001-01-01T00:00:00Z".parse().unwrap();
        let said = ReadBack::of(readable.map(|record| (record, at)), Vec::new()).unwrap();
        let open = said
            .open()
            .filter(|(_, open)| needed.contains(&open.finding.object));
        let open = open.map(|(id, _)| id.clone()).collect();
        let is_read =
            |n: &u32| needed.contains(&pack(*n)) && said.whole(&pack(*n), hash(*n)).is_some();
        (open, (0..PACKS).filter(is_read).collect())
    }

    fn wanted<T>(needed: &BTreeSet<ObjectName>, then: impl FnOnce(&Wanted<'_>) -> T) -> T {
        let at = "2026-11-20T03:00:00Z".parse().unwrap();
        then(&Wanted {
            needed,
            came: &|_| None,
            stored: &|_| Some(at),
        })
    }

    #[test]
    fn what_is_said_of_what_is_needed_outlives_pruners_that_stand_still() {
        for seed in 0..400 {
            let random = SeededRandom::new(seed);
            let mut records = Records::new();
            let mut needed: BTreeSet<ObjectName> = (0..PACKS).map(pack).collect();
            // What pruners have decided upon and not done.
            let mut decided: Vec<VerificationId> = Vec::new();
            for round in 1..60 {
                match random.below(4) {
                    0 => {
                        let over = wanted(&needed, |wanted| superseded(&records, wanted)).unwrap();
                        decided.extend(over);
                    }
                    1 if !decided.is_empty() => {
                        let at = usize::try_from(random.below(decided.len() as u64)).unwrap();
                        let before = said(&records, &needed);
                        records.remove(&decided.swap_remove(at));
                        assert_eq!(
                            said(&records, &needed),
                            before,
                            "seed {seed}, round {round}"
                        );
                    }
                    2 if random.below(20) == 0 => {
                        needed.remove(&pack(u32::try_from(random.below(4)).unwrap()));
                    }
                    _ => {
                        let (open, _) = said(&records, &needed);
                        let mut new = record(&random, round);
                        let mut packs = Vec::new();
                        for number in (0..PACKS).filter(|_| random.below(2) == 0) {
                            if random.below(5) == 0 {
                                new.findings.push(Finding {
                                    object: pack(number),
                                    blake3: hash(number),
                                    length: 1,
                                    problem: Problem::Missing,
                                    found: None,
                                });
                            } else {
                                let blake3 = hash(number);
                                packs.push(WholePack { number, blake3 });
                            }
                        }
                        new.whole.push(WholeObjects {
                            backup: "20261120T030000Z-00000000".parse().unwrap(),
                            manifest: None,
                            facts: None,
                            packs,
                            index: Vec::new(),
                        });
                        let mended = open.into_iter().filter(|_| random.below(3) == 0);
                        new.mended.extend(mended);
                        records.insert(new.id.clone(), Ok(new));
                    }
                }
            }
        }
    }

    #[test]
    fn after_everything_was_read_again_little_is_left() {
        let random = SeededRandom::new(1);
        let needed: BTreeSet<ObjectName> = (0..PACKS).map(pack).collect();
        let mut records = Records::new();
        let mut known = Vec::new();
        for round in 1..10 {
            let mut new = record(&random, round);
            new.id = format!("20261120T03000{round}Z-00000000").parse().unwrap();
            new.whole.push(WholeObjects {
                backup: "20261120T030000Z-00000000".parse().unwrap(),
                manifest: None,
                facts: None,
                packs: (0..PACKS)
                    .map(|number| WholePack {
                        number,
                        blake3: hash(number),
                    })
                    .collect(),
                index: Vec::new(),
            });
            new.mended = std::mem::take(&mut known);
            if round == 2 {
                new.findings.push(Finding {
                    object: pack(0),
                    blake3: hash(0),
                    length: 1,
                    problem: Problem::Altered,
                    found: Some(1),
                });
                known = findings(&new).map(|(id, _)| id).collect();
            }
            records.insert(new.id.clone(), Ok(new));
            if round == 2 {
                let damaged = "20261120T030001Z-zzzzzzzz".parse().unwrap();
                records.insert(damaged, Err("damaged".to_owned()));
            }
        }
        for left in [2, 1] {
            for over in wanted(&needed, |wanted| superseded(&records, wanted)).unwrap() {
                records.remove(&over);
            }
            assert_eq!(records.len(), left);
        }
    }
}
