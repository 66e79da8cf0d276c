//! A line of progress: who, what, and figures at its end.

use crate::words::printable;

/// The longest name that is shown whole, in characters.
const NAME: usize = 26;
/// What is done is shortened to so many characters before a figure is left out.
const PHASE: usize = 24;

/// A line of at most `columns`. Of the ways to tell the figures, fullest first, the first
/// one that leaves room for what is done is taken.
pub(crate) fn line(columns: usize, name: &str, phase: &str, figures: &[String]) -> String {
    let name = shorten(&printable(name), NAME.min(columns));
    let phase = printable(phase);
    let left = columns.saturating_sub(length(&name) + 2);
    let least = length(&phase).min(PHASE);
    let fitting = figures
        .iter()
        .find(|figures| length(figures) + 2 + least <= left);
    let line = match fitting {
        Some(figures) => {
            let room = left - length(figures) - 2;
            let phase = shorten(&phase, room);
            format!("{name}  {phase:room$}  {figures}")
        }
        None => format!("{name}  {}", shorten(&phase, left)),
    };
    shorten(line.trim_end(), columns)
}

fn shorten(text: &str, most: usize) -> String {
    if length(text) <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    if most > 0 {
        short.push('…');
    }
    short
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_never_has_more_columns_than_there_are() {
        let figures = [
            "1.2 GiB  45 MiB/s  3 MiB new".to_owned(),
            "1.2 GiB".to_owned(),
        ];
        let name = format!("  {}", "ü".repeat(70));
        for columns in 0..120 {
            for phase in [
                "",
                "schema",
                "rows of public.a_table_with_a_long_name_indeed",
            ] {
                let line = line(columns, &name, phase, &figures);
                assert!(length(&line) <= columns, "{columns}: {line:?}");
            }
        }
    }

    #[test]
    fn figures_go_before_what_is_done_is_not_to_be_read() {
        let figures = ["12345678901234567890".to_owned(), "123".to_owned()];
        let told = |columns| line(columns, "app", "rows of public.orders", &figures);
        assert_eq!(
            told(50),
            "app  rows of public.orders    12345678901234567890"
        );
        assert_eq!(told(48), "app  rows of public.orders  12345678901234567890");
        assert_eq!(told(46), "app  rows of public.orders                 123");
        assert_eq!(told(31), "app  rows of public.orders  123");
        assert_eq!(told(30), "app  rows of public.orders");
        assert_eq!(told(20), "app  rows of public…");
    }

    #[test]
    fn a_name_gives_the_terminal_no_orders() {
        assert!(!line(60, "a\u{1b}[2Jb", "c\rd", &[]).contains(['\u{1b}', '\r']));
    }
}
