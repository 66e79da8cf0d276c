//! Points in time, as people write them.
//!
//! Invariant: an hour that a change of the clock left out or brought twice is not guessed at.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pgkeep_types::Timestamp;

use crate::error::CliError;

/// A point in time as people write it: local where it names no offset.
pub(crate) fn instant(text: &str) -> Result<Timestamp, CliError> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    let local = text
        .parse::<DateTime>()
        .and_then(|local| TimeZone::system().to_ambiguous_zoned(local).unambiguous());
    match local {
        Ok(local) => Ok(local.timestamp()),
        Err(error) => Err(CliError::Usage {
            problem: format!("{text:?} is no point in time: {error}"),
            hint: "give it as 2026-11-20T03:00:00Z, with an offset, or as 2026-11-20 03:00 in \
                   local time"
                .to_owned(),
        }),
    }
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
}
