//! Policies as people write them, in a variable or on the command line.
//!
//! What is held: what is told of a policy reads back as that policy; nothing is ignored.

use super::*;

fn policy(text: &str) -> Result<Policy, ConfigError> {
    policy_in("--policy", text, &Policy::default())
}

#[test]
fn a_policy_reads_back_from_how_it_is_told() {
    for text in [
        "last=5",
        "daily=6, weekly=4, monthly=1",
        "hourly=24, yearly=2, minimum=3",
        "rolling.daily=6, rolling.weekly=4, rolling.monthly=1",
        "daily=7, timezone='Pacific/Auckland', first_weekday='sunday'",
        "all",
    ] {
        assert_eq!(policy(text).unwrap().to_string(), text);
    }
    for text in ["{ last = 5 }", " last = 5", "{last=5}"] {
        assert_eq!(policy(text).unwrap().to_string(), "last=5");
    }
    assert_eq!(
        policy("rolling={daily=6}").unwrap().to_string(),
        "rolling.daily=6, rolling.weekly=0, rolling.monthly=0"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_column_and_the_nearest_name() {
    for (text, column, words, nearest) in [
        ("dayly=6", 1, "no key `dayly`", Some("daily")),
        ("last=5, wekly=4", 9, "no key `wekly`", Some("weekly")),
        ("{ last=5, wekly=4 }", 11, "no key", Some("weekly")),
        ("last=-1", 6, "", None),
        ("last", 5, "", None),
        ("rolling={dayly=1}", 10, "no key", Some("daily")),
        (
            "last=1, timezone='Europe/Berlim'",
            18,
            "time zone",
            Some("Europe/Berlin"),
        ),
        ("last=1,first_weekday='sundy'", 22, "a day", Some("sunday")),
        ("every", 6, "", None),
    ] {
        let error = policy(text).unwrap_err();
        let told = error.to_string();
        let begin = format!("--policy, column {column}: ");
        assert!(told.starts_with(&begin), "{text}: {told}");
        assert!(told.contains(words), "{told}");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains(nearest.unwrap_or_default()), "{told}: {hint}");
    }
}

#[test]
fn what_is_wrong_is_told_in_words_of_policies_and_not_of_toml() {
    const RULES: &str = "wanted are rules with commas between, as in daily=6, weekly=4";
    for (text, column, words) in [
        ("daily", 6, RULES),
        ("none", 5, RULES),
        ("daily:6", 6, RULES),
        ("daily=6 weekly=4", 15, RULES),
        ("daily=6,,weekly=4", 9, RULES),
        ("daily=", 7, RULES),
        ("{daily=6", 9, "the closing brace is missing"),
        ("daily=x", 7, "wanted is a count, or a text between quotes"),
        ("daily=-1", 7, "wanted is a whole number from 0 on"),
        ("daily='6'", 7, "wanted is a whole number from 0 on"),
        ("rolling=5", 9, "wanted is a table such as { daily = 6"),
        ("first_weekday=1", 15, "wanted is a text between quotes"),
        ("daily=6, daily=7", 10, "this was said before"),
    ] {
        let told = policy(text).unwrap_err().to_string();
        let begin = format!("--policy, column {column}: {words}");
        assert!(told.starts_with(&begin), "{text}: {told}");
    }
}

#[test]
fn what_stands_after_the_closing_brace_is_refused_and_not_ignored() {
    let beside = Policy::default();
    for text in [
        "{ app = { last = 5 } }\naudit = \"all\"",
        "{ app = { last = 5 } }\n[other]",
        "app = { last = 5 } }\naudit = { p = 1",
    ] {
        let error = by_database_in("V", text, &beside).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("after the closing brace"), "{told}");
        assert_eq!(error.hint(), None);
    }
    let told = policy("{ last = 5 }\nminimum = 3").unwrap_err().to_string();
    assert!(told.starts_with("--policy, column 14: "), "{told}");
    for text in ["{ last = 5 } minimum = 3", "{ last = 5 }\np.minimum = 3"] {
        assert!(policy(text).is_err(), "{text}");
    }
}

#[test]
fn what_would_keep_nothing_or_says_nothing_is_refused() {
    for text in ["", "{}", "minimum=3", "timezone='UTC'"] {
        let told = policy(text).unwrap_err().to_string();
        assert!(told.contains("how much is kept"), "{told}");
    }
    for text in ["last=0", "daily=0, weekly=0", "rolling={}"] {
        let told = policy(text).unwrap_err().to_string();
        assert!(told.contains("a count above 0"), "{told}");
    }
    assert!(policy("last=0, daily=1").is_ok());
    assert!(policy("last=0, minimum=2").is_ok());
}

#[test]
fn what_is_left_out_of_calendar_and_minimum_is_as_beside_it() {
    let beside = policy("daily=3, minimum=2, timezone='Asia/Tokyo'").unwrap();
    let of = |text| by_database_in("V", text, &beside).unwrap();
    let told = of("'app'={last=5}, 'tmp_*'={last=1, minimum=0}, kept='all'");
    let told: Vec<String> = told
        .iter()
        .map(|(name, policy)| format!("{}: {policy}", name.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            "app: last=5, minimum=2, timezone='Asia/Tokyo'",
            "tmp_*: last=1, timezone='Asia/Tokyo'",
            "kept: all",
        ]
    );
}

proptest::proptest! {
    #[test]
    fn no_text_is_a_panic(text in "((last|daily|rolling|timezone)|[={},'\". 0-9]|\\PC){0,12}") {
        drop(policy(&text));
        drop(by_database_in("V", &text, &Policy::default()));
    }
}
