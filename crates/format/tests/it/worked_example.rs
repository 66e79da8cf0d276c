//! FORMAT.md's worked example is what this crate writes, byte for byte.
//!
//! Everything is made from fixed seeds. Where the page says something else, a test
//! fails with what it should say.

use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::{Need, PackSummary};
use pgkeep_format::{
    Capabilities, Descriptor, Encryption, Envelope, Extent, FileEnd, FilePart, FingerprintBlock,
    FingerprintRef, Fingerprints, Frame, FrameEncoder, FrameEntry, Hash, KeyRecord, KeyRole,
    KeySecrets, Leaf, LeafRef, Manifest, PackEntry, PackRef, PackWriter, RecordKind, RepositoryId,
    RepositorySecret, Seal, Signer,
};
use pgkeep_types::{BackupId, ClusterName, ObjectName};

const DUMP: &[u8] = b"PGDMP tiny";
const LEVEL: i32 = 3;
const SECRET: &str = "a53c36d76cec99e0758527120fbbe785a83d7e35de181749966761748e5c43cb";

fn page() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../FORMAT.md");
    std::fs::read_to_string(file).unwrap()
}

#[track_caller]
fn the_page_says(text: &str) {
    assert!(page().contains(text), "FORMAT.md should say:\n{text}");
}

/// Bytes as the page shows them.
fn dump(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).enumerate().map(|(line, bytes)| {
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let halves: Vec<String> = hex.chunks(8).map(|half| half.join(" ")).collect();
        let shown = bytes.iter().map(|byte| match byte {
            0x20..0x7f => char::from(*byte),
            _ => '.',
        });
        let text: String = shown.collect();
        format!("{:04x}  {:48}  {text}\n", 16 * line, halves.join("  "))
    });
    format!("```\n{}```\n", lines.collect::<String>())
}

fn root_key() -> Signer {
    Signer::from_seed(&Hash::of(b"the root key of an example").0)
}

fn descriptor() -> Descriptor {
    let id = "c15c0289ec2d0a9167ec8e65a18debbe".to_owned();
    Descriptor::new(
        RepositoryId::try_from(id).unwrap(),
        "2026-11-20T03:00:02Z".parse().unwrap(),
        Encryption::None,
        root_key().verifying_key(),
        Capabilities {
            create_only: true,
            ..Capabilities::default()
        },
    )
}

fn secret() -> RepositorySecret {
    RepositorySecret::try_from(SECRET.to_owned()).unwrap()
}

/// A pack of frames, and where each of them went.
struct Pack {
    writer: PackWriter<Vec<u8>>,
    encoder: FrameEncoder,
}

impl Pack {
    fn new() -> Self {
        Self {
            writer: PackWriter::new(&Seal::Open, Vec::new()).unwrap(),
            encoder: FrameEncoder::new(secret().content_key(), LEVEL).unwrap(),
        }
    }

    fn append(&mut self, plain: &[u8]) -> FrameEntry {
        let frame: Frame = self.encoder.encode(plain).unwrap();
        FrameEntry {
            pack: 0,
            offset: self.writer.append(&frame).unwrap(),
            stored_length: u32::try_from(frame.stored.len()).unwrap(),
            plain_length: frame.plain_length,
            hash: frame.hash,
        }
    }

    fn finish(self) -> Vec<u8> {
        self.writer.finish().unwrap()
    }
}

/// A whole backup.
struct Example {
    id: BackupId,
    pack: Vec<u8>,
    fingerprints: Vec<u8>,
    leaf: Vec<u8>,
    index: Vec<u8>,
    root: Vec<u8>,
}

fn example() -> Example {
    let id: BackupId = "20261120T030003Z-ybfmdmwt".parse().unwrap();
    let pack = PackRef {
        backup: id.clone(),
        number: 0,
    };
    let length = u32::try_from(DUMP.len()).unwrap();
    let mut data = Pack::new();
    let frame = data.append(DUMP);
    let first = frame.offset;

    let chunk = secret().fingerprint_key().chunk(DUMP);
    let prints = Fingerprints::Chunks(vec![(length, chunk)]);
    let fingerprints = FingerprintBlock::encode([(first, &prints)]).unwrap();
    let file = FilePart {
        path: "dump".to_owned(),
        extents: vec![Extent {
            frame: 0,
            offset: 0,
            length,
        }],
        end: Some(FileEnd {
            size: u64::from(length),
            hash: secret().content_key().hash(DUMP),
        }),
    };
    let leaf = Leaf {
        packs: vec![pack.clone()],
        frames: vec![frame],
        files: vec![file],
    };
    let leaf = leaf.to_bytes().unwrap();

    let mut index = Pack::new();
    let block = FingerprintRef {
        first,
        frame: index.append(&fingerprints),
    };
    let root = Manifest {
        index: vec![pack.clone()],
        packs: vec![PackEntry {
            pack,
            fingerprints: vec![block],
        }],
        leaves: vec![LeafRef {
            path: "dump".to_owned(),
            offset: 0,
            raw_bytes: u64::from(length),
            frame: index.append(&leaf),
        }],
    };
    Example {
        id,
        pack: data.finish(),
        fingerprints,
        leaf,
        index: index.finish(),
        root: root.to_bytes().unwrap(),
    }
}

