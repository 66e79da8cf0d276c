//! What the engine costs, beside what nobody can be under: a tree of files like a
//! cluster's data directory is stored, stored again after changes, and read back; a
//! bucket at a distance is filled and emptied.
//!
//! Invariants: every figure is measured by this program, in this run, in turns with
//! what it is compared to; what was read back is compared before its figure is told.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod arguments;
mod bucket;
mod clock;
mod local;
mod site;
mod table;
mod tree;

use arguments::Arguments;

fn main() {
    let arguments = Arguments::read(std::env::args().skip(1));
    let home = tempfile::tempdir_in(&arguments.directory).expect("a directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if arguments.segments > 0 {
        local::measure(&runtime, &arguments, home.path());
        // Before the bucket's content, which is held in memory to be compared.
        println!("\npeak memory: {} MB", clock::peak_memory() / 1_000_000);
    }
    if arguments.bucket_megabytes > 0 {
        bucket::measure(&runtime, &arguments);
    }
}
