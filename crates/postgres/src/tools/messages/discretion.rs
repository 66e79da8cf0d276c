//! What of a program's words is not for everybody: values of rows, and passwords in commands.
//!
//! Invariant: a line that belongs to such a part is not told, however many there are and
//! whatever they look like; the next message with the program's name ends it, or a hint.

use std::borrow::Cow;

use super::{OF_PRIVILEGES, OWN, SERVERS, severity};
use crate::row_values::without_values;

/// What the server says in a `DETAIL` that has no values of rows, by its beginning.
const HARMLESS: [&str; 2] = ["Could not ", "The database was created"];

/// What a command's passwords stand behind, in capitals.
const SECRETS: [&str; 3] = ["CONNECTION ", "PASSWORD", "OPTIONS ("];

/// What the lines belong to that begin nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Discretion {
    /// What everybody may read.
    #[default]
    Told,
    /// A command that failed.
    Command,
    /// Values of rows, or what stands behind a password.
    Hidden,
}

impl Discretion {
    /// What may be told of the next line; `text` is what is in it behind the program's name,
    /// where it is named there.
    pub(super) fn told<'a>(
        &mut self,
        line: &'a str,
        text: &str,
        is_named: bool,
    ) -> Option<Cow<'a, str>> {
        if *self == Self::Hidden && !is_named && severity(text.trim_start()) != Some("HINT") {
            return among_values(text);
        }
        *self = self.behind(text);
        let cut = match self {
            Self::Told => error_without_values(line).map(Cow::Owned),
            Self::Hidden => return None,
            Self::Command => secret(line).map(|at| Cow::Borrowed(&line[..at])),
        };
        if cut.is_some() {
            // What was cut may go on in the next lines.
            *self = Self::Hidden;
        }
        Some(cut.unwrap_or(Cow::Borrowed(line)))
    }

    /// What a line belongs to.
    fn behind(self, text: &str) -> Self {
        let text = text.trim_start();
        if text.starts_with("Command was:") || text.starts_with("LINE ") {
            return Self::Command;
        }
        if OWN.iter().any(|word| text.starts_with(word)) {
            return Self::Told;
        }
        match severity(text) {
            Some("CONTEXT" | "QUERY") => Self::Hidden,
            Some(word @ "DETAIL") => {
                let detail = text[word.len() + 1..].trim_start();
                match HARMLESS.iter().any(|begin| detail.starts_with(begin)) {
                    true => Self::Told,
                    false => Self::Hidden,
                }
            }
            Some(word) if is_capital(word) => Self::Told,
            _ => self,
        }
    }
}

/// What may be told of a line among those of a row's values: it may be one of them that looks
/// like a message, or one of another session's, which only what tells of privileges is kept
/// for.
fn among_values(text: &str) -> Option<Cow<'static, str>> {
    let is_warning = severity(text.trim_start()) == Some("WARNING");
    let told = OF_PRIVILEGES.iter().find(|words| text.contains(*words));
    let told = told.filter(|_| is_warning)?;
    Some(Cow::Owned(format!("WARNING:  {told} …")))
}

/// A line with an error of the server's that repeats values, without these.
fn error_without_values(line: &str) -> Option<String> {
    let (at, _) = line.match_indices(":  ").find(|(at, _)| {
        let word = line[..*at].rsplit(' ').next();
        word.is_some_and(|word| is_capital(word) && !SERVERS.contains(&word))
    })?;
    let (begin, message) = line.split_at(at);
    Some(format!("{begin}{}", without_values(message)?))
}

/// Whether the server's messages may begin with it, in any language.
fn is_capital(word: &str) -> bool {
    !word.is_empty() && !word.chars().any(char::is_lowercase)
}

/// Where in a command what may be a password begins.
fn secret(line: &str) -> Option<usize> {
    let capitals = line.to_ascii_uppercase();
    let behind = |word: &&str| Some(capitals.find(*word)? + word.len());
    SECRETS.iter().filter_map(behind).min()
}
