//! Lines that are too long for a terminal, broken between words.
//!
//! Invariants: but for line ends and the blanks at them nothing is changed; a line that
//! begins with a blank is set already and stays as it is, and so does a command in quotes:
//! whoever copies it gets it whole.

/// How a command is told in a sentence.
const COMMAND: &str = "'pgkeep ";

/// The text in lines of at most `columns` characters, as far as its words allow; what goes
/// on in a new line begins `indent` blanks further right.
pub(crate) fn fold(text: &str, columns: usize, indent: usize) -> String {
    // Where there is no room beside what is set to the left, it goes on below that.
    let set = indent;
    let indent = if set * 2 > columns { 2 } else { set };
    let mut folded = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            folded.push('\n');
        }
        let blanks = line.len() - line.trim_start_matches(' ').len();
        if set == 0 && blanks > 0 {
            folded.push_str(line);
        } else {
            let moved = if blanks >= set { set - indent } else { 0 };
            fold_line(&line[moved..], columns, indent, &mut folded);
        }
    }
    folded
}

fn fold_line(line: &str, columns: usize, indent: usize, folded: &mut String) {
    let mut column = 0;
    let mut rest = line;
    loop {
        let (word, more) = rest.split_at(end_of_word(rest));
        let length = word.chars().count();
        // A word comes with the blanks before it.
        let bare = word.trim_start_matches(' ');
        if column + length > columns && column > indent && !bare.is_empty() {
            folded.push('\n');
            folded.extend(std::iter::repeat_n(' ', indent));
            folded.push_str(bare);
            column = indent + bare.chars().count();
        } else {
            folded.push_str(word);
            column += length;
        }
        if more.is_empty() {
            return;
        }
        rest = more;
    }
}

/// Where the first word ends, the blanks before it included.
fn end_of_word(text: &str) -> usize {
    let blanks = text.len() - text.trim_start_matches(' ').len();
    let word = &text[blanks..];
    let length = match word.strip_prefix(COMMAND) {
        // To the quote at its end, and what follows without a blank.
        Some(command) => match command.find('\'') {
            Some(quote) => {
                let behind = COMMAND.len() + quote;
                word[behind..]
                    .find(' ')
                    .map_or(word.len(), |at| behind + at)
            }
            None => word.find(' ').unwrap_or(word.len()),
        },
        None => word.find(' ').unwrap_or(word.len()),
    };
    blanks + length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_only_where_it_is_too_long() {
        assert_eq!(fold("one two three", 13, 0), "one two three");
        assert_eq!(fold("one two three", 12, 0), "one two\nthree");
        assert_eq!(fold("one two: ", 8, 0), "one two: ");
        assert_eq!(fold("äöü äöü äöü", 7, 0), "äöü äöü\näöü");
        assert_eq!(fold("", 7, 0), "");
        assert_eq!(fold("much-too-long one", 5, 0), "much-too-long\none");
        assert_eq!(
            fold("one two\nthree four\n", 7, 0),
            "one two\nthree\nfour\n"
        );
    }

    #[test]
    fn what_is_set_already_and_commands_stay_whole() {
        let set = "Next:\n  pgkeep backup main --config /a/b";
        assert_eq!(fold(set, 12, 0), set);
        assert_eq!(
            fold("see what 'pgkeep list' shows, or 'pgkeep", 16, 0),
            "see what\n'pgkeep list'\nshows, or\n'pgkeep"
        );
    }

    #[test]
    fn what_goes_on_stands_below_its_beginning() {
        assert_eq!(
            fold("chosen    one two three\nfrom      x", 20, 10),
            "chosen    one two\n          three\nfrom      x"
        );
        assert_eq!(
            fold("chosen    one two\n          three", 14, 10),
            "chosen    one\n  two\n  three"
        );
    }
}
