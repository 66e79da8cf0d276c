//! `pgkeep show`: all that is known of one backup.
//!
//! Invariant: what needs a key that is not at hand is said to be sealed, never
//! left out silently.

mod database;
mod references;
mod tables;

use std::fmt::Write as _;

use pgkeep_format::Identities;
use pgkeep_format::records::{BackupRecord, DumpFacts, Level, ProofDetails, ProofRecord};
use pgkeep_repository::{Attempt, Catalogue, Entry, Repository, RepositoryError};
use pgkeep_restore::{RestoreError, Selection, select};
use pgkeep_types::{Clock, ObjectName};
use serde::Serialize;

use crate::arguments::Show;
use crate::commands::keeping::warn_of_unread_of;
use crate::commands::list::{BackupLine, PinLine};
use crate::commands::prove::{describe as describe_proof, elsewhere, level_word};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;
use crate::words;
use references::References;

/// How far right values begin.
const INDENT: usize = 14;

#[derive(Serialize)]
struct Shown<'a> {
    version: u32,
    status: &'static str,
    backup: &'a BackupRecord,
    /// Whether a key that is in use opens it.
    key_in_use: bool,
    level: Level,
    /// The same, whichever copy of it was restored.
    worth: Level,
    /// Whether the newest proof that tells says that it is not good.
    refuted: bool,
    /// A proof that cannot be read and may have failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_proof: Option<&'a ObjectName>,
    /// What a verification has found that cannot be read: it may be hurt.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_verification: Option<&'a ObjectName>,
    /// Oldest first.
    proofs: &'a [ShownProof],
    /// None where no key at hand opens them.
    facts: Option<&'a DumpFacts>,
    /// Who wants it kept, as far as that holds.
    pins: &'a [PinLine],
    references: &'a References<'a>,
}

#[derive(Serialize)]
struct ShownProof {
    #[serde(flatten)]
    record: ProofRecord,
    /// None where no key at hand opens them.
    details: Option<ProofDetails>,
}

#[derive(Serialize)]
struct ShownAttempt {
    version: u32,
    backup: BackupLine,
}

/// Shows.
pub(crate) async fn run(arguments: &Show, context: &Context) -> Result<Exit, CliError> {
    let identity = arguments.identity.as_deref();
    let opened = context
        .open_for_reading(arguments.cluster.as_ref(), identity)
        .await?
        .unlock(context, false)
        .await?;
    let (repository, catalogue) = (&opened.repository, &opened.catalogue);
    let meant = Selection::Id(arguments.backup.clone());
    let selected = select(catalogue, &meant, context.clock.now());
    if let (Err(RestoreError::Unfinished { .. }), Some(attempt)) =
        (&selected, attempt(catalogue, &arguments.backup))
    {
        return tell_attempt(context, catalogue, attempt);
    }
    let record = selected?;
    let facts = facts(repository, record, &opened.keys.all()).await?;

    let now = context.clock.now();
    let holding = catalogue.pins(&record.id).filter(|pin| pin.holds(now));
    let pins: Vec<PinLine> = holding.map(PinLine::of).collect();
    let proofs = proofs(repository, catalogue, record, &opened.keys.all()).await?;
    let refuted = catalogue.refuted(&record.id).is_some();
    let (level, worth) = (catalogue.level(&record.id), catalogue.worth(&record.id));
    let references = References::of(record, catalogue);
    let mut described = describe(record, &pins, facts.as_ref(), &references, repository);
    let copies = elsewhere(level, worth).filter(|_| !refuted);
    let copies = copies.map_or(String::new(), |copies| format!(", {copies}"));
    let told = format!("{}{copies}", level_word(level, refuted));
    let _ = writeln!(described, "{:<INDENT$}{told}", "level");
    let unread_proof = catalogue.unread_proof(&record.id);
    let unread_verification = catalogue.unread_verification(&record.id);
    warn_of_unread_of(catalogue, &record.id, context.output);
    for (name, value) in told_unread(unread_proof, unread_verification) {
        let _ = writeln!(described, "{name:<INDENT$}{value}");
    }
    let told = match unread_proof {
        Some(_) if proofs.is_empty() => Vec::new(),
        _ => told_proofs(&proofs),
    };
    for (name, value) in told {
        let _ = writeln!(described, "{name:<INDENT$}{}", words::printable(&value));
    }
    context
        .output
        .data(context.output.folded(&described, INDENT));
    if let Some(facts) = &facts {
        let tables = tables::describe(facts, context.output.width());
        context.output.data(context.output.folded(&tables, 2));
    }
    context.output.json(&Shown {
        version: JSON_VERSION,
        status: "complete",
        backup: record,
        key_in_use: repository.opens_to_anybody(record),
        level,
        worth,
        refuted,
        unread_proof,
        unread_verification,
        proofs: &proofs,
        facts: facts.as_ref(),
        pins: &pins,
        references: &references,
    })?;
    Ok(Exit::Done)
}

/// The backup's proofs, oldest first; what they say inside where a key at hand opens it.
async fn proofs(
    repository: &Repository,
    catalogue: &Catalogue,
    backup: &BackupRecord,
    identities: &Identities,
) -> Result<Vec<ShownProof>, CliError> {
    let mut proofs = Vec::new();
    for proof in catalogue.proofs(&backup.id) {
        let record = proof.record.clone();
        let details = repository.proof_details(&record, identities).await?;
        proofs.push(ShownProof { record, details });
    }
    Ok(proofs)
}

