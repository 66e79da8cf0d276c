//! Everything that a storage, or a key file, hands back is hostile: whatever is
//! done to valid bytes, nothing panics, nothing allocates without bound, and
//! nothing is accepted for what was written but what was written.
//!
//! Each module has attempts: one draws something valid, changes it, and holds
//! what is made of it against the rule. `make test` tries a sample, `make soak`
//! goes on.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod attempts;
mod attribution;
mod descriptors;
mod examples;
mod key_files;
mod manifests;
mod mutation;
mod names;
mod packs;
mod records;
mod worked_example;
