//! Sizes as PostgreSQL's settings have them: a number and a unit.
//!
//! Source: "Numeric with Unit" in the manual's chapter on setting parameters; a unit
//! is 1024 times the one before it.
//!
//! Invariant: a number without a unit is none: what it counts would be a guess.

/// What a size is given as, for an error.
pub const WANTED: &str = "a number with a unit: kB, MB, GB or TB";

/// The size in bytes, such as `20MB` or `1 GB`.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let bytes: u64 = match unit.trim() {
        // Of the other units none begins with a small letter.
        "kB" | "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        assert_eq!(parse("20MB"), Some(20 << 20));
        assert_eq!(parse(" 1 GB "), Some(1 << 30));
        assert_eq!(parse("100KB"), parse("100kB"));
        for text in ["", "20", "MB", "1.5MB", "-1MB", "1mb", "99999999999999TB"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
