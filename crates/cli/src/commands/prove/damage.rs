//! What a proof could not read, read back as a verification does.
//!
//! Invariant: what is called hurt was read again and held against what backups cite; then it
//! is written down, so that no backup that needs it is offered, or built upon, any more.

use std::sync::Arc;

use pgkeep_maintenance::{Amount, Verify, VerifyProgress};
use pgkeep_repository::{WriteAccess, finding_in_words};
use pgkeep_types::ObjectName;

use crate::context::{Context, Opened};
use crate::error::sentence;

/// Reads an object back, and writes down what it is where that may be written; says so, and
/// what to do.
pub(super) async fn look(
    context: &Context,
    opened: &Opened,
    access: Option<&WriteAccess>,
    object: &ObjectName,
) -> String {
    let progress = Arc::new(VerifyProgress::default());
    let verification = Verify {
        repository: &opened.repository,
        catalogue: &opened.catalogue,
        access,
        amount: Amount::All,
        resumes: false,
        pace: None,
        within: None,
        progress: &progress,
        clock: &context.clock,
        random: &context.random,
        pgkeep: env!("CARGO_PKG_VERSION"),
    };
    let verdict = match verification.one(object).await {
        Ok(verdict) => verdict,
        Err(error) => return format!("{object} could not be read back: {}", sentence(&error)),
    };
    if let Some(unread) = verdict.unread.first() {
        let error = sentence(&unread.error);
        return format!("{object} could not be read back: {error}");
    }
    let Some(found) = verdict.hurt.first() else {
        return format!(
            "{object} was read back, and has the bytes that were written: prove it again; where \
             that fails too, they were wrong from the beginning, and 'pgkeep backup' stores them \
             anew"
        );
    };
    let what = finding_in_words(&found.finding);
    let cure = cure(context, opened);
    match (&verdict.not_written, access) {
        (Some(error), _) => format!(
            "{object} was read back: {what}; that could not be written down, so backups that need \
             it are still offered: {}; {cure}",
            sentence(error)
        ),
        (None, None) => format!(
            "{object} was read back: {what}; nothing is written down, as was asked for, so backups \
             that need it are still offered; 'pgkeep verify' writes it down, and then {cure}"
        ),
        (None, Some(_)) => format!(
            "{object} was read back: {what}; backups that need it are not offered any more, nor \
             built upon; {cure}"
        ),
    }
}

/// What brings back what is lost.
fn cure(context: &Context, opened: &Opened) -> String {
    let anew = "the next 'pgkeep backup' stores anew what it had";
    let all = &opened.cluster_settings.repositories;
    let Ok(name) = context.name_of(&opened.settings, &opened.cluster_settings) else {
        return anew.to_owned();
    };
    let others = all.iter().filter(|other| *other != name);
    let copies: Vec<String> = others
        .map(|other| format!("'pgkeep copy --from {other} --to {name}'"))
        .collect();
    match copies.is_empty() {
        true => anew.to_owned(),
        false => format!("{} mends it, and {anew}", copies.join(" or ")),
    }
}
