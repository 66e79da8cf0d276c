//! The password that a password file has for each server.
//!
//! Source: `connectOptions2` in src/interfaces/libpq/fe-connect.c, and "The Password
//! File" in the manual.
//!
//! Invariant: a file is asked only where nobody said a password; the first one that
//! has a line for a server counts.

use std::path::{Path, PathBuf};

use pgkeep_types::Environment;
use zeroize::Zeroizing;

use super::defaults::SOCKET_DIRECTORIES;
use super::origin::Origin;
use super::parameters::ConnectionParameters;
use super::password_file::{self, Answer, Entry, Guard};
use super::servers::Server;

/// Where containers get a password file as a secret.
const CONTAINERS_PASSWORD_FILE: &str = "/run/secrets/pgpass";

impl ConnectionParameters {
    pub(super) fn read_password_files(&mut self, environment: &Environment) {
        let here = environment.working_directory();
        let files: Vec<(PathBuf, Guard)> = match &self.password_file {
            Some(named) => vec![(here.join(named), Guard::OwnerAlone)],
            None => {
                let in_home = environment.home().map(|home| home.join(".pgpass"));
                let in_home = in_home.map(|file| (file, Guard::OwnerAlone));
                // A secret's permissions are the container runtime's choice.
                let of_container = (CONTAINERS_PASSWORD_FILE.into(), Guard::Runtime);
                in_home.into_iter().chain([of_container]).collect()
            }
        };
        let servers = self.servers();
        self.file_passwords = vec![None; servers.len()];
        for (position, server) in servers.iter().enumerate() {
            for (file, guard) in &files {
                match self.look_up(file, *guard, server) {
                    Answer::Nothing => {}
                    Answer::Ignored => self.ignored_password_file = Some(file.clone()),
                    Answer::Password(password) => {
                        let origin = Origin::PasswordFile(file.clone());
                        self.said.insert("password", (None, origin));
                        self.file_passwords[position] = Some(password);
                        break;
                    }
                }
            }
        }
    }

    fn look_up(&self, file: &Path, guard: Guard, server: &Server) -> Answer {
        let address = server.address.map(|address| address.to_string());
        let host = match (&server.host, &address) {
            // libpq looks the standard socket directory up as "localhost".
            (Some(host), _) if SOCKET_DIRECTORIES.contains(&host.as_str()) => "localhost",
            (Some(host), _) => host,
            (None, Some(address)) => address,
            (None, None) => "localhost",
        };
        let wanted = Entry {
            host,
            port: server.port,
            database: self.database(),
            user: self.user(),
        };
        password_file::look_up(file, guard, &wanted)
    }

    /// The password, for the two places that hand it on.
    pub(super) fn password(&self) -> Option<&Zeroizing<String>> {
        let in_file = || self.file_passwords.first().and_then(Option::as_ref);
        self.password.as_ref().or_else(in_file)
    }
}
