//! Lengths of time as PostgreSQL's settings have them: a number and a unit.
//!
//! Source: "Numeric with Unit" in the manual's chapter on setting parameters.
//!
//! Invariant: a number without a unit is none: what it counts would be a guess.

use std::time::Duration;

/// What a length of time is given as, for an error.
pub const WANTED: &str = "a number with a unit: ms, s, min, h or d";

/// The length, such as `30s` or `5 min`; never zero, and no longer than a setting of
/// PostgreSQL's may be.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    // PostgreSQL keeps them as 32 bits.
    parse_any(text).filter(|length| i32::try_from(length.as_millis()).is_ok())
}

/// The length, however long; never zero.
pub(crate) fn parse_any(text: &str) -> Option<Duration> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let milliseconds: u64 = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    let all = number.checked_mul(milliseconds)?;
    (all > 0).then(|| Duration::from_millis(all))
}

/// The length as it is written, in the largest unit that tells it whole; days only where
/// there are two or more.
pub(crate) fn tell(length: Duration) -> String {
    const DAY: u128 = 86_400_000;
    let all = length.as_millis();
    if all >= 2 * DAY && all.is_multiple_of(DAY) {
        return format!("{}d", all / DAY);
    }
    let (number, unit) = largest_unit(length);
    format!("{number}{unit}")
}

/// The same in a sentence, and never in days.
pub(crate) fn in_words(length: Duration) -> String {
    let (number, unit) = largest_unit(length);
    format!("{number} {unit}")
}

/// The length in the largest unit up to the hour that tells it whole.
fn largest_unit(length: Duration) -> (u128, &'static str) {
    const UNITS: [(u128, &str); 4] = [(3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];
    let all = length.as_millis();
    let whole = UNITS.iter().find(|(unit, _)| all.is_multiple_of(*unit));
    let (unit, name) = whole.copied().unwrap_or((1, "ms"));
    (all / unit, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_reads_back_from_how_it_is_told() {
        for text in ["26h", "90min", "14d", "1500ms", "36h", "24h", "50h", "2d"] {
            assert_eq!(parse(text).map(tell).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_length_is_a_number_with_a_unit() {
        for (text, milliseconds) in [
            ("500ms", 500),
            (" 30s ", 30_000),
            ("5 min", 300_000),
            ("1h", 3_600_000),
            ("24d", 2_073_600_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)));
        }
        for text in [
            "",
            "30",
            "s",
            "0s",
            "-1s",
            "1.5s",
            "1 week",
            "25d",
            "99999999999999999999d",
            "1s x",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
