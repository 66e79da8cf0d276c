//! Manifests, once they are opened: hostile bytes are refused without a panic.

use pgkeep_format::{FingerprintBlock, Leaf, Manifest};
use pgkeep_testkit::SeededRandom;

use crate::examples;
use crate::mutation::mutated;

/// A root that is read says the bytes that it was read from, and nothing else;
/// what it says points nowhere outside itself.
pub(crate) fn root_changed(random: &SeededRandom) {
    let root = examples::manifest(random);
    let bytes = root.to_bytes().unwrap();
    assert_eq!(Manifest::from_bytes(&bytes).unwrap(), root);

    let other = examples::manifest(random).to_bytes().unwrap();
    let changed = mutated(random, &bytes, &other);
    let Ok(read) = Manifest::from_bytes(&changed) else {
        return;
    };
    assert!(read.to_bytes().unwrap() == changed);
    let blocks = read.packs.iter().flat_map(|pack| &pack.fingerprints);
    let frames = blocks.map(|block| &block.frame);
    for frame in frames.chain(read.leaves.iter().map(|leaf| &leaf.frame)) {
        assert!((frame.pack as usize) < read.index.len());
    }
    for leaf in &read.leaves {
        assert!(read.leaves_of(&leaf.path).contains(leaf));
    }
}

/// A leaf that is read says the bytes that it was read from, and nothing else; what
/// it says points nowhere outside itself.
pub(crate) fn leaf_changed(random: &SeededRandom) {
    let leaf = examples::leaf(random);
    let bytes = leaf.to_bytes().unwrap();
    assert_eq!(Leaf::from_bytes(&bytes).unwrap(), leaf);

    let other = examples::leaf(random).to_bytes().unwrap();
    let changed = mutated(random, &bytes, &other);
    let Ok(read) = Leaf::from_bytes(&changed) else {
        return;
    };
    assert!(read.to_bytes().unwrap() == changed);
    for frame in &read.frames {
        assert!((frame.pack as usize) < read.packs.len());
    }
    for (at, file) in read.files.iter().enumerate() {
        let lengths = file.extents.iter().map(|extent| {
            let frame = &read.frames[extent.frame as usize];
            let end = u64::from(extent.offset) + u64::from(extent.length);
            assert!(end <= u64::from(frame.plain_length));
            u64::from(extent.length)
        });
        let length = lengths.sum::<u64>();
        match file.end {
            Some(end) if at > 0 => assert_eq!(length, end.size),
            Some(end) => assert!(length <= end.size),
            None => assert_eq!(at + 1, read.files.len()),
        }
    }
}

/// Fingerprints that are read are those of the frames that they name.
pub(crate) fn fingerprints_changed(random: &SeededRandom) {
    let bytes = examples::fingerprints(random);
    FingerprintBlock::from_bytes(&bytes).unwrap();
    let other = examples::fingerprints(random);
    let changed = mutated(random, &bytes, &other);
    if let Ok(read) = FingerprintBlock::from_bytes(&changed)
        && let Some(first) = changed.first_chunk()
    {
        assert!(read.of(u64::from_le_bytes(*first)).is_some());
    }
}
