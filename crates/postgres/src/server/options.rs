//! What a throwaway server is to be like.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::isolation::Isolation;

/// How a throwaway server is made.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The directory with `postgres` and `initdb` of the wanted version.
    pub programs: PathBuf,
    /// Where the server's directory is made; the account that the server runs
    /// as must be able to pass through it.
    pub parent: PathBuf,
    /// Where the directory of the socket is made. Its path must be short: the
    /// operating system allows 107 bytes, the socket's name included.
    pub socket_parent: PathBuf,
    /// The name of the superuser.
    pub superuser: String,
    /// Lines for the end of `postgresql.conf`.
    pub configuration: Vec<String>,
    /// Whether it listens on 127.0.0.1 too.
    pub tcp: Option<LoopbackTcp>,
    /// A data directory to copy instead of running `initdb`. It must have been
    /// shut down.
    pub template: Option<PathBuf>,
    /// How far it is kept from everything else.
    pub isolation: Isolation,
}

/// How a server listens on 127.0.0.1, where every account of the machine can
/// knock: SCRAM alone opens.
#[derive(Clone)]
pub struct LoopbackTcp {
    /// The superuser's password.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for LoopbackTcp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoopbackTcp").finish_non_exhaustive()
    }
}

impl ServerOptions {
    /// A server of the version in `programs`, below `parent`, reached by its
    /// socket alone, with the superuser `postgres`.
    #[must_use]
    pub fn new(programs: impl Into<PathBuf>, parent: impl Into<PathBuf>) -> Self {
        Self {
            programs: programs.into(),
            parent: parent.into(),
            socket_parent: PathBuf::from("/tmp"),
            superuser: "postgres".to_owned(),
            configuration: Vec::new(),
            tcp: None,
            template: None,
            isolation: Isolation::None,
        }
    }
}
