//! The program as its users run it: real servers, a real directory, the real
//! command line.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod beforehand;
mod buckets;
mod choices;
mod clocks;
mod config;
mod contents;
mod cut_off;
mod demo;
mod doctor;
mod event_triggers;
mod failures;
mod first_steps;
mod flips;
mod foreign;
mod keeping;
mod keys;
mod killed_init;
mod kills;
mod kit;
mod lost_keys;
mod many_leaves;
mod memory;
mod misuse;
mod other_servers;
mod passphrases;
mod prune;
mod replaced;
mod said;
mod script;
mod script_choice;
mod script_limits;
mod script_tombstones;
mod second_dumps;
mod secrets;
mod site;
mod sizes;
mod soak;
mod sql_ascii;
mod standby;
mod terminal;
mod there_and_back;
mod unreachable;
mod verify;
mod whole_servers;
