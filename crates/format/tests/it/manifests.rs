//! Manifests, once they are opened: hostile bytes are refused without a panic.

use pgkeep_format::Manifest;
use pgkeep_testkit::SeededRandom;

use crate::examples;
use crate::mutation::mutated;

/// A manifest that is read says the bytes that it was read from, and nothing
/// else; what it says points nowhere outside itself.
pub(crate) fn changed(random: &SeededRandom) {
    let manifest = examples::manifest(random);
    let bytes = manifest.to_bytes().unwrap();
    assert_eq!(Manifest::from_bytes(&bytes).unwrap(), manifest);

    let other = examples::manifest(random).to_bytes().unwrap();
    let changed = mutated(random, &bytes, &other);
    let Ok(read) = Manifest::from_bytes(&changed) else {
        return;
    };
    assert!(read.to_bytes().unwrap() == changed);
    for frame in &read.frames {
        assert!((frame.pack as usize) < read.packs.len());
    }
    for file in &read.files {
        let lengths = file.extents.iter().map(|extent| {
            let frame = &read.frames[extent.frame as usize];
            let end = u64::from(extent.offset) + u64::from(extent.length);
            assert!(end <= u64::from(frame.plain_length));
            u64::from(extent.length)
        });
        assert_eq!(lengths.sum::<u64>(), file.size);
    }
}
