//! Settings that belong to a database, as `ALTER DATABASE … SET` wrote them.
//!
//! Source: `makeAlterConfigCommand`, `variable_is_guc_list_quote` and
//! `SplitGUCList` in src/bin/pg_dump/dumputils.c.
//!
//! Invariant: a setting that is written back is the same setting, not a string
//! that looks like it: `a, b` in `search_path` is two schemas, in any other
//! setting one text.

use super::quote::literal;

/// Settings whose value is a list of quoted names (`GUC_LIST_QUOTE` in
/// src/backend/utils/misc/guc_tables.c), as pg_dump knows them.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// What stands after `SET name TO`.
pub(super) fn value_as_sql(name: &str, value: &str) -> String {
    if LISTS.iter().any(|list| list.eq_ignore_ascii_case(name))
        && let Some(items) = split_list(value)
    {
        // An empty list cannot be written; one empty name finds as little.
        if items.is_empty() {
            return "''".to_owned();
        }
        let items: Vec<_> = items.iter().map(|item| literal(item)).collect();
        return items.join(", ");
    }
    literal(value)
}

/// The names in a list; `None` where it is not well-formed.
fn split_list(list: &str) -> Option<Vec<String>> {
    let mut items = Vec::new();
    let mut rest = list.trim_start();
    if rest.is_empty() {
        return Some(items);
    }
    loop {
        if let Some(mut quoted) = rest.strip_prefix('"') {
            let mut item = String::new();
            loop {
                let (part, after) = quoted.split_once('"')?;
                item.push_str(part);
                match after.strip_prefix('"') {
                    Some(more) => {
                        item.push('"');
                        quoted = more;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
            items.push(item);
        } else {
            let end = rest
                .find(|c: char| c == ',' || c.is_ascii_whitespace())
                .unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            items.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return rest.is_empty().then_some(items),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_schemas_stays_a_list() {
        assert_eq!(
            value_as_sql("search_path", r#""$user", "Mixed, case", pub"#),
            "'$user', 'Mixed, case', 'pub'"
        );
        assert_eq!(value_as_sql("Search_Path", r#""a""b""#), r#"'a"b'"#);
    }

    #[test]
    fn an_empty_list_finds_nothing() {
        assert_eq!(value_as_sql("search_path", ""), "''");
        assert_eq!(value_as_sql("search_path", r#""""#), "''");
    }

    #[test]
    fn any_other_setting_is_one_text() {
        assert_eq!(value_as_sql("DateStyle", "ISO, DMY"), "'ISO, DMY'");
        assert_eq!(value_as_sql("app.it's", "a, b"), "'a, b'");
    }

    #[test]
    fn a_list_that_is_not_well_formed_is_one_text() {
        assert_eq!(value_as_sql("search_path", r#""a"#), r#"'"a'"#);
        assert_eq!(value_as_sql("search_path", "a b"), "'a b'");
        assert_eq!(value_as_sql("search_path", "a,"), "'a,'");
    }
}
