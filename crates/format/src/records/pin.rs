//! That somebody wants a backup kept, and that somebody no longer does.
//!
//! Invariant: both are added and neither is changed: a pin holds as long as no lift names
//! it, whichever was written first.

use jiff::Timestamp;
use pgkeep_types::{BackupId, ClusterName, PinId};
use serde::{Deserialize, Serialize};

/// The clear part of a pin: the backup is to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinRecord {
    /// The pin.
    pub id: PinId,
    /// The backup.
    pub backup: BackupId,
    /// Whose backup it is.
    pub cluster: ClusterName,
    /// Why, for people.
    pub reason: String,
    /// Until when; without an end where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When it was pinned, by the host's clock.
    pub pinned: Timestamp,
    /// The host that pinned it.
    pub host: String,
    /// The version of pgkeep.
    pub pgkeep: String,
}

impl PinRecord {
    /// The most bytes that a reason has.
    pub const REASON: usize = 2000;
}

/// The clear part of a lift: the pin holds no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lift {
    /// The pin.
    pub pin: PinId,
    /// The backup.
    pub backup: BackupId,
    /// Whose backup it is.
    pub cluster: ClusterName,
    /// When it was lifted, by the host's clock.
    pub lifted: Timestamp,
    /// The host that lifted it.
    pub host: String,
    /// The version of pgkeep.
    pub pgkeep: String,
}
