//! The arguments of `pgkeep key` and `pgkeep kit`.
//!
//! Invariant: a private key or a passphrase is never an argument; files that hold
//! one are.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List the keys of a repository
    List(KeyList),
    /// Make a private key here, and print the request to have it added
    New(KeyNew),
    /// Add a key, with a recovery key
    Add(KeyAdd),
    /// Retire a key, with a recovery key: what it wrote stays, nothing new of it is believed
    ///
    /// A host's key is retired only while no run of that host goes on: wait until it has ended, or
    /// until 'pgkeep prune' has taken it for dead. With --now it is not waited for.
    #[command(visible_alias = "remove")]
    Retire(KeyRetire),
    /// Have this host know the repository, or accept what has changed of its keys
    Trust(KeyTrust),
    /// Put a recovery key into the repository under a passphrase, or change that
    Passphrase(KeyPassphrase),
    /// Give up what was lost of the keys, with a recovery key
    Repair(KeyRepair),
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The repository [default: the only one that is configured]
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<String>,
}

/// What is asked about before it is done.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    pub(crate) which: Which,

    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Owner {
    /// The file with a recovery key [default: what the configuration says, or a passphrase]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct KeyList {
    #[command(flatten)]
    pub(crate) which: Which,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NewRole {
    /// Writes backups from this host; cannot open them
    Host,
    /// Opens backups from when it is added on; writes nothing and adds nobody
    Prover,
    /// Opens backups from when it is added on, and adds and retires keys
    Recovery,
}

#[derive(Debug, Args)]
pub(crate) struct KeyNew {
    /// What the key is for
    #[arg(long, value_enum, default_value_t = NewRole::Host)]
    pub(crate) role: NewRole,

    /// What the key is called: letters, digits, '.', '_' and '-' [default: this host's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Where to write the private key [default: host_key_file of the configuration, or ROLE.key]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct KeyAdd {
    /// What 'pgkeep key new' has printed, or a file that holds it; or an age recipient, with
    /// --role and --name
    #[arg(value_name = "REQUEST")]
    pub(crate) request: String,

    /// What an age recipient is for
    #[arg(long, value_enum, requires = "name")]
    pub(crate) role: Option<NewRole>,

    /// What an age recipient is called
    #[arg(long, value_name = "NAME", requires = "role")]
    pub(crate) name: Option<String>,

    /// Retire this key once the new one is added: its fingerprint, the beginning of it, or its
    /// name
    #[arg(long, value_name = "KEY")]
    pub(crate) replaces: Option<String>,

    #[command(flatten)]
    pub(crate) owner: Owner,
}

#[derive(Debug, Args)]
pub(crate) struct KeyRetire {
    /// The key: its fingerprint, the beginning of it, or its name
    pub(crate) key: String,

    /// Do not wait for runs of that host: for a key that was stolen. What they make is lost
    #[arg(long)]
    pub(crate) now: bool,

    #[command(flatten)]
    pub(crate) owner: Owner,
}

#[derive(Debug, Args)]
pub(crate) struct KeyTrust {
    /// Have this recovery key's or prover's file know the repository, instead of the host's
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct KeyPassphrase {
    #[command(flatten)]
    pub(crate) which: Which,

    /// The file with the recovery key [default: what the configuration says, or the old
    /// passphrase]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    /// A file that holds the new passphrase [default: asked for twice]
    #[arg(long, value_name = "FILE")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct KeyRepair {
    #[command(flatten)]
    pub(crate) owner: Owner,
}

#[derive(Debug, Args)]
pub(crate) struct Kit {
    #[command(flatten)]
    pub(crate) which: Which,

    /// Write it into this file, readable by you alone [default: print it]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Where the recovery key is kept, in your words; may be repeated
    #[arg(long = "note", value_name = "TEXT")]
    pub(crate) notes: Vec<String>,

    /// Put the private recovery key in: whoever has the page can then read every backup
    #[arg(long)]
    pub(crate) include_identity: bool,

    /// The file with the recovery key that is put in [default: what the configuration says]
    #[arg(long, value_name = "FILE", requires = "include_identity")]
    pub(crate) identity: Option<PathBuf>,
}
