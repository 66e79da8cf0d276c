//! The page for auditors.
//!
//! Invariants: one file that needs nothing else, and no script; everything that comes from
//! elsewhere is escaped; it says what was not done as clearly as what was.

use std::fmt::Write as _;
use std::path::Path;

use pgkeep_format::records::{ProofOutcome, StepOutcome};
use pgkeep_types::Timestamp;

use super::line::{ProofLine, lasting};
use crate::error::CliError;
use crate::words;

/// Readable at the width of a phone, in the dark and on paper.
const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--good:#17703a;--bad:#b3261e;--open:#8a5a00}\
@media(prefers-color-scheme:dark){:root{--good:#63c98a;--bad:#ff8a80;--open:#e0b050}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}\
section{border-top:1px solid var(--line);overflow-wrap:anywhere}\
dl{display:grid;grid-template-columns:minmax(7rem,auto) 1fr;gap:.2rem 1rem;margin:.5rem 0}\
dt{opacity:.7}dd{margin:0}\
table{border-collapse:collapse;width:100%}\
td,th{text-align:left;vertical-align:top;padding:.3rem .5rem .3rem 0;border-bottom:1px solid var(--line)}\
code{font-size:.9em;white-space:pre-wrap}.step{white-space:nowrap}\
.good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}\
.good,.bad,.open{font-weight:600}\
@media(max-width:36rem){table,tbody,tr,td{display:block}thead{display:none}\
td{border:0;padding:.1rem 0}tr{border-bottom:1px solid var(--line);padding:.4rem 0}\
dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}";

/// Refuses a file that cannot be written, before the work begins.
pub(super) fn check(path: &Path) -> Result<(), CliError> {
    let directory = path.parent().unwrap_or(path);
    let found = match path.is_dir() {
        true => Err(std::io::ErrorKind::IsADirectory.into()),
        // Removed at once: it is only to be seen that it can be made.
        false => tempfile::NamedTempFile::new_in(directory).map(drop),
    };
    found.map_err(|source| cannot_write(path, source))
}

/// Writes the page; one that is there is replaced whole or not at all.
pub(super) fn write(path: &Path, lines: &[ProofLine], now: Timestamp) -> Result<(), CliError> {
    let failed = |source| cannot_write(path, source);
    let directory = path.parent().unwrap_or(path);
    let draft = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    std::fs::write(draft.path(), page(lines, now)).map_err(failed)?;
    draft.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn cannot_write(path: &Path, source: std::io::Error) -> CliError {
    CliError::File {
        what: "write",
        path: path.to_owned(),
        source,
    }
}

fn page(lines: &[ProofLine], now: Timestamp) -> String {
    let count = |outcome| lines.iter().filter(|l| l.outcome == outcome).count();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>pgkeep: test restores</title><style>{STYLE}</style></head><body>\
         <h1>Test restores</h1><p>Written {} by pgkeep {}. Of {}: {} proven, {} restorable, {} \
         failed, {} not provable on this host.</p>\
         <p><b>Proven</b>: restored into a server of its own, compared with what was dumped, \
         and every configured question answered right. <b>Restorable</b>: restored and compared, \
         and nothing was asked. What was not done is said to be not done.</p>",
        escaped(&words::time(now)),
        env!("CARGO_PKG_VERSION"),
        words::counted(lines.len() as u64, "backup"),
        count(ProofOutcome::Proven),
        count(ProofOutcome::Restorable),
        count(ProofOutcome::Failed),
        count(ProofOutcome::NotProvable),
    );
    for line in lines {
        section(&mut page, line);
    }
    page.push_str("</body></html>\n");
    page
}

fn section(page: &mut String, line: &ProofLine) {
    let class = match line.outcome {
        ProofOutcome::Proven => "good",
        ProofOutcome::Failed => "bad",
        ProofOutcome::Restorable | ProofOutcome::NotProvable => "open",
    };
    // Writing into a string does not fail.
    let _ = write!(
        page,
        "<section><h2>{} / {}: <span class=\"{class}\">{}</span></h2><dl>",
        escaped(line.cluster.as_str()),
        escaped(&line.database),
        line.outcome()
    );
    let mut item = |name: &str, value: String| {
        let _ = write!(page, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
    };
    if let Some(problem) = &line.problem {
        item("Problem", problem.clone());
    }
    if let Some(damage) = &line.damage {
        item("Damage", damage.clone());
    }
    if let Some(why) = &line.still_refuted {
        item("Not taken back", why.clone());
    }
    if let Some(id) = &line.backup {
        item("Backup", id.to_string());
    }
    if let Some(started) = line.backup_started {
        item("Snapshot", words::time(started));
    }
    if let Some(proof) = &line.proof {
        item("Proof", proof.id.to_string());
        item(
            "Proved",
            format!("{} on host {}", words::time(proof.started), proof.host),
        );
        item("Record of the backup", format!("BLAKE3 {}", proof.record));
        item(
            "Record of the proof",
            match (&line.not_recorded, line.recorded) {
                (Some(why), _) => format!("NOT WRITTEN DOWN: {why}"),
                (None, true) => "written down in the repository, signed by the host".to_owned(),
                (None, false) => "not written down, as was asked for".to_owned(),
            },
        );
        let none = || "not reached".to_owned();
        item("Restore time", proof.restore_ms.map_or_else(none, lasting));
        let loss = proof.loss_seconds.map(words::span);
        item(
            "Data was behind",
            loss.unwrap_or_else(|| "unknown".to_owned()),
        );
        let version = |version: &Option<String>| version.clone().unwrap_or_else(none);
        item(
            "Server",
            format!("PostgreSQL {}", version(&proof.server_version)),
        );
        item("pg_restore", version(&proof.pg_restore_version));
    }
    page.push_str("</dl>");
    if let Some(details) = &line.details {
        page.push_str(
            "<table><thead><tr><th>Step</th><th>Outcome</th><th>Notes</th></tr></thead><tbody>",
        );
        for step in &details.steps {
            let (class, outcome) = match step.outcome {
                StepOutcome::Done => ("good", format!("done, {}", lasting(step.ms))),
                StepOutcome::Failed => ("bad", format!("failed after {}", lasting(step.ms))),
                StepOutcome::NotDone => ("open", "not done".to_owned()),
            };
            let notes = match step.notes.as_slice() {
                [] if step.outcome == StepOutcome::NotDone => "not reached".to_owned(),
                notes => plain(notes),
            };
            let _ = write!(
                page,
                "<tr><td class=\"step\">{}</td><td class=\"{class}\">{outcome}</td><td>{}</td></tr>",
                escaped(&step.name),
                escaped(&notes)
            );
        }
        page.push_str("</tbody></table>");
        if !details.questions.is_empty() {
            page.push_str("<table><thead><tr><th>Question</th><th>Wanted</th><th>Answer</th><th>Verdict</th></tr></thead><tbody>");
            for answer in &details.questions {
                let (class, verdict) = match &answer.problem {
                    None if answer.right => ("good", "right".to_owned()),
                    None => ("bad", "wrong".to_owned()),
                    Some(problem) => ("bad", format!("wrong: {problem}")),
                };
                // A question without a name is called by its SQL.
                let name = match answer.name == answer.sql {
                    true => String::new(),
                    false => format!("{}<br>", escaped(&answer.name)),
                };
                let _ = write!(
                    page,
                    "<tr><td>{name}<code>{}</code></td><td>{}</td><td>{}</td><td class=\"{class}\">{}, {}</td></tr>",
                    escaped(&answer.sql),
                    escaped(&answer.expected),
                    escaped(answer.answer.as_deref().unwrap_or("none")),
                    escaped(&verdict),
                    lasting(answer.ms)
                );
            }
            page.push_str("</tbody></table>");
        }
    }
    page.push_str("</section>");
}

/// Notes, without what the outcome says already.
fn plain(notes: &[String]) -> String {
    let notes = notes.iter();
    let notes = notes.map(|note| note.strip_prefix("not done: ").unwrap_or(note));
    notes.collect::<Vec<_>>().join("; ")
}

/// Text as HTML has it, in an element or an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in words::printable(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_elsewhere_is_html_and_nothing_comes_from_elsewhere() {
        let cluster = "main".parse().unwrap();
        let hostile = "<script src=\"https://x\">'&\u{1b}";
        let line = ProofLine::refused(&cluster, hostile, hostile.to_owned());
        let page = page(&[line], "2026-11-20T03:00:00Z".parse().unwrap());
        assert!(!page.contains("<script") && !page.contains('\u{1b}'));
        assert!(page.contains("&lt;script src=&quot;https://x&quot;&gt;&#39;&amp;"));
        for outside in ["href=", "src=\"", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("width=device-width") && page.contains("color-scheme:light dark"));
    }
}
