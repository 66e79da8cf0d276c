//! Where each object of a repository is.
//!
//! Invariant: this file is the only place that puts an object's name together
//! or takes one apart; FORMAT.md lists the same names.

use pgkeep_types::{
    BackupId, ClusterName, ObjectName, ObjectNameError, PinId, ProofId, RunId, VerificationId,
};

mod place;

pub use place::{Place, place};

/// The descriptor's name.
pub const DESCRIPTOR: &str = "pgkeep.json";
/// Where key records are.
pub const KEYS: &str = "keys/";
/// What the objects begin with that show what a storage does, and its now.
pub const PROBES: &str = "probe-";
const RETIRED: &str = ".retired";
const ENDING: &str = ".ending";
const WRAPPED: &str = ".age";
const RING: &str = "ring-";
const LIFTED: &str = ".lifted";
const AGAIN: &str = ".again";

/// The descriptor.
///
/// # Errors
/// Never: the name is plain.
pub fn descriptor() -> Result<ObjectName, ObjectNameError> {
    DESCRIPTOR.parse()
}

/// A key record.
///
/// # Errors
/// Where `fingerprint` is no plain name.
pub fn key(fingerprint: &str) -> Result<ObjectName, ObjectNameError> {
    format!("{KEYS}{fingerprint}").parse()
}

/// The record by which a key was retired.
///
/// # Errors
/// Where `fingerprint` is no plain name.
pub fn retirement(fingerprint: &str) -> Result<ObjectName, ObjectNameError> {
    format!("{KEYS}{fingerprint}{RETIRED}").parse()
}

/// That a key is about to be retired.
///
/// # Errors
/// Where `fingerprint` is no plain name.
pub fn ending(fingerprint: &str) -> Result<ObjectName, ObjectNameError> {
    format!("{KEYS}{fingerprint}{ENDING}").parse()
}

/// A private key under a passphrase; they are numbered from 1, the newest is the
/// one that holds.
///
/// # Errors
/// Where `fingerprint` is no plain name.
pub fn wrapped_key(fingerprint: &str, number: u32) -> Result<ObjectName, ObjectNameError> {
    format!("{KEYS}{fingerprint}.{number}{WRAPPED}").parse()
}

/// A key ring; they are numbered from 1, the newest is the one that holds.
///
/// # Errors
/// Never: the name is plain.
pub fn key_ring(number: u32) -> Result<ObjectName, ObjectNameError> {
    format!("{KEYS}{RING}{number}").parse()
}

/// What the name of an object below `keys/` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyObject {
    /// The record of the key with this fingerprint.
    Record(String),
    /// The end of that key.
    Retirement(String),
    /// That this end is about to be written.
    Ending(String),
    /// That key's private half under a passphrase, by number.
    Wrapped(String, u32),
    /// A list of all that there is, by number.
    Ring(u32),
}

/// Reads what a name below `keys/` stands for; `None` for a foreign one.
#[must_use]
pub fn key_object(name: &ObjectName) -> Option<KeyObject> {
    let rest = name.as_str().strip_prefix(KEYS)?;
    if let Some(digits) = rest.strip_prefix(RING) {
        return Some(KeyObject::Ring(number_from_one(digits)?));
    }
    let (key, end) = rest.split_at_checked(32)?;
    if !key.bytes().all(is_hex_digit) {
        return None;
    }
    let key = key.to_owned();
    match end {
        "" => Some(KeyObject::Record(key)),
        RETIRED => Some(KeyObject::Retirement(key)),
        ENDING => Some(KeyObject::Ending(key)),
        _ => {
            let digits = end.strip_prefix('.')?.strip_suffix(WRAPPED)?;
            Some(KeyObject::Wrapped(key, number_from_one(digits)?))
        }
    }
}

/// An object that is written to see what a storage does, and removed again.
///
/// # Errors
/// Never: the name is plain.
pub fn probe(drawn: u64) -> Result<ObjectName, ObjectNameError> {
    format!("{PROBES}{drawn:016x}").parse()
}

/// Whether it is such an object's name: others may have objects whose names begin so too.
#[must_use]
pub fn is_probe(name: &str) -> bool {
    let digits = name.strip_prefix(PROBES);
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(is_hex_digit))
}

fn is_hex_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// The number of a ring, or of a key under a passphrase.
fn number_from_one(digits: &str) -> Option<u32> {
    number(digits).filter(|number| *number > 0)
}

/// A number in its one spelling.
fn number(digits: &str) -> Option<u32> {
    let parsed: u32 = digits.parse().ok()?;
    (parsed.to_string() == digits).then_some(parsed)
}

/// A record of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunRecord {
    /// What was started.
    Begin,
    /// How it ended.
    Outcome,
    /// That somebody has taken it for dead.
    Dead,
}

/// A record of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupPart {
    /// Every file and the extents that make it up.
    Manifest,
    /// What was seen of the database.
    Facts,
    /// The commit.
    Backup,
}

