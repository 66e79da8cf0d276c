//! A capture from a real server into a storage that fails.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod faults;
