//! A policy as it is written: a table of the file, or the same between braces in a variable
//! or on the command line.
//!
//! Invariants: there is one grammar, TOML's; a policy that says nothing, or that would keep
//! nothing of its own accord, is refused; what it leaves out of calendar and minimum is that of the
//! policy that it is written beside.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use pgkeep_retention::{Calendar, Period, Policy, Rolling, Rules};
use pgkeep_types::nearest;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::{ConfigError, Pattern, wording};

/// A policy, as it is written.
#[derive(Debug)]
pub(crate) enum Written {
    /// The word `all`.
    All,
    /// A table.
    Table(Box<Table>),
}

/// What a policy's table says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    last: Option<u32>,
    hourly: Option<u32>,
    daily: Option<u32>,
    weekly: Option<u32>,
    monthly: Option<u32>,
    yearly: Option<u32>,
    rolling: Option<RollingTable>,
    minimum: Option<u32>,
    timezone: Option<Spanned<String>>,
    first_weekday: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RollingTable {
    #[serde(default)]
    daily: u32,
    #[serde(default)]
    weekly: u32,
    #[serde(default)]
    monthly: u32,
}

/// What is wrong with a policy, and in which byte of what it was written in, where that is
/// not the whole.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) at: Option<usize>,
    pub(crate) problem: String,
    pub(crate) nearest: Option<String>,
}

/// The policies of databases, each by its pattern.
pub(crate) type ByDatabase = BTreeMap<Spanned<String>, Spanned<Written>>;

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllOrTable;

        impl<'de> Visitor<'de> for AllOrTable {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table such as { daily = 6, weekly = 4 }, or all")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Written, E> {
                match word {
                    "all" => Ok(Written::All),
                    _ => Err(E::custom(
                        "wanted is a table such as { daily = 6, weekly = 4 }, or all",
                    )),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Written::Table(Box::new(table)))
            }
        }

        deserializer.deserialize_any(AllOrTable)
    }
}

impl Written {
    /// The policy; what it leaves out of calendar and minimum is `beside`'s.
    pub(crate) fn policy(self, beside: &Policy) -> Result<Policy, Wrong> {
        let table = match self {
            Self::All => {
                return Ok(Policy {
                    rules: Rules::default(),
                    ..beside.clone()
                });
            }
            Self::Table(table) => *table,
        };
        let wrong = |problem: &str| Wrong {
            at: None,
            problem: problem.to_owned(),
            nearest: None,
        };
        let calendar = table.calendar(&beside.calendar)?;
        let minimum = table.minimum.unwrap_or(beside.minimum);
        let rules = table.rules();
        if rules.is_empty() {
            return Err(wrong(
                "it says of nothing how much is kept: wanted is one of last, hourly, daily, \
                 weekly, monthly, yearly and rolling, or the word all",
            ));
        }
        let rolling = rules.rolling;
        let rolling = rolling.map_or(0, |r| r.daily.max(r.weekly).max(r.monthly));
        let counts = rules.periods.values().copied().chain(rules.last);
        if counts.max().unwrap_or(0).max(rolling) == 0 && minimum == 0 {
            return Err(wrong(
                "it keeps nothing of its own accord: wanted is a count above 0 in one of its rules",
            ));
        }
        Ok(Policy {
            calendar,
            minimum,
            rules,
        })
    }
}

impl Table {
    fn rules(&self) -> Rules {
        let periods = [
            (Period::Hour, self.hourly),
            (Period::Day, self.daily),
            (Period::Week, self.weekly),
            (Period::Month, self.monthly),
            (Period::Year, self.yearly),
        ];
        let said = periods.into_iter();
        Rules {
            last: self.last,
            periods: said.filter_map(|(p, count)| Some((p, count?))).collect(),
            rolling: self.rolling.as_ref().map(|rolling| Rolling {
                daily: rolling.daily,
                weekly: rolling.weekly,
                monthly: rolling.monthly,
            }),
        }
    }

    fn calendar(&self, beside: &Calendar) -> Result<Calendar, Wrong> {
        let zone = match &self.timezone {
            None => beside.zone.clone(),
            Some(name) => TimeZone::get(name.get_ref()).map_err(|_| unknown_zone(name))?,
        };
        let week_starts = match &self.first_weekday {
            None => beside.week_starts,
            Some(name) => weekday(name)?,
        };
        Ok(Calendar { zone, week_starts })
    }
}

