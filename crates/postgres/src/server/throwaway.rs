//! A server that lives as long as its value.
//!
//! Invariant: everything it has is below one directory of its own, and one for
//! its socket, which go with it.

use std::fs::Permissions;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use super::account::Account;
use super::error::ServerError;
use super::initdb;
use super::log::last_lines_of;
use super::mishap::Mishap;
use super::obstacle::Obstacle;
use super::options::ServerOptions;
use super::postmaster::{Call, POLL, Postmaster};
use crate::client::{ConnectionParameters, connect};

/// A disk that does not answer would hold up whoever waits.
const MAKE_TIMEOUT: Duration = Duration::from_secs(600);
const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the processes of a killed server may go on writing.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);
/// In a directory of its own the number only names the socket.
const SOCKET_PORT: u16 = 5432;
/// `UNIXSOCK_PATH_BUFLEN` on Linux, without the final NUL.
const LONGEST_SOCKET_PATH: usize = 107;
/// How often another attempt is made when the port was taken meanwhile, or a
/// killed server's processes have not all gone.
const ATTEMPTS: usize = 50;

/// A running server that is removed with all its data when it is dropped.
#[derive(Debug)]
pub struct ThrowawayServer {
    // Dropped in this order: the process before its files.
    postmaster: Postmaster,
    home: TempDir,
    sockets: TempDir,
    port: u16,
    options: ServerOptions,
    account: Account,
}

impl ThrowawayServer {
    /// Makes a data directory, starts a server on it and waits until it
    /// answers. Durability is off: what it holds is thrown away.
    ///
    /// # Errors
    ///
    /// Where a program is missing or fails; with the last lines that it said.
    pub async fn start(options: ServerOptions) -> Result<Self, ServerError> {
        let account = Account::choose(options.isolation)?;
        let home = private_directory(&options.parent, account)?;
        let sockets = private_directory(&options.socket_parent, account)?;
        let socket = sockets.path().join(format!(".s.PGSQL.{SOCKET_PORT}.lock"));
        if socket.as_os_str().len() > LONGEST_SOCKET_PATH {
            return Err(ServerError::SocketPath {
                directory: sockets.path().to_owned(),
            });
        }
        make_data(&options, account, home.path()).await?;
        let mut port = free_port(&options)?;
        let mut server = Self {
            postmaster: launch(&options, account, home.path(), sockets.path(), port)?,
            home,
            sockets,
            port,
            options,
            account,
        };
        let mut attempt = 1;
        while let Err(error) = server.wait_for_answer().await {
            if !may_pass(&error) || attempt == ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
            port = free_port(&server.options)?;
            server.launch_on(port)?;
        }
        Ok(server)
    }

    /// Starts the server again on its data, with another port where it listens
    /// on one. Where it still runs it is shut down first.
    ///
    /// # Errors
    ///
    /// Where it does not stop or does not start.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.shut_down().await?;
        let mut attempt = 1;
        loop {
            self.launch_on(free_port(&self.options)?)?;
            match self.wait_for_answer().await {
                Ok(()) => return Ok(()),
                Err(error) if may_pass(&error) && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(POLL * 5).await;
        }
    }

    /// Shuts the server down and leaves its data directory whole, to be copied;
    /// it goes when the value is dropped.
    ///
    /// # Errors
    ///
    /// Where the operating system refuses.
    pub async fn shut_down(&mut self) -> Result<(), ServerError> {
        let stopped = self.postmaster.stop(Signal::INT, STOP_TIMEOUT).await;
        stopped.map_err(|source| ServerError::Stop {
            data: self.data_directory(),
            source,
        })
    }

    /// Stops the server and removes all that it had.
    ///
    /// # Errors
    ///
    /// Where the operating system refuses.
    pub async fn stop(self) -> Result<(), ServerError> {
        let Self {
            mut postmaster,
            home,
            sockets,
            ..
        } = self;
        let data = home.path().join("data");
        let stopped = postmaster.stop(Signal::QUIT, STOP_TIMEOUT).await;
        stopped.map_err(|source| ServerError::Stop { data, source })?;
        let deadline = Instant::now() + REMOVE_TIMEOUT;
        for directory in [home, sockets] {
            let path = directory.keep();
            while let Err(source) = std::fs::remove_dir_all(&path) {
                if source.kind() == std::io::ErrorKind::NotFound {
                    break;
                }
                if Instant::now() > deadline {
                    return Err(ServerError::Stop { data: path, source });
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// Kills the first process with SIGKILL, as a machine without memory does.
    /// The data stays until the value is dropped.
    ///
    /// # Errors
    ///
    /// Where the operating system refuses.
    pub fn kill9(&mut self) -> Result<(), ServerError> {
        let killed = self.postmaster.kill9();
        killed.map(drop).map_err(|source| ServerError::Stop {
            data: self.data_directory(),
            source,
        })
    }

    /// How the superuser connects to `database` over the socket, without a
    /// password.
    #[must_use]
    pub fn connection(&self, database: &str) -> ConnectionParameters {
        self.parameters(self.sockets.path().to_string_lossy().into_owned(), database)
    }

    /// How the superuser connects to `database` over TCP, with its password;
    /// `None` where the server does not listen there.
    #[must_use]
    pub fn tcp_connection(&self, database: &str) -> Option<ConnectionParameters> {
        let tcp = self.options.tcp.as_ref()?;
        let parameters = self.parameters(Ipv4Addr::LOCALHOST.to_string(), database);
        Some(parameters.with_password(&tcp.password))
    }

    fn parameters(&self, host: String, database: &str) -> ConnectionParameters {
        ConnectionParameters::to_server(host, self.port, &self.options.superuser, database)
    }

    /// The id of the first process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.postmaster.id()
    }

    /// The port, which the socket's name has too.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The data directory.
    #[must_use]
    pub fn data_directory(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The server's log.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.home.path().join("log")
    }

    /// Makes a directory for a tablespace, which goes with the server.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn make_directory(&self, name: &str) -> Result<PathBuf, ServerError> {
        let path = self.home.path().join(name);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|source| ServerError::Prepare {
            path: path.clone(),
            source,
        })?;
        self.account.own(&path)?;
        Ok(path)
    }

    /// Whether the first process has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.postmaster.is_gone()
    }

