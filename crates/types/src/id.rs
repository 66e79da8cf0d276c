//! Ids of backups, runs, proofs and pins.
//!
//! Invariant: an id carries the second it was made in and 40 random bits, so
//! that two writers never need to agree on one, and ids sort by time as text.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Clock, Random};

/// Lower-case Crockford base 32: no letter that is taken for another one.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";
const RANDOM_CHARACTERS: usize = 8;

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what} id; one looks like 20261120T030000Z-7k3m9q2x")]
pub struct IdError {
    what: &'static str,
    text: String,
}

/// What an id names. Implemented by markers of this module alone.
pub trait Kind: Copy + 'static {
    /// The word for it in messages.
    const WORD: &'static str;
}

/// Marker of a backup's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Backup {}

/// Marker of a run's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Run {}

/// Marker of a proof's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proof {}

/// Marker of a verification's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verification {}

/// Marker of a pin's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pin {}

impl Kind for Backup {
    const WORD: &'static str = "backup";
}

impl Kind for Run {
    const WORD: &'static str = "run";
}

impl Kind for Proof {
    const WORD: &'static str = "proof";
}

impl Kind for Verification {
    const WORD: &'static str = "verification";
}

impl Kind for Pin {
    const WORD: &'static str = "pin";
}

/// The id of one backup, such as `20261120T030000Z-7k3m9q2x`.
pub type BackupId = Id<Backup>;

/// The id of one run; looks like a backup's.
pub type RunId = Id<Run>;

/// The id of one proof; looks like a backup's.
pub type ProofId = Id<Proof>;

/// The id of what one verification has found; looks like a backup's.
pub type VerificationId = Id<Verification>;

/// The id of one pin; looks like a backup's.
pub type PinId = Id<Pin>;

/// An id that carries its time and its own randomness.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String", bound = "K: Kind")]
pub struct Id<K: Kind> {
    text: String,
    kind: PhantomData<K>,
}

impl<K: Kind> Id<K> {
    /// Makes a new id of this second.
    #[must_use]
    pub fn new(clock: &dyn Clock, random: &dyn Random) -> Self {
        Self::of(clock.now(), random)
    }

    /// Makes a new id of this second, or of the one after `known` where that is later: it is
    /// greater than all ids of that second.
    #[must_use]
    pub fn after(known: Option<Timestamp>, clock: &dyn Clock, random: &dyn Random) -> Self {
        let second = SignedDuration::from_secs(1);
        let next = known.and_then(|known| known.checked_add(second).ok());
        let now = clock.now();
        Self::of(next.map_or(now, |next| next.max(now)), random)
    }

    fn of(time: Timestamp, random: &dyn Random) -> Self {
        let mut bytes = [0; RANDOM_CHARACTERS];
        random.fill(&mut bytes);
        let mut text = time.strftime(TIME_FORMAT).to_string();
        text.push('-');
        text.extend(bytes.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])));
        Self {
            text,
            kind: PhantomData,
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The random part: short enough to be typed, and unlikely to be another's.
    #[must_use]
    pub fn short(&self) -> &str {
        self.text.rsplit('-').next().unwrap_or(&self.text)
    }

    /// Whether `text` is the beginning of the id or of its random part.
    #[must_use]
    pub fn is_meant_by(&self, text: &str) -> bool {
        !text.is_empty() && (self.text.starts_with(text) || self.short().starts_with(text))
    }

    /// The second in which the id was made, by the clock of who made it.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        parse_time(&self.text).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

fn parse_time(text: &str) -> Option<Timestamp> {
    let time = text.split_once('-')?.0;
    let time = DateTime::strptime(TIME_FORMAT, time).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError {
            what: K::WORD,
            text: text.to_owned(),
        };
        let time = parse_time(text).ok_or_else(error)?;
        let random = text.split_once('-').map(|(_, random)| random.as_bytes());
        let random = random
            .filter(|r| r.len() == RANDOM_CHARACTERS && r.iter().all(|c| ALPHABET.contains(c)))
            .ok_or_else(error)?;
        let id = Self {
            text: text.to_owned(),
            kind: PhantomData,
        };
        // Only the one spelling that `new` writes is an id.
        let spelled = time.strftime(TIME_FORMAT).to_string().into_bytes();
        let canonical = [spelled.as_slice(), b"-", random].concat();
        if canonical == text.as_bytes() {
            Ok(id)
        } else {
            Err(error())
        }
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl<K: Kind> From<Id<K>> for String {
    fn from(id: Id<K>) -> Self {
        id.text
    }
}

impl<K: Kind> TryFrom<String> for Id<K> {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(&'static str);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0.parse().unwrap()
        }
    }

    struct Bytes(u8);

    impl Random for Bytes {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn an_id_tells_its_second_and_reads_back() {
        let id = BackupId::new(&At("2026-11-20T03:00:01.9Z"), &Bytes(31));
        assert_eq!(id.as_str(), "20261120T030001Z-zzzzzzzz");
        assert_eq!(id.time(), "2026-11-20T03:00:01Z".parse().unwrap());
        assert_eq!(id.as_str().parse::<BackupId>().unwrap(), id);
    }

    #[test]
    fn an_id_is_meant_by_its_beginning_or_by_that_of_its_random_part() {
        let id: BackupId = "20261120T030000Z-7k3m9q2x".parse().unwrap();
        assert_eq!(id.short(), "7k3m9q2x");
        for text in ["20261120T030000Z-7k3m9q2x", "2026112", "7k3m9q2x", "7k"] {
            assert!(id.is_meant_by(text), "{text}");
        }
        for text in ["", "k3m", "0261120", "7k3m9q2xx"] {
            assert!(!id.is_meant_by(text), "{text}");
        }
    }

    #[test]
    fn ids_sort_by_time_as_text() {
        let early = RunId::new(&At("2026-11-20T03:00:01Z"), &Bytes(31));
        let late = RunId::new(&At("2026-11-20T03:00:02Z"), &Bytes(0));
        assert!(early < late && early.as_str() < late.as_str());
    }

    #[test]
    fn anything_but_the_one_spelling_is_refused() {
        for text in [
            "",
            "-",
            "20261120T030000Z",
            "20261120T030000Z-",
            "20261120T030000Z-7k3m9q2",
            "20261120T030000Z-7k3m9q2xx",
            "20261120T030000Z-7K3M9Q2X",
            "20261120T030000Z-7k3m9q2l",
            "20261320T030000Z-7k3m9q2x",
            "2026112T030000Z-7k3m9q2x0",
            " 20261120T030000Z-7k3m9q2x",
            "../1120T030000Z-7k3m9q2x",
        ] {
            assert!(text.parse::<BackupId>().is_err(), "{text:?}");
        }
    }
}
