//! libpq's service files: named connections, `[name]` and lines of `key=value`.
//!
//! Source: `parseServiceInfo` and `parseServiceFile` in
//! src/interfaces/libpq/fe-connect.c, and "The Connection Service File" in the
//! manual.
//!
//! Invariant: no message repeats a value, since a password may be one.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pgkeep_types::Environment;
use zeroize::Zeroizing;

use super::connection_string::{ConnectionStringError, named};
use super::origin::Origin;
use super::parameters::ConnectionParameters;

/// Where the packages of Debian, of Red Hat, and PostgreSQL's own build have the
/// file of all users (`pg_config --sysconfdir`).
const SYSTEM_DIRECTORIES: [&str; 3] = [
    "/etc/postgresql-common",
    "/etc/sysconfig/pgsql",
    "/usr/local/pgsql/etc",
];

/// The names of the services that the files have, each once, in their order.
#[must_use]
pub fn services(environment: &Environment) -> Vec<String> {
    let here = environment.working_directory();
    let named = environment.variable("PGSERVICEFILE");
    let mut names = Vec::new();
    for file in files(environment, named.map(|file| here.join(file))) {
        // What cannot be read is told once somebody wants a service of it.
        let Ok(Some(text)) = read(&file, false) else {
            continue;
        };
        let heads = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix('['));
        for (name, _) in heads.filter_map(|head| head.split_once(']')) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// The files that are looked into: the one that is named, else the user's, then that of
/// all users.
fn files(environment: &Environment, named: Option<PathBuf>) -> Vec<PathBuf> {
    let here = environment.working_directory();
    let users = named.or_else(|| Some(environment.home()?.join(".pg_service.conf")));
    let system = match environment.variable("PGSYSCONFDIR") {
        Some(directory) => vec![here.join(directory)],
        None => SYSTEM_DIRECTORIES.map(PathBuf::from).to_vec(),
    };
    let system = system.into_iter().map(|d| d.join("pg_service.conf"));
    users.into_iter().chain(system).collect()
}

/// A pair of a service, and its line from 1.
#[derive(PartialEq, Eq)]
struct Pair<'a> {
    line: usize,
    key: &'a str,
    value: &'a str,
}

impl ConnectionParameters {
    /// Takes from the service that is named what the connection does not say.
    pub(super) fn take_service(
        &mut self,
        environment: &Environment,
    ) -> Result<(), ConnectionStringError> {
        let Some(service) = self.service.clone() else {
            return Ok(());
        };
        let here = environment.working_directory();
        let named = self.service_file.as_ref().map(|file| here.join(file));
        let is_named = named.is_some();
        let files = files(environment, named);

        let mut looked = Vec::new();
        for (position, file) in files.into_iter().enumerate() {
            let must_be_there = is_named && position == 0;
            let Some(text) = read(&file, must_be_there)? else {
                continue;
            };
            if let Some(pairs) = pairs_of(&text, &service) {
                return self.take_pairs(&file, pairs);
            }
            looked.push(file);
        }
        Err(ConnectionStringError::NoService { service, looked })
    }

    fn take_pairs(
        &mut self,
        file: &Path,
        pairs: Vec<Result<Pair<'_>, (usize, ConnectionStringError)>>,
    ) -> Result<(), ConnectionStringError> {
        let wrong = |(line, problem)| ConnectionStringError::ServiceLine {
            path: file.to_owned(),
            line,
            problem: Box::new(problem),
        };
        for pair in pairs {
            let Pair { line, key, value } = pair.map_err(wrong)?;
            if key == "service" || key == "servicefile" {
                return Err(wrong((line, ConnectionStringError::NestedService)));
            }
            let mut taken = Self::default();
            let origin = Origin::Service {
                file: file.to_owned(),
                line,
            };
            // What is wrong is told also where the connection goes before it.
            taken
                .set(key, value.to_owned(), origin.clone())
                .map_err(|error| wrong((line, named(error, key))))?;
            if !self.said.contains_key(key) {
                self.set(key, value.to_owned(), origin)?;
            }
        }
        Ok(())
    }
}

fn read(
    file: &Path,
    must_be_there: bool,
) -> Result<Option<Zeroizing<String>>, ConnectionStringError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == ErrorKind::NotFound && !must_be_there => Ok(None),
        Err(error) => Err(ConnectionStringError::ServiceFile {
            path: file.to_owned(),
            problem: error.to_string(),
        }),
    }
}

