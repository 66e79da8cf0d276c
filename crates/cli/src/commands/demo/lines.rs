//! Text and command lines, broken into lines of a terminal's width.
//!
//! Invariants: only spaces are broken at, and no other character is lost or
//! added, but for the `\` that a shell wants; colours have no width.

use crate::words::shell_word;

/// Breaks a line at its spaces; each further line begins with `hanging`.
pub(super) fn wrap(line: &str, width: usize, hanging: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        if used > 0 && used + visible(word.trim_end()) > width {
            lines.push(current.trim_end().to_owned());
            current = hanging.to_owned();
            used = visible(hanging);
        }
        current.push_str(word);
        used += visible(word);
    }
    lines.push(current.trim_end().to_owned());
    lines
}

/// How many columns a text takes.
fn visible(text: &str) -> usize {
    anstream::adapter::strip_str(text)
        .map(|part| part.chars().count())
        .sum()
}

/// The command line as a shell reads it, each option with its value.
pub(super) fn clauses(arguments: &[&str]) -> Vec<String> {
    let mut clauses = vec!["pgkeep".to_owned()];
    let mut wants_value = false;
    for argument in arguments {
        let quoted = shell_word(argument);
        match clauses.last_mut() {
            Some(option) if wants_value => {
                option.push(' ');
                option.push_str(&quoted);
            }
            _ => clauses.push(quoted),
        }
        wants_value = !wants_value && argument.starts_with("--");
    }
    clauses
}

/// The clauses in as many lines as they need.
pub(super) fn break_command(clauses: &[String], width: usize) -> Vec<String> {
    const CONTINUED: &str = " \\";
    let mut lines: Vec<String> = Vec::new();
    for clause in clauses {
        match lines.last_mut() {
            Some(line) if visible(line) + visible(clause) + 1 + CONTINUED.len() <= width => {
                line.push(' ');
                line.push_str(clause);
            }
            Some(line) => {
                line.push_str(CONTINUED);
                lines.push(format!("    {clause}"));
            }
            None => lines.push(clause.clone()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_fits_is_left_as_it_is() {
        assert_eq!(wrap("a   b  c", 8, "  "), ["a   b  c"]);
        assert_eq!(wrap("", 8, "  "), [""]);
    }

    #[test]
    fn a_longer_one_is_broken_at_its_spaces() {
        assert_eq!(wrap("one two three", 7, "  "), ["one two", "  three"]);
        assert_eq!(wrap("unbreakable x", 4, ""), ["unbreakable", "x"]);
    }

    #[test]
    fn colours_have_no_width() {
        let line = "\u{1b}[1mone\u{1b}[0m two";
        assert_eq!(wrap(line, 7, ""), [line]);
    }

    #[test]
    fn an_option_stays_with_its_value_and_both_are_quoted_for_a_shell() {
        let clauses = clauses(&["init", "--connection", "host=/x user=y", "--as", "it's"]);
        assert_eq!(
            clauses,
            [
                "pgkeep",
                "init",
                "--connection 'host=/x user=y'",
                r"--as 'it'\''s'"
            ]
        );
    }

    #[test]
    fn a_long_command_goes_on_in_the_next_line() {
        let lines = break_command(&clauses(&["list", "--config", "pgkeep.toml"]), 20);
        assert_eq!(lines, ["pgkeep list \\", "    --config pgkeep.toml"]);
    }
}
