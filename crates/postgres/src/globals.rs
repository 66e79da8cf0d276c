//! The SQL that `pg_dumpall --globals-only` writes, cut into statements and words.
//!
//! It is no reader of SQL at large: what `pg_dumpall` does not write (dollar quotes,
//! other literals' prefixes, psql's commands but for two) is an error, not a guess.
//!
//! Invariants: a statement holds exactly one statement, whatever is in its literals;
//! nothing but comments, space and the `\restrict` and `\unrestrict` lines is left
//! out of all statements together; no message repeats the text, which has passwords.

use std::fmt;

/// One statement, without its semicolon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its words, in order.
    pub words: Vec<Word>,
}

/// The smallest part that has a meaning.
#[derive(Clone, PartialEq, Eq)]
pub enum Word {
    /// A keyword, a number or a name without quotes, as it is written.
    Plain(String),
    /// A name in quotes, without them.
    Quoted(String),
    /// A literal, with its quotes, and the `E` before them.
    Literal(String),
    /// A sign such as a comma.
    Sign(char),
}

/// Why the text is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the globals is not what pg_dumpall writes: {problem}")]
pub struct SplitError {
    /// The line, from 1.
    pub line: usize,
    /// What is there.
    pub problem: &'static str,
}

impl Word {
    /// Whether it is this keyword, given in capitals.
    #[must_use]
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Plain(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// The name that it stands for, where it can be one.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        match self {
            // What is not quoted is folded.
            Self::Plain(word) => Some(word.to_ascii_lowercase()),
            Self::Quoted(name) => Some(name.clone()),
            Self::Literal(_) | Self::Sign(_) => None,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) | Self::Literal(text) => f.write_str(text),
            Self::Quoted(name) => f.write_str(&crate::client::identifier(name)),
            Self::Sign(sign) => write!(f, "{sign}"),
        }
    }
}

/// Never what a literal holds: that may be a password.
impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("'…'"),
            word => write!(f, "{word}"),
        }
    }
}

/// The statement as SQL: its words with a space between.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, word) in self.words.iter().enumerate() {
            let space = if number == 0 { "" } else { " " };
            write!(f, "{space}{word}")?;
        }
        Ok(())
    }
}

/// The statements of `sql`.
///
/// # Errors
///
/// Where something is not what `pg_dumpall` writes, or the text ends too early.
pub fn split(sql: &str) -> Result<Vec<Statement>, SplitError> {
    let mut reader = Reader { sql, at: 0 };
    let mut statements = Vec::new();
    let mut words = Vec::new();
    loop {
        reader.skip_space()?;
        let Some(first) = reader.peek() else {
            break;
        };
        match first {
            ';' => {
                reader.at += 1;
                let words = std::mem::take(&mut words);
                if !words.is_empty() {
                    statements.push(Statement { words });
                }
            }
            '\\' if words.is_empty() => reader.skip_command()?,
            _ => words.push(reader.word(first)?),
        }
    }
    if words.is_empty() {
        Ok(statements)
    } else {
        Err(reader.error("a statement has no end"))
    }
}

struct Reader<'a> {
    sql: &'a str,
    /// Always between two characters.
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.sql.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, problem: &'static str) -> SplitError {
        let before = self.sql.get(..self.at).unwrap_or_default();
        SplitError {
            line: before.matches('\n').count() + 1,
            problem,
        }
    }

    /// As far as `keep` holds.
    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Space as PostgreSQL's scanner knows it, and comments of whole lines.
    fn skip_space(&mut self) -> Result<(), SplitError> {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}'));
            if self.rest().starts_with("/*") {
                self.skip_block()?;
            } else if self.rest().starts_with("--") {
                self.take_while(|c| c != '\n' && c != '\r');
            } else {
                return Ok(());
            }
        }
    }

    /// A comment that may hold others.
    fn skip_block(&mut self) -> Result<(), SplitError> {
        let mut depth = 0_u32;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth = depth.saturating_add(1);
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth = depth.saturating_sub(1);
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else if let Some(other) = self.peek() {
                self.at += other.len_utf8();
            } else {
                return Err(self.error("a comment has no end"));
            }
        }
    }

    /// A line for psql that says nothing about the globals.
    fn skip_command(&mut self) -> Result<(), SplitError> {
        let starts_line = self.sql.get(..self.at).is_none_or(|before| {
            let line = before.rsplit('\n').next();
            line.is_none_or(str::is_empty)
        });
        let line = self.rest().lines().next().unwrap_or_default();
        let key = line
            .strip_prefix("\\restrict ")
            .or_else(|| line.strip_prefix("\\unrestrict "));
        match key {
            Some(key) if starts_line && key.chars().all(|c| c.is_ascii_alphanumeric()) => {
                self.at += line.len();
                Ok(())
            }
            _ => Err(self.error("a command of psql's")),
        }
    }

    fn word(&mut self, first: char) -> Result<Word, SplitError> {
        match first {
            '"' => {
                self.at += 1;
                let name = self.until('"', false)?;
                let name = name.replace("\"\"", "\"");
                if name.is_empty() {
                    return Err(self.error("a name without a letter"));
                }
                Ok(Word::Quoted(name))
            }
            '\'' => {
                self.at += 1;
                let text = self.until('\'', false)?;
                Ok(Word::Literal(format!("'{text}'")))
            }
            'e' | 'E' if self.rest().get(1..2) == Some("'") => {
                self.at += 2;
                let text = self.until('\'', true)?;
                Ok(Word::Literal(format!("E'{text}'")))
            }
            _ if is_letter(first) || first.is_ascii_digit() => {
                let number = first.is_ascii_digit();
                let word =
                    self.take_while(|c| is_letter(c) || c.is_ascii_digit() || (number && c == '.'));
                match self.peek() {
                    // A prefix of another literal, or a name that goes on.
                    Some('\'' | '"' | '&' | '$') => Err(self.error("an unknown literal")),
                    _ => Ok(Word::Plain(word.to_owned())),
                }
            }
            ',' | '(' | ')' | '=' | '.' | '-' | '+' => {
                self.at += 1;
                Ok(Word::Sign(first))
            }
            _ => Err(self.error("an unknown sign")),
        }
    }

    /// What is inside quotes as it is written, doubled quotes and all.
    fn until(&mut self, quote: char, escapes: bool) -> Result<&'a str, SplitError> {
        let inside = self.rest();
        let begin = self.at;
        loop {
            self.take_while(|c| c != quote && c != '\0' && (c != '\\' || !escapes));
            match self.peek() {
                Some('\\') => {
                    self.at += 1;
                    self.at += self.peek().map_or(0, char::len_utf8);
                }
                Some('\0') => return Err(self.error("a zero byte")),
                Some(_) => {
                    self.at += 1;
                    if self.peek() != Some(quote) {
                        let length = self.at - 1 - begin;
                        return Ok(inside.get(..length).unwrap_or_default());
                    }
                    self.at += 1;
                }
                None => return Err(self.error("a quote has no end")),
            }
        }
    }
}

