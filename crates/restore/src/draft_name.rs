//! What a database is called while it is filled.
//!
//! Invariant: whoever finds one sees by its name what it is: nothing that was there before.

use pgkeep_types::BackupId;

/// PostgreSQL's limit of a name, in bytes (`NAMEDATALEN` in
/// src/include/pg_config_manual.h, less its zero).
const NAME_LIMIT: usize = 63;
const MARK: &str = "_unfinished_";
/// How many characters the short id of a backup has.
const SHORT: usize = 8;

/// The name of what is to become database `name`, out of a backup.
pub(crate) fn of(name: &str, backup: &BackupId) -> String {
    let suffix = format!("{MARK}{}", backup.short());
    let mut end = name.len().min(NAME_LIMIT - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

/// Whether a database of that name is what a restore that was cut off has left.
#[must_use]
pub fn is_unfinished(name: &str) -> bool {
    let id = name.rsplit_once(MARK).map(|(_, id)| id);
    // Crockford's letters, as in the random part of an id.
    let letter = |c: char| matches!(c, '0'..='9' | 'a'..='h' | 'j' | 'k' | 'm' | 'n' | 'p'..='t' | 'v'..='z');
    id.is_some_and(|id| id.len() == SHORT && id.chars().all(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_known_by_its_name_and_nothing_else_is() {
        let id: BackupId = "20261120T030000Z-7k3m9q2x".parse().unwrap();
        for name in ["app", "a_unfinished_b", &"ä".repeat(31)] {
            let draft = of(name, &id);
            assert!(
                draft.len() <= NAME_LIMIT && is_unfinished(&draft),
                "{draft}"
            );
            assert!(!is_unfinished(name), "{name}");
        }
        for name in [
            "_unfinished_",
            "app_unfinished_7k3m9q2",
            "app_unfinished_7k3m9q2X",
        ] {
            assert!(!is_unfinished(name), "{name}");
        }
    }
}
