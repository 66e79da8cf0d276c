//! The rules of a repository, on the strict storage in memory.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod bounds;
mod copied;
mod copying;
mod creating;
mod deletion;
mod disowning;
mod family;
mod faults;
mod flips;
mod interleaved;
mod keys;
mod members;
mod overwriting;
mod owner;
mod parent_choice;
mod parents;
mod passphrases;
mod proofs;
mod retired;
mod retiring;
mod rounds;
mod streams;
mod unread_verifications;
mod weather;
mod world;
