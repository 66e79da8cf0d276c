//! All knowledge of PostgreSQL: how one connects to it, what it tells of a
//! database, which of its programs to run and how, and how to start a
//! throwaway server.
//!
//! Invariants: nothing here reads the process's environment, home directory or
//! clock; callers hand them in. Facts of a connection reach child programs by
//! their environment alone, never by an argument, and no password is ever part
//! of a message. What depends on the server's version is decided by the version
//! that the server itself told.

pub mod client;
pub mod globals;
mod row_values;
pub mod server;
pub mod tools;
