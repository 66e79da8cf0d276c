//! Points in time, as people write them.
//!
//! Invariant: an hour that a change of the clock left out or brought twice is not guessed at.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use pgkeep_types::Timestamp;

use crate::error::CliError;

/// A point in time as people write it: local where it names no offset.
pub(crate) fn instant(text: &str) -> Result<Timestamp, CliError> {
    instant_in(text, &TimeZone::system())
}

fn instant_in(text: &str, zone: &TimeZone) -> Result<Timestamp, CliError> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    let refused = |why: &str| CliError::Usage {
        problem: format!("{text:?} is no point in time{why}"),
        hint: "give it as 2026-11-20T03:00:00Z, with an offset, or as 2026-11-20 03:00 in local \
               time"
            .to_owned(),
    };
    let local: DateTime = text.parse().map_err(|_| refused(""))?;
    let meant = zone.to_ambiguous_zoned(local);
    match meant.offset() {
        AmbiguousOffset::Unambiguous { .. } => {}
        AmbiguousOffset::Gap { .. } => {
            return Err(refused(" here: the clocks were put forward over it"));
        }
        AmbiguousOffset::Fold { .. } => {
            return Err(refused(" that tells which: the clocks were put back to it"));
        }
    }
    let meant = meant.unambiguous().map_err(|_| refused(""))?;
    Ok(meant.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_local_where_it_names_no_offset() {
        let utc = instant("2026-11-20T03:00:00Z").unwrap();
        assert_eq!(instant("2026-11-20 04:00+01").unwrap(), utc);
        let local = utc.to_zoned(TimeZone::system()).datetime();
        assert_eq!(
            instant(&local.strftime("%Y-%m-%d %H:%M").to_string()).unwrap(),
            utc
        );
        assert!(instant("2026-11-20").is_ok());
        for text in ["", "now", "03:00", "2026-13-01", "2026-11-20 25:00"] {
            assert!(instant(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn why_it_is_none_is_told_in_words() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (text, why) in [
            ("yesterday", "is no point in time"),
            (
                "2026-03-29 02:30",
                "is no point in time here: the clocks were put forward",
            ),
            (
                "2026-10-25 02:30",
                "that tells which: the clocks were put back",
            ),
        ] {
            let told = instant_in(text, &zone).unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
            assert!(!told.contains("parse"), "{told}");
        }
    }
}