#[test]
fn the_descriptor() {
    let bytes = descriptor().to_bytes(&root_key()).unwrap();
    Descriptor::from_bytes(&bytes).unwrap();
    the_page_says(&format!(
        "```json\n{}```\n",
        String::from_utf8(bytes).unwrap()
    ));
    let seed = Hash(root_key().seed());
    the_page_says(&format!("`{seed}`"));
}

#[test]
fn the_repository_secret() {
    let content_key = derived("pgkeep v1 content hash");
    the_page_says(&format!("`{content_key}`"));
    the_page_says(&format!("`{:#018x}`", secret().cut_seed()));
}

/// derive_key(context, secret).
fn derived(context: &str) -> Hash {
    let secret: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&SECRET[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    Hash(blake3::derive_key(context, &secret))
}

#[test]
fn a_record_and_what_is_signed() {
    let record = KeyRecord {
        role: KeyRole::Open,
        name: "unencrypted".to_owned(),
        recipient: None,
        verifier: None,
        created: "2026-11-20T03:00:01Z".parse().unwrap(),
    };
    let name = names::key(&record.fingerprint()).unwrap();
    let hidden = KeySecrets::to_write(secret()).to_bytes().unwrap();
    let envelope = Envelope {
        repository: descriptor().id,
        name: &name,
        kind: RecordKind::Key,
    };
    let bytes = envelope
        .write(&record, Some((&hidden, &Seal::Open)), &root_key())
        .unwrap();
    let hash = &bytes[bytes.len() - 128..bytes.len() - 96];
    let length = (name.as_str().len() as u64).to_le_bytes();
    let id = descriptor().id;
    let parts: [&[u8]; 5] = [
        b"pgkeep record v1\0",
        id.as_bytes(),
        &length,
        name.as_str().as_bytes(),
        hash,
    ];
    let message = parts.concat();
    let signature = bytes.last_chunk::<64>().unwrap();
    assert!(root_key().verifying_key().verifies(&message, signature));

    the_page_says(&format!("`{name}`"));
    the_page_says(&format!("{} bytes:\n\n{}", bytes.len(), dump(&bytes)));
    the_page_says(&format!(
        "```json\n{}\n```",
        String::from_utf8(hidden).unwrap()
    ));
    the_page_says(&format!("What is signed, {} bytes:", message.len()));
    the_page_says(&dump(&message));
}

#[test]
fn a_pack() {
    the_page_says(&dump(&example().pack));
}

#[test]
fn a_block_of_fingerprints() {
    the_page_says(&dump(&example().fingerprints));
    the_page_says(&derived("pgkeep v1 chunk fingerprint").to_string());
}

#[test]
fn a_leaf() {
    let example = example();
    Leaf::from_bytes(&example.leaf).unwrap();
    the_page_says(&dump(&example.leaf));
}

#[test]
fn an_index_pack() {
    the_page_says(&dump(&example().index));
}

#[test]
fn a_root() {
    let example = example();
    Manifest::from_bytes(&example.root).unwrap();
    the_page_says(&dump(&example.root));
}

#[test]
fn where_they_are_and_what_the_backup_says_of_them() {
    let example = example();
    let cluster: ClusterName = "main".parse().unwrap();
    let place = |name: Result<ObjectName, _>| the_page_says(&format!("`{}`", name.unwrap()));
    place(names::backup(&cluster, &example.id, BackupPart::Manifest));
    place(names::pack(&cluster, &example.id, 0));
    place(names::index(&cluster, &example.id, 0));
    let summary = |bytes: &[u8]| PackSummary {
        number: 0,
        length: bytes.len() as u64,
        blake3: Hash::of(bytes),
    };
    let needs = vec![Need {
        backup: example.id.clone(),
        packs: vec![summary(&example.pack)],
        index: vec![summary(&example.index)],
    }];
    let needs = serde_json::to_string_pretty(&needs).unwrap();
    the_page_says(&format!("```json\n\"needs\": {needs}\n```"));
}
