//! `make bench`: what pgkeep costs, beside PostgreSQL's own programs and the
//! floors that nobody can be under.
//!
//! Invariants: every figure is measured by this program, in this run, in turns
//! with what it is compared to; a result is found right before its figure is
//! told; what could not be measured is named with the reason.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used
)]

mod arguments;
mod dumps;
mod load;
mod machine;
mod measure;
mod place;
mod processor;
mod restores;
mod server;
mod subject;
mod table;

use std::process::ExitCode;

use arguments::Arguments;
use load::Load;
use measure::Measuring;
use place::Place;
use server::Server;

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("bench: error: {problem}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    let place = Place::new(&arguments);
    let server = Server::start(arguments.major, arguments.over);
    machine::tell(&server, &place);

    let load = Load::make(&server, arguments.scale, arguments.events);
    load.tell(&arguments);
    let measuring = Measuring {
        server: &server,
        again: arguments.again,
    };
    let made = dumps::measure(&measuring, &place, &load, arguments.rounds);
    restores::measure(&measuring, &place, &load, &made, arguments.rounds);
    machine::tell_load();
    server.stop();
    ExitCode::SUCCESS
}
