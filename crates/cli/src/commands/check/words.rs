//! What was found, in sentences.
//!
//! Invariants: the worst comes first; of many of a kind some are told and the others
//! counted. What was not looked at is told besides.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::records::Level;
use pgkeep_maintenance::check::{Finding, Judgement, Note};

use super::findings;
use crate::words::counted;

/// So many of a kind are told; JSON has all.
const SHOWN: usize = 3;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const THREE_DAYS: u64 = 3 * DAY;

/// What came of it, in one sentence; `several` where a repository has to be named.
pub(super) fn sentence(judgement: &Judgement, several: bool) -> String {
    let mut parts = match judgement.findings.as_slice() {
        [] => vec![fresh(judgement)],
        findings => of_findings(findings, several),
    };
    let unseen = judgement.notes.iter().filter_map(|(_, note)| note.unseen());
    let unseen: BTreeSet<&str> = unseen.collect();
    if !unseen.is_empty() {
        let unseen: Vec<&str> = unseen.into_iter().collect();
        parts.push(format!("not looked at: {}", unseen.join(", ")));
    }
    parts.join("; ")
}

/// How a finding is told where nothing else tells of its repository.
pub(super) fn of_one(finding: &Finding, several: bool) -> String {
    let told = findings::words(&finding.what);
    match finding.repository.as_ref().filter(|_| several) {
        Some(repository) => format!("repository {repository}: {told}"),
        None => told,
    }
}

fn of_findings(findings: &[Finding], several: bool) -> Vec<String> {
    let kind = |finding: &Finding| {
        let repository = finding.repository.clone();
        (finding.severity, finding.what.name(), repository)
    };
    let mut parts = Vec::new();
    let mut told = BTreeMap::new();
    for finding in findings {
        let before = told.entry(kind(finding)).or_insert(0_usize);
        *before += 1;
        if *before <= SHOWN {
            parts.push(of_one(finding, several));
        }
        let of_kind = findings.iter().filter(|other| kind(other) == kind(finding));
        let more = of_kind.count().saturating_sub(SHOWN);
        if *before == SHOWN && more > 0 {
            parts.push(format!("and {more} more of that"));
        }
    }
    parts
}

/// What there is to say where nothing is wrong.
fn fresh(judgement: &Judgement) -> String {
    let databases: BTreeSet<&str> = judgement
        .measured
        .iter()
        .map(|measured| measured.database.as_str())
        .collect();
    let ages = judgement
        .measured
        .iter()
        .filter_map(|measured| measured.newest.as_ref());
    let oldest = ages.map(|(_, age)| *age).max().unwrap_or(0);
    let whose = match databases.len() {
        1 => "its newest backup",
        _ => "the oldest newest backup",
    };
    let databases = counted(databases.len(), "database");
    format!(
        "{databases}, {whose} is {} old, {}",
        span(oldest),
        proven(judgement)
    )
}

/// What is proven of all of them, each in the repository where most is.
fn proven(judgement: &Judgement) -> String {
    let mut best = BTreeMap::new();
    for measured in &judgement.measured {
        let proof = measured.proof.map(|(level, age)| (level, Reverse(age)));
        let known = best.entry(measured.database.as_str()).or_insert(None);
        *known = proof.max(*known);
    }
    let proofs: Vec<_> = best.values().flatten().collect();
    let (Some(level), Some(oldest)) = (
        proofs.iter().map(|(level, _)| *level).min(),
        proofs.iter().map(|(_, Reverse(age))| *age).max(),
    ) else {
        return "never proven".to_owned();
    };
    let done = match level {
        Level::Proven => "proven",
        Level::Stored | Level::Intact | Level::Restorable => "restored for proof",
    };
    match (proofs.len(), best.len()) {
        (some, all) if some < all => {
            format!("{some} of {all} {done}, the last {} ago", span(oldest))
        }
        _ => format!("{done} {} ago", span(oldest)),
    }
}

/// What else there is to say, a line each.
pub(super) fn notes(judgement: &Judgement) -> Vec<String> {
    let named = judgement.notes.iter();
    let several: BTreeSet<&String> = named
        .filter_map(|(repository, _)| repository.as_ref())
        .collect();
    let several = several.len() > 1;
    let told = judgement.notes.iter().map(|(repository, note)| {
        let told = of_note(note);
        match repository.as_ref().filter(|_| several) {
            Some(repository) => format!("repository {repository}: {told}"),
            None => told,
        }
    });
    told.collect()
}

