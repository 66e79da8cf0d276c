//! What is known of a backup's database beside its tables, as people read it.
//!
//! Invariant: the value of a setting is not shown, which may be a secret of somebody's.

use std::collections::BTreeMap;

use pgkeep_format::records::{DatabaseFacts, DatabaseSetting, Grant};

use crate::words;

/// Lines of names and values.
pub(super) fn told(database: &DatabaseFacts) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        (
            "encoding",
            format!("{}, {}", database.encoding, database.collate),
        ),
        ("on disk", words::size(database.size)),
        ("tables", database.tables.to_string()),
    ];
    let objects = database.objects.iter().filter(|(_, count)| **count > 0);
    let objects: Vec<String> = objects.map(of_kind).collect();
    if !objects.is_empty() {
        lines.push(("objects", objects.join(", ")));
    }
    let lacks = database.not_dumped.iter();
    lines.extend(lacks.map(|lacking| ("NOT in it", of_kind(lacking))));
    if !database.settings.is_empty() {
        lines.push(("settings", settings(&database.settings)));
    }
    lines.push(("privileges", privileges(database.privileges.as_deref())));
    let extensions = database.extensions.iter();
    let extensions: Vec<String> = extensions
        .map(|extension| format!("{} {}", extension.name, extension.version))
        .collect();
    lines.push(("extensions", extensions.join(", ")));
    if let Some(comment) = &database.comment {
        lines.push(("comment", comment.clone()));
    }
    lines
}

fn of_kind((kind, count): (&String, &u64)) -> String {
    format!("{kind}: {count}")
}

/// Their names; JSON has the values.
fn settings(settings: &[DatabaseSetting]) -> String {
    let named = settings.iter().map(|setting| match &setting.role {
        None => setting.name.clone(),
        Some(role) => format!("{} (of role {role})", setting.name),
    });
    named.collect::<Vec<_>>().join(", ")
}

fn privileges(grants: Option<&[Grant]>) -> String {
    let Some(grants) = grants else {
        return "as every new database has them".to_owned();
    };
    let mut of_each: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for grant in grants {
        let word = match grant.grantable {
            true => format!("{} with grant option", grant.privilege),
            false => grant.privilege.clone(),
        };
        let grantee = grant.grantee.as_deref().unwrap_or("PUBLIC");
        of_each.entry(grantee).or_default().push(word);
    }
    let told = of_each.iter();
    let told = told.map(|(grantee, words)| format!("{grantee}: {}", words.join(", ")));
    match told.collect::<Vec<_>>().join("; ") {
        none if none.is_empty() => "nobody's".to_owned(),
        some => some,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_are_told_of_each_role() {
        let grant = |grantee: Option<&str>, privilege: &str, grantable| Grant {
            grantor: "boss".to_owned(),
            grantee: grantee.map(str::to_owned),
            privilege: privilege.to_owned(),
            grantable,
        };
        let grants = [
            grant(Some("app"), "CREATE", true),
            grant(None, "CONNECT", false),
            grant(Some("app"), "CONNECT", false),
        ];
        let told = "PUBLIC: CONNECT; app: CREATE with grant option, CONNECT";
        assert_eq!(privileges(Some(&grants)), told);
        assert_eq!(privileges(Some(&[])), "nobody's");
        assert_eq!(privileges(None), "as every new database has them");
    }
}
