//! Valid things of every kind, drawn at random from a seed.

use std::str::FromStr;

use pgkeep_format::names::{self, BackupPart, RunRecord};
use pgkeep_format::{
    Extent, FileEntry, FrameEntry, Hash, Identities, Manifest, PackRef, RecoveryIdentity, Seal,
};
use pgkeep_testkit::{ScriptedClock, SeededRandom};
use pgkeep_types::{BackupId, ClusterName, ObjectName, RunId, Timestamp};

use crate::mutation::{below, noise, one_of};

/// One that is known, so that the same seed meets the same key.
const IDENTITY: &str = "AGE-SECRET-KEY-1PT3W7U0WAQQDA4TWRNPHLNT3V0WJ6P99Q4HGUZEY6Q32VTU5K4CSDTPQCJ";

/// A recovery key.
pub(crate) fn identity() -> RecoveryIdentity {
    RecoveryIdentity::from_str(IDENTITY).unwrap()
}

/// How a repository seals, and how it opens what is sealed.
pub(crate) fn seal(random: &SeededRandom) -> (Seal, Option<Identities>) {
    if random.below(2) == 0 {
        return (Seal::Open, None);
    }
    let identity = identity();
    let seal = Seal::To(vec![identity.recipient()]);
    (seal, Some(Identities::new(vec![identity])))
}

pub(crate) fn time(random: &SeededRandom) -> Timestamp {
    let second = 1_700_000_000 + i64::try_from(random.below(1 << 30)).unwrap();
    Timestamp::from_second(second).unwrap()
}

fn clock(random: &SeededRandom) -> ScriptedClock {
    ScriptedClock::at(&time(random).to_string())
}

pub(crate) fn backup_id(random: &SeededRandom) -> BackupId {
    BackupId::new(&clock(random), random)
}

pub(crate) fn run_id(random: &SeededRandom) -> RunId {
    RunId::new(&clock(random), random)
}

pub(crate) fn cluster(random: &SeededRandom) -> ClusterName {
    one_of(random, &["main", "a", "db-1"]).parse().unwrap()
}

pub(crate) fn hash(random: &SeededRandom) -> Hash {
    Hash::of(&random.next().to_le_bytes())
}

/// A text with what JSON has to escape.
pub(crate) fn text(random: &SeededRandom) -> String {
    let parts = ["app", "ü", "\"", "\\", "\n", " ", "Zoo", "=", "x"];
    let drawn = (0..random.below(8)).map(|_| *one_of(random, &parts));
    drawn.collect()
}

/// The name of an object of any kind.
pub(crate) fn name_of_any_object(random: &SeededRandom) -> ObjectName {
    let cluster = cluster(random);
    let backup = |part| names::backup(&cluster, &backup_id(random), part);
    let run = |record| names::run(&cluster, &run_id(random), record);
    let number = u32::try_from(random.below(2000)).unwrap();
    let name = match random.below(12) {
        11 => names::retirement(&hash(random).to_string()[..32]),
        0 => names::key(&hash(random).to_string()[..32]),
        1 => run(RunRecord::Begin),
        2 => run(RunRecord::Outcome),
        3 => backup(BackupPart::Manifest),
        4 => backup(BackupPart::Facts),
        5 => backup(BackupPart::Backup),
        6 => run(RunRecord::Dead),
        7 => names::alive(&cluster, &run_id(random), number),
        8 => names::tombstone(&cluster, &backup_id(random)),
        9 => names::index(&cluster, &backup_id(random), number),
        _ => names::pack(&cluster, &backup_id(random), number),
    };
    name.unwrap()
}

/// A manifest that points nowhere but into itself.
pub(crate) fn manifest(random: &SeededRandom) -> Manifest {
    let number = |end| u32::try_from(random.below(end)).unwrap();
    let packs: Vec<PackRef> = (0..random.below(3))
        .map(|_| PackRef {
            backup: backup_id(random),
            number: number(5),
        })
        .collect();
    let frames = if packs.is_empty() {
        0
    } else {
        below(random, 9)
    };
    let frames: Vec<FrameEntry> = (0..frames)
        .map(|_| FrameEntry {
            pack: number(packs.len() as u64),
            offset: random.below(1 << 28),
            stored_length: number(1 << 20),
            plain_length: number(4 << 20),
            hash: hash(random),
        })
        .collect();
    let files = (0..random.below(3)).map(|at| {
        let extents: Vec<Extent> = frames
            .iter()
            .zip(0..)
            .map(|(frame, at)| {
                let offset = number(u64::from(frame.plain_length) + 1);
                Extent {
                    frame: at,
                    offset,
                    length: frame.plain_length - offset,
                }
            })
            .collect();
        FileEntry {
            path: format!("{at}{}", text(random)),
            size: extents.iter().map(|extent| u64::from(extent.length)).sum(),
            hash: hash(random),
            extents,
        }
    });
    Manifest {
        files: files.collect(),
        packs,
        frames,
    }
}

/// What a frame holds: nothing, noise, or what compresses.
pub(crate) fn plaintext(random: &SeededRandom) -> Vec<u8> {
    let length = *one_of(random, &[0, 1, 100, 5_000, 70_000]);
    let length = below(random, length + 1);
    match random.below(3) {
        0 => noise(random, length),
        1 => vec![b'x'; length],
        _ => text(random).repeat(50).into_bytes(),
    }
}
