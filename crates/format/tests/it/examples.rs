//! Valid things of every kind, drawn at random from a seed.

use std::str::FromStr;

use pgkeep_format::names::{self, BackupPart, RunRecord};
use pgkeep_format::{
    Extent, FileEnd, FilePart, FingerprintBlock, FingerprintRef, Fingerprints, FrameEntry, Hash,
    Identities, Leaf, LeafRef, Manifest, PackEntry, PackRef, RecoveryIdentity, Seal,
};
use pgkeep_testkit::{ScriptedClock, SeededRandom};
use pgkeep_types::{
    BackupId, ClusterName, ObjectName, PinId, ProofId, RunId, Timestamp, VerificationId,
};

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

pub(crate) fn proof_id(random: &SeededRandom) -> ProofId {
    ProofId::new(&clock(random), random)
}

pub(crate) fn verification_id(random: &SeededRandom) -> VerificationId {
    VerificationId::new(&clock(random), random)
}

pub(crate) fn pin_id(random: &SeededRandom) -> PinId {
    PinId::new(&clock(random), random)
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
    let name = match random.below(16) {
        14 => names::lift(&cluster, &backup_id(random), &pin_id(random)),
        13 => names::pin(&cluster, &backup_id(random), &pin_id(random)),
        15 => names::verification(&cluster, &verification_id(random)),
        11 => names::retirement(&hash(random).to_string()[..32]),
        12 => names::proof(&cluster, &backup_id(random), &proof_id(random)),
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

fn number(random: &SeededRandom, end: u64) -> u32 {
    u32::try_from(random.below(end)).unwrap()
}

fn packs(random: &SeededRandom) -> Vec<PackRef> {
    (0..random.below(3))
        .map(|_| PackRef {
            backup: backup_id(random),
            number: number(random, 5),
        })
        .collect()
}

fn frame(random: &SeededRandom, packs: usize) -> FrameEntry {
    FrameEntry {
        pack: number(random, packs as u64),
        offset: random.below(1 << 28),
        stored_length: number(random, 1 << 20),
        plain_length: number(random, 4 << 20),
        hash: hash(random),
    }
}

/// A manifest's leaf that points nowhere but into itself.
pub(crate) fn leaf(random: &SeededRandom) -> Leaf {
    let packs = packs(random);
    let frames = if packs.is_empty() {
        0
    } else {
        below(random, 9)
    };
    let frames: Vec<FrameEntry> = (0..frames).map(|_| frame(random, packs.len())).collect();
    let count = random.below(4);
    let files = (0..count).map(|at| {
        let extents: Vec<Extent> = frames
            .iter()
            .zip(0..)
            .map(|(frame, at)| {
                let offset = number(random, u64::from(frame.plain_length) + 1);
                Extent {
                    frame: at,
                    offset,
                    length: frame.plain_length - offset,
                }
            })
            .collect();
        let end = FileEnd {
            size: extents.iter().map(|extent| u64::from(extent.length)).sum(),
            hash: hash(random),
        };
        FilePart {
            path: format!("{at}{}", text(random)),
            extents,
            end: (at + 1 < count || random.below(2) == 0).then_some(end),
        }
    });
    Leaf {
        files: files.collect(),
        packs,
        frames,
    }
}

/// A manifest's root that points nowhere but into itself.
pub(crate) fn manifest(random: &SeededRandom) -> Manifest {
    let index = packs(random);
    let some = |end| {
        if index.is_empty() {
            0
        } else {
            random.below(end)
        }
    };
    let packs = packs(random).into_iter().map(|pack| PackEntry {
        pack,
        fingerprints: (0..some(3))
            .map(|first| FingerprintRef {
                first,
                frame: frame(random, index.len()),
            })
            .collect(),
    });
    let leaves = (0..some(5)).map(|at| LeafRef {
        path: format!("{at}{}", text(random)),
        offset: random.below(1 << 40),
        raw_bytes: random.below(1 << 40),
        frame: frame(random, index.len()),
    });
    Manifest {
        packs: packs.collect(),
        leaves: leaves.collect(),
        index,
    }
}

/// A block of fingerprints.
pub(crate) fn fingerprints(random: &SeededRandom) -> Vec<u8> {
    let frames: Vec<(u64, Fingerprints)> = (0..random.below(6))
        .map(|at| {
            let count = random.below(5);
            let of = match random.below(2) {
                0 => Fingerprints::Pages {
                    size: 8192,
                    pages: (0..count).map(|_| random.next()).collect(),
                },
                _ => {
                    Fingerprints::Chunks((0..count).map(|_| (number(random, 9), [7; 16])).collect())
                }
            };
            (at * 1000 + random.below(1000), of)
        })
        .collect();
    FingerprintBlock::encode(frames.iter().map(|(at, of)| (*at, of))).unwrap()
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