fn unknown_zone(name: &Spanned<String>) -> Wrong {
    let known = jiff::tz::db().available().map(|zone| zone.to_string());
    let known: Vec<String> = known.collect();
    let told = match known.iter().any(|zone| zone != "UTC") {
        true => "wanted is a time zone's name, such as Europe/Berlin, or UTC",
        false => "this machine knows no time zone but UTC: install its database (tzdata)",
    };
    Wrong {
        at: Some(name.span().start),
        problem: told.to_owned(),
        nearest: nearest(name.get_ref(), known.iter().map(String::as_str)).map(str::to_owned),
    }
}

fn weekday(name: &Spanned<String>) -> Result<Weekday, Wrong> {
    const NAMES: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let given = name.get_ref().to_ascii_lowercase();
    let found = NAMES.iter().find(|(known, _)| *known == given);
    let names = NAMES.iter().map(|(known, _)| *known);
    found.map(|(_, day)| *day).ok_or_else(|| Wrong {
        at: Some(name.span().start),
        problem: "wanted is a day from monday to sunday".to_owned(),
        nearest: nearest(&given, names).map(str::to_owned),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    p: Spanned<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several {
    p: ByDatabase,
}

/// What stands before a text, that it is TOML.
const BEFORE: &str = "p = ";

/// Reads TOML that says what `p` is; braces may be left out.
fn read<T: serde::de::DeserializeOwned>(of: &str, text: &str) -> Result<(T, usize), ConfigError> {
    let bare = text.trim();
    let (toml, before) = match bare {
        "all" => (format!("{BEFORE}\"all\""), BEFORE.len() + 1),
        _ if bare.starts_with('{') => (format!("{BEFORE}{bare}"), BEFORE.len()),
        _ => (format!("{BEFORE}{{{bare}}}"), BEFORE.len() + 1),
    };
    let read = toml::from_str(&toml).map_err(|error| {
        // Of what a policy has, none is expected to be `p`: this is beside it.
        let is_beside = error.message().ends_with("expected `p`");
        ConfigError::Policy {
            of: of.to_owned(),
            column: column(error.span().map(|span| span.start), before),
            problem: match is_beside {
                true => "nothing may stand after the closing brace".to_owned(),
                false => in_words(error.message()),
            },
            nearest: wording::meant(error.message()).filter(|_| !is_beside),
        }
    });
    Ok((read?, before))
}

/// What is wrong with a policy, without TOML's words: who writes one on the command line need
/// not know that it is that.
fn in_words(message: &str) -> String {
    let of_content = ["there is no key", "wanted is ", "this was said", "the key "];
    let told = wording::in_words(message);
    if of_content.iter().any(|begin| told.starts_with(begin)) {
        return told;
    }
    let told = match message {
        _ if message.contains("must be quoted") => {
            "wanted is a count, or a text between quotes, as in timezone='Europe/Berlin'"
        }
        _ if message.starts_with("unclosed") => "the closing brace is missing",
        _ => "wanted are rules with commas between, as in daily=6, weekly=4, or the word all",
    };
    told.to_owned()
}

/// The column, from 1, of a byte of what was read.
fn column(at: Option<usize>, before: usize) -> usize {
    at.map_or(0, |at| at.saturating_sub(before)) + 1
}

fn in_text(of: &str, before: usize) -> impl Fn(Wrong) -> ConfigError {
    move |wrong| ConfigError::Policy {
        of: of.to_owned(),
        column: column(wrong.at, before),
        problem: wrong.problem,
        nearest: wrong.nearest,
    }
}

/// The policy that a text is, such as `daily=7, weekly=4`, `{ last = 5 }` or `all`; what it
/// leaves out of calendar and minimum is `beside`'s. `of` is what gives the text, for an error.
///
/// # Errors
/// `Policy` where it is none.
pub fn policy_in(of: &str, text: &str, beside: &Policy) -> Result<Policy, ConfigError> {
    let (One { p }, before) = read(of, text)?;
    p.into_inner().policy(beside).map_err(in_text(of, before))
}

/// The policies of databases that a text is: `app={last=5}, 'tmp_*'={last=1}`.
pub(crate) fn by_database_in(
    of: &str,
    text: &str,
    beside: &Policy,
) -> Result<Vec<(Pattern, Policy)>, ConfigError> {
    let (Several { p }, before) = read(of, text)?;
    let policies = in_order(p).into_iter().map(|(name, written)| {
        let policy = written.into_inner().policy(beside);
        Ok((
            Pattern::new(name.get_ref()),
            policy.map_err(in_text(of, before))?,
        ))
    });
    policies.collect()
}

/// In the order in which they were written.
pub(crate) fn in_order(of: ByDatabase) -> Vec<(Spanned<String>, Spanned<Written>)> {
    let mut in_order: Vec<_> = of.into_iter().collect();
    in_order.sort_by_key(|(name, _)| name.span().start);
    in_order
}

#[cfg(test)]
mod tests;
