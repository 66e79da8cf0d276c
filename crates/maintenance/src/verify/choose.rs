//! What is read in one verification.
//!
//! Invariants: what was read longest ago comes first, and what came meanwhile waits its
//! turn: with a share of a tenth, all that there is has been read after ten times. What is
//! known to be hurt comes after it and takes none of that share: it has one of its own. What
//! gives no answer takes none of it either.
//! Which was earlier is told by the numbers of rounds; a clock has its say only in where
//! something stands that was never read.

use std::collections::VecDeque;
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
    /// Whether a finding stands of it.
    pub(super) is_hurt: bool,
}

/// What is needed: what was read longest ago first, and what is known to be hurt last.
pub(super) fn turns(catalogue: &Catalogue, needed: Vec<Needed>) -> Vec<Turn> {
    let said = catalogue.read_back();
    let turn = |object: Needed| {
        let last = said.whole(&object.name, object.blake3);
        let came = || {
            let committed = catalogue.committed_at(&object.holder);
            committed.map_or(0, |instant| said.round_at(instant))
        };
        let open = said.open_of(&object.name, object.blake3);
        let found = open.map(|(_, open)| open.round).max();
        let read = last.map(|last| last.round).max(found);
        Turn {
            round: read.unwrap_or_else(came),
            was_read: read.is_some(),
            is_hurt: found.is_some(),
            object,
        }
    };
    let mut turns: Vec<Turn> = needed.into_iter().map(turn).collect();
    turns.sort_by(|a, b| a.order().cmp(&b.order()));
    turns
}

impl Turn {
    fn order(&self) -> (bool, u64, bool, &str, &str) {
        (
            self.is_hurt,
            self.round,
            self.was_read,
            self.object.holder.as_str(),
            self.object.name.as_str(),
        )
    }
}

/// So many objects in a row that give no answer are no fault of theirs: then no others are read
/// in their place.
const SILENT: usize = 64;

/// What is read, in turn: what is known to be hurt after all else.
pub(super) struct Queue {
    other: Lane,
    hurt: Lane,
    /// How many in a row gave no answer.
    silent: usize,
}

/// What is read of one kind.
struct Lane {
    turn: VecDeque<Needed>,
    /// What waits for the next time.
    later: VecDeque<Needed>,
    /// How many bytes are to be read.
    wanted: u64,
    /// How many bytes have their turn, or had it and gave an answer.
    taken: u64,
}

impl Lane {
    fn new(turns: Vec<Turn>, wanted: u64) -> Self {
        let mut lane = Self {
            turn: VecDeque::new(),
            later: turns.into_iter().map(|turn| turn.object).collect(),
            wanted,
            taken: 0,
        };
        lane.fill();
        lane
    }

    /// Takes what is next, until that has as many bytes as are wanted.
    fn fill(&mut self) {
        while self.taken < self.wanted
            && let Some(object) = self.later.pop_front()
        {
            self.taken = self.taken.saturating_add(object.length);
            self.turn.push_back(object);
        }
    }
}

impl Queue {
    pub(super) fn new(turns: Vec<Turn>, amount: Amount) -> Self {
        let (hurt, other): (Vec<Turn>, Vec<Turn>) =
            turns.into_iter().partition(|turn| turn.is_hurt);
        let (wanted, wanted_hurt) = match amount {
            Amount::All => (u64::MAX, u64::MAX),
            // Of all that there is: else the share would shrink with all that is found hurt.
            Amount::Part(share) => (
                share.of(length(&other).saturating_add(length(&hurt))),
                share.of(length(&hurt)),
            ),
        };
        Self {
            other: Lane::new(other, wanted),
            hurt: Lane::new(hurt, wanted_hurt),
            silent: 0,
        }
    }

    /// What is read next.
    pub(super) fn next(&mut self) -> Option<Needed> {
        let other = self.other.turn.pop_front();
        other.or_else(|| self.hurt.turn.pop_front())
    }

    /// That an object was read.
    pub(super) fn has_answered(&mut self) {
        self.silent = 0;
    }

