//! What is read in one verification.
//!
//! Invariants: what was read longest ago comes first, and what came meanwhile waits its
//! turn: with a share of a tenth, all that there is has been read after ten times. Which
//! was earlier is told by the numbers of rounds; a clock has its say only in where
//! something stands that was never read.

use std::str::FromStr;

use pgkeep_repository::{Catalogue, Needed};

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Everything.
    All,
    /// A share of the bytes: what was read longest ago.
    Part(Share),
}

/// A part of a whole, in millionths; never nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    const WHOLE: u32 = 1_000_000;

    /// So much of `bytes`, rounded up.
    fn of(self, bytes: u64) -> u64 {
        let part = u128::from(bytes) * u128::from(self.0);
        u64::try_from(part.div_ceil(u128::from(Self::WHOLE))).unwrap_or(bytes)
    }
}

impl FromStr for Share {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "a share is a number of percent, such as 10% or 2.5%";
        let number = text.trim().strip_suffix('%').ok_or(WANTED)?.trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(part) || part.len() > 4 {
            return Err(WANTED);
        }
        let whole: u32 = whole.parse().map_err(|_| WANTED)?;
        let part: u32 = format!("{part:0<4}").parse().map_err(|_| WANTED)?;
        let millionths = whole.checked_mul(10_000).and_then(|w| w.checked_add(part));
        let millionths = millionths.filter(|share| (1..=Self::WHOLE).contains(share));
        millionths.map(Self).ok_or(WANTED)
    }
}

/// An object that may be read, and when it was its turn last.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) object: Needed,
    /// The round in which it was read last; of what was never read, the one before it came.
    pub(super) round: u64,
    /// Whether it was ever read.
    pub(super) was_read: bool,
}

/// What is needed, what was read longest ago first.
pub(super) fn turns(catalogue: &Catalogue, needed: Vec<Needed>) -> Vec<Turn> {
    let said = catalogue.read_back();
    let turn = |object: Needed| {
        let last = said.whole(&object.name, object.blake3);
        let came = || {
            let committed = catalogue.committed_at(&object.holder);
            committed.map_or(0, |instant| said.round_at(instant))
        };
        Turn {
            round: last.map_or_else(came, |last| last.round),
            was_read: last.is_some(),
            object,
        }
    };
    let mut turns: Vec<Turn> = needed.into_iter().map(turn).collect();
    turns.sort_by(|a, b| a.order().cmp(&b.order()));
    turns
}

impl Turn {
    fn order(&self) -> (u64, bool, &str, &str) {
        (
            self.round,
            self.was_read,
            self.object.holder.as_str(),
            self.object.name.as_str(),
        )
    }
}

/// Those of `turns` whose turn it is.
pub(super) fn chosen(turns: Vec<Turn>, amount: Amount) -> Vec<Needed> {
    let all: u64 = turns.iter().map(|turn| turn.object.length).sum();
    let Amount::Part(share) = amount else {
        return turns.into_iter().map(|turn| turn.object).collect();
    };
    let wanted = share.of(all);
    let mut taken = 0;
    let mut chosen = Vec::new();
    for turn in turns {
        if taken >= wanted {
            break;
        }
        taken += turn.object.length;
        chosen.push(turn.object);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use pgkeep_format::Hash;

    use super::*;

    fn object(number: usize, length: u64) -> Needed {
        let holder = format!("20261120T030000Z-{number:08}");
        Needed {
            name: format!("main/backups/{holder}/packs/0").parse().unwrap(),
            holder: holder.parse().unwrap(),
            length,
            blake3: Hash::of(&number.to_le_bytes()),
            by: Vec::new(),
        }
    }

    #[test]
    fn a_share_is_a_number_of_percent() {
        for (text, millionths) in [
            ("10%", 100_000),
            ("2.5 %", 25_000),
            ("100%", 1_000_000),
            ("0.0001%", 1),
        ] {
            assert_eq!(text.parse(), Ok(Share(millionths)), "{text}");
        }
        for text in [
            "", "%", "10", "0%", "101%", "-1%", "1e1%", ".5%", "5.%", "0.00001%",
        ] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn after_as_many_times_as_shares_make_a_whole_everything_was_read() {
        // Sizes of all kinds, and something new each night.
        for (share, nights) in [("10%", 10), ("34%", 3), ("7%", 15), ("100%", 1)] {
            let share = Amount::Part(share.parse().unwrap());
            let sizes = [1, 50, 3, 900, 0, 77, 12, 4000];
            let mut last: Vec<(Needed, Option<u64>, u64)> = (0..40)
                .map(|n| (object(n, sizes[n % sizes.len()]), None, 0))
                .collect();
            let there = last.len();
            for round in 1..=nights {
                let turn = |(object, read, came): &(Needed, Option<u64>, u64)| Turn {
                    object: object.clone(),
                    round: read.unwrap_or(*came),
                    was_read: read.is_some(),
                };
                let mut turns: Vec<Turn> = last.iter().map(turn).collect();
                turns.sort_by(|a, b| a.order().cmp(&b.order()));
                for read in chosen(turns, share) {
                    let known = last.iter_mut().find(|(object, ..)| *object == read);
                    known.unwrap().1 = Some(round);
                }
                let number = last.len();
                last.push((object(number, 5000), None, round));
            }
            let unread = last[..there].iter().filter(|(_, read, _)| read.is_none());
            assert_eq!(unread.count(), 0, "{share:?}");
        }
    }
}
