//! Every version, every way of cutting, every damage: the scanner on small
//! archives that are made here.

use proptest::prelude::*;

use super::sample::{Sample, integer};
use super::*;

const VERSIONS: std::ops::RangeInclusive<u8> = 12..=16;

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (ArchiveScanner, Vec<ArchiveEvent>) {
    let mut scanner = ArchiveScanner::new();
    let mut events = Vec::new();
    for piece in pieces {
        let before = scanner.offset;
        let after = before + piece.len() as u64;
        scanner.push(piece, |event| {
            let (ArchiveEvent::DataBegins { offset, .. } | ArchiveEvent::DataEnds { offset, .. }) =
                event;
            assert!(offset > before && offset <= after, "told by another push");
            events.push(event);
        });
    }
    (scanner, events)
}

fn why(bytes: &[u8]) -> Option<NotUnderstood> {
    let (scanner, _) = scan([bytes]);
    assert_eq!(
        scanner.state() == ArchiveState::Lost,
        scanner.gave_up().is_some()
    );
    scanner.gave_up().map(|gave_up| gave_up.why)
}

#[test]
fn every_version_from_13_to_18_is_read() {
    for minor in VERSIONS {
        let sample = Sample::small(minor);
        let (scanner, events) = scan([&*sample.bytes()]);
        assert_eq!((scanner.gave_up(), events), (None, sample.events()));
        assert_eq!(scanner.state(), ArchiveState::Between);
    }
}

#[test]
fn only_entries_with_data_are_kept() {
    let sample = Sample::small(16);
    let (scanner, _) = scan([&*sample.bytes()]);
    let kept: Vec<_> = scanner
        .toc()
        .unwrap()
        .iter()
        .map(|e| (e.dump_id, e.kind))
        .collect();
    let expected = [
        (8, DataKind::Table),
        (9, DataKind::Table),
        (3, DataKind::LargeObjects),
    ];
    assert_eq!(kept, expected);
    let entry = &scanner.toc().unwrap()[0];
    assert_eq!(entry.oid, 16384);
    assert_eq!(entry.namespace.as_deref(), Some(&b"a schema"[..]));
    assert_eq!(&*entry.tag, b"a name");
}

#[test]
fn the_whole_table_of_contents_is_read_however_it_is_cut_and_large_objects_are_not() {
    for minor in VERSIONS {
        let sample = Sample::small(minor).entry(5, "BLOB", None);
        let sample = sample.tagged("LARGE OBJECT 7").entry(6, "TABLE", None);
        let bytes = sample.bytes();
        for size in [1, 7, bytes.len()] {
            let mut reader = ContentsReader::default();
            let mut told = bytes.chunks(size).map(|piece| reader.push(piece).unwrap());
            let entries = told.find_map(|entries| entries).unwrap();
            let kept: Vec<_> = entries
                .iter()
                .map(|e| (e.dump_id, &*e.description))
                .collect();
            let expected: [(i32, &[u8]); 6] = [
                (7, b"TABLE"),
                (8, b"TABLE DATA"),
                (9, b"TABLE DATA"),
                (3, b"BLOBS"),
                (4, b"INDEX"),
                (6, b"TABLE"),
            ];
            assert_eq!(kept, expected);
            assert!(entries.iter().all(|entry| entry.dependencies == [7, 12]));
        }
    }
}

#[test]
fn a_table_of_contents_that_is_not_understood_is_an_error() {
    let bytes = Sample::small(17).bytes();
    let gave_up = ContentsReader::default().push(&bytes).unwrap_err();
    let expected = NotUnderstood::Version {
        major: 1,
        minor: 17,
    };
    assert_eq!(gave_up.why, expected);
}

#[test]
fn a_version_that_is_not_known_is_given_up() {
    for minor in [0, 11, 17, 255] {
        let bytes = Sample::small(minor).bytes();
        assert_eq!(
            why(&bytes),
            Some(NotUnderstood::Version { major: 1, minor })
        );
    }
}

#[test]
fn nothing_more_is_told_after_it_gave_up() {
    let sample = Sample::small(16).table(8, &[], None);
    let bytes = sample.bytes();
    let (mut scanner, events) = scan([&*bytes]);
    assert_eq!(events.len(), 6);
    let gave_up = scanner.gave_up().unwrap();
    assert_eq!(gave_up.why, NotUnderstood::BlockId(8));
    let told = "at byte 1234 of the archive: a block of data belongs to dump id 8, \
                which is none of those that follow";
    assert_eq!(
        told.replace("1234", &gave_up.offset.to_string()),
        gave_up.to_string()
    );
    scanner.push(&Sample::small(16).bytes(), |event| panic!("{event:?}"));
    assert_eq!(scanner.gave_up(), Some(gave_up));
    assert!(scanner.toc().is_some());
}