/// The pairs of the first group of that name; `None` where there is no such group.
fn pairs_of<'a>(
    text: &'a str,
    service: &str,
) -> Option<Vec<Result<Pair<'a>, (usize, ConnectionStringError)>>> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let mut lines = lines
        .map(|(number, line)| (number, line.trim_matches(|c: char| c.is_ascii_whitespace())))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let head = format!("[{service}]");
    // libpq does not look at what stands behind the bracket.
    lines.find(|(_, line)| line.starts_with(&head))?;
    let group = lines.take_while(|(_, line)| !line.starts_with('['));
    let pairs = group.map(|(line, text)| match text.split_once('=') {
        Some((key, value)) => Ok(Pair { line, key, value }),
        None => {
            let key = "…".to_owned();
            Err((line, ConnectionStringError::NoValue { key }))
        }
    });
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "# comment\n[other]\nhost=no\n\n[app]\n  host=db.internal  \n\
                        port=6000\npassword=p = w#1\nport=7000\n[app]\nuser=late\n";

    struct Place {
        directory: tempfile::TempDir,
        environment: Environment,
    }

    impl Place {
        fn new(text: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(".pg_service.conf"), text).unwrap();
            let environment = Environment::new(directory.path()).with_home(directory.path());
            Self {
                directory,
                environment,
            }
        }

        fn taken(&self, text: &str) -> Result<ConnectionParameters, ConnectionStringError> {
            let mut parameters = ConnectionParameters::parse(text)?;
            parameters.take_service(&self.environment)?;
            Ok(parameters)
        }
    }

    #[test]
    fn the_names_of_services_are_told_once_each() {
        let place = Place::new(FILE);
        let environment = place
            .environment
            .with_variable("PGSYSCONFDIR", place.directory.path());
        assert_eq!(services(&environment), ["other", "app"]);
    }

    #[test]
    fn a_service_gives_what_the_connection_leaves_out() {
        let place = Place::new(FILE);
        let taken = place.taken("service=app user=me dbname=x").unwrap();
        assert_eq!(taken.describe(), "postgres://me@db.internal:6000/x");
        let password = taken.password.as_ref().unwrap();
        assert_eq!(password.as_str(), "p = w#1");
        assert_eq!(
            taken.said["port"].1,
            Origin::Service {
                file: place.directory.path().join(".pg_service.conf"),
                line: 7
            }
        );
        let taken = place.taken("service=app port=1 user=me dbname=x").unwrap();
        assert_eq!(taken.describe(), "postgres://me@db.internal:1/x");
    }

    #[test]
    fn the_named_file_goes_before_the_users_and_the_systems_comes_last() {
        let mut place = Place::new("[mine]\nhost=users\n");
        for (name, text) in [
            ("named", "[mine]\nhost=named\n"),
            (
                "pg_service.conf",
                "[mine]\nhost=system\n[theirs]\nhost=system\n",
            ),
        ] {
            fs::write(place.directory.path().join(name), text).unwrap();
        }
        let directory = place.directory.path().to_owned();
        place.environment = place.environment.with_variable("PGSYSCONFDIR", directory);
        let host = |text: &str| place.taken(text).unwrap().host().to_owned();
        assert_eq!(host("service=mine"), "users");
        assert_eq!(host("service=theirs"), "system");
        assert_eq!(host("service=mine servicefile=named"), "named");
        assert_eq!(host("service=theirs servicefile=named"), "system");
    }

    #[test]
    fn what_is_not_there_is_told_with_the_places_that_were_looked_at() {
        let place = Place::new(FILE);
        let error = place.taken("service=ap").unwrap_err();
        assert!(error.to_string().contains(".pg_service.conf"), "{error}");
        let error = place.taken("service=app servicefile=gone").unwrap_err();
        assert!(matches!(error, ConnectionStringError::ServiceFile { .. }));
        assert!(error.to_string().contains("gone"), "{error}");
    }

    #[test]
    fn a_wrong_line_is_told_by_its_number_and_not_repeated() {
        for (line, part) in [
            ("pasword=hunter2", "\"pasword\""),
            ("hunter2", "line 2"),
            ("port=hunter2x", "port"),
            ("service=hunter2", "a service cannot name a service"),
            ("sslcrl=/x", "sslcrl"),
        ] {
            let place = Place::new(&format!("[app]\n{line}\n"));
            let error = place.taken("service=app port=1").unwrap_err().to_string();
            assert!(error.contains("line 2") && error.contains(part), "{error}");
            assert!(
                !error.contains("hunter2") || line.starts_with("port"),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_file_is_a_panic(text in "(\\[app\\]|[a-z]{1,4}=|\n|\\PC|=){0,40}") {
            for pair in pairs_of(&text, "app").unwrap_or_default().into_iter().flatten() {
                let mut parameters = ConnectionParameters::default();
                let _ = parameters.set(pair.key, pair.value.to_owned(), Origin::Connection);
            }
        }
    }
}
