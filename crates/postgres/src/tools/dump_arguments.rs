//! Which further arguments `pg_dump` may be given.
//!
//! Source: src/bin/pg_dump/pg_dump.c, `long_options`, of 13 to 18.
//!
//! Invariant: what would change where a dump comes from, where it goes or how its
//! archive is made is refused, and so are what changes values and what is not known.

use pgkeep_types::nearest;

/// An argument that `pg_dump` is not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pg_dump is not given {argument:?}{}", .why.map(|why| format!(": {why}")).unwrap_or_default())]
pub struct RefusedArgument {
    argument: String,
    why: Option<&'static str>,
    /// The argument that is known and may be meant.
    pub nearest: Option<&'static str>,
}

/// Those that stand alone.
const FLAGS: [&str; 20] = [
    "--blobs",
    "--enable-row-security",
    "--large-objects",
    "--load-via-partition-root",
    "--no-blobs",
    "--no-comments",
    "--no-large-objects",
    "--no-policies",
    "--no-publications",
    "--no-security-labels",
    "--no-statistics",
    "--no-subscriptions",
    "--no-table-access-method",
    "--no-tablespaces",
    "--no-toast-compression",
    "--no-unlogged-table-data",
    "--quote-all-identifiers",
    "--strict-names",
    "--with-statistics",
    "--statistics",
];

/// Those that take a value, behind a `=`.
const VALUES: [&str; 7] = [
    "--exclude-extension",
    "--exclude-table-and-children",
    "--exclude-table-data-and-children",
    "--extension",
    "--extra-float-digits",
    "--include-foreign-data",
    "--table-and-children",
];

/// It wants a snapshot of its own, and each dump is made of one that was exported.
const DEFERRABLE: &str = "--serializable-deferrable";
/// With less than 1 the server rounds floats to so many digits (12 and newer).
const FLOAT_DIGITS: &str = "--extra-float-digits";

/// Whether `pg_dump` may be given this.
///
/// # Errors
///
/// Where it may not.
pub fn check_dump_argument(argument: &str) -> Result<(), RefusedArgument> {
    let refused = |why| RefusedArgument {
        argument: argument.to_owned(),
        why: Some(why),
        nearest: None,
    };
    if argument == DEFERRABLE {
        return Err(refused(
            "the dump and the facts share a snapshot, which cannot be deferrable",
        ));
    }
    if let Some((FLOAT_DIGITS, digits)) = argument.split_once('=')
        && !["1", "2", "3"].contains(&digits)
    {
        return Err(refused(
            "floats come back as they were with 1, 2 or 3 alone, and with 3 where nothing is said",
        ));
    }
    let is_fine = match argument.split_once('=') {
        Some((option, value)) => VALUES.contains(&option) && !value.is_empty(),
        None => FLAGS.contains(&argument),
    };
    if is_fine {
        return Ok(());
    }
    let option = argument
        .split_once('=')
        .map_or(argument, |(option, _)| option);
    let known = FLAGS.into_iter().chain(VALUES);
    Err(RefusedArgument {
        argument: argument.to_owned(),
        why: None,
        nearest: nearest(option, known).filter(|known| *known != option),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_the_archive_or_its_place_is_refused() {
        for argument in [
            "--format=plain",
            "-Fp",
            "--file=x",
            "--jobs=4",
            "--compress=9",
            "--dbname=postgres://u:secret@h/d",
            "--snapshot=x",
            "--schema-only",
            "--no-comments=x",
            "--extension",
            "--extension=",
            "--inserts",
            "",
            "x",
        ] {
            assert!(check_dump_argument(argument).is_err(), "{argument}");
        }
        for argument in ["--no-comments", "--extension=postgis*"] {
            assert_eq!(check_dump_argument(argument), Ok(()));
        }
        let slip = check_dump_argument("--no-coments").unwrap_err();
        assert_eq!(slip.nearest, Some("--no-comments"));
    }

    #[test]
    fn what_would_change_values_or_can_never_work_is_refused_and_told_why() {
        for digits in ["-10", "0", "-0", "", "03", "x"] {
            let argument = format!("--extra-float-digits={digits}");
            let refused = check_dump_argument(&argument).unwrap_err().to_string();
            assert!(refused.contains("floats"), "{refused}");
        }
        assert_eq!(check_dump_argument("--extra-float-digits=1"), Ok(()));
        let refused = check_dump_argument("--serializable-deferrable").unwrap_err();
        assert!(refused.to_string().contains("snapshot"), "{refused}");
    }
}
