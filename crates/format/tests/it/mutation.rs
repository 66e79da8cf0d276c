//! What is done to bytes: what disks, networks and enemies do.

use pgkeep_testkit::SeededRandom;

/// Numbers at which readers stumble: limits, and one beyond.
const NUMBERS: [u64; 16] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x1_0000,
    4 << 20,
    (4 << 20) + 1,
    1 << 30,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Texts at which readers stumble.
const TEXTS: [&[u8]; 10] = [
    b"\0",
    b"\xff\xfe",
    b"\"",
    b"null",
    b"-1",
    b"1e999",
    b"184467440737095516160",
    b"{\"a\":",
    b"\\u0000",
    b"\n#",
];

/// Draws an index below `end`, which is not 0.
pub(crate) fn below(random: &SeededRandom, end: usize) -> usize {
    usize::try_from(random.below(end as u64)).unwrap()
}

/// One of them.
pub(crate) fn one_of<'a, T>(random: &SeededRandom, all: &'a [T]) -> &'a T {
    &all[below(random, all.len())]
}

/// Bytes drawn at random.
pub(crate) fn noise(random: &SeededRandom, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    pgkeep_types::Random::fill(random, &mut bytes);
    bytes
}

/// The bytes after one to four changes; parts of `others` may be mixed in. They
/// are never the same as before.
pub(crate) fn mutated(random: &SeededRandom, bytes: &[u8], others: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..=random.below(4) {
        change(random, &mut changed, others);
    }
    if changed == bytes {
        changed.push(0);
    }
    changed
}

fn change(random: &SeededRandom, bytes: &mut Vec<u8>, others: &[u8]) {
    let at = below(random, bytes.len() + 1);
    let length = match random.below(3) {
        0 => below(random, 8),
        1 => below(random, 200),
        _ => below(random, bytes.len() + 1),
    };
    let end = bytes.len().min(at + length);
    match random.below(11) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[0],
        3 => overwrite(bytes, at, &number(random)),
        4 => overwrite(bytes, at, TEXTS[below(random, TEXTS.len())]),
        5 => drop(bytes.drain(at..end)),
        6 => {
            let inserted = noise(random, length.min(4096));
            drop(bytes.splice(at..at, inserted));
        }
        7 => {
            let repeated = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, repeated));
        }
        8 => bytes.truncate(at),
        9 => {
            let text = TEXTS[below(random, TEXTS.len())].repeat(length.min(2000));
            drop(bytes.splice(at..at, text));
        }
        _ => {
            let from = below(random, others.len() + 1);
            let to = others.len().min(from + length);
            overwrite(bytes, at, &others[from..to]);
        }
    }
}

/// A telling number, or the one beside it, in two, four or eight bytes.
fn number(random: &SeededRandom) -> Vec<u8> {
    let number = *one_of(random, &NUMBERS);
    let number = number.wrapping_add(random.below(3)).wrapping_sub(1);
    let width = *one_of(random, &[2, 4, 8]);
    number.to_le_bytes()[..width].to_vec()
}

fn overwrite(bytes: &mut Vec<u8>, at: usize, with: &[u8]) {
    let end = bytes.len().min(at + with.len());
    drop(bytes.splice(at..end, with.iter().copied()));
}
