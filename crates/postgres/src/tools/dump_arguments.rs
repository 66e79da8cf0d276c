//! Which further arguments `pg_dump` may be given.
//!
//! Source: src/bin/pg_dump/pg_dump.c, `long_options`, of 13 to 18.
//!
//! Invariant: what would change where a dump comes from, where it goes or how its
//! archive is made is refused, and so is what is not known.

use pgkeep_types::nearest;

/// An argument that `pg_dump` is not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pg_dump is not given {argument:?}{}", .nearest.map(|n| format!(": did you mean {n:?}")).unwrap_or_default())]
pub struct RefusedArgument {
    argument: String,
    nearest: Option<&'static str>,
}

/// Those that stand alone.
const FLAGS: [&str; 21] = [
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
    "--serializable-deferrable",
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

/// Whether `pg_dump` may be given this.
///
/// # Errors
///
/// Where it may not.
pub fn check_dump_argument(argument: &str) -> Result<(), RefusedArgument> {
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
        assert!(slip.to_string().contains("\"--no-comments\""), "{slip}");
    }
}
