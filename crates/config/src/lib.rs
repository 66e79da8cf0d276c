//! The configuration: a file and the environment, made into settings.
//!
//! Invariants: settings that exist are consistent: every repository that a
//! cluster names is there, every path is absolute. Nothing here reads the
//! process; the caller hands its surroundings in. A key that is known has an
//! effect, and of each value it is kept where it came from. A connection string may hold a
//! password and is never printed, nor is the line of a file that is wrong.

mod check;
mod dump;
mod error;
mod file;
mod initial;
mod jobs;
mod keep;
mod keep_text;
mod lookup;
mod mistyped;
mod origin;
mod passphrase;
mod pattern;
mod percent;
mod prove;
mod resolve;
mod settings;
mod size;
mod span;
mod storage_text;
mod variables;
mod wording;

pub use check::CheckSettings;
pub use dump::{Content, Databases, DumpSettings};
pub use error::ConfigError;
pub use initial::{connection_in, postgres_directories_in, repository_in};
pub use jobs::{WANTED as JOBS_WANTED, parse as parse_jobs};
pub use keep::Keep;
pub use keep_text::policy_in;
pub use origin::{InForce, Origin, Shown};
pub use passphrase::{passphrase, passphrase_in};
pub use pattern::Pattern;
pub use prove::{Expected, Isolation, Number, ProveSettings, Question};
pub use settings::{
    ClusterSettings, ConnectionText, EncryptionMode, EncryptionSettings, RepositorySettings,
    Settings,
};
pub use size::{WANTED as SIZE_WANTED, parse as parse_size};
pub use span::{WANTED as SPAN_WANTED, parse as parse_span};
pub use storage_text::{StorageText, storage_text};
pub use variables::{VARIABLES, Variable};

/// The file's name where none is given.
pub const FILE_NAME: &str = "pgkeep.toml";
