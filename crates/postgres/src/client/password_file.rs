//! libpq's password file, `~/.pgpass`.
//!
//! Source of the rules: `passwordFromFile` and `pwdfMatchesString` in
//! src/interfaces/libpq/fe-connect.c.
//!
//! Invariant: a file that anyone but its owner can read is left aside, and the
//! contents are wiped after use.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

/// What was looked for.
pub(super) struct Entry<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// What a password file gave.
pub(super) enum Answer {
    /// No file, or no line that fits.
    Nothing,
    /// Group or others have access to the file: it was not read.
    Ignored,
    /// The password of the first line that fits.
    Password(Zeroizing<String>),
}

pub(super) fn look_up(path: &Path, wanted: &Entry<'_>) -> Answer {
    let Ok(metadata) = fs::metadata(path) else {
        return Answer::Nothing;
    };
    if !metadata.is_file() {
        return Answer::Nothing;
    }
    if metadata.mode() & 0o077 != 0 {
        return Answer::Ignored;
    }
    let Ok(contents) = fs::read_to_string(path).map(Zeroizing::new) else {
        return Answer::Nothing;
    };
    contents
        .lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| password_of(line, wanted))
        .map_or(Answer::Nothing, Answer::Password)
}

fn password_of(line: &str, wanted: &Entry<'_>) -> Option<Zeroizing<String>> {
    let port = wanted.port.to_string();
    let mut rest = line;
    for field in [wanted.host, &port, wanted.database, wanted.user] {
        rest = after_match(rest, field)?;
    }
    // The password is the rest of the line, unescaped; libpq stops at a colon
    // that is not escaped.
    let mut password = Zeroizing::new(String::with_capacity(rest.len()));
    let mut characters = rest.chars();
    while let Some(c) = characters.next() {
        match c {
            ':' => break,
            '\\' => password.extend(characters.next()),
            c => password.push(c),
        }
    }
    Some(password)
}

/// The rest of the line after its first field, where that field is `*` or,
/// unescaped, `wanted`.
fn after_match<'a>(line: &'a str, wanted: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let mut wanted = wanted.chars();
    let mut characters = line.chars();
    loop {
        let expected = match characters.next()? {
            ':' => {
                return wanted.next().is_none().then_some(characters.as_str());
            }
            '\\' => characters.next()?,
            c => c,
        };
        if wanted.next() != Some(expected) {
            return None;
        }
    }
}