    /// That an object could not be read: it comes first again the next time, and others are
    /// read in its place, else it would keep them from their turn for ever.
    pub(super) fn is_silent(&mut self, length: u64, is_hurt: bool) {
        self.silent += 1;
        let lane = match is_hurt {
            true => &mut self.hurt,
            false => &mut self.other,
        };
        if self.silent < SILENT {
            lane.taken = lane.taken.saturating_sub(length);
            lane.fill();
        }
    }

    /// How many objects wait, and their bytes.
    pub(super) fn left(&self) -> (usize, u64) {
        let waiting = self.other.turn.iter().chain(&self.hurt.turn);
        waiting.fold((0, 0), |(objects, bytes), object| {
            (objects + 1, bytes + object.length)
        })
    }
}

fn length(turns: &[Turn]) -> u64 {
    turns.iter().map(|turn| turn.object.length).sum()
}

#[cfg(test)]
mod tests {
    use pgkeep_format::Hash;
    use proptest::prelude::*;

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

    /// What is there, as the notes of verifications would have it.
    struct Known {
        object: Needed,
        read: Option<u64>,
        came: u64,
        is_damaged: bool,
        is_hurt: bool,
        /// It gives no answer, for as long as there is one.
        is_silent: bool,
    }

    impl Known {
        fn new(number: usize, length: u64, came: u64) -> Self {
            Self {
                object: object(number, length),
                read: None,
                came,
                is_damaged: false,
                is_hurt: false,
                is_silent: false,
            }
        }

        fn turn(&self) -> Turn {
            Turn {
                object: self.object.clone(),
                round: self.read.unwrap_or(self.came),
                was_read: self.read.is_some(),
                is_hurt: self.is_hurt,
            }
        }
    }

    /// One verification.
    fn verify(there: &mut [Known], share: Amount, round: u64) {
        let mut turns: Vec<Turn> = there.iter().map(Known::turn).collect();
        turns.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut queue = Queue::new(turns, share);
        while let Some(object) = queue.next() {
            let mut all = there.iter_mut();
            let known = all.find(|known| known.object == object).unwrap();
            if known.is_silent {
                queue.is_silent(object.length, known.is_hurt);
                continue;
            }
            queue.has_answered();
            known.read = Some(round);
            known.is_hurt = known.is_damaged;
        }
    }

    const SIZES: [u64; 8] = [1, 50, 3, 900, 0, 77, 12, 4000];
    const SHARES: [(&str, u64); 4] = [("10%", 10), ("34%", 3), ("7%", 15), ("100%", 1)];

    #[test]
    fn after_as_many_times_as_shares_make_a_whole_everything_was_read() {
        // Sizes of all kinds, and something new each night.
        for (share, nights) in SHARES {
            let share = Amount::Part(share.parse().unwrap());
            let mut there: Vec<Known> = (0..40)
                .map(|n| Known::new(n, SIZES[n % SIZES.len()], 0))
                .collect();
            for round in 1..=nights {
                verify(&mut there, share, round);
                there.push(Known::new(there.len(), 5000, round));
            }
            let unread = there[..40].iter().filter(|known| known.read.is_none());
            assert_eq!(unread.count(), 0, "{share:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_hurt_or_silent_and_however_large_all_damage_is_found_in_as_many_times(
            of in 0..SHARES.len(),
            // From hardly anything to nearly all.
            damaged in 0.0..1.0_f64,
            silent in 0.0..0.5_f64,
            sizes in prop::collection::vec(
                (1..5000_u64, 0.0..1.0_f64, any::<bool>(), 0.0..1.0_f64),
                1..60,
            ),
        ) {
            let (share, nights) = SHARES[of];
            let share = Amount::Part(share.parse().unwrap());
            let mut there = Vec::new();
            for (number, (length, at, is_known, says)) in sizes.into_iter().enumerate() {
                let mut known = Known::new(number, length, length % 3);
                known.is_damaged = at < damaged;
                // Known already, or nobody has seen it.
                known.is_hurt = known.is_damaged && is_known;
                known.is_silent = says < silent;
                there.push(known);
            }
            for round in 3..3 + nights {
                verify(&mut there, share, round);
            }
            // What was known, too: somebody may have put it back.
            let missed = there.iter().filter(|known| known.read.is_none() && !known.is_silent);
            prop_assert_eq!(missed.count(), 0);
        }
    }
}
