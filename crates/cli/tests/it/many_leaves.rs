//! A dump whose manifest has many leaves is brought back as one that has few.
//!
//! Only a dump of some hundred megabytes has more leaves than one. So the manifest
//! of a small one is written again, in shorter leaves, by the host that made it.

use std::path::PathBuf;

use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::{BackupRecord, PackSummary};
use pgkeep_format::{
    Descriptor, Envelope, Extent, FileEnd, FilePart, FrameDecoder, FrameEncoder, FrameEntry, Hash,
    HostKey, KeySecrets, Leaf, LeafRef, Manifest, PackRef, RecordKind, RepositorySecret, Seal,
    Verified, VerifyingKey,
};
use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_types::{ClusterName, ObjectName};

use crate::script::script;
use crate::site::{Site, socket_of};

/// The number of the index pack that is added.
const ADDED: u32 = 7;

/// An unencrypted repository, by the eyes and the hand of its host.
struct Hand<'a> {
    site: &'a Site,
    host: HostKey,
    descriptor: Descriptor,
}

impl<'a> Hand<'a> {
    fn of(site: &'a Site) -> Self {
        let read = |name| std::fs::read(site.path(name)).unwrap();
        let host = String::from_utf8(read("host.key")).unwrap();
        Self {
            site,
            host: HostKey::from_secret_text(&host).unwrap(),
            descriptor: Descriptor::from_bytes(&read("backups/pgkeep.json")).unwrap(),
        }
    }

    fn file(&self, name: &ObjectName) -> PathBuf {
        self.site.path("backups").join(name.as_str())
    }

    fn read(&self, name: &ObjectName, kind: RecordKind, writer: VerifyingKey) -> Verified {
        let bytes = std::fs::read(self.file(name)).unwrap();
        self.envelope(name, kind).read(&bytes, &[writer]).unwrap()
    }

    fn envelope<'b>(&self, name: &'b ObjectName, kind: RecordKind) -> Envelope<'b> {
        Envelope {
            repository: self.descriptor.id,
            name,
            kind,
        }
    }

    fn secret(&self) -> RepositorySecret {
        let name = names::key(&pgkeep_format::fingerprint(None, None)).unwrap();
        let record = self.read(&name, RecordKind::Key, self.descriptor.root);
        let secrets = KeySecrets::from_bytes(&record.hidden(None).unwrap()).unwrap();
        secrets.secret.clone()
    }
}

