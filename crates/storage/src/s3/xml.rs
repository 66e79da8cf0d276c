//! The lists that a bucket answers with, in XML.
//!
//! Invariants: an answer that is not the list that was asked for is an error, never an
//! empty list: servers were seen that answer what they do not know with something else.
//! A text is taken as it is, blanks at its ends included: `a` and `a ` are two keys.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::Event;

/// What is listed, and how S3 calls it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// The outermost element.
    pub(super) root: &'static str,
    /// The element of each thing that is listed.
    pub(super) item: &'static str,
    /// For people.
    pub(super) what: &'static str,
}

/// Texts by the names of their elements.
pub(super) type Fields = BTreeMap<String, String>;

/// An answer, taken apart.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// What it says of itself.
    pub(super) fields: Fields,
    /// What it says of each thing.
    pub(super) items: Vec<Fields>,
}

impl Listed {
    /// What the answer says of itself; nothing where it does not.
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// An answer that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the server's answer is no list of {}: {problem}", .kind.what)]
    NoList { kind: Kind, problem: String },
    #[error("the server's list of {} cannot be read: {problem}", .kind.what)]
    Fields { kind: Kind, problem: String },
    #[error("the server answers with another thing than a list of {}", .0.what)]
    Another(Kind),
    #[error("the server's list of {} is cut off, and it does not say where it goes on", .0.what)]
    Endless(Kind),
}

impl Kind {
    /// Takes an answer apart.
    pub(super) fn read(self, body: &[u8]) -> Result<Listed, Unusable> {
        // What is no UTF-8 is in nothing of ours, and ends no list.
        let text = String::from_utf8_lossy(body);
        let mut reader = Reader::from_str(&text);
        reader.config_mut().expand_empty_elements = true;
        let mut listed = Listed::default();
        let mut path: Vec<String> = Vec::new();
        let mut value = String::new();
        loop {
            let event = reader.read_event();
            match event.map_err(|error| self.broken(&path, error.to_string()))? {
                Event::Start(element) => {
                    let name = String::from_utf8_lossy(element.local_name().as_ref()).into_owned();
                    match path.len() {
                        0 if name != self.root => return Err(Unusable::Another(self)),
                        1 if name == self.item => listed.items.push(Fields::new()),
                        _ => {}
                    }
                    path.push(name);
                    value.clear();
                }
                Event::End(_) => {
                    let name = path.pop().unwrap_or_default();
                    let text = std::mem::take(&mut value);
                    match path.as_slice() {
                        [] => return Ok(listed),
                        [_] if name != self.item => drop(listed.fields.insert(name, text)),
                        [_, outer] if *outer == self.item => {
                            let item = listed.items.last_mut();
                            item.and_then(|item| item.insert(name, text));
                        }
                        _ => {}
                    }
                }
                Event::Text(text) => value.push_str(&String::from_utf8_lossy(&text)),
                Event::CData(text) => value.push_str(&String::from_utf8_lossy(&text)),
                Event::GeneralRef(reference) => value.push(character(&reference)),
                Event::Eof if path.is_empty() => return Err(Unusable::Another(self)),
                Event::Eof => return Err(self.broken(&path, "it has no end".to_owned())),
                Event::Empty(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_) => {}
            }
        }
    }

    fn broken(self, path: &[String], problem: String) -> Unusable {
        match path.is_empty() {
            true => Unusable::NoList {
                kind: self,
                problem,
            },
            false => self.unreadable(problem),
        }
    }

    /// A list in which something is not as it should be.
    pub(super) fn unreadable(self, problem: impl Into<String>) -> Unusable {
        Unusable::Fields {
            kind: self,
            problem: problem.into(),
        }
    }
}

/// What a reference stands for. XML has no such characters as some keys have, and servers
/// write them all the same.
fn character(reference: &quick_xml::events::BytesRef<'_>) -> char {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character;
    }
    match &**reference {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Kind = Kind {
        root: "List",
        item: "Entry",
        what: "keys",
    };

    fn keys(entries: &str) -> Vec<String> {
        let body = format!("<?xml version=\"1.0\"?>\n<List xmlns=\"http://s3/\">{entries}</List>");
        let listed = KEYS.read(body.as_bytes()).unwrap();
        listed.items.into_iter().map(|i| i["Key"].clone()).collect()
    }

    #[test]
    fn a_key_is_told_as_it_is() {
        for (written, key) in [
            ("a/b", "a/b"),
            ("a ", "a "),
            ("\na", "\na"),
            ("a&#10;", "a\n"),
            ("a&#x1;b", "a\u{1}b"),
            ("a&#0;b", "a\u{fffd}b"),
            ("a&amp;amp;&lt;b&gt;&quot;&apos;", "a&amp;<b>\"'"),
            ("<![CDATA[a<b]]>", "a<b"),
            ("", ""),
        ] {
            assert_eq!(keys(&format!("<Entry><Key>{written}</Key></Entry>")), [key]);
        }
        assert_eq!(keys("<Entry><Key/></Entry>"), [""]);
        assert_eq!(keys(""), [""; 0]);
    }

    #[test]
    fn what_lies_deeper_is_not_taken_for_the_things_own() {
        let owned = "<Entry><Key>a</Key><Owner><Key>b</Key></Owner></Entry><Key>c</Key>";
        assert_eq!(keys(owned), ["a"]);
    }

    #[test]
    fn bytes_that_are_no_text_end_no_list() {
        let body = b"<List><Entry><Key>a\xff</Key></Entry><Entry><Key>b</Key></Entry></List>";
        let listed = KEYS.read(body).unwrap();
        let keys: Vec<&str> = listed.items.iter().map(|i| i["Key"].as_str()).collect();
        assert_eq!(keys, ["a\u{fffd}", "b"]);
    }

    #[test]
    fn what_is_no_such_list_or_ends_too_soon_is_an_error() {
        for body in [
            "",
            "<html></html>",
            "<html/>",
            "<List><Entry>",
            "no XML <",
            "<List></Other>",
        ] {
            assert!(KEYS.read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
