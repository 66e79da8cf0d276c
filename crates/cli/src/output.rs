//! Where words and data go.
//!
//! Invariants: data goes to stdout, talk to stderr; with `--json` stdout holds
//! one JSON object with a `version` and nothing else. All of it goes above the lines that
//! tell how far the work is, while there are any. A reader who has gone away
//! (a closed pipe) is no failure.

use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::error::{CliError, chain};
use crate::fold::fold;
use crate::live::above;

/// The version of every JSON object that is printed.
pub(crate) const JSON_VERSION: u32 = 1;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Data for people; nothing where JSON is wanted.
    pub(crate) fn data(self, words: impl Display) {
        if !self.json {
            check(above(|| write!(anstream::stdout(), "{words}")));
        }
    }

    /// Data for programs; nothing where words are wanted.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), CliError> {
        if !self.json {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(value).map_err(|error| CliError::Process {
            what: "print JSON",
            source: error.into(),
        })?;
        check(above(|| writeln!(anstream::stdout(), "{text}")));
        Ok(())
    }

    /// How many columns a line of data may have.
    pub(crate) fn width(self) -> usize {
        const ELSEWHERE: u16 = 80;
        const NARROWEST: u16 = 40;
        let size = rustix::termios::tcgetwinsize(io::stdout());
        let columns = size.map_or(ELSEWHERE, |size| size.ws_col);
        // Some terminals do not know and say 0.
        let columns = if columns == 0 { ELSEWHERE } else { columns };
        columns.max(NARROWEST).into()
    }

    /// How many columns the terminal has that data goes to; none where it goes elsewhere.
    pub(crate) fn columns(self) -> Option<usize> {
        columns(&io::stdout())
    }

    /// Whether data is printed in colours.
    pub(crate) fn has_colours(self) -> bool {
        anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
    }

    /// Lines of data with something set to the left, where they are too long for the
    /// terminal; what goes on stands `indent` blanks further right. Programs get them whole.
    pub(crate) fn folded(self, lines: &str, indent: usize) -> String {
        folded(lines, columns(&io::stdout()), indent)
    }

    /// The same of talk.
    pub(crate) fn folded_talk(self, lines: &str, indent: usize) -> String {
        folded(lines, columns(&io::stderr()), indent)
    }

    /// A line of talk.
    pub(crate) fn say(self, words: impl Display) {
        let words = talk(words);
        quietly(above(|| writeln!(anstream::stderr(), "{words}")));
    }

    /// A question; the answer is typed behind it.
    pub(crate) fn ask(self, question: impl Display) {
        let question = talk(question);
        let mut stderr = anstream::stderr();
        let ask = || write!(stderr, "{question}").and_then(|()| stderr.flush());
        quietly(above(ask));
    }

    /// Something that should be looked at.
    pub(crate) fn warning(self, words: impl Display) {
        labelled(WARNING, "warning:", words);
    }

    /// A failure with its causes and what to do about it.
    pub(crate) fn failure(self, error: &CliError) {
        for (number, words) in chain(error).into_iter().enumerate() {
            let label = if number == 0 { "error:" } else { "caused by:" };
            labelled(ERROR, label, words);
        }
        if let Some(hint) = error.hint() {
            labelled(HINT, "hint:", hint);
        }
    }
}

/// A line of talk that says first what it is.
fn labelled(style: Style, label: &str, words: impl Display) {
    let told = talk(format_args!("{label} {words}"));
    let words = told.strip_prefix(label).unwrap_or(&told);
    quietly(above(|| {
        writeln!(anstream::stderr(), "{style}{label}{style:#}{words}")
    }));
}

/// Talk as it goes to stderr.
fn talk(words: impl Display) -> String {
    folded(&words.to_string(), columns(&io::stderr()), 0)
}

fn folded(text: &str, columns: Option<usize>, indent: usize) -> String {
    match columns {
        Some(columns) => fold(text, columns, indent),
        None => text.to_owned(),
    }
}

/// How many columns a terminal has; none where it is none, or does not know.
fn columns(stream: &impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

/// Whether data could not be written where it should go.
pub(crate) fn data_was_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

static LOST: AtomicBool = AtomicBool::new(false);

fn check(printed: io::Result<()>) {
    // A reader who has gone away wants no more.
    if printed.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        LOST.store(true, Ordering::Relaxed);
    }
}

fn quietly(printed: io::Result<()>) {
    // Nobody reads any more: there is nobody to tell.
    drop(printed);
}
