//! Reading index packs: a manifest's leaves, and fingerprints.
//!
//! Invariants: an index pack is fetched whole and held against the hash that the
//! backup cites, each frame of it against its own; memory holds a few of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use pgkeep_format::records::{BackupRecord, PackSummary};
use pgkeep_format::{
    Damage, FormatError, FrameDecoder, FrameEntry, Hash, Identities, Leaf, LeafRef, Manifest,
    PackRef, RepositorySecret, names,
};
use pgkeep_types::ObjectName;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use crate::{Repository, RepositoryError, records};

/// The longest index pack that is read, in bytes.
const LIMIT: u64 = 16 << 20;
/// How many index packs are kept.
const KEPT: usize = 4;

/// Reads the index packs that one backup cites.
#[derive(Clone, Debug)]
pub(crate) struct IndexReader(Arc<Inner>);

/// The plaintext of an index pack, once somebody has fetched it: who comes while that
/// is under way waits for it.
type Kept = Arc<OnceCell<Bytes>>;

struct Inner {
    repository: Repository,
    record: BackupRecord,
    cited: BTreeMap<PackRef, PackSummary>,
    identities: Option<Identities>,
    secret: RepositorySecret,
    kept: Mutex<VecDeque<(PackRef, Kept)>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the index of {}", self.record.id)
    }
}

impl IndexReader {
    pub(crate) fn new(
        repository: &Repository,
        record: &BackupRecord,
        identities: Option<Identities>,
        secret: &RepositorySecret,
    ) -> Self {
        let cited = record.needs.iter().flat_map(|need| {
            need.index.iter().map(|summary| {
                let backup = need.backup.clone();
                let number = summary.number;
                (PackRef { backup, number }, *summary)
            })
        });
        Self(Arc::new(Inner {
            cited: cited.collect(),
            repository: repository.clone(),
            record: record.clone(),
            identities,
            secret: secret.clone(),
            kept: Mutex::default(),
        }))
    }

    /// A leaf of the manifest, which holds what the root says that it does.
    pub(crate) async fn leaf(
        &self,
        root: &Manifest,
        place: &LeafRef,
    ) -> Result<Leaf, RepositoryError> {
        let leaf = self.frame(root, &place.frame, Leaf::from_bytes).await?;
        let first = leaf.files.first().map(|file| file.path.as_str());
        if first != Some(place.path.as_str()) || leaf.raw_bytes() != place.raw_bytes {
            return Err(self.wrong_manifest(Damage::Range("leaf's place")));
        }
        Ok(leaf)
    }

    /// What one of the frames that `root` names holds, as `read` takes it.
    pub(crate) async fn frame<T: Send + 'static>(
        &self,
        root: &Manifest,
        frame: &FrameEntry,
        read: fn(&[u8]) -> Result<T, FormatError>,
    ) -> Result<T, RepositoryError> {
        let pack = root.index.get(frame.pack as usize);
        let pack = pack.ok_or_else(|| self.wrong_manifest(Damage::Range("index pack")))?;
        let (name, plain) = self.pack(pack).await?;
        let (entry, key) = (frame.clone(), self.0.secret.content_key());
        let decoded = records::blocking(move || {
            let start = usize::try_from(entry.offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(entry.stored_length as usize);
            let stored = plain.get(start..end).ok_or(FormatError::Damaged {
                offset: entry.offset,
                damage: Damage::Range("frame's end"),
            })?;
            read(&FrameDecoder::new(key)?.decode(stored, &entry)?)
        });
        let wrong = |source| records::in_object(self.0.repository.storage.as_ref(), &name, source);
        decoded.await?.map_err(wrong)
    }

    /// Starts fetching what a leaf lies in, which will be asked for soon.
    pub(crate) fn prefetch(&self, root: &Manifest, place: &LeafRef, runtime: &Handle) {
        if let Some(pack) = root.index.get(place.frame.pack as usize) {
            self.prefetch_pack(pack.clone(), runtime);
        }
    }

    /// Starts fetching the first of the backup's own index packs: most backups have one,
    /// and the beginning of most files is there.
    pub(crate) fn prefetch_first(&self, runtime: &Handle) {
        let own = |pack: &&PackRef| pack.backup == self.0.record.id;
        if let Some(first) = self.0.cited.keys().find(own) {
            self.prefetch_pack(first.clone(), runtime);
        }
    }

    fn prefetch_pack(&self, pack: PackRef, runtime: &Handle) {
        if !self.kept(&pack).initialized() {
            let reader = self.clone();
            // Where that fails, whoever needs it tries again and is told.
            runtime.spawn(async move { reader.pack(&pack).await.is_ok() });
        }
    }

    /// The plaintext of an index pack.
    async fn pack(&self, pack: &PackRef) -> Result<(ObjectName, Bytes), RepositoryError> {
        let name = names::index(&self.0.record.cluster, &pack.backup, pack.number)?;
        let kept = self.kept(pack);
        let plain = kept.get_or_try_init(|| self.fetch(pack, &name)).await?;
        Ok((name, plain.clone()))
    }

    async fn fetch(&self, pack: &PackRef, name: &ObjectName) -> Result<Bytes, RepositoryError> {
        let inner = &self.0;
        let storage = inner.repository.storage.as_ref();
        let wrong = |source| records::in_object(storage, name, source);
        let cited = inner.cited.get(pack);
        let cited = *cited.ok_or_else(|| self.wrong_manifest(Damage::Range("index pack")))?;
        if cited.length > LIMIT {
            let (expected, found) = (LIMIT, cited.length);
            let damage = Damage::Length { expected, found };
            return Err(wrong(FormatError::Damaged { offset: 0, damage }));
        }
        // A byte more than there should be: then it is refused.
        let object = storage.get(name, Some(0..cited.length + 1)).await?;
        let identities = inner.identities.clone();
        let opened = records::blocking(move || open(object, cited, identities.as_ref())).await?;
        opened.map_err(|source| match source {
            FormatError::NoIdentity => inner.repository.no_identity(),
            source => wrong(source),
        })
    }

    /// The place of an index pack among those that are kept; the one that was wanted
    /// longest ago makes room for it.
    fn kept(&self, pack: &PackRef) -> Kept {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(known, _)| known == pack);
        let known = at.and_then(|at| kept.remove(at));
        let found = known.map_or_else(Kept::default, |(_, found)| found);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((pack.clone(), Arc::clone(&found)));
        found
    }

    /// What is wrong with the manifest, though it could be read.
    pub(crate) fn wrong_manifest(&self, damage: Damage) -> RepositoryError {
        let inner = &self.0;
        let source = FormatError::Damaged { offset: 0, damage };
        let part = names::BackupPart::Manifest;
        match names::backup(&inner.record.cluster, &inner.record.id, part) {
            Ok(name) => records::in_object(inner.repository.storage.as_ref(), &name, source),
            Err(error) => error.into(),
        }
    }
}

/// Holds an index pack against its citation, and opens it.
fn open(
    object: Bytes,
    cited: PackSummary,
    identities: Option<&Identities>,
) -> Result<Bytes, FormatError> {
    let found = object.len() as u64;
    if found != cited.length {
        let expected = cited.length;
        return Err(FormatError::Damaged {
            offset: found.min(expected),
            damage: Damage::Length { expected, found },
        });
    }
    if Hash::of(&object) != cited.blake3 {
        let damage = Damage::Hash;
        return Err(FormatError::Damaged { offset: 0, damage });
    }
    match identities {
        None => Ok(object),
        Some(identities) => Ok(identities.open(&object)?.into()),
    }
}
