//! The file's own form, as it is written.
//!
//! Invariant: a key that is not known is an error, with its place and the
//! nearest known one; no value of the file is repeated in an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::value::Value;
use zeroize::Zeroizing;

use crate::ConfigError;
use crate::keep_text::{ByDatabase, Written};
use crate::origin::Origin;
use crate::settings::EncryptionMode;
use crate::wording::{in_words, meant};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[serde(default)]
    pub(crate) repository: BTreeMap<String, RepositoryTable>,
    #[serde(default)]
    pub(crate) encryption: EncryptionTable,
    #[serde(default)]
    pub(crate) cluster: BTreeMap<Spanned<String>, ClusterTable>,
    #[serde(default)]
    pub(crate) postgres: PostgresTable,
    #[serde(skip)]
    pub(crate) places: Places,
}

/// Where in a file its bytes are.
#[derive(Debug, Default)]
pub(crate) struct Places {
    path: PathBuf,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
}

impl Places {
    fn of(path: &Path, text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            path: path.to_owned(),
            lines: std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect(),
        }
    }

    /// The place of a value, and the value.
    pub(crate) fn found<T>(&self, value: Spanned<T>) -> (T, Origin) {
        let origin = self.at(value.span().start);
        (value.into_inner(), origin)
    }

    /// The place of a byte.
    pub(crate) fn at(&self, at: usize) -> Origin {
        let line = self.lines.partition_point(|begin| *begin <= at);
        let begin = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        Origin::File {
            path: self.path.clone(),
            line,
            column: at.saturating_sub(begin) + 1,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RepositoryTable {
    pub(crate) url: Spanned<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EncryptionTable {
    pub(crate) mode: Option<Spanned<EncryptionMode>>,
    pub(crate) recipients: Option<Spanned<Vec<String>>>,
    pub(crate) identity_file: Option<Spanned<PathBuf>>,
    pub(crate) host_key_file: Option<Spanned<PathBuf>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterTable {
    pub(crate) connection: Option<Spanned<Zeroizing<String>>>,
    pub(crate) repositories: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub(crate) dump: DumpTable,
    #[serde(default)]
    pub(crate) check: CheckTable,
    #[serde(default)]
    pub(crate) prove: ProveTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProveTable {
    pub(crate) queries: Option<Spanned<Vec<Spanned<QueryTable>>>>,
    pub(crate) max_age: Option<Spanned<String>>,
    pub(crate) scratch: Option<Spanned<PathBuf>>,
    pub(crate) isolation: Option<Spanned<String>>,
    pub(crate) timeout: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryTable {
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) database: Spanned<String>,
    pub(crate) sql: Spanned<String>,
    pub(crate) expect: Option<Spanned<Value>>,
    pub(crate) min: Option<Spanned<Value>>,
    pub(crate) max: Option<Spanned<Value>>,
    pub(crate) newer_than: Option<Spanned<String>>,
    pub(crate) timeout: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DumpTable {
    pub(crate) lock_timeout: Option<Spanned<String>>,
    pub(crate) jobs: Option<Spanned<u32>>,
    pub(crate) rate_limit: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) databases: Choice,
    #[serde(default)]
    pub(crate) schemas: Choice,
    #[serde(default)]
    pub(crate) tables: Choice,
    #[serde(default)]
    pub(crate) table_data: Exclusion,
    pub(crate) arguments: Option<Spanned<Vec<String>>>,
    pub(crate) keep: Option<Spanned<Written>>,
    #[serde(default)]
    pub(crate) keep_for: ByDatabase,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckTable {
    pub(crate) max_age: Option<Spanned<String>>,
    pub(crate) critical_age: Option<Spanned<String>>,
    pub(crate) max_run: Option<Spanned<String>>,
    pub(crate) max_shrink: Option<Spanned<String>>,
    pub(crate) max_growth: Option<Spanned<String>>,
    pub(crate) min_rows: Option<Spanned<u64>>,
    pub(crate) space: Option<Spanned<String>>,
    pub(crate) critical_space: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    pub(crate) include: Option<Spanned<Vec<String>>>,
    pub(crate) exclude: Option<Spanned<Vec<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exclusion {
    pub(crate) exclude: Option<Spanned<Vec<String>>>,
}

impl std::fmt::Debug for ClusterTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterTable").finish_non_exhaustive()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostgresTable {
    pub(crate) bin: Option<Spanned<Vec<PathBuf>>>,
}

pub(crate) fn read(path: &Path) -> Result<File, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &Zeroizing::new(text))
}

pub(crate) fn parse(path: &Path, text: &str) -> Result<File, ConfigError> {
    let parsed: Result<File, toml::de::Error> = toml::from_str(text);
    let mut file = parsed.map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ConfigError::Syntax {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            problem: match doubled(text, &error) {
                Some(key) => format!("the key `{key}` is there twice in one table"),
                None => in_words(error.message()),
            },
            nearest: meant(error.message()),
        }
    })?;
    file.places = Places::of(path, text);
    Ok(file)
}

/// The key that a table has twice, where that is what is wrong: no value is a key.
fn doubled<'a>(text: &'a str, error: &toml::de::Error) -> Option<&'a str> {
    error.message().starts_with("duplicate key").then_some(())?;
    let key = text.get(error.span()?)?.trim();
    (!key.is_empty() && !key.contains(['\n', '='])).then_some(key)
}