/// Writes the manifest of a backup again: a leaf for each `each` extents, and an
/// empty file before and behind the dump. Tells how many leaves there are.
fn with_many_leaves(site: &Site, id: &str, each: usize) -> usize {
    let hand = Hand::of(site);
    let host = hand.host.signer.verifying_key();
    let cluster: ClusterName = "main".parse().unwrap();
    let id = id.parse().unwrap();
    let secret = hand.secret();
    let place = |part| names::backup(&cluster, &id, part).unwrap();
    let (at_manifest, at_backup) = (place(BackupPart::Manifest), place(BackupPart::Backup));
    let record = hand.read(&at_manifest, RecordKind::Manifest, host);
    let mut root = Manifest::from_bytes(&record.hidden(None).unwrap()).unwrap();
    let record = hand.read(&at_backup, RecordKind::Backup, host);
    let mut backup: BackupRecord = record.clear().unwrap();

    let [only] = &root.leaves[..] else {
        panic!("more than one leaf: {}", root.leaves.len())
    };
    let holder = &root.index[only.frame.pack as usize];
    let index = hand.file(&names::index(&cluster, &holder.backup, holder.number).unwrap());
    let start = usize::try_from(only.frame.offset).unwrap();
    let stored = &std::fs::read(index).unwrap()[start..][..only.frame.stored_length as usize];
    let mut decoder = FrameDecoder::new(secret.content_key()).unwrap();
    let leaf = Leaf::from_bytes(&decoder.decode(stored, &only.frame).unwrap()).unwrap();

    root.index.push(PackRef {
        backup: id.clone(),
        number: ADDED,
    });
    let pack = u32::try_from(root.index.len() - 1).unwrap();
    let mut encoder = FrameEncoder::new(secret.content_key(), 3).unwrap();
    let mut added = Vec::new();
    let empty = FileEnd {
        size: 0,
        hash: secret.content_key().hash(b""),
    };
    root.leaves.clear();
    let mut begun = 0;
    for (leaf, offset) in split(&leaf, each, empty) {
        let frame = encoder.encode(&leaf.to_bytes().unwrap()).unwrap();
        root.leaves.push(LeafRef {
            path: leaf.files[0].path.clone(),
            offset,
            raw_bytes: leaf.raw_bytes(),
            frame: FrameEntry {
                pack,
                offset: added.len() as u64,
                stored_length: u32::try_from(frame.stored.len()).unwrap(),
                plain_length: frame.plain_length,
                hash: frame.hash,
            },
        });
        begun += leaf.raw_bytes();
        added.extend(frame.stored);
    }
    assert_eq!(begun, backup.raw_bytes);

    let of_this = backup.needs.iter_mut().find(|need| need.backup == id);
    of_this.unwrap().index.push(PackSummary {
        number: ADDED,
        length: added.len() as u64,
        blake3: Hash::of(&added),
    });
    std::fs::write(
        hand.file(&names::index(&cluster, &id, ADDED).unwrap()),
        added,
    )
    .unwrap();
    let plain = root.to_bytes().unwrap();
    let manifest = hand
        .envelope(&at_manifest, RecordKind::Manifest)
        .write(&(), Some((&plain, &Seal::Open)), &hand.host.signer)
        .unwrap();
    backup.records.manifest = Hash::of(&manifest);
    backup.records.manifest_length = manifest.len() as u64;
    let backup = hand
        .envelope(&at_backup, RecordKind::Backup)
        .write(&backup, None, &hand.host.signer)
        .unwrap();
    std::fs::write(hand.file(&at_manifest), manifest).unwrap();
    std::fs::write(hand.file(&at_backup), backup).unwrap();
    root.leaves.len()
}

/// The leaves, each with where in its first file it begins.
fn split(leaf: &Leaf, each: usize, empty: FileEnd) -> Vec<(Leaf, u64)> {
    let [dump, globals] = &leaf.files[..] else {
        panic!("not a dump and globals")
    };
    let another = |path: &str| FilePart {
        path: path.to_owned(),
        extents: Vec::new(),
        end: Some(empty),
    };
    let parts: Vec<&[Extent]> = dump.extents.chunks(each).collect();
    let mut begun = 0;
    let mut leaves = Vec::new();
    for (at, extents) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        let part = FilePart {
            path: dump.path.clone(),
            extents: extents.to_vec(),
            end: dump.end.filter(|_| last),
        };
        let mut files = vec![part];
        if at == 0 {
            files.insert(0, another("another"));
        }
        if last {
            files.extend([globals.clone(), another("yet another")]);
        }
        let leaf = Leaf {
            files,
            ..leaf.clone()
        };
        let length = leaf.raw_bytes();
        leaves.push((leaf, begun));
        begun += length;
    }
    leaves
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_in_many_leaves_comes_back_with_pgkeep_and_without() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let fill = "CREATE TABLE t AS SELECT n, repeat(md5(n::text), 30) AS filler \
                FROM generate_series(1, 8000) AS n";
    cluster.psql("postgres", fill).await;
    let site = Site::with(&socket_of(&cluster), &["--encryption", "none"]).await;
    let id = site.back_up("postgres").await;
    let ours = ["restore", "--backup", &id, "--to-file"];
    let restored = |name| std::fs::read(site.path(name)).unwrap();
    site.run(&[&ours[..], &["before"]].concat()).await.ended(0);

    assert!(with_many_leaves(&site, &id, 2) > 3);
    site.run(&[&ours[..], &["after"]].concat()).await.ended(0);
    let arguments = ["backups", "--cluster", "main", "--backup", &id];
    script(&site, &[&arguments[..], &["--output", "without"]].concat())
        .await
        .ended(0);
    assert!(restored("after") == restored("before"));
    assert!(restored("without") == restored("before"));
    cluster.stop().await;
}
