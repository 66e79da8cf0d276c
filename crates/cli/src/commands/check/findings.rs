//! Each kind of finding, in words.
//!
//! Invariant: a sentence names the object and says what was found and what was wanted.

use pgkeep_config::CheckSettings;
use pgkeep_maintenance::check::What;
use pgkeep_types::BackupId;

use super::words::{limit, some, span};
use crate::words::{counted, size, time_to_the_minute};

/// A finding as part of a sentence.
pub(super) fn words(what: &What) -> String {
    match what {
        What::ServerUnreachable { problem } => format!(
            "the server cannot be asked, so this is judged by the repository alone, and new \
             databases are not seen: {problem}"
        ),
        What::NoDatabases => "the server has no database that a backup is to be of".to_owned(),
        What::NamedMissing { database } => {
            format!("database {database:?} is chosen by its name, and the server has none of it")
        }
        What::ServerClock { ahead } => format!("the server's clock is {}", differs(*ahead)),
        What::RepositoryUnreachable { problem } => {
            format!("the repository cannot be read, and nothing can be restored from it: {problem}")
        }
        What::RepositoryTooSlow { after } => format!(
            "the repository has not answered within {} (--timeout)",
            CheckSettings::in_words(*after)
        ),
        What::OneRepository { first, second } => format!(
            "repositories {first:?} and {second:?} are one and the same: there is no second copy"
        ),
        What::Empty => "there is no good backup at all".to_owned(),
        What::StorageClock { ahead } => format!(
            "the storage's clock is {}; ages are reckoned by the later one",
            differs(*ahead)
        ),
        What::NoBackup { database, new } => match new {
            true => format!("database {database:?} has no backup yet, and no attempt at one"),
            false => format!("database {database:?} has no good backup"),
        },
        What::Old {
            database,
            started,
            age,
            wanted,
        } => format!(
            "database {database:?} has had no good backup for {} (newest {}, wanted every {})",
            span(*age),
            time_to_the_minute(*started),
            limit(*wanted)
        ),
        What::Unclear { database, problem } => {
            format!("which backup of database {database:?} is the newest cannot be told: {problem}")
        }
        What::Part { database, id } => format!(
            "the newest backup of database {database:?} ({}) has a part of it alone",
            id.short()
        ),
        What::OtherServer { .. } | What::ServerChanged { .. } => of_server(what),
        What::NoGlobals { database, id } => format!(
            "the newest backup of database {database:?} ({}) is partial: the cluster's globals \
             are not with it",
            id.short()
        ),
        What::Failed { .. } | What::CutOff { .. } | What::Silent { .. } | What::Long { .. } => {
            of_run(what)
        }
        What::ProofFailed { .. }
        | What::NotProvable { .. }
        | What::ProofOld { .. }
        | What::NeverProven { .. }
        | What::FewerQuestions { .. }
        | What::Unasked { .. }
        | What::NoLongerProven { .. }
        | What::BadProof { .. } => of_proof(what),
        What::Damaged { .. }
        | What::BadPin { .. }
        | What::NoRecoveryKey
        | What::BadKey { .. }
        | What::MayNotWrite { .. }
        | What::Sealed { .. }
        | What::Space { .. } => of_repository(what),
        What::Emptied { .. }
        | What::TableGone { .. }
        | What::FewerRows { .. }
        | What::Shrunk { .. }
        | What::Grown { .. } => of_sizes(what),
    }
}

/// Which server backups are of.
fn of_server(what: &What) -> String {
    match what {
        What::OtherServer {
            databases,
            backups,
            server,
        } => format!(
            "the newest backups of {} are of another server (system {backups}) than the one that \
             was asked (system {server}): of this one there is none that is newer",
            some(databases)
        ),
        What::ServerChanged {
            databases,
            from,
            to,
            since,
        } => format!(
            "since {} backups of {} are of another server (system {to}) than before (system \
             {from}): if that is meant, such as after an upgrade, nothing is to be done, and it is \
             told for a week; if not, look at 'connection'",
            time_to_the_minute(*since),
            some(databases)
        ),
        _ => String::new(),
    }
}

fn of_run(what: &What) -> String {
    match what {
        What::Failed {
            database,
            id,
            started,
            problem,
        } => {
            let why = problem.as_ref().map(|problem| format!(": {problem}"));
            format!(
                "the last backup of database {database:?} failed ({} of {}){}",
                id.short(),
                time_to_the_minute(*started),
                why.unwrap_or_default()
            )
        }
        What::CutOff {
            database,
            id,
            started,
        } => format!(
            "the last backup of database {database:?} was cut off ({} of {})",
            id.short(),
            time_to_the_minute(*started)
        ),
        What::Silent {
            database,
            id,
            since,
        } => format!(
            "the running backup of database {database:?} ({}) has given no sign of life since {}",
            id.short(),
            time_to_the_minute(*since)
        ),
        What::Long {
            database,
            id,
            age,
            wanted,
        } => format!(
            "the running backup of database {database:?} ({}) has been going on for {} (wanted \
             within {})",
            id.short(),
            span(*age),
            limit(*wanted)
        ),
        _ => String::new(),
    }
}