/// A note in words.
pub(super) fn of_note(note: &Note) -> String {
    match note {
        Note::Gone(names) => format!(
            "gone from the server, and no fault: {}; backups are there",
            some(names)
        ),
        Note::Unmatched(pattern) => {
            format!("no database matches {pattern:?}, which 'databases' chooses")
        }
        Note::RowsUnseen(names, why) => format!("not looked at: rows of {}: {why}", some(names)),
        Note::NeverProven(names) => {
            format!(
                "never proven, and nothing says that it should be: {}",
                some(names)
            )
        }
        Note::NoHistory(names) => format!(
            "too few backups yet to tell sizes and rows that are out of line: {}",
            some(names)
        ),
        Note::SpaceUnknown(why) => format!("not looked at: free space: {why}"),
        Note::SpaceUntold => {
            "not looked at: free space, which this storage does not tell".to_owned()
        }
        Note::SpaceOfSome(names) => format!(
            "how long the room lasts is reckoned without what {} there",
            match names.as_slice() {
                [one] => format!("cluster {one} stores"),
                several => format!("clusters {} store", several.join(", ")),
            }
        ),
        Note::OthersUnknown(why) => {
            format!("not looked at: what other clusters store, which takes room, too: {why}")
        }
        Note::Unpinned => "not looked at: whether it is the right repository: no key file here \
                           knows it"
            .to_owned(),
        Note::SystemUnknown(names) => format!(
            "not looked at: whether the newest backups of {} are of this server: it, or they, do \
             not tell the system identifier (GRANT EXECUTE ON FUNCTION pg_control_system() TO the \
             role)",
            some(names)
        ),
        Note::NoHostKey => {
            "not looked at: whether this host may write, since it has no key for it".to_owned()
        }
    }
}

/// The first names, and how many more there are.
pub(super) fn some(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).map(|name| format!("{name:?}"));
    let shown: Vec<String> = shown.collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let word = if names.len() == 1 {
        "database"
    } else {
        "databases"
    };
    format!("{word} {}{more}", shown.join(", "))
}

/// A length of time in one unit, as people say it.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..HOUR => format!("{} min", seconds / 60),
        // Two days are a round number, and 50 h none of days.
        HOUR..THREE_DAYS if seconds != 2 * DAY => format!("{} h", seconds / HOUR),
        _ => format!("{} days", seconds / DAY),
    }
}

/// A limit as it was given: whole, in the largest unit that tells it.
pub(super) fn limit(seconds: u64) -> String {
    match seconds {
        _ if seconds.is_multiple_of(DAY) && seconds > DAY => format!("{} days", seconds / DAY),
        _ if seconds.is_multiple_of(HOUR) => format!("{} h", seconds / HOUR),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use pgkeep_maintenance::check::{Severity, What};

    use super::*;

    fn finding(database: &str) -> Finding {
        Finding {
            severity: Severity::Critical,
            repository: Some("local".to_owned()),
            what: What::NoBackup {
                database: database.to_owned(),
                new: false,
            },
        }
    }

    #[test]
    fn a_length_of_time_is_told_in_one_unit() {
        for (seconds, told) in [
            (59, "59 s"),
            (60, "1 min"),
            (26 * HOUR, "26 h"),
            (50 * HOUR, "50 h"),
            (2 * DAY, "2 days"),
            (3 * DAY + HOUR, "3 days"),
            (300 * DAY, "300 days"),
        ] {
            assert_eq!(span(seconds), told);
        }
    }

    #[test]
    fn a_limit_is_told_whole() {
        for (seconds, told) in [
            (100, "100 s"),
            (90 * 60, "90 min"),
            (DAY, "24 h"),
            (26 * HOUR, "26 h"),
            (2 * DAY, "2 days"),
            (99_999 * DAY, "99999 days"),
        ] {
            assert_eq!(limit(seconds), told);
        }
    }

    #[test]
    fn of_many_of_a_kind_some_are_told_and_the_others_counted() {
        let many: Vec<Finding> = ["a", "b", "c", "d", "e"].map(finding).into();
        let told = of_findings(&many, false);
        assert_eq!(told.len(), 4);
        assert_eq!(
            told[2..],
            ["database \"c\" has no good backup", "and 2 more of that"]
        );
        assert_eq!(of_findings(&many[..3], false).len(), 3);
        assert_eq!(
            of_findings(&many[..1], true),
            ["repository local: database \"a\" has no good backup"]
        );
    }

    #[test]
    fn names_are_counted_beyond_the_first() {
        let names = |count: usize| vec!["a".to_owned(); count];
        assert_eq!(some(&names(1)), "database \"a\"");
        assert_eq!(some(&names(5)), "databases \"a\", \"a\", \"a\" and 2 more");
    }
}
