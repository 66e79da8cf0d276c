//! How attempts are made: some of each kind, and for as long as asked.

use pgkeep_testkit::{SeededRandom, soak};

use crate::{descriptors, key_files, manifests, names, packs, records};

/// How often each kind is tried in a round.
const ROUND: u32 = 400;
/// By how many bytes one attempt may let this process grow: a few frames, zstd's
/// window, and the allocator's own stock.
const GROWTH: u64 = 256 << 20;

type Attempt = fn(&SeededRandom);

const ALL: [(&str, Attempt); 14] = [
    ("a record", records::changed),
    (
        "a record whose writer is not to be trusted",
        records::forged,
    ),
    ("the sealed part of a record", records::sealed_part_changed),
    ("a manifest's root", manifests::root_changed),
    ("a manifest's leaf", manifests::leaf_changed),
    ("fingerprints", manifests::fingerprints_changed),
    ("a pack", packs::changed),
    ("a manifest's entry of a frame", packs::entry_changed),
    ("a descriptor", descriptors::changed),
    ("a descriptor that was signed again", descriptors::forged),
    ("a host key file", key_files::host_key_changed),
    ("a recovery key file", key_files::recovery_key_changed),
    ("an object's name", names::changed),
    ("JSON of a record", records::json_changed),
];

fn try_all(random: &SeededRandom, times: u32) {
    for (what, attempt) in ALL {
        let before = peak_of_address_space();
        for _ in 0..times {
            attempt(random);
        }
        let grown = peak_of_address_space() - before;
        assert!(grown <= GROWTH, "{what}: {grown} bytes more than before");
    }
}

/// The most memory that this process has had mapped, touched or not, in bytes.
fn peak_of_address_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() * 1024
}

#[test]
fn soak_changes_are_refused_or_harmless() {
    for seed in soak::rounds("formats") {
        try_all(&SeededRandom::new(seed), ROUND);
    }
}
