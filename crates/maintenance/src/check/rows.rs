//! The rows of a database's tables against those before.
//!
//! Invariant: a table that was not counted is compared with nothing, and is told where it
//! was counted before.

use std::collections::BTreeSet;

use pgkeep_config::CheckSettings;

use super::finding::{Severity, What};
use super::seen::Tables;
use super::sizes::{emptied, shrunk};

/// What is out of line; `before` has the newest first.
pub(super) fn judge(
    database: &str,
    now: &Tables,
    before: &[Tables],
    limits: &CheckSettings,
) -> Vec<(Severity, What)> {
    let names: BTreeSet<_> = now
        .keys()
        .chain(before.iter().flat_map(Tables::keys))
        .collect();
    let mut found = Vec::new();
    for name in names {
        let counted = before.iter().filter_map(|tables| *tables.get(name)?);
        let counted: Vec<u64> = counted.collect();
        let (database, table) = (database.to_owned(), format!("{}.{}", name.0, name.1));
        let gone = || {
            let there = before.iter().filter(|tables| tables.contains_key(name));
            let is_usual = there.count() * 2 > before.len();
            emptied(&counted, limits.min_rows).filter(|_| is_usual)
        };
        found.extend(match now.get(name) {
            None => gone().map(|usual| {
                let what = What::TableGone {
                    database,
                    table,
                    usual,
                };
                (Severity::Warning, what)
            }),
            Some(None) => None,
            Some(Some(0)) => emptied(&counted, limits.min_rows).map(|usual| {
                let what = What::Emptied {
                    database,
                    table,
                    usual,
                };
                (Severity::Critical, what)
            }),
            Some(Some(rows)) => {
                let usual = shrunk(*rows, &counted, limits.max_shrink);
                let usual = usual.filter(|usual| *usual >= limits.min_rows);
                usual.map(|usual| {
                    let what = What::FewerRows {
                        database,
                        table,
                        rows: *rows,
                        usual,
                    };
                    (Severity::Warning, what)
                })
            }
        });
    }
    found
}

/// That tables were not counted which were before.
pub(super) fn uncounted(now: &Tables, before: &[Tables]) -> Option<String> {
    let was_counted = |name| {
        before
            .iter()
            .any(|tables| matches!(tables.get(name), Some(Some(_))))
    };
    let tables = now.iter().filter(|(_, rows)| rows.is_none());
    let mut tables = tables
        .map(|(name, _)| name)
        .filter(|name| was_counted(*name));
    let (schema, table) = tables.next()?;
    let told = match tables.count() {
        0 => format!("those of {schema}.{table} were"),
        more => format!("those of {schema}.{table} and {more} more were"),
    };
    Some(format!(
        "{told} not counted when the newest was dumped, and were before"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(of: &[(&str, Option<u64>)]) -> Tables {
        let named = of
            .iter()
            .map(|(name, rows)| (("public".to_owned(), (*name).to_owned()), *rows));
        named.collect()
    }

    fn found(now: &[(&str, Option<u64>)], before: &[&[(&str, Option<u64>)]]) -> Vec<String> {
        let before: Vec<Tables> = before.iter().map(|of| tables(of)).collect();
        let found = judge("app", &tables(now), &before, &CheckSettings::default());
        let told = found.iter().map(|(severity, what)| {
            let table = match what {
                What::Emptied { table, .. }
                | What::TableGone { table, .. }
                | What::FewerRows { table, .. } => table,
                other => panic!("{other:?}"),
            };
            format!("{} {} {table}", severity.as_str(), what.name())
        });
        told.collect()
    }

    #[test]
    fn what_has_lost_its_rows_is_told_and_how_bad_that_is() {
        let before: &[(&str, Option<u64>)] = &[
            ("emptied", Some(100)),
            ("gone", Some(100)),
            ("half", Some(1000)),
            ("less", Some(1000)),
            ("small", Some(99)),
            ("uncounted", Some(1000)),
        ];
        let now = [
            ("emptied", Some(0)),
            ("half", Some(500)),
            ("less", Some(499)),
            ("new", Some(0)),
            ("small", Some(0)),
            ("uncounted", None),
        ];
        assert_eq!(
            found(&now, &[before; 3]),
            [
                "CRITICAL table-emptied public.emptied",
                "WARNING table-gone public.gone",
                "WARNING table-shrunk public.less",
            ]
        );
    }

    #[test]
    fn a_table_that_is_gone_for_long_is_told_no_more() {
        let (with, without): (&[_], &[_]) = (&[("t", Some(100))], &[]);
        assert_eq!(found(&[], &[without, with, with]).len(), 1);
        assert!(found(&[], &[without, without, with]).is_empty());
        assert!(found(&[], &[without, without, with, with]).is_empty());
    }

    #[test]
    fn a_table_that_is_counted_no_more_is_told() {
        let before = tables(&[("counted", Some(1)), ("lost", Some(1)), ("never", None)]);
        let now = tables(&[("counted", Some(1)), ("lost", None), ("never", None)]);
        let told = uncounted(&now, std::slice::from_ref(&before)).unwrap();
        assert!(
            told.starts_with("those of public.lost were not counted"),
            "{told}"
        );
        assert_eq!(uncounted(&before, &[now]), None);
    }
}
