//! The first and the last page: what is about to happen, and what came of it.
//!
//! Invariant: what is said of the directory is what was seen of it.

use std::path::Path;
use std::time::Duration;

use super::report::Facts;
use super::teller::Teller;

impl Teller {
    /// The first page.
    pub(super) fn opening(&self, stage: &Path, keep: bool) {
        self.heading(concat!(
            "pgkeep ",
            env!("CARGO_PKG_VERSION"),
            ": two databases, a disaster, and the way back"
        ));
        let fate = if keep {
            "is kept"
        } else {
            "is removed at the end"
        };
        self.sentences(format_args!(
            "Every command below is run for real and shown with all that it says. It happens \
             in {}, which {fate}.",
            stage.display()
        ));
    }

    /// The last page.
    pub(super) fn ending(&self, facts: &Facts, took: Duration, left: Option<&Path>) {
        self.chapter("It held");
        facts.tell(self);
        let seconds = took.as_secs_f64();
        match left {
            None => self.sentences(format_args!(
                "\nThe server is stopped and the directory is gone, {seconds:.0} s after it was \
                 made. Your own databases are next:"
            )),
            Some(left) => {
                self.sentences(format_args!(
                    "\nThe server is stopped, {seconds:.0} s after the beginning. Repository, keys \
                     and configuration stay; to look around:"
                ));
                self.example(&format!("cd {}", left.display()));
                self.example("pgkeep list");
                self.example(
                    "pgkeep restore main --database shop --to-file shop.dump \\\n      \
                     --identity usb-stick/recovery.key",
                );
                self.sentences("\nYour own databases are next:");
            }
        }
        self.example("pgkeep init --repository DIRECTORY --connection postgres://USER@HOST");
    }

    /// The last page of a story that somebody has stopped.
    pub(super) fn interrupted(&self, left: Option<&Path>) {
        match left {
            None => self.talk("interrupted; the server is stopped and nothing is left"),
            Some(left) => self.talk(format_args!(
                "interrupted; the server is stopped, and the rest stays in {}",
                left.display()
            )),
        }
    }

    /// The last page of a story that did not end well and that is to be kept.
    pub(super) fn left_behind(&self, left: &Path) {
        self.talk(format_args!(
            "the server is stopped; repository, keys and configuration stay in {}",
            left.display()
        ));
    }
}
