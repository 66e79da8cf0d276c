//! The bytes of a pgkeep repository: names, records, manifests, frames, packs
//! and keys, as FORMAT.md describes them.
//!
//! Invariants: nothing here does I/O or knows a runtime. Everything that comes
//! from a storage is hostile until its hash, its signature or its seal has been
//! checked: no length read from it allocates more than the bytes that are
//! there, and no input panics.

mod attribution;
pub mod cut;
mod descriptor;
mod envelope;
mod error;
mod fingerprint;
mod frame;
mod hash;
mod host_key;
mod identity_file;
mod key_request;
mod key_ring;
mod keys;
mod manifest;
pub mod names;
mod pack;
mod passphrase;
mod record_kind;
pub mod records;
mod seal;
mod sealed_part;
mod signing;
mod wire;

pub use attribution::Attribution;
pub use descriptor::{Capabilities, Descriptor, Encryption, RepositoryId};
pub use envelope::{Envelope, Verified, says_the_same};
pub use error::{Damage, FormatError};
pub use fingerprint::{ChunkHash, FingerprintBlock, FingerprintKey, Fingerprints};
pub use frame::{FRAME_LIMIT, Frame, FrameDecoder, FrameEncoder};
pub use hash::{Hash, HashKey, Hasher};
pub use host_key::{HostKey, Trust};
pub use identity_file::RecoveryKeyFile;
pub use key_request::KeyRequest;
pub use key_ring::{Ending, KeyRing, Retirement};
pub use keys::{KeyRecord, KeyRole, KeySecrets, RepositorySecret, fingerprint};
pub use manifest::{
    Extent, FileEnd, FilePart, FingerprintRef, FrameEntry, Leaf, LeafRef, Manifest, PackEntry,
    PackRef,
};
pub use pack::{OpenPack, PackLayout, PackWriter};
pub use passphrase::{Passphrase, WORK_FACTOR};
pub use record_kind::RecordKind;
pub use seal::{Identities, Recipient, RecoveryIdentity, Seal};
pub use signing::{Signer, VerifyingKey};

/// The version of the format that this crate writes, and the newest that it
/// reads.
pub const FORMAT_VERSION: u16 = 1;
