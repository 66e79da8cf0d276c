//! Making the data directory of a throwaway server.
//!
//! Invariant: connections over TCP need a password; those over the socket do
//! not, since its directory lets nobody else in.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use super::account::Account;
use super::error::ServerError;
use super::log::last_lines;
use super::options::ServerOptions;

/// Makes `data`, by `initdb` or as a copy of the template.
pub(super) fn make(
    options: &ServerOptions,
    account: Account,
    home: &Path,
    data: &Path,
) -> Result<(), ServerError> {
    match &options.template {
        Some(template) => copy(account, home, template, data),
        None => initialise(options, account, home, data),
    }
}

fn copy(account: Account, home: &Path, template: &Path, data: &Path) -> Result<(), ServerError> {
    let mut command = Command::new("cp");
    command
        .args(["--archive", "--reflink=auto", "--no-target-directory", "--"])
        .arg(template)
        .arg(data);
    let output = run(&mut command, account, home)?;
    finished(&command, data, &output)
}

fn initialise(
    options: &ServerOptions,
    account: Account,
    home: &Path,
    data: &Path,
) -> Result<(), ServerError> {
    let passwords = home.join("initdb-password");
    if let Some(tcp) = &options.tcp {
        write_private(&passwords, tcp.password.as_bytes(), account)?;
    }
    let attempt = |locale: &str| {
        let mut command = Command::new(options.programs.join("initdb"));
        command
            .args(["--encoding=UTF8", "--no-sync"])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
            .arg(format!("--locale={locale}"))
            .arg(format!("--username={}", options.superuser))
            .arg("--pgdata")
            .arg(data);
        if options.tcp.is_some() {
            command.arg("--pwfile").arg(&passwords);
        }
        let output = run(&mut command, account, home)?;
        finished(&command, data, &output)
    };
    // Not every system has C.UTF-8; a failed initdb removes what it made.
    let made = attempt("C.UTF-8").or_else(|_| attempt("C"));
    if options.tcp.is_some() {
        std::fs::remove_file(&passwords).map_err(|source| ServerError::Prepare {
            path: passwords.clone(),
            source,
        })?;
    }
    made
}

fn run(command: &mut Command, account: Account, home: &Path) -> Result<Output, ServerError> {
    account.apply(command);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .current_dir(home)
        .output()
        .map_err(|source| {
            let is_denied = source.kind() == ErrorKind::PermissionDenied;
            match account.barred(home).filter(|_| is_denied) {
                Some(directory) => ServerError::Barred {
                    directory,
                    user: account.name(),
                },
                None => ServerError::Run {
                    program: command.get_program().into(),
                    source,
                },
            }
        })
}

fn finished(command: &Command, data: &Path, output: &Output) -> Result<(), ServerError> {
    if output.status.success() {
        return Ok(());
    }
    Err(ServerError::Initialise {
        program: command.get_program().into(),
        data: data.to_owned(),
        messages: last_lines(&output.stderr),
    })
}

fn write_private(path: &Path, contents: &[u8], account: Account) -> Result<(), ServerError> {
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(contents));
    written.map_err(|source| ServerError::Prepare {
        path: path.to_owned(),
        source,
    })?;
    account.own(path)
}
