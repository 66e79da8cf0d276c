//! `key=value` pairs with libpq's quotes (`conninfo_parse`).
//!
//! Invariant: a word that is no known key is not repeated where it may be half
//! of a password.

use zeroize::Zeroizing;

use super::ConnectionStringError;
use crate::client::{ConnectionParameters, keywords};

/// `key = value key='quoted value'`: white space around `=`, `\` escapes a
/// character inside and outside of quotes.
pub(super) fn parse(
    text: &str,
    parameters: &mut ConnectionParameters,
) -> Result<(), ConnectionStringError> {
    let mut characters = text.chars().peekable();
    loop {
        while characters.next_if(char::is_ascii_whitespace).is_some() {}
        if characters.peek().is_none() {
            return Ok(());
        }
        let mut key = String::new();
        while let Some(c) = characters.next_if(|&c| c != '=' && !c.is_ascii_whitespace()) {
            key.push(c);
        }
        while characters.next_if(char::is_ascii_whitespace).is_some() {}
        if characters.next_if_eq(&'=').is_none() {
            // A text without any "=" may be a mistyped address or a password:
            // it is not repeated.
            let known = keywords::find(&key).is_some();
            let key = if known { key } else { "…".to_owned() };
            return Err(ConnectionStringError::NoValue { key });
        }
        while characters.next_if(char::is_ascii_whitespace).is_some() {}
        let mut value = Zeroizing::new(String::new());
        if characters.next_if_eq(&'\'').is_some() {
            loop {
                match characters.next() {
                    None => return Err(ConnectionStringError::UnclosedQuote { key }),
                    Some('\'') => break,
                    Some('\\') => value.extend(characters.next()),
                    Some(c) => value.push(c),
                }
            }
        } else {
            while let Some(c) = characters.next_if(|c| !c.is_ascii_whitespace()) {
                match c {
                    '\\' => value.extend(characters.next()),
                    c => value.push(c),
                }
            }
        }
        parameters.say(&key, std::mem::take(&mut *value))?;
    }
}