    /// What its log says of processes of the server that did not end as they should, and
    /// of room that it did not have.
    #[must_use]
    pub fn mishaps(&self) -> Vec<Mishap> {
        let path = self.log_file();
        match std::fs::read(&path) {
            Ok(log) => Mishap::all(&String::from_utf8_lossy(&log), self.pid()),
            Err(error) => vec![Mishap::Unread(format!("{}: {error}", path.display()))],
        }
    }

    /// What its log says of what statements ran into and is the host's; nothing, where it
    /// cannot be read.
    #[must_use]
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let log = std::fs::read(self.log_file()).unwrap_or_default();
        Obstacle::all(&String::from_utf8_lossy(&log))
    }

    fn launch_on(&mut self, port: u16) -> Result<(), ServerError> {
        let (home, sockets) = (self.home.path(), self.sockets.path());
        self.postmaster = launch(&self.options, self.account, home, sockets, port)?;
        self.port = port;
        Ok(())
    }

    async fn wait_for_answer(&mut self) -> Result<(), ServerError> {
        let parameters = self.connection("postgres");
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let error = match connect(&parameters).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if self.postmaster.has_ended() {
                return Err(ServerError::Ended {
                    data: self.data_directory(),
                    log: last_lines_of(&self.log_file()),
                });
            }
            if Instant::now() > deadline {
                return Err(ServerError::NoAnswer {
                    data: self.data_directory(),
                    after: START_TIMEOUT,
                    log: last_lines_of(&self.log_file()),
                    source: Box::new(error),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn launch(
    options: &ServerOptions,
    account: Account,
    home: &Path,
    sockets: &Path,
    port: u16,
) -> Result<Postmaster, ServerError> {
    Postmaster::spawn(&Call {
        programs: &options.programs,
        account,
        data: &home.join("data"),
        sockets,
        port,
        tcp: options.tcp.is_some(),
        log: &home.join("log"),
        isolation: options.isolation,
        home,
    })
}

/// Whether another attempt can help: the port was taken between our look and
/// the server's, or processes of a killed server still hold its memory.
fn may_pass(error: &ServerError) -> bool {
    const PASSING: [&str; 2] = ["Address already in use", "pre-existing shared memory block"];
    let ServerError::Ended { log, .. } = error else {
        return false;
    };
    log.iter()
        .any(|line| PASSING.iter().any(|p| line.contains(p)))
}

/// A port of 127.0.0.1 that nobody uses now.
fn free_port(options: &ServerOptions) -> Result<u16, ServerError> {
    if options.tcp.is_none() {
        return Ok(SOCKET_PORT);
    }
    let found = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr());
    let address = found.map_err(|source| ServerError::Prepare {
        path: PathBuf::from("127.0.0.1"),
        source,
    })?;
    Ok(address.port())
}

fn private_directory(parent: &Path, account: Account) -> Result<TempDir, ServerError> {
    let made = tempfile::Builder::new()
        .prefix("pgkeep-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .map_err(|source| ServerError::Prepare {
            path: parent.to_owned(),
            source,
        })?;
    account.own(made.path())?;
    Ok(made)
}

async fn make_data(
    options: &ServerOptions,
    account: Account,
    home: &Path,
) -> Result<(), ServerError> {
    let data = home.join("data");
    let prepare = |source| ServerError::Prepare {
        path: home.join("data"),
        source,
    };
    let (making, place, target) = (options.clone(), home.to_owned(), data.clone());
    // initdb takes seconds: it must not hold up the runtime.
    let making =
        tokio::task::spawn_blocking(move || initdb::make(&making, account, &place, &target));
    tokio::time::timeout(MAKE_TIMEOUT, making)
        .await
        .map_err(|_| prepare(std::io::ErrorKind::TimedOut.into()))?
        .map_err(|source| prepare(source.into()))??;
    let file = data.join("postgresql.conf");
    let mut configuration = std::fs::read_to_string(&file).map_err(prepare)?;
    for line in &options.configuration {
        configuration.push('\n');
        configuration.push_str(line);
    }
    configuration.push('\n');
    std::fs::write(&file, configuration).map_err(prepare)
}