#[test]
fn a_block_of_the_wrong_type_or_of_none_is_given_up() {
    let wrong = Sample::new(16)
        .entry(8, "TABLE DATA", Some(DataKind::Table))
        .large_objects(8, &[]);
    assert_eq!(why(&wrong.bytes()), Some(NotUnderstood::BlockType(3)));
    let mut none = Sample::small(16).bytes();
    none.push(2);
    assert_eq!(why(&none), Some(NotUnderstood::BlockType(2)));
}

#[test]
fn lengths_that_cannot_be_are_given_up() {
    let length = |length: i32| {
        let sample = Sample::new(16).entry(8, "TABLE DATA", Some(DataKind::Table));
        let mut bytes = sample.bytes();
        bytes.push(1);
        integer(&mut bytes, 8);
        integer(&mut bytes, length);
        why(&bytes)
    };
    assert_eq!(length(1 << 30), None);
    assert_eq!(length(i32::MAX), Some(NotUnderstood::Length(i32::MAX)));
    assert_eq!(length(-1), Some(NotUnderstood::Length(-1)));
    let count = Sample::small(16).bytes_with_count(-5);
    assert_eq!(why(&count), Some(NotUnderstood::Length(-5)));
}

#[test]
fn a_name_that_is_too_long_to_be_kept_is_given_up_and_without_data_it_is_not_kept() {
    let sample = || Sample::new(16).tagged(&"x".repeat((64 << 10) + 1));
    let kept = sample().entry(8, "TABLE DATA", Some(DataKind::Table));
    assert_eq!(why(&kept.bytes()), Some(NotUnderstood::TocTooLarge));
    let skipped = sample().entry(8, "TABLE", None);
    assert_eq!(why(&skipped.bytes()), None);
}

#[test]
fn names_take_64_mib_at_most() {
    let mut sample = Sample::new(16).tagged(&"x".repeat(64 << 10));
    for dump_id in 1..1024 {
        sample = sample.entry(dump_id, "TABLE DATA", Some(DataKind::Table));
    }
    let last = sample
        .clone()
        .tagged("")
        .entry(1024, "TABLE DATA", Some(DataKind::Table));
    assert_eq!(why(&last.bytes()), None);
    let last = sample.entry(1024, "TABLE DATA", Some(DataKind::Table));
    assert_eq!(why(&last.bytes()), Some(NotUnderstood::TocTooLarge));
}

/// Cuts at random places.
fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

proptest! {
    #[test]
    fn the_pieces_do_not_matter(
        minor in VERSIONS,
        cuts in prop::collection::vec(any::<usize>(), 0..40),
    ) {
        let sample = Sample::small(minor);
        let (scanner, events) = scan(pieces(&sample.bytes(), &cuts));
        prop_assert_eq!(scanner.gave_up(), None);
        prop_assert_eq!(events, sample.events());
    }

    #[test]
    fn damage_is_seen_alike_whatever_the_pieces(
        minor in VERSIONS,
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
    ) {
        let mut bytes = Sample::small(minor).bytes();
        for (index, value) in damage {
            let index = index % bytes.len();
            bytes[index] = value;
        }
        let (whole, events) = scan([&*bytes]);
        let (cut, same) = scan(pieces(&bytes, &cuts));
        prop_assert_eq!(events, same);
        prop_assert_eq!(whole.gave_up(), cut.gave_up());
        prop_assert_eq!(whole.state(), cut.state());
        prop_assert_eq!(whole.toc(), cut.toc());
    }

    #[test]
    fn garbage_is_no_archive(bytes in prop::collection::vec(any::<u8>(), 11..2000)) {
        let (scanner, events) = scan(bytes.chunks(7));
        prop_assert!(scanner.gave_up().is_some());
        prop_assert!(events.is_empty());
    }

    #[test]
    fn garbage_behind_a_good_head_never_panics(
        minor in VERSIONS,
        entries in any::<i32>(),
        bytes in prop::collection::vec(prop_oneof![3 => Just(0), 1 => any::<u8>()], 0..2000),
    ) {
        let mut archive = Sample::new(minor).bytes_with_count(entries);
        archive.extend(bytes);
        scan([&*archive]);
    }
}

#[test]
fn one_byte_at_a_time_is_enough() {
    for minor in VERSIONS {
        let sample = Sample::small(minor);
        let (_, events) = scan(sample.bytes().chunks(1));
        assert_eq!(events, sample.events());
    }
}
