//! Holding a restored database against the facts of its backup.
//!
//! Invariant: what is compared is what a restore has to bring back; what belongs
//! to the place (name, size, server) is not.

use pgkeep_postgres::client::DatabaseFacts;

/// In what `found` differs from `expected`, in words; nothing where it does not.
pub(crate) fn differences(expected: &DatabaseFacts, found: &DatabaseFacts) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, expected: String, found: String| {
        if expected != found {
            differences.push(format!("{what} is {found}, not {expected}"));
        }
    };
    let names = |facts: &DatabaseFacts| {
        let names: Vec<&str> = facts.extensions.iter().map(|e| e.name.as_str()).collect();
        format!("{names:?}")
    };
    compare("the owner", expected.owner.clone(), found.owner.clone());
    compare(
        "the encoding",
        expected.encoding.clone(),
        found.encoding.clone(),
    );
    let locale = |facts: &DatabaseFacts| {
        let locale = &facts.locale;
        let (collate, ctype) = (&locale.collate, &locale.ctype);
        format!(
            "{} {collate} {ctype} {:?}",
            locale.provider.as_str(),
            locale.locale
        )
    };
    compare("the locale", locale(expected), locale(found));
    compare(
        "the comment",
        format!("{:?}", expected.comment),
        format!("{:?}", found.comment),
    );
    let settings = |facts: &DatabaseFacts| format!("{:?}", facts.settings);
    compare("the list of settings", settings(expected), settings(found));
    compare("the list of extensions", names(expected), names(found));
    compare(
        "the number of tables",
        expected.tables.to_string(),
        found.tables.to_string(),
    );
    differences
}
