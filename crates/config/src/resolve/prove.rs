//! `[cluster.NAME.prove]`: what is asked of restored databases, and where they are restored.
//!
//! Invariant: what a question must answer is said once; where it is said twice, or a value
//! is none that its key takes, its place is told.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::value::Value;

use super::{Key, Resolver, as_written};
use crate::file::{Places, ProveTable, QueryTable, queries_in};
use crate::origin::{Origin, Shown};
use crate::prove::{Expected, Isolation, Number, ProveSettings, Question};
use crate::{ConfigError, lookup, span, variables};

const EXPECTED: &str = "true, \"rows\" or \"no rows\"";
const NUMBER: &str = "a number";
const BOUNDS: &str = "a 'min' that is not above the 'max'";
const ONE: &str = "one of 'expect', 'min' with 'max', and 'newer_than'";
const TEXT: &str = "some text";
const ISOLATION: &str = "\"namespaces\" or \"none\"";

impl Resolver<'_> {
    pub(super) fn prove(
        &mut self,
        cluster: &str,
        table: ProveTable,
        places: &Places,
    ) -> Result<ProveSettings, ConfigError> {
        Ok(ProveSettings {
            queries: self.queries(cluster, table.queries, places)?,
            max_age: self.max_age(cluster, table.max_age, places)?,
            scratch: self.scratch(cluster, table.scratch, places),
            isolation: self.isolation(cluster, table.isolation, places)?,
            timeout: self.timeout(cluster, table.timeout, places)?,
        })
    }

    fn queries(
        &mut self,
        cluster: &str,
        in_file: Option<Spanned<Vec<Spanned<QueryTable>>>>,
        places: &Places,
    ) -> Result<Vec<Question>, ConfigError> {
        let variable = variables::of_cluster(cluster, "PROVE_QUERIES");
        let (tables, origin, place): (_, _, Box<dyn Fn(Range<usize>) -> Origin + '_>) =
            match (self.text(&variable, cluster)?, in_file) {
                (Some((text, origin)), _) => {
                    let tables = queries_in(&text, &origin)?;
                    let everywhere = origin.clone();
                    (tables, origin, Box::new(move |_| everywhere.clone()))
                }
                (None, Some(tables)) => {
                    let (tables, origin) = places.found(tables);
                    (tables, origin, Box::new(|span| places.at(span.start)))
                }
                (None, None) => (Vec::new(), Origin::Default, Box::new(|_| Origin::Default)),
            };
        let questions = tables.into_iter().map(|table| question(table, &place));
        let questions: Vec<Question> = questions.collect::<Result<_, _>>()?;
        let shown = match questions.as_slice() {
            [] => Shown::Nothing,
            some => Shown::List(
                some.iter()
                    .map(|q| format!("{}: {} → {}", q.database, q.sql, q.expected))
                    .collect(),
            ),
        };
        self.note(format!("cluster.{cluster}.prove.queries"), shown, origin);
        Ok(questions)
    }

    fn max_age(
        &mut self,
        cluster: &str,
        in_file: Option<Spanned<String>>,
        places: &Places,
    ) -> Result<Option<Duration>, ConfigError> {
        let key = key(cluster, "max_age");
        let in_file = super::in_file(in_file, places);
        self.value(key, in_file, span::parse_any, span::WANTED, as_written)
    }

    fn timeout(
        &mut self,
        cluster: &str,
        in_file: Option<Spanned<String>>,
        places: &Places,
    ) -> Result<Duration, ConfigError> {
        let key = key(cluster, "timeout");
        let in_file = super::in_file(in_file, places);
        let shown = |said: Option<(&str, &Duration)>| {
            let timeout = said.map_or(ProveSettings::TIMEOUT, |(_, timeout)| *timeout);
            Shown::Text(span::tell(timeout))
        };
        let timeout = self.value(key, in_file, span::parse_any, span::WANTED, shown)?;
        Ok(timeout.unwrap_or(ProveSettings::TIMEOUT))
    }

    fn isolation(
        &mut self,
        cluster: &str,
        in_file: Option<Spanned<String>>,
        places: &Places,
    ) -> Result<Isolation, ConfigError> {
        let parse = |text: &str| match text.trim() {
            "namespaces" => Some(Isolation::Namespaces),
            "none" => Some(Isolation::None),
            _ => None,
        };
        let shown = |said: Option<(&str, &Isolation)>| {
            Shown::Text(
                said.map_or("namespaces", |(text, _)| text.trim())
                    .to_owned(),
            )
        };
        let key = key(cluster, "isolation");
        let in_file = super::in_file(in_file, places);
        let isolation = self.value(key, in_file, parse, ISOLATION, shown)?;
        Ok(isolation.unwrap_or(Isolation::Namespaces))
    }

    fn scratch(
        &mut self,
        cluster: &str,
        in_file: Option<Spanned<PathBuf>>,
        places: &Places,
    ) -> Option<PathBuf> {
        let variable = variables::of_cluster(cluster, "PROVE_SCRATCH");
        let said = lookup::path(self.environment, &variable);
        self.looked_for.insert(variable, cluster.to_owned());
        let in_file = in_file.map(|path| {
            let (path, origin) = places.found(path);
            (self.base.join(path), origin)
        });
        let (path, origin) = said.or(in_file).unzip();
        let text = |path: &Path| Shown::Text(path.display().to_string());
        let shown = path.as_deref().map_or(Shown::Nothing, text);
        let origin = origin.unwrap_or(Origin::Default);
        self.note(format!("cluster.{cluster}.prove.scratch"), shown, origin);
        path
    }
}

