//! What of its database a backup was to have.
//!
//! Invariant: a backup that was not to have all of it has words for that.

use pgkeep_format::records::Selection;
use pgkeep_repository::OpenBackup;

use crate::RestoreError;
use crate::database::read_facts;

/// What of its database a backup was to have, in words; none where that is all of it.
///
/// # Errors
/// Where its facts cannot be read.
pub async fn dumped_part(backup: &OpenBackup) -> Result<Option<String>, RestoreError> {
    match backup.record().selected {
        true => Ok(in_words(&read_facts(backup).await?.selection)),
        false => Ok(None),
    }
}

pub(crate) fn in_words(selection: &Selection) -> Option<String> {
    let Selection {
        schemas,
        exclude_schemas,
        tables,
        exclude_tables,
        exclude_table_data,
        arguments,
    } = selection;
    let choices = [
        ("schemas", schemas, " alone"),
        ("tables", tables, " alone"),
        ("without schemas", exclude_schemas, ""),
        ("without tables", exclude_tables, ""),
        ("without the rows of", exclude_table_data, ""),
    ];
    let named = choices
        .into_iter()
        .filter(|(_, names, _)| !names.is_empty());
    let named = named.map(|(what, names, end)| format!("{what} {}{end}", names.join(", ")));
    let further = (!arguments.is_empty()).then(|| format!("pg_dump {}", arguments.join(" ")));
    let words: Vec<String> = named.chain(further).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_and_what_was_not_has_words() {
        assert_eq!(in_words(&Selection::default()), None);
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let selection = Selection {
            schemas: list(&["a", "b"]),
            exclude_tables: list(&["lost"]),
            exclude_table_data: list(&["audit"]),
            arguments: list(&["--no-comments"]),
            ..Selection::default()
        };
        assert_eq!(
            in_words(&selection).unwrap(),
            "schemas a, b alone; without tables lost; without the rows of audit; \
             pg_dump --no-comments"
        );
    }
}
