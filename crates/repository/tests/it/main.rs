//! The rules of a repository, on the strict storage in memory.

mod faults;
mod flips;
mod keys;
mod streams;
mod world;