/// What may say that it is not good.
fn told_unread(
    proof: Option<&ObjectName>,
    verification: Option<&ObjectName>,
) -> Vec<(&'static str, &'static str)> {
    let proof = proof.map(|_| ("proof", "one that cannot be read: it may have FAILED"));
    let verification = verification.map(|_| {
        (
            "verified",
            "with what result cannot be read: it may be HURT",
        )
    });
    proof.into_iter().chain(verification).collect()
}

/// The newest proof whole, and of those before it what came of them.
fn told_proofs(proofs: &[ShownProof]) -> Vec<(String, String)> {
    let Some((newest, before)) = proofs.split_last() else {
        return vec![("proof".to_owned(), "none".to_owned())];
    };
    let of = |proof: &ShownProof| describe_proof(&proof.record, proof.details.as_ref());
    let mut lines = of(newest);
    for proof in before.iter().rev() {
        lines.extend(of(proof).into_iter().take(1));
    }
    lines
}

/// The one attempt whose id begins so.
fn attempt<'a>(catalogue: &'a Catalogue, prefix: &str) -> Option<&'a Attempt> {
    let mut found = catalogue.entries.iter().filter_map(|entry| match entry {
        Entry::Attempt(attempt) if attempt.id.is_meant_by(prefix) => Some(attempt),
        Entry::Attempt(_) | Entry::Complete(_) | Entry::Unreadable(_) => None,
    });
    let first = found.next();
    first.filter(|_| found.next().is_none())
}

/// Tells of an attempt that came to nothing what is known of it.
fn tell_attempt(
    context: &Context,
    catalogue: &Catalogue,
    attempt: &Attempt,
) -> Result<Exit, CliError> {
    let cluster = &catalogue.cluster;
    let line = BackupLine::attempt(catalogue, attempt, context.clock.now());
    let mut text = format!(
        "backup        {}\nstatus        {}\n",
        attempt.id,
        line.status()
    );
    // Writing into a string does not fail.
    let _ = write!(
        text,
        "cluster       {cluster}\ndatabase      {}\nstarted       {}\nby            \
         pgkeep {} on {}\n",
        words::printable(&attempt.database),
        words::time(attempt.begin.started),
        attempt.begin.pgkeep,
        attempt.begin.host
    );
    if let Some(error) = &attempt.error {
        let _ = writeln!(text, "error         {}", words::printable(error));
    }
    context.output.data(context.output.folded(&text, INDENT));
    context.output.json(&ShownAttempt {
        version: JSON_VERSION,
        backup: line,
    })?;
    Ok(Exit::Done)
}

/// The facts, where a key at hand opens them.
async fn facts(
    repository: &Repository,
    record: &BackupRecord,
    identities: &Identities,
) -> Result<Option<DumpFacts>, CliError> {
    match repository.facts(record, identities).await {
        Ok(json) => DumpFacts::from_json(&json).map(Some).map_err(|source| {
            CliError::Restore(RestoreError::Facts {
                backup: record.id.clone(),
                source,
            })
        }),
        Err(RepositoryError::NoIdentity { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn describe(
    record: &BackupRecord,
    pins: &[PinLine],
    facts: Option<&DumpFacts>,
    references: &References<'_>,
    repository: &Repository,
) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing into a string does not fail.
        let _ = writeln!(text, "{name:<INDENT$}{}", words::printable(&value));
    };
    line("backup", record.id.to_string());
    line("status", "complete".to_owned());
    for pin in pins {
        line("pinned", pin.told());
    }
    line("cluster", record.cluster.to_string());
    line("kind", record.kind.as_str().to_owned());
    line("database", record.database.clone());
    line("repository", repository.location());
    line("started", words::time(record.started));
    line(
        "finished",
        format!(
            "{} ({})",
            words::time(record.finished),
            words::duration(record.started, record.finished)
        ),
    );
    line("server", format!("PostgreSQL {}", record.server_version));
    if let Some(id) = record.system_id {
        line("system id", id.to_string());
    }
    if !repository.opens_to_anybody(record) {
        let keys = repository.sealed_to(record).join(", ");
        line("keys", format!("NONE THAT IS IN USE opens it; {keys} does"));
    }
    let globals = match record.globals {
        true => "with it",
        false => "NONE; they could not be read",
    };
    line("globals", globals.to_owned());
    line("size", words::size(record.raw_bytes));
    line("stored", words::size(record.stored_bytes));
    line("newly stored", words::size(record.new_bytes));
    for (name, value) in references.told(record) {
        line(name, value);
    }
    let Some(facts) = facts else {
        line("facts", "sealed; no key at hand opens them".to_owned());
        return text;
    };
    let database = &facts.database;
    line("dumped by", format!("pg_dump {}", facts.pg_dump_version));
    line("owner", database.owner.clone());
    if record.selected {
        let chosen = facts.selection.to_arguments().join(" ");
        line("a part", format!("pg_dump {chosen}"));
    }
    for (name, value) in database::told(database) {
        line(name, value);
    }
    let rows: Option<u64> = facts.tables.iter().map(|table| table.rows).sum();
    if let Some(rows) = rows {
        line("rows", rows.to_string());
    }
    line("sequences", facts.sequences.len().to_string());
    text
}