/// What a name without quotes is made of.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client::{identifier, literal};

    fn words(sql: &str) -> Vec<String> {
        let statements = split(sql).unwrap();
        assert_eq!(statements.len(), 1, "{sql}");
        statements[0]
            .words
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_semicolon_in_quotes_ends_nothing() {
        assert_eq!(
            words("COMMENT ON ROLE \"a;\"\"b\" IS 'it''s; --x';"),
            ["COMMENT", "ON", "ROLE", "\"a;\"\"b\"", "IS", "'it''s; --x'"]
        );
    }

    #[test]
    fn a_backslash_escapes_in_an_e_literal_alone() {
        assert_eq!(words(r"SET a TO E'\';';"), ["SET", "a", "TO", r"E'\';'"]);
        assert_eq!(words(r"SET a TO '\';"), ["SET", "a", "TO", r"'\'"]);
        assert_eq!(words(r"SET a TO E'\\';"), ["SET", "a", "TO", r"E'\\'"]);
    }

    #[test]
    fn comments_and_the_two_commands_say_nothing() {
        let sql = "\\restrict aB3\n-- it's; one\n/* a /* b */ ; */ CREATE ROLE a; -- x\n\n\
                   \\unrestrict aB3\n";
        assert_eq!(words(sql), ["CREATE", "ROLE", "a"]);
    }

    #[test]
    fn what_pg_dumpall_never_writes_is_refused_with_its_line() {
        for (sql, line) in [
            ("\n\\! rm -rf x\n", 2),
            ("CREATE ROLE a\n\\g\n;", 2),
            ("CREATE ROLE a; \\restrict x\n", 1),
            ("\\restrict x; CREATE ROLE a\n", 1),
            ("DO $$ begin end $$;", 1),
            ("SELECT U&'x';", 1),
            ("SELECT x'1f';", 1),
            ("CREATE ROLE a", 1),
            ("CREATE ROLE 'a;", 1),
            ("CREATE ROLE \"\";", 1),
            ("/* CREATE ROLE a;", 1),
            ("CREATE ROLE a \0;", 1),
        ] {
            let error = split(sql).unwrap_err();
            assert_eq!(error.line, line, "{sql:?}: {error}");
        }
    }

    #[test]
    fn a_number_is_one_word() {
        let sql = "ALTER TABLESPACE a SET (random_page_cost=1.5);";
        assert_eq!(
            split(sql).unwrap()[0].to_string(),
            "ALTER TABLESPACE a SET ( random_page_cost = 1.5 )"
        );
    }

    #[test]
    fn a_password_is_in_no_message() {
        let statements = split("ALTER ROLE a WITH PASSWORD 'SCRAM-SHA-256$x';").unwrap();
        assert!(!format!("{statements:?}").contains("SCRAM"));
    }

    fn any_word() -> impl Strategy<Value = Word> {
        prop_oneof![
            "[A-Z_]{1,8}".prop_map(Word::Plain),
            "[^\0]{1,8}".prop_map(Word::Quoted),
            "[^\0]{0,12}".prop_map(|text| Word::Literal(literal(&text))),
            prop_oneof![Just(','), Just('='), Just('(')].prop_map(Word::Sign),
        ]
    }

    proptest! {
        #[test]
        fn any_text_is_split_or_refused(sql in any::<String>()) {
            let _ = split(&sql);
        }

        #[test]
        fn text_of_these_signs_is_split_or_refused(sql in "[ae;'\"\\\\/*\n -]{0,40}") {
            // What was split is split the same way again.
            if let Ok(statements) = split(&sql) {
                let text: String = statements.iter().map(|s| format!("{s};\n")).collect();
                prop_assert_eq!(split(&text).unwrap(), statements);
            }
        }

        #[test]
        fn what_was_quoted_comes_back_as_it_was(
            statements in proptest::collection::vec(
                proptest::collection::vec(any_word(), 1..6), 0..6),
        ) {
            let sql: String = statements
                .iter()
                .map(|words| {
                    let words: Vec<String> = words.iter().map(|word| match word {
                        Word::Quoted(name) => identifier(name),
                        word => word.to_string(),
                    }).collect();
                    format!("-- it's\n{} ;", words.join(" "))
                })
                .collect();
            let split = split(&sql).unwrap();
            let split: Vec<Vec<Word>> = split.into_iter().map(|s| s.words).collect();
            prop_assert_eq!(split, statements);
        }
    }
}
