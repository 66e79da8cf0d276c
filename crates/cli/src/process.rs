//! The process itself: the real clock, randomness, environment and host name.
//!
//! Invariant: this is the one place where the seams of `pgkeep-types` are filled
//! with the real thing.

use std::env;
use std::io;
use std::time::SystemTime;

use pgkeep_types::{Clock, Environment, Random, Timestamp};

use crate::error::CliError;

/// The system's clock.
#[derive(Debug)]
pub(crate) struct SystemClock(());

impl SystemClock {
    /// The clock, where it tells a time that can be written down.
    #[expect(clippy::disallowed_methods, reason = "the seam's real side")]
    pub(crate) fn read() -> Result<Self, CliError> {
        instant(SystemTime::now()).map(|_| Self(()))
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the seam's real side")]
    fn now(&self) -> Timestamp {
        // Set beyond all dates while the program runs: no id can be made of the last one.
        instant(SystemTime::now()).unwrap_or(Timestamp::MAX)
    }
}

/// What the system's clock says, as a date.
fn instant(told: SystemTime) -> Result<Timestamp, CliError> {
    Timestamp::try_from(told).map_err(|_| CliError::Clock)
}

/// The operating system's random number generator.
#[derive(Debug)]
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    #[expect(
        clippy::panic,
        reason = "without randomness there are no keys and no ids"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("the operating system gives no random bytes: {error}");
        }
    }
}

/// The surroundings of this process.
#[expect(clippy::disallowed_methods, reason = "the seam's real side")]
pub(crate) fn environment() -> Result<Environment, CliError> {
    let here = env::current_dir().map_err(|source| CliError::Process {
        what: "find the working directory",
        source,
    })?;
    let mut environment = Environment::new(here);
    for (name, value) in env::vars_os() {
        environment = environment.with_variable(name, value);
    }
    if let Some(home) = env::home_dir() {
        environment = environment.with_home(home);
    }
    if let Some(user) = user_name() {
        environment = environment.with_user(user);
    }
    Ok(environment)
}

/// The name of the effective user, as `/etc/passwd` has it.
fn user_name() -> Option<String> {
    let id = rustix::process::geteuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    })
}

/// The host's name, for people.
pub(crate) fn host_name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    if name.is_empty() {
        "host".to_owned()
    } else {
        name
    }
}

/// The command's name among this process's arguments; the first that is no option and no
/// option's value.
pub(crate) fn command_word() -> Option<String> {
    let mut arguments = env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str()? {
            "--config" => drop(arguments.next()),
            option if option.starts_with('-') => {}
            command => return Some(command.to_owned()),
        }
    }
    None
}

/// This program's own file.
pub(crate) fn program() -> io::Result<std::path::PathBuf> {
    env::current_exe()
}

/// Where temporary files go: `TMPDIR`, or `/tmp`.
pub(crate) fn temporary_directory() -> std::path::PathBuf {
    env::temp_dir()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_clock_beyond_all_dates_is_an_error() {
        let of_year_10000 = UNIX_EPOCH + Duration::from_secs(253_402_300_800);
        assert!(matches!(instant(of_year_10000), Err(CliError::Clock)));
        assert_eq!(instant(UNIX_EPOCH).unwrap(), Timestamp::UNIX_EPOCH);
    }
}
