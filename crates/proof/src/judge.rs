//! Whether an answer is right: a pure function.
//!
//! Invariant: an answer is right only where it is exactly of the kind that was asked for;
//! of everything else it is said what is wrong with it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pgkeep_config::{Expected, Number};
use pgkeep_postgres::client::{Answer, AnswerType};

/// How much of an answer is written down, in bytes.
const TOLD: usize = 500;
/// By how much the clocks of two hosts may differ.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(10);

/// What was answered, in words.
pub(crate) fn told(answer: &Answer) -> String {
    let Some(row) = answer.rows.first() else {
        return "no rows".to_owned();
    };
    let is_boolean = |column| answer.types.get(column) == Some(&AnswerType::Boolean);
    let values = row
        .iter()
        .enumerate()
        .map(|(column, value)| match value.as_deref() {
            None => "null",
            Some("t") if is_boolean(column) => "true",
            Some("f") if is_boolean(column) => "false",
            Some(text) => text,
        });
    let values: Vec<&str> = values.collect();
    let mut told = values.join(", ");
    if told.len() > TOLD {
        told.truncate(told.floor_char_boundary(TOLD));
        told.push('…');
    }
    if answer.rows.len() > 1 {
        told.push_str("; and another row");
    }
    told
}

/// Whether `answer` is what it must be, as of `now`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn judge(expected: &Expected, answer: &Answer, now: Timestamp) -> Result<(), String> {
    match expected {
        Expected::Rows if answer.rows.is_empty() => Err("there are no rows".to_owned()),
        Expected::Rows => Ok(()),
        Expected::NoRows if answer.rows.is_empty() => Ok(()),
        Expected::NoRows => Err("there are rows".to_owned()),
        Expected::True => match value(answer, &AnswerType::Boolean, "a boolean")? {
            "t" => Ok(()),
            _ => Err("it is false".to_owned()),
        },
        Expected::Number { min, max } => {
            let text = value(answer, &AnswerType::Number, "a number")?;
            within(text, *min, *max)
        }
        Expected::NewerThan(age) => {
            let text = value(answer, &AnswerType::Time, "a time")?;
            let age = SignedDuration::try_from(*age).unwrap_or(SignedDuration::MAX);
            recent(text, age, now)
        }
    }
}

/// The one value of an answer, of this type.
fn value<'a>(answer: &'a Answer, wanted: &AnswerType, words: &str) -> Result<&'a str, String> {
    match answer.types.as_slice() {
        [found] if found == wanted => {}
        [AnswerType::Other(name)] => return Err(format!("it is of type {name}, not {words}")),
        [_] => return Err(format!("it is not {words}")),
        columns => return Err(format!("it has {} columns, not one", columns.len())),
    }
    match answer.rows.as_slice() {
        [] => Err("there are no rows".to_owned()),
        [row] => match row.first() {
            Some(Some(text)) => Ok(text),
            _ => Err("it is null".to_owned()),
        },
        _ => Err("there is more than one row".to_owned()),
    }
}

fn within(text: &str, min: Option<Number>, max: Option<Number>) -> Result<(), String> {
    let real: f64 = text.parse().unwrap_or(f64::NAN);
    // PostgreSQL writes what is no number, or not finite, in letters; one that is too large
    // for 64 bits is a number all the same.
    let is_in_letters = text
        .trim_start_matches('-')
        .starts_with(char::is_alphabetic);
    if real.is_nan() || is_in_letters {
        return Err("it is no number that can be compared".to_owned());
    }
    let whole: Option<i128> = text.parse().ok();
    // Whole numbers are compared as they are: not all of them are real ones of 64 bits.
    let is_below = |bound: Number| match (bound, whole) {
        (Number::Whole(bound), Some(whole)) => whole < i128::from(bound),
        (bound, _) => real < bound.as_real(),
    };
    let is_above = |bound: Number| match (bound, whole) {
        (Number::Whole(bound), Some(whole)) => whole > i128::from(bound),
        (bound, _) => real > bound.as_real(),
    };
    match (min, max) {
        (Some(min), _) if is_below(min) => Err(format!("it is below {min}")),
        (_, Some(max)) if is_above(max) => Err(format!("it is above {max}")),
        _ => Ok(()),
    }
}

