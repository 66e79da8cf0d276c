//! How the story is told: headings, sentences, commands and what they said.
//!
//! Invariants: nothing is wider than the terminal but what cannot be broken;
//! what a command said is shown whole and in its own words; nothing is told
//! where JSON is wanted.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use super::lines::{break_command, clauses, wrap};
use crate::output::Output;
use crate::words::{self, Align};

const HEADING: Style = AnsiColor::Cyan.on_default().bold();
const COMMAND: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();

/// Sentences are not wider, however wide the terminal is.
const SENTENCE: usize = 80;
const COMMAND_INDENT: &str = "  ";
const SAID_INDENT: &str = "    ";

/// What a thing that came back as it was is called.
pub(super) const EQUAL: &str = "✓ equal";

/// Tells.
#[derive(Debug)]
pub(super) struct Teller {
    output: Output,
    width: usize,
}

impl Teller {
    pub(super) fn new(output: Output) -> Self {
        let width = output.width();
        Self { output, width }
    }

    /// Whether colours are seen.
    pub(super) fn has_colours(&self) -> bool {
        self.output.has_colours()
    }

    /// What it is all about.
    pub(super) fn heading(&self, heading: &str) {
        self.output
            .data(format_args!("{HEADING}{heading}{HEADING:#}\n"));
    }

    /// The beginning of a chapter.
    pub(super) fn chapter(&self, heading: &str) {
        self.output.data("\n");
        self.heading(heading);
    }

    /// A few sentences.
    pub(super) fn sentences(&self, words: impl Display) {
        let width = self.width.min(SENTENCE);
        for paragraph in words.to_string().split('\n') {
            for line in wrap(paragraph, width, "") {
                self.output.data(format_args!("{line}\n"));
            }
        }
    }

    /// What is no part of the story.
    pub(super) fn talk(&self, words: impl Display) {
        self.output.say(words);
    }

    /// A command that the reader may run.
    pub(super) fn example(&self, command: &str) {
        self.output.data(format_args!(
            "{COMMAND_INDENT}{COMMAND}{command}{COMMAND:#}\n"
        ));
    }

    /// What came of something; further lines begin below `hanging`.
    pub(super) fn outcome(&self, words: &str, hanging: &str) {
        for line in wrap(words, self.width - SAID_INDENT.len(), hanging) {
            self.output.data(format_args!("{SAID_INDENT}{line}\n"));
        }
    }

    /// What the demo has looked at, beside what the command said.
    pub(super) fn seen(&self, words: &str) {
        self.outcome(&format!("({words})"), " ");
    }

    /// Some air between two commands.
    pub(super) fn pause(&self) {
        self.output.data("\n");
    }

    /// A statement that is run by hand.
    pub(super) fn statement(&self, sql: &str) {
        self.output.data(format_args!(
            "{COMMAND_INDENT}postgres=# {COMMAND}{sql}{COMMAND:#}\n"
        ));
    }

    /// A command that is about to be run.
    pub(super) fn command(&self, arguments: &[&str]) {
        let lines = break_command(&clauses(arguments), self.width - COMMAND_INDENT.len() - 2);
        for (index, line) in lines.iter().enumerate() {
            let prompt = if index == 0 { "$ " } else { "" };
            self.output.data(format_args!(
                "{COMMAND_INDENT}{prompt}{COMMAND}{line}{COMMAND:#}\n"
            ));
        }
    }

    /// A line that a command said.
    pub(super) fn said(&self, line: &str) {
        for line in wrap(line, self.width - SAID_INDENT.len(), "    ") {
            if line.is_empty() {
                self.output.data("\n");
            } else {
                self.output.data(format_args!("{SAID_INDENT}{line}\n"));
            }
        }
    }

    /// A table; what is equal is seen at once.
    pub(super) fn table(&self, headings: &[(&str, Align)], rows: &[Vec<String>]) {
        for line in words::table(headings, rows).lines() {
            let line = line.replace(EQUAL, &format!("{GOOD}{EQUAL}{GOOD:#}"));
            self.output.data(format_args!("{SAID_INDENT}{line}\n"));
        }
    }
}

/// A number with its thousands set apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut told = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

/// As much of a checksum as people compare.
pub(super) fn short(checksum: &str) -> &str {
    checksum.get(..8).unwrap_or(checksum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, told) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), told);
        }
    }
}
