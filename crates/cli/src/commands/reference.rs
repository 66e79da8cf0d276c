//! `pgkeep reference`: pages of the reference, made from the program itself.
//!
//! Invariant: nothing here is written by hand that the program knows.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use pgkeep_config::VARIABLES;

use crate::arguments::{Arguments, Page, Reference};
use crate::context::Context;

/// Prints a page as Markdown.
pub(crate) fn run(arguments: &Reference, context: &Context) {
    context.output.data(match arguments.page {
        Page::Cli => commands(),
        Page::Environment => environment(),
    });
}

fn commands() -> String {
    let mut page = String::from("# The command line\n\nMade by `cargo xtask reference`.\n");
    let mut program = Arguments::command().term_width(90);
    program.build();
    describe(&mut program, "pgkeep", &mut page);
    page.push_str(
        "\n## Exit codes\n\n\
         | Code | Meaning |\n|---|---|\n\
         | 0 | done |\n| 1 | failed |\n| 2 | wrong usage |\n\
         | 3 | done in part: some databases failed |\n\
         | 4 | nothing suitable found |\n| 130 | interrupted |\n\n\
         `pgkeep check` ends as Nagios has it: 0 ok, 1 warning, 2 critical, 3 unknown.\n",
    );
    page
}

/// Every command below this one that is shown, and those below them.
fn describe(command: &mut clap::Command, path: &str, page: &mut String) {
    for command in command.get_subcommands_mut() {
        if command.is_hide_set() || command.get_name() == "help" {
            continue;
        }
        let path = format!("{path} {}", command.get_name());
        let help = command.render_long_help().to_string();
        // Writing into a string does not fail.
        let _ = write!(page, "\n## {path}\n\n```text\n{}\n```\n", help.trim_end());
        describe(command, &path, page);
    }
}

fn environment() -> String {
    let mut page = String::from(
        "# Environment variables\n\nMade by `cargo xtask reference`. The environment goes before \
         the configuration file; 'pgkeep config' shows what is in force and where it came \
         from.\n\n| Variable | Meaning |\n|---|---|\n",
    );
    for variable in VARIABLES {
        let _ = writeln!(page, "| `{}` | {} |", variable.name, variable.meaning);
    }
    page.push_str(
        "\nA variable that holds a connection, an address, a mode or a list may be given as a file: \
         `PGKEEP_DATABASE_URL_FILE` names one that holds what `PGKEEP_DATABASE_URL` would. A \
         variable that is almost one of these is an error.\n\
         \nlibpq's own variables (`PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGPASSFILE`, …) \
         fill in what a connection leaves out.\n",
    );
    page
}