fn of_proof(what: &What) -> String {
    match what {
        What::ProofFailed {
            database,
            id,
            at,
            host,
        } => format!(
            "the proof of database {database:?} FAILED ({} on host {host}, {})",
            id.short(),
            time_to_the_minute(*at)
        ),
        What::NotProvable {
            database,
            id,
            at,
            host,
        } => format!(
            "database {database:?} is not provable on host {host} ({}, {})",
            id.short(),
            time_to_the_minute(*at)
        ),
        What::ProofOld {
            database,
            at,
            age,
            wanted,
        } => format!(
            "database {database:?} was not proven for {} (last {}, wanted every {})",
            span(*age),
            time_to_the_minute(*at),
            limit(*wanted)
        ),
        What::NeverProven { database } => {
            format!("database {database:?} was never proven, as is configured")
        }
        What::FewerQuestions {
            database,
            at,
            asked,
            wanted,
        } => format!(
            "the newest proof of database {database:?} ({}) answered {}, and {wanted} are \
             configured now",
            time_to_the_minute(*at),
            counted(*asked, "question")
        ),
        What::Unasked { database, stale } => {
            let of_which = match stale {
                true => "no new backup is made",
                false => "there is no backup",
            };
            format!("a question is about database {database:?}, of which {of_which}")
        }
        What::NoLongerProven { database } => {
            format!("of database {database:?} no proof stands any more")
        }
        What::BadProof { bad } => match bad.is_foreign {
            true => format!("a proof counts as none: {}", bad.problem),
            false => format!(
                "a proof cannot be read, and may have FAILED: {}",
                bad.problem
            ),
        },
        _ => String::new(),
    }
}

fn of_repository(what: &What) -> String {
    match what {
        What::Damaged {
            id,
            database,
            problem,
        } => {
            let id = id.as_ref().map(BackupId::short);
            match (id, database) {
                (Some(id), Some(database)) => {
                    format!("backup {id} of database {database:?} is no good one: {problem}")
                }
                (Some(id), None) => format!("backup {id} is no good one: {problem}"),
                (None, _) => format!("something that is stored cannot be read: {problem}"),
            }
        }
        What::BadPin { problem } => format!(
            "what a pin says cannot be read, and its backup is kept without an end: {problem}"
        ),
        What::NoRecoveryKey => "there is no recovery key in use: nobody could restore".to_owned(),
        What::BadKey { problem } => format!("of the keys, this counts as nothing: {problem}"),
        What::MayNotWrite { problem } => format!("this host may not back up: {problem}"),
        What::Sealed { database, id, keys } => {
            let does = match keys.as_slice() {
                [] => "the record of one that it is sealed to is lost".to_owned(),
                keys => format!("{} does", keys.join(", ")),
            };
            format!(
                "no key that is in use opens the newest backup of database {database:?} ({}); \
                 {does}",
                id.short()
            )
        }
        What::Space {
            free,
            per_day,
            lasts,
            wanted,
        } => format!(
            "{} are free, which at {} a day last for {} (wanted for {})",
            size(*free),
            size(*per_day),
            span(*lasts),
            limit(*wanted)
        ),
        _ => String::new(),
    }
}

fn of_sizes(what: &What) -> String {
    match what {
        What::Emptied {
            database,
            table,
            usual,
        } => {
            format!("table {table} of database {database:?} is empty, where {usual} rows are usual")
        }
        What::TableGone {
            database,
            table,
            usual,
        } => {
            format!("table {table} of database {database:?} is gone, where {usual} rows are usual")
        }
        What::FewerRows {
            database,
            table,
            rows,
            usual,
        } => format!(
            "table {table} of database {database:?} has {}, where {usual} are usual",
            counted(*rows, "row")
        ),
        What::Shrunk {
            database,
            bytes,
            usual,
        }
        | What::Grown {
            database,
            bytes,
            usual,
        } => format!(
            "the newest backup of database {database:?} has {}, where {} are usual",
            size(*bytes),
            size(*usual)
        ),
        _ => String::new(),
    }
}

fn differs(ahead: i64) -> String {
    let word = if ahead > 0 { "ahead of" } else { "behind" };
    format!("{} {word} this host's", span(ahead.unsigned_abs()))
}
