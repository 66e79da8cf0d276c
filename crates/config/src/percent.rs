//! Shares: a whole number of percent.
//!
//! Invariant: a number without its sign is none: `0.5` and `50` would be a guess.

/// What a share is given as, for an error.
pub(crate) const WANTED: &str = "a number of percent, such as 50%";

/// The share in percent, such as `50%` or `400 %`; never zero.
pub(crate) fn parse(text: &str) -> Option<u32> {
    let number = text.trim().strip_suffix('%')?.trim_end();
    let percent: u32 = number.parse().ok()?;
    (percent > 0).then_some(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_whole_number_of_percent() {
        assert_eq!(parse("50%"), Some(50));
        assert_eq!(parse(" 400 % "), Some(400));
        for text in ["", "%", "50", "0.5", "0%", "-5%", "5.5%", "5%%"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