/// The folder of a cluster's runs.
#[must_use]
pub fn runs(cluster: &ClusterName) -> String {
    format!("{cluster}/runs/")
}

/// The folder of a cluster's backups.
#[must_use]
pub fn backups(cluster: &ClusterName) -> String {
    format!("{cluster}/backups/")
}

/// The folder of a cluster's tombstones.
#[must_use]
pub fn tombstones(cluster: &ClusterName) -> String {
    format!("{cluster}/tombstones/")
}

/// The folder of the proofs of a cluster's backups.
#[must_use]
pub fn proofs(cluster: &ClusterName) -> String {
    format!("{cluster}/proofs/")
}

/// The folder of what verifications of a cluster's backups have found.
#[must_use]
pub fn verifications(cluster: &ClusterName) -> String {
    format!("{cluster}/verified/")
}

/// The folder of the pins of a cluster's backups.
#[must_use]
pub fn pins(cluster: &ClusterName) -> String {
    format!("{cluster}/pins/")
}

/// A record of a run.
///
/// # Errors
/// Never: cluster names and ids are plain.
pub fn run(
    cluster: &ClusterName,
    run: &RunId,
    record: RunRecord,
) -> Result<ObjectName, ObjectNameError> {
    let record = match record {
        RunRecord::Begin => "begin",
        RunRecord::Outcome => "outcome",
        RunRecord::Dead => "dead",
    };
    format!("{}{run}/{record}", runs(cluster)).parse()
}

/// A sign of life of a run; they are numbered from 0.
///
/// # Errors
/// Never: cluster names and ids are plain.
pub fn alive(
    cluster: &ClusterName,
    run: &RunId,
    number: u32,
) -> Result<ObjectName, ObjectNameError> {
    format!("{}{run}/alive/{number}", runs(cluster)).parse()
}

/// The record that a backup is deleted.
///
/// # Errors
/// Never: cluster names and ids are plain.
pub fn tombstone(cluster: &ClusterName, backup: &BackupId) -> Result<ObjectName, ObjectNameError> {
    format!("{}{backup}", tombstones(cluster)).parse()
}

/// The same record once more, where the first one cannot be verified; that one stays.
///
/// # Errors
/// Never: cluster names and ids are plain.
pub fn second_tombstone(
    cluster: &ClusterName,
    backup: &BackupId,
) -> Result<ObjectName, ObjectNameError> {
    format!("{}{backup}{AGAIN}", tombstones(cluster)).parse()
}

/// The record of a test restore of a backup.
///
/// # Errors
/// Never: cluster names and ids are plain.
pub fn proof(
    cluster: &ClusterName,
    backup: &BackupId,
    proof: &ProofId,
) -> Result<ObjectName, ObjectNameError> {
    format!("{}{backup}/{proof}", proofs(cluster)).parse()
}

/// What a verification has found.
///
/// # Errors
/// Never: cluster names and ids are plain.
pub fn verification(
    cluster: &ClusterName,
    verification: &VerificationId,
) -> Result<ObjectName, ObjectNameError> {
    format!("{}{verification}", verifications(cluster)).parse()
}

/// The record that a backup is to be kept.
///
/// # Errors
/// Never: cluster names and ids are plain.
pub fn pin(
    cluster: &ClusterName,
    backup: &BackupId,
    pin: &PinId,
) -> Result<ObjectName, ObjectNameError> {
    format!("{}{backup}/{pin}", pins(cluster)).parse()
}

/// The record that a pin holds no more.
///
/// # Errors
/// Never: cluster names and ids are plain.
pub fn lift(
    cluster: &ClusterName,
    backup: &BackupId,
    pin: &PinId,
) -> Result<ObjectName, ObjectNameError> {
    format!("{}{backup}/{pin}{LIFTED}", pins(cluster)).parse()
}

/// A record of a backup.
///
/// # Errors
/// Never: cluster names and ids are plain.
pub fn backup(
    cluster: &ClusterName,
    backup: &BackupId,
    part: BackupPart,
) -> Result<ObjectName, ObjectNameError> {
    let part = match part {
        BackupPart::Manifest => "manifest",
        BackupPart::Facts => "facts",
        BackupPart::Backup => "backup",
    };
    format!("{}{backup}/{part}", backups(cluster)).parse()
}

/// A pack of a backup; packs are numbered from 0.
///
/// # Errors
/// Never: cluster names and ids are plain.
pub fn pack(
    cluster: &ClusterName,
    backup: &BackupId,
    number: u32,
) -> Result<ObjectName, ObjectNameError> {
    format!("{}{backup}/packs/{number}", backups(cluster)).parse()
}

/// An index pack of a backup; they are numbered from 0.
///
/// # Errors
/// Never: cluster names and ids are plain.
pub fn index(
    cluster: &ClusterName,
    backup: &BackupId,
    number: u32,
) -> Result<ObjectName, ObjectNameError> {
    format!("{}{backup}/index/{number}", backups(cluster)).parse()
}

#[cfg(test)]
mod tests;