fn key<'a>(cluster: &'a str, name: &'a str) -> Key<'a> {
    Key {
        cluster,
        table: "prove",
        name,
    }
}

/// Where a span of what was read is.
type Place<'a> = &'a dyn Fn(Range<usize>) -> Origin;

fn wrong(place: Place<'_>, span: Range<usize>, wanted: &'static str) -> ConfigError {
    ConfigError::value(place(span), wanted)
}

fn question(table: Spanned<QueryTable>, place: Place<'_>) -> Result<Question, ConfigError> {
    let whole = table.span();
    let table = table.into_inner();
    for text in table.name.iter().chain([&table.database, &table.sql]) {
        if text.get_ref().trim().is_empty() {
            return Err(wrong(place, text.span(), TEXT));
        }
    }
    let expected = expected(&table, whole, place)?;
    let timeout = table.timeout.as_ref();
    let timeout = timeout.map(|text| {
        let length = span::parse(text.get_ref());
        length.ok_or_else(|| wrong(place, text.span(), span::WANTED))
    });
    let sql = table.sql.into_inner();
    let words: Vec<&str> = sql.split_whitespace().collect();
    let name = table.name.map(Spanned::into_inner);
    Ok(Question {
        name: name.unwrap_or_else(|| words.join(" ")),
        database: table.database.into_inner(),
        sql,
        expected,
        timeout: timeout.transpose()?.unwrap_or(Question::TIMEOUT),
    })
}

fn expected(
    table: &QueryTable,
    whole: Range<usize>,
    place: Place<'_>,
) -> Result<Expected, ConfigError> {
    let QueryTable {
        expect,
        min,
        max,
        newer_than,
        ..
    } = table;
    let bounds = min.as_ref().or(max.as_ref());
    match (expect, bounds, newer_than) {
        (None, None, None) => Ok(Expected::True),
        (Some(expect), None, None) => match expect.get_ref() {
            Value::Boolean(true) => Ok(Expected::True),
            Value::String(word) if word == "true" => Ok(Expected::True),
            Value::String(word) if word == "rows" => Ok(Expected::Rows),
            Value::String(word) if word == "no rows" => Ok(Expected::NoRows),
            _ => Err(wrong(place, expect.span(), EXPECTED)),
        },
        (None, Some(first), None) => {
            let (min, max) = (bound(min.as_ref(), place)?, bound(max.as_ref(), place)?);
            match (min, max) {
                (Some(min), Some(max)) if min.as_real() > max.as_real() => {
                    Err(wrong(place, first.span(), BOUNDS))
                }
                (min, max) => Ok(Expected::Number { min, max }),
            }
        }
        (None, None, Some(age)) => match span::parse_any(age.get_ref()) {
            Some(age) => Ok(Expected::NewerThan(age)),
            None => Err(wrong(place, age.span(), span::WANTED)),
        },
        _ => Err(wrong(place, whole, ONE)),
    }
}

fn bound(value: Option<&Spanned<Value>>, place: Place<'_>) -> Result<Option<Number>, ConfigError> {
    let Some(value) = value else {
        return Ok(None);
    };
    match value.get_ref() {
        Value::Integer(number) => Ok(Some(Number::Whole(*number))),
        Value::Float(number) if number.is_finite() => Ok(Some(Number::Real(*number))),
        _ => Err(wrong(place, value.span(), NUMBER)),
    }
}