fn recent(text: &str, age: SignedDuration, now: Timestamp) -> Result<(), String> {
    // The session's zone is UTC, and its form ISO's.
    let local = text.strip_suffix("+00").unwrap_or(text);
    let time = local.parse::<DateTime>().ok();
    let time = time.and_then(|time| time.to_zoned(TimeZone::UTC).ok());
    let Some(time) = time.map(|time| time.timestamp()) else {
        return Err("it is no time that can be compared".to_owned());
    };
    let ago = now.duration_since(time);
    if ago < -CLOCKS_DIFFER {
        return Err("it is yet to come".to_owned());
    }
    if ago > age {
        return Err("it is longer ago".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(of: AnswerType, value: Option<&str>) -> Answer {
        Answer {
            types: vec![of],
            rows: vec![vec![value.map(str::to_owned)]],
        }
    }

    fn rows(of: AnswerType, count: usize) -> Answer {
        let row = vec![Some("t".to_owned())];
        Answer {
            types: vec![of],
            rows: vec![row; count],
        }
    }

    fn now() -> Timestamp {
        "2026-11-20T03:00:00Z".parse().unwrap()
    }

    fn judged(expected: &Expected, answer: &Answer) -> Result<(), String> {
        judge(expected, answer, now())
    }

    #[test]
    fn true_is_one_row_with_one_boolean_that_is_true_and_nothing_else() {
        use AnswerType::{Boolean, Number, Other};
        let expected = Expected::True;
        assert_eq!(judged(&expected, &one(Boolean, Some("t"))), Ok(()));
        let two_columns = Answer {
            types: vec![Boolean, Boolean],
            rows: vec![vec![Some("t".to_owned()); 2]],
        };
        let text = Other("text".to_owned());
        for (answer, problem) in [
            (one(Boolean, Some("f")), "it is false"),
            (one(Boolean, None), "it is null"),
            (one(Number, Some("1")), "it is not a boolean"),
            (one(text, Some("t")), "it is of type text, not a boolean"),
            (rows(Boolean, 0), "there are no rows"),
            (rows(Boolean, 2), "there is more than one row"),
            (two_columns, "it has 2 columns, not one"),
        ] {
            assert_eq!(judged(&expected, &answer), Err(problem.to_owned()));
        }
    }

    #[test]
    fn rows_and_no_rows_are_told_apart_whatever_is_in_them() {
        let other = || AnswerType::Other("json".to_owned());
        assert!(judged(&Expected::Rows, &rows(other(), 2)).is_ok());
        assert!(judged(&Expected::Rows, &rows(other(), 0)).is_err());
        assert!(judged(&Expected::NoRows, &rows(other(), 0)).is_ok());
        assert!(judged(&Expected::NoRows, &rows(other(), 1)).is_err());
    }

    #[test]
    fn a_number_lies_within_its_bounds_which_belong_to_them() {
        let bounds = Expected::Number {
            min: Some(Number::Whole(1)),
            max: Some(Number::Real(2.5)),
        };
        let number = |text| one(AnswerType::Number, Some(text));
        for text in ["1", "2", "2.5", "1.0001"] {
            assert_eq!(judged(&bounds, &number(text)), Ok(()), "{text}");
        }
        for (text, problem) in [
            ("0", "it is below 1"),
            ("0.9999", "it is below 1"),
            ("-Infinity", "it is no number that can be compared"),
            ("3", "it is above 2.5"),
            ("Infinity", "it is no number that can be compared"),
            ("NaN", "it is no number that can be compared"),
        ] {
            assert_eq!(judged(&bounds, &number(text)), Err(problem.to_owned()));
        }
        let exact = Expected::Number {
            min: Some(Number::Whole(i64::MAX)),
            max: None,
        };
        assert!(judged(&exact, &number("9223372036854775806")).is_err());
        assert!(judged(&exact, &number("9223372036854775807")).is_ok());
        // A numeric may be larger than any real number of 64 bits, and no infinity.
        let large = format!("1{}", "0".repeat(400));
        assert!(judged(&exact, &number(&large)).is_ok());
        let small = format!("-{large}");
        assert!(judged(&exact, &number(&small)).is_err());
        assert!(judged(&exact, &number("Infinity")).is_err());
    }

    #[test]
    fn a_time_is_recent_by_the_clock_of_the_proof() {
        let day = Expected::NewerThan(std::time::Duration::from_secs(86_400));
        let time = |text| one(AnswerType::Time, Some(text));
        for text in [
            "2026-11-20 03:00:00+00",
            "2026-11-19 03:00:00.000+00",
            "2026-11-20 03:09:00",
            "2026-11-20",
        ] {
            assert_eq!(judged(&day, &time(text)), Ok(()), "{text}");
        }
        for (text, problem) in [
            ("2026-11-19 02:59:59.999+00", "it is longer ago"),
            ("2026-11-19", "it is longer ago"),
            ("2026-11-20 03:11:00+00", "it is yet to come"),
            ("infinity", "it is no time that can be compared"),
            ("0044-03-15 BC", "it is no time that can be compared"),
        ] {
            assert_eq!(judged(&day, &time(text)), Err(problem.to_owned()), "{text}");
        }
        assert!(judged(&day, &one(AnswerType::Time, None)).is_err());
    }

    #[test]
    fn an_answer_is_told_in_short() {
        assert_eq!(told(&rows(AnswerType::Boolean, 0)), "no rows");
        assert_eq!(told(&rows(AnswerType::Boolean, 2)), "true; and another row");
        assert_eq!(told(&one(AnswerType::Boolean, None)), "null");
        let long = "ü".repeat(400);
        assert_eq!(told(&one(AnswerType::Number, Some(&long))).len(), 503);
    }
}
