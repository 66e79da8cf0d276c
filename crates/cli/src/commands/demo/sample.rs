//! The two databases that the story is about.
//!
//! Invariants: every run of the same version makes the same contents, by seed and
//! without the time of day; they need PostgreSQL 13 or newer and nothing else, no
//! extension and no ICU.

/// A database with believable contents.
#[derive(Debug)]
pub(super) struct Sample {
    /// Its name; one that needs no quotes.
    pub(super) database: &'static str,
    /// What it is, for people.
    pub(super) what: &'static str,
    /// What fills it.
    pub(super) contents: &'static str,
    /// A day's changes.
    pub(super) changes: &'static str,
}

/// The one that is lost.
pub(super) const SHOP: Sample = Sample {
    database: "shop",
    what: "a web shop",
    contents: include_str!("sample/shop.sql"),
    changes: include_str!("sample/shop-changes.sql"),
};

/// Its neighbour.
pub(super) const LIBRARY: Sample = Sample {
    database: "library",
    what: "a town's library",
    contents: include_str!("sample/library.sql"),
    changes: include_str!("sample/library-changes.sql"),
};
