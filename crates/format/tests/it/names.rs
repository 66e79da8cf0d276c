//! Names of objects: a foreign one stands for nothing, and none panics.

use pgkeep_format::names::{self, Place};
use pgkeep_testkit::SeededRandom;
use pgkeep_types::ObjectName;

use crate::examples;
use crate::mutation::mutated;

/// What a name stands for is put together to the very same name.
pub(crate) fn changed(random: &SeededRandom) {
    let name = examples::name_of_any_object(random);
    let other = examples::name_of_any_object(random);
    let text = mutated(random, name.as_str().as_bytes(), other.as_str().as_bytes());
    let Ok(name) = String::from_utf8_lossy(&text).parse::<ObjectName>() else {
        return;
    };
    let again = match names::place(&name) {
        Some(Place::Run(cluster, run, record)) => names::run(&cluster, &run, record),
        Some(Place::Backup(cluster, backup, part)) => names::backup(&cluster, &backup, part),
        Some(Place::Pack(cluster, backup, number)) => names::pack(&cluster, &backup, number),
        Some(Place::Index(cluster, backup, number)) => names::index(&cluster, &backup, number),
        Some(Place::Alive(cluster, run, number)) => names::alive(&cluster, &run, number),
        Some(Place::Tombstone(cluster, backup)) => names::tombstone(&cluster, &backup),
        Some(Place::SecondTombstone(cluster, backup)) => names::second_tombstone(&cluster, &backup),
        Some(Place::Proof(cluster, backup, id)) => names::proof(&cluster, &backup, &id),
        Some(Place::Verification(cluster, id)) => names::verification(&cluster, &id),
        Some(Place::Pin(cluster, backup, pin)) => names::pin(&cluster, &backup, &pin),
        Some(Place::Lift(cluster, backup, pin)) => names::lift(&cluster, &backup, &pin),
        None => return,
    };
    assert_eq!(again.unwrap(), name);
}
