//! Variables that begin as ours do and are none of ours.
//!
//! Invariant: one that is near to one of ours was meant to be it, and is an error;
//! others may be anybody's: Kubernetes gives every container variables that begin with
//! the name of each service.

use pgkeep_types::{Environment, nearest};

use crate::ConfigError;
use crate::variables::VARIABLES;

const PREFIX: &str = "PGKEEP_";

/// What only a variable of a cluster or a repository ends with.
const OF_ONE: [(&str, &str); 3] = [
    ("PGKEEP_CLUSTER_", "_CONNECTION"),
    ("PGKEEP_CLUSTER_", "_REPOSITORIES"),
    ("PGKEEP_REPOSITORY_", "_URL"),
];

/// The variables that nothing reads; `known` are those that something does.
pub(crate) fn unread(
    environment: &Environment,
    known: &[String],
) -> Result<Vec<String>, ConfigError> {
    let mut unread = Vec::new();
    for name in environment.names_with(PREFIX) {
        if known.iter().any(|known| known == name) {
            continue;
        }
        let plain = name.strip_suffix("_FILE").unwrap_or(name);
        let of_one = OF_ONE
            .iter()
            .any(|(begin, end)| plain.starts_with(begin) && plain.ends_with(end));
        let of_kind = plain.starts_with("PGKEEP_CLUSTER_")
            && ["_DUMP_", "_PROVE_", "_CHECK_"]
                .iter()
                .any(|kind| plain.contains(kind));
        let of_one = of_one || of_kind;
        // Those of any name are no candidates.
        let candidates = known.iter().filter(|name| !name.contains('<'));
        let candidates = candidates.filter_map(|name| name.strip_prefix(PREFIX));
        let rest = plain.strip_prefix(PREFIX).unwrap_or(plain);
        let meant = nearest(rest, candidates);
        if !is_of_a_service(name) && (of_one || meant.is_some()) {
            return Err(ConfigError::UnknownVariable {
                name: name.to_owned(),
                nearest: meant.map(|meant| format!("{PREFIX}{meant}")),
            });
        }
        unread.push(name.to_owned());
    }
    Ok(unread)
}

/// Refuses what is near to one of the variables that need no file.
///
/// # Errors
/// `UnknownVariable` with the one that was meant.
pub(crate) fn check(environment: &Environment) -> Result<(), ConfigError> {
    let known: Vec<String> = VARIABLES.iter().map(|one| one.name.to_owned()).collect();
    match unread(environment, &known) {
        Err(
            meant @ ConfigError::UnknownVariable {
                nearest: Some(_), ..
            },
        ) => Err(meant),
        _ => Ok(()),
    }
}

/// Whether Kubernetes or a container's link would call a variable so.
fn is_of_a_service(name: &str) -> bool {
    name.ends_with("_PORT") || name.contains("_PORT_") || name.contains("_SERVICE_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(name: &str) -> Result<Vec<String>, ConfigError> {
        let known = [
            "PGKEEP_REPOSITORY",
            "PGKEEP_DATABASE_URL",
            "PGKEEP_CLUSTER_MAIN_CONNECTION",
        ];
        let known = known.map(str::to_owned);
        unread(&Environment::new("/").with_variable(name, "x"), &known)
    }

    #[test]
    fn without_a_file_too_a_mistyped_variable_is_told() {
        let environment = |name| Environment::new("/").with_variable(name, "x");
        let error = check(&environment("PGKEEP_REPOSITRY")).unwrap_err();
        assert!(
            error.hint().unwrap().contains("PGKEEP_REPOSITORY"),
            "{error}"
        );
        assert!(check(&environment("PGKEEP_WEB_PORT")).is_ok());
        assert!(check(&environment("PGKEEP_SOMETHING_ELSE")).is_ok());
    }

    #[test]
    fn a_mistyped_variable_is_an_error_that_names_the_nearest() {
        for (name, meant) in [
            ("PGKEEP_REPOSITRY", "PGKEEP_REPOSITORY"),
            ("PGKEEP_DATABASE_URI", "PGKEEP_DATABASE_URL"),
            (
                "PGKEEP_CLUSTER_MIAN_CONNECTION",
                "PGKEEP_CLUSTER_MAIN_CONNECTION",
            ),
        ] {
            let error = looked(name).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            assert!(error.hint().unwrap().contains(meant), "{:?}", error.hint());
        }
        // Of a cluster that is not there.
        let error = looked("PGKEEP_CLUSTER_X_REPOSITORIES_FILE").unwrap_err();
        assert!(error.hint().unwrap().contains("no cluster"), "{error}");
    }

    #[test]
    fn what_a_container_is_given_for_a_service_of_our_name_is_nobodys_error() {
        for name in [
            "PGKEEP_PORT",
            "PGKEEP_SERVICE_HOST",
            "PGKEEP_SERVICE_PORT",
            "PGKEEP_PORT_5432_TCP_ADDR",
            "PGKEEP_REPOSITORY_PORT",
            "PGKEEP_REPOSITORY_PORT_9000_TCP",
            "PGKEEP_REPOSITORY_SERVICE_HOST",
            "PGKEEP_DEV_CACHE",
        ] {
            assert_eq!(looked(name).unwrap(), [name]);
        }
        assert!(looked("PGKEEP_REPOSITORY").unwrap().is_empty());
    }
}
