//! Connections to a server, by libpq's conventions, and what is asked of it.
//!
//! Invariant: every session has an empty `search_path`, so that no object of a
//! user's schema can stand in for one of the catalogue's.

mod attached;
mod awaited;
mod backup_role;
mod child_environment;
mod choose;
mod connect_error;
mod connection;
mod connection_string;
mod contents;
mod create_database;
mod database_facts;
mod databases;
mod defaults;
mod driver;
mod find_password;
mod inspection;
mod keepalive;
mod keywords;
mod locale;
mod may_set;
mod objects;
mod offer;
mod origin;
mod parameters;
mod password_file;
mod privileges;
mod query_error;
mod question;
mod quote;
mod readable;
mod server_certificate;
mod servers;
mod service_file;
mod session_attributes;
mod session_limits;
mod settings;
mod similar;
mod snapshot;
mod strange_names;
mod swap_databases;
mod tls;
mod tls_choice;
mod unmatched;
mod values;
mod version;

pub use attached::{Attached, Subscription, drop_subscriptions};
pub use awaited::awaited_table;
pub use backup_role::BackupRole;
pub use child_environment::SecretOrPlain;
pub use connect_error::ConnectError;
pub(crate) use connect_error::hint::too_many_sessions;
pub use connection::{Connection, connect};
pub use connection_string::ConnectionStringError;
pub use contents::{
    Contents, Relation, RelationKind, Sequence, Table, count_rows, has_large_objects,
    partition_roots, relations, see_all_rows,
};
pub use create_database::{
    CreateDatabaseError, apply_properties, create_database, database_exists, drop_database, finish,
    needed_roles,
};
pub use database_facts::{DatabaseFacts, Extension, Privilege, SecurityLabel, Setting, system_id};
pub use databases::{ListedDatabase, database_sizes, databases, may_read_passwords};
pub use defaults::SOCKET_DIRECTORIES;
pub use inspection::Inspection;
pub use locale::{Locale, LocaleProvider};
pub use may_set::{forbidden_settings, roles_out_of_reach};
pub use objects::{Counts, EVENT_TRIGGERS, SUBSCRIPTIONS};
pub use offer::{
    AvailableExtension, Rights, acts_as, available_extensions, has_directory, has_icu,
    hosters_role, is_in_roles_that_it_makes, knows_locale, may_give_to, owner_of,
    roles_not_inherited, tablespace_exists, unfit_tablespaces, unknown_roles,
};
pub use origin::{ConnectionValue, Origin};
pub use parameters::ConnectionParameters;
pub use query_error::{QueryError, Refusal};
pub use question::{Answer, AnswerType, QuestionError, ask};
pub use quote::{identifier, literal};
pub use readable::{
    Unreadable, hidden_by_policies, hidden_user_mappings, unlogged_tables,
    views_that_policies_keep_empty,
};
pub use service_file::services;
pub use session_limits::{SessionLimits, sessions_left};
pub use similar::{similar_schema, similar_table};
pub use snapshot::ExportedSnapshot;
pub use strange_names::strange_names;
pub use swap_databases::{rename_database, swap_databases};
pub use tls::TlsSetupError;
pub use tls_choice::SslMode;
pub use unmatched::{unmatched_schemas, unmatched_tables};
pub use version::ServerVersion;