/// The questions in the text of a variable, which is what stands behind `queries =` in the
/// file.
pub(crate) fn queries_in(
    text: &str,
    origin: &Origin,
) -> Result<Vec<Spanned<QueryTable>>, ConfigError> {
    #[derive(Deserialize)]
    struct Queries {
        queries: Vec<Spanned<QueryTable>>,
    }
    let parsed: Result<Queries, toml::de::Error> = toml::from_str(&format!("queries = {text}"));
    let parsed = parsed.map_err(|error| ConfigError::VariableSyntax {
        name: origin.to_string(),
        problem: in_words(error.message()),
        nearest: meant(error.message()),
    })?;
    Ok(parsed.queries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> ConfigError {
        parse(Path::new("pgkeep.toml"), text).unwrap_err()
    }

    #[test]
    fn an_unknown_key_is_told_with_its_place_and_the_nearest_known_one() {
        let error = error("[cluster.main]\nconnection = \"\"\n\nrepositores = []\n");
        let text = error.to_string();
        assert!(
            text.starts_with("pgkeep.toml, line 4, column 1: there is no key `repositores`"),
            "{text}"
        );
        assert_eq!(error.hint().unwrap(), "did you mean 'repositories'");
    }

    #[test]
    fn a_wrong_type_is_told_with_its_place_and_without_the_value() {
        let error = error("[cluster.main]\nrepositories = \"postgres://u:hunter2@h\"\n");
        let text = format!("{error} {error:?}");
        assert!(text.contains("line 2, column 16"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_file_that_is_no_toml_does_not_show_its_lines() {
        let error = error("[cluster.main]\nconnection = \"postgres://u:hunter2@h\n");
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("line 2") && !text.contains("hunter2"),
            "{text}"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_panic_and_no_error_repeats_a_value(
            text in "(\\[(cluster|repository)\\.[a-z]\\]\n|(url|connection|repositories|bin) ?= ?|\"hunter2\"|hunter2|\n|\\PC|[\\[\\]=\"']){0,30}"
        ) {
            if let Err(error) = parse(Path::new("pgkeep.toml"), &text) {
                let ConfigError::Syntax { line, problem, .. } = &error else {
                    panic!("{error:?}");
                };
                proptest::prop_assert!(*line <= text.matches('\n').count() + 1);
                proptest::prop_assert!(!problem.contains("\"hunter2"), "{}", problem);
            }
        }
    }

    #[test]
    fn a_name_that_is_far_from_all_known_ones_gets_no_guess() {
        assert!(error("[zzz]\n").hint().is_none());
    }
}
