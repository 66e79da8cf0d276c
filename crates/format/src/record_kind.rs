//! The kinds of records.
//!
//! Invariant: a number stands for one kind for good.

/// What a record holds; the number is written into its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum RecordKind {
    /// `keys/<fingerprint>`
    Key = 1,
    /// `<cluster>/runs/<run>/begin`
    Begin = 2,
    /// `<cluster>/runs/<run>/outcome`
    Outcome = 3,
    /// `<cluster>/backups/<backup>/manifest`
    Manifest = 4,
    /// `<cluster>/backups/<backup>/facts`
    Facts = 5,
    /// `<cluster>/backups/<backup>/backup`
    Backup = 6,
    /// `keys/<fingerprint>.retired`
    Retirement = 7,
    /// `keys/ring-<n>`
    KeyRing = 8,
    /// `<cluster>/tombstones/<backup>`
    Tombstone = 9,
    /// `<cluster>/runs/<run>/dead`
    Dead = 10,
    /// `<cluster>/runs/<run>/alive/<n>`
    Alive = 11,
    /// `keys/<fingerprint>.ending`
    Ending = 12,
    /// `<cluster>/proofs/<backup>/<proof>`
    Proof = 13,
    /// `<cluster>/pins/<backup>/<pin>`
    Pin = 14,
    /// `<cluster>/verified/<verification>`
    Verification = 15,
    /// `<cluster>/pins/<backup>/<pin>.lifted`
    Lift = 16,
}

impl RecordKind {
    /// The most bytes that a record of this kind has, and that its sealed part
    /// expands to: what is listed has less, since much of it is read at once. What honest
    /// ones come to is in docs/decisions/0015-bounds.md.
    #[must_use]
    pub fn limit(self) -> u64 {
        match self {
            Self::Manifest => 1 << 30,
            Self::Facts | Self::Retirement => 64 << 20,
            Self::Backup => 32 << 20,
            Self::Outcome | Self::KeyRing => 16 << 20,
            Self::Begin | Self::Verification => 8 << 20,
            Self::Key | Self::Tombstone | Self::Dead | Self::Alive | Self::Ending | Self::Proof => {
                1 << 20
            }
            Self::Pin | Self::Lift => 1 << 16,
        }
    }
}
