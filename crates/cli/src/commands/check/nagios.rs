//! A check as Nagios and its kin take it: a line with the verdict and numbers, and what else
//! there is to say below it.
//!
//! Source: the Monitoring Plugins' development guidelines, "Plugin Output" and
//! "Performance data".
//!
//! Invariant: the line has one `|`, which begins the numbers, and no line's end.

use std::cmp::Reverse;

use pgkeep_maintenance::check::Severity;

use super::{Checked, words};
use crate::words::printable;

/// What is told where nothing could be judged.
pub(super) fn unknown(problem: &str) -> String {
    format!("PGKEEP UNKNOWN: {}\n", plain(problem))
}

/// What came of all clusters.
pub(super) fn told(checked: &[Checked], severity: Severity) -> String {
    let mut worst_first: Vec<&Checked> = checked.iter().collect();
    worst_first.sort_by_key(|one| Reverse(one.severity()));
    let sentences: Vec<String> = match worst_first.as_slice() {
        [one] => vec![format!("{}: {}", one.cluster, one.told())],
        several => several.iter().map(|one| one.sentence()).collect(),
    };
    let numbers: Vec<String> = checked.iter().flat_map(numbers).collect();
    let mut text = format!(
        "PGKEEP {}: {}|{}\n",
        severity.as_str(),
        plain(&sentences.join(" / ")),
        numbers.join(" ")
    );
    for one in worst_first {
        for note in one.judged.iter().flat_map(words::notes) {
            text.push_str(&plain(&format!("{}: {note}", one.cluster)));
            text.push('\n');
        }
    }
    text
}

/// The numbers of a cluster: ages in seconds with the limits, sizes in bytes.
fn numbers(checked: &Checked) -> Vec<String> {
    let Ok(judgement) = &checked.judged else {
        return Vec::new();
    };
    let limits = &checked.limits.check;
    let label = |repository: &str, rest: &str| {
        let repository = match checked.repositories {
            1 => String::new(),
            _ => format!("{repository}."),
        };
        let label = format!("{}.{repository}{rest}", checked.cluster);
        // Quotation marks are doubled; an equals sign cannot be written.
        let label = plain(&label).replace('\'', "''").replace('=', "_");
        format!("'{label}'")
    };
    let mut numbers = Vec::new();
    for measured in &judgement.measured {
        let Some((good, age)) = &measured.newest else {
            continue;
        };
        let of = |number: &str| {
            label(
                &measured.repository,
                &format!("{}.{number}", measured.database),
            )
        };
        let (warn, critical) = (limits.max_age.as_secs(), limits.critical_age.as_secs());
        numbers.push(format!("{}={age}s;{warn};{critical};0", of("age")));
        numbers.push(format!("{}={}B;;;0", of("size"), good.bytes));
        if let Some((_, age)) = measured.proof {
            let limits = checked.limits.proofs.max_age.map(|age| age.as_secs());
            let limits = limits.map(|age| format!("{age};{}", age.saturating_mul(2)));
            let limits = limits.unwrap_or_else(|| ";".to_owned());
            numbers.push(format!("{}={age}s;{limits};0", of("proof_age")));
        }
    }
    for (repository, free, lasts) in &judgement.space {
        numbers.push(format!("{}={free}B;;;0", label(repository, "free")));
        if let Some(lasts) = lasts {
            let (warn, critical) = (limits.space.as_secs(), limits.critical_space.as_secs());
            let label = label(repository, "lasts");
            numbers.push(format!("{label}={lasts}s;{warn}:;{critical}:;0"));
        }
    }
    numbers
}

/// Text without what means something in the line.
fn plain(text: &str) -> String {
    printable(text).replace('|', "/")
}

#[cfg(test)]
mod tests {
    use pgkeep_format::records::Level;
    use pgkeep_maintenance::check::{Good, Judgement, Limits, Measured, Opens};

    use super::*;

    #[test]
    fn the_line_has_one_bar_whatever_a_database_is_called() {
        let good = Good {
            id: "20261120T030000Z-7k3m9q2x".parse().unwrap(),
            started: "2026-11-20T03:00:00Z".parse().unwrap(),
            bytes: 5,
            globals: true,
            system: None,
            opens: Opens::ToSomebody,
        };
        let judgement = Judgement {
            measured: vec![Measured {
                repository: "local".to_owned(),
                database: "a|b='c'\n".to_owned(),
                newest: Some((good, 60)),
                proof: Some((Level::Restorable, 61)),
            }],
            space: vec![("local".to_owned(), 7, Some(8))],
            ..Judgement::default()
        };
        let checked = Checked {
            cluster: "main".parse().unwrap(),
            limits: Limits::default(),
            repositories: 1,
            judged: Ok(judgement),
        };
        assert_eq!(
            told(&[checked], Severity::Ok),
            "PGKEEP OK: main: 1 database, its newest backup is 1 min old, restored for proof 1 min \
             ago|'main.a/b_''c''\\n.age'=60s;93600;180000;0 'main.a/b_''c''\\n.size'=5B;;;0 \
             'main.a/b_''c''\\n.proof_age'=61s;;;0 \
             'main.free'=7B;;;0 'main.lasts'=8s;1209600:;259200:;0\n"
        );
    }
}
