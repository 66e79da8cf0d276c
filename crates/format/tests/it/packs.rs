//! Packs, and the frames in them.

use bytes::Bytes;
use pgkeep_format::{
    FRAME_LIMIT, FormatError, Frame, FrameDecoder, FrameEncoder, FrameEntry, Hash, HashKey,
    Identities, OpenPack, PackWriter, RepositorySecret,
};
use pgkeep_testkit::SeededRandom;

use crate::examples;
use crate::mutation::{below, mutated, one_of};

struct Pack {
    bytes: Vec<u8>,
    frames: Vec<(FrameEntry, Vec<u8>)>,
    identities: Option<Identities>,
}

fn key() -> HashKey {
    RepositorySecret::new([1; 32]).content_key()
}

fn pack(random: &SeededRandom) -> Pack {
    let (seal, identities) = examples::seal(random);
    let mut writer = PackWriter::new(&seal, Vec::new()).unwrap();
    let level = *one_of(random, &[1, 3]);
    let mut encoder = FrameEncoder::new(key(), level).unwrap();
    let frames = (0..=random.below(4)).map(|_| {
        let plain = examples::plaintext(random);
        let frame: Frame = encoder.encode(&plain).unwrap();
        let entry = FrameEntry {
            pack: 0,
            offset: writer.append(&frame).unwrap(),
            stored_length: u32::try_from(frame.stored.len()).unwrap(),
            plain_length: frame.plain_length,
            hash: frame.hash,
        };
        (entry, plain)
    });
    Pack {
        frames: frames.collect(),
        bytes: writer.finish().unwrap(),
        identities,
    }
}

/// Reads frames in any order; what comes out is what was written, or an error,
/// after which a reader is done with.
fn read_all(random: &SeededRandom, bytes: &[u8], pack: &Pack) {
    let bytes = Bytes::copy_from_slice(bytes);
    let open = || {
        let mut open = OpenPack::open(bytes.clone(), bytes.len() as u64, pack.identities.as_ref())?;
        open.supply(0, bytes.clone());
        Ok::<_, FormatError>(open)
    };
    let Ok(mut reader) = open() else { return };
    let mut decoder = FrameDecoder::new(key()).unwrap();
    for _ in 0..2 * pack.frames.len() {
        let (entry, plain) = &pack.frames[below(random, pack.frames.len())];
        match reader.frame(entry.offset, entry.stored_length) {
            Ok(stored) => {
                if let Ok(read) = decoder.decode(&stored, entry) {
                    assert!(read == *plain, "wrong data came out");
                }
            }
            Err(_) => reader = open().unwrap(),
        }
    }
}

/// A changed pack gives the frames that were written, or none.
pub(crate) fn changed(random: &SeededRandom) {
    let pack = pack(random);
    let other = self::pack(random).bytes;
    let changed = mutated(random, &pack.bytes, &other);
    read_all(random, &changed, &pack);
}

/// An entry that says something else gives the frame that was written, or none.
pub(crate) fn entry_changed(random: &SeededRandom) {
    let mut pack = pack(random);
    let at = below(random, pack.frames.len());
    let entry = &mut pack.frames[at].0;
    let value = *one_of(
        random,
        &[0, 1, FRAME_LIMIT as u64, u64::from(u32::MAX), u64::MAX],
    );
    let narrow = u32::try_from(value).unwrap_or(u32::MAX);
    match random.below(5) {
        0 => entry.offset = value,
        1 => entry.offset = random.below(entry.offset + u64::from(entry.stored_length)),
        2 => entry.stored_length = narrow,
        3 => entry.plain_length = narrow,
        _ => entry.hash = Hash::of(b"another"),
    }
    read_all(random, &pack.bytes, &pack);
}
