//! What serde says is wrong with a file, in the words of who writes it.
//!
//! Invariant: no value is repeated, which may be a secret; names of keys are.

/// The message of an error of serde's.
pub(crate) fn in_words(message: &str) -> String {
    let told = without_values(message);
    let begins = |begin: &str| told.strip_prefix(begin);
    let of_type = begins("invalid type: ").or_else(|| begins("invalid value: "));
    if let Some((_, wanted)) = of_type.and_then(of_a_value) {
        return format!("wanted is {}", kind(wanted));
    }
    if let Some((_, wanted)) = begins("unknown variant ").and_then(of_a_value) {
        return format!("wanted is {}", wanted.trim_start_matches("one of "));
    }
    if let Some((key, known)) = begins("unknown field ").and_then(of_a_value) {
        let known = known.trim_start_matches("one of ");
        return format!("there is no key {key} here; there is {known}");
    }
    if let Some(key) = begins("missing field ") {
        return format!("the key {key} is missing");
    }
    if told == "duplicate key" {
        return "this was said before".to_owned();
    }
    told
}

/// What was found, and what was expected.
fn of_a_value(told: &str) -> Option<(&str, &str)> {
    told.split_once(", expected ")
}

/// What serde expects, in words.
fn kind(wanted: &str) -> &str {
    match wanted {
        "u32" | "u64" | "usize" => "a whole number from 0 on",
        "a string" => "a text between quotes",
        "path string" => "a path between quotes",
        "a sequence" => "a list between brackets",
        "a boolean" => "true or false",
        "struct RollingTable" => "a table such as { daily = 6, weekly = 4, monthly = 1 }",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

/// The message without what stands between quotation marks: serde repeats the values it did
/// not expect. Names of keys stand between backticks.
fn without_values(message: &str) -> String {
    let mut told = String::new();
    for (at, part) in message.split('"').enumerate() {
        told.push_str(if at % 2 == 0 { part } else { "…" });
    }
    told.replace('\n', " ")
}

/// The known name nearest to the unknown one that serde complains of:
/// "unknown field `a`, expected one of `b`, `c`".
pub(crate) fn meant(message: &str) -> Option<String> {
    let mut names = message.split('`').skip(1).step_by(2);
    message.starts_with("unknown").then_some(())?;
    let unknown = names.next()?;
    pgkeep_types::nearest(unknown, names).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_in_the_words_of_who_writes_the_file() {
        for (said, told) in [
            (
                "invalid type: string \"hunter2\", expected u32",
                "wanted is a whole number from 0 on",
            ),
            (
                "invalid type: integer `7`, expected a sequence",
                "wanted is a list between brackets",
            ),
            (
                "invalid value: integer `-1`, expected u32",
                "wanted is a whole number from 0 on",
            ),
            (
                "unknown variant `hunter2`, expected `age` or `none`",
                "wanted is `age` or `none`",
            ),
            (
                "unknown field `ulr`, expected one of `url`, `x`",
                "there is no key `ulr` here; there is `url`, `x`",
            ),
            ("missing field `url`", "the key `url` is missing"),
            (
                "invalid type: integer `5`, expected struct Dump",
                "wanted is a table",
            ),
        ] {
            assert_eq!(in_words(said), told);
        }
    }
}
