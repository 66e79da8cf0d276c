//! What is kept, for people: a table a database, and a total.
//!
//! Invariant: it fits a terminal of 80 columns, and tells all that programs are told.

use std::fmt::Write as _;

use pgkeep_maintenance::{Judged, SeriesName, Verdict};
use pgkeep_types::Timestamp;

use super::{Kept, Spared, reasons};
use crate::output::Output;
use crate::words::{self, Align};

/// How far right reasons begin: behind the id, the time and the verdict.
const REASONS: usize = 39;

/// A series in a sentence; its server is told where `all` has others of the same database.
pub(in crate::commands) fn sentence(name: &SeriesName, all: &[Judged<'_>]) -> String {
    let database = words::printable(&name.database);
    let mut namesakes = all.iter().filter(|of| of.name.database == name.database);
    let server = match name.system {
        Some(system) if namesakes.any(|of| of.name.system != name.system) => {
            format!(" on the server with system id {system}")
        }
        _ => String::new(),
    };
    match name.part {
        true => format!("{} of parts of {database}{server}", name.kind),
        false => format!("{} of {database}{server}", name.kind),
    }
}

/// What becomes of each backup.
pub(in crate::commands) fn table(kept: &Kept<'_>, output: Output, now: Timestamp) -> String {
    let mut text = String::new();
    for series in &kept.judged {
        let policy = match series.policy.rules.is_empty() {
            true => "all are kept".to_owned(),
            false => format!("keep {}", series.policy),
        };
        // Writing into a string does not fail.
        let _ = writeln!(text, "{}: {policy}", sentence(&series.name, &kept.judged));
        if let Some(failure) = &series.failed {
            let (end, failure) = (reasons::end(failure), reasons::failure(failure));
            let told = format!("nothing of it goes until {end}: {failure}");
            let _ = writeln!(text, "{}", output.folded(&told, 2));
        }
        let _ = writeln!(text, "{}", output.folded(&rows(kept, series, now), REASONS));
    }
    for damage in &kept.damaged {
        let of = damage.database.as_deref().map(words::printable);
        let of = of
            .map(|database| format!(" of {database}"))
            .unwrap_or_default();
        let id = damage.id.short();
        let told = format!(
            "{id}{of} stays, and counts as no good one: {}; no rule deletes it, \
             'pgkeep prune --id {id}' does",
            words::printable(&damage.problem)
        );
        let _ = writeln!(text, "{}\n", output.folded(&told, 10));
    }
    let _ = writeln!(text, "{}", output.folded(&total(kept), 0));
    text
}

fn rows(kept: &Kept<'_>, series: &Judged<'_>, now: Timestamp) -> String {
    let headings = [
        ("ID", Align::Left),
        ("STARTED", Align::Left),
        ("", Align::Left),
        ("WHY", Align::Left),
    ];
    let row = |verdict: &Verdict<'_>| {
        let backup = verdict.backup;
        let (fate, why) = match (verdict.goes(), kept.spared(&backup.id)) {
            (true, None) => ("goes", going(kept, verdict)),
            (true, Some(Spared::InUse(run))) => {
                ("stays", format!("run {run} goes on, and refers to it"))
            }
            (true, Some(Spared::Pinned)) => ("stays", "it was just pinned".to_owned()),
            (true, Some(Spared::Later)) => ("stays", "the next prune decides".to_owned()),
            (false, _) => ("stays", reasons::told(&verdict.stays, now)),
        };
        let cells = [
            backup.id.short(),
            &words::time_to_the_minute(backup.started),
            fate,
            &why,
        ];
        cells.map(str::to_owned).to_vec()
    };
    let rows: Vec<Vec<String>> = series.verdicts.iter().map(row).collect();
    words::table(&headings, &rows)
}

/// Why one goes, and what that gives back.
fn going(kept: &Kept<'_>, verdict: &Verdict<'_>) -> String {
    let id = &verdict.backup.id;
    let mut told = "no rule keeps it".to_owned();
    if let Some(freed) = kept.freed(id) {
        let _ = write!(told, "; {} come back", words::size(freed));
    }
    match kept.left(id) {
        0 => {}
        left => {
            let _ = write!(told, ", {} stay for others", words::size(left));
        }
    }
    told
}

/// What goes of how many, and what that gives back.
fn total(kept: &Kept<'_>) -> String {
    let good: usize = kept.judged.iter().map(|series| series.verdicts.len()).sum();
    let going = kept.going().count();
    let mut told = match going {
        0 => format!("none of {} goes", words::counted(good, "backup")),
        1 => format!("1 of {} goes", words::counted(good, "backup")),
        _ => format!("{going} of {good} backups go"),
    };
    match kept.bytes() {
        Some(bytes) if going > 0 => {
            let _ = write!(told, ", and {} come back", words::size(bytes));
        }
        _ => {}
    }
    let left: u64 = kept.going().map(|id| kept.left(id)).sum();
    if left > 0 {
        let left = words::size(left);
        let _ = write!(
            told,
            "; {left} of them stay for as long as backups that stay refer to them"
        );
    }
    told
}

impl Kept<'_> {
    /// How many bytes come back, where that is known.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.going().map(|id| self.freed(id)).sum()
    }
}
