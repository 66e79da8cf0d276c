//! `pgkeep verify`: reads back what is stored, and says what of it is hurt.
//!
//! Invariants: exit code 0 only where all that was read is whole, nothing is known to be hurt
//! of what was not, and there was something to read; a repository that does not answer hides
//! no other.

mod cluster;
mod report;
mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use pgkeep_config::{SIZE_WANTED, SPAN_WANTED, Settings, parse_size, parse_span};
use pgkeep_format::{Identities, RepositoryId};
use pgkeep_maintenance::{Amount, Verify as Verification, VerifyProgress};
use pgkeep_repository::{Cited, Pace, Repository, RepositoryError, WriteAccess};
use pgkeep_types::{Clock, ClusterName};

use self::cluster::ClusterReport;
use self::report::Report;
use self::row::VerifyRow;
use super::copy::one_and_the_same;
use crate::arguments::Verify;
use crate::context::Context;
use crate::error::{CliError, Exit, sentence};
use crate::words;

/// How much is read, and how fast.
struct Terms {
    amount: Amount,
    /// Whether the clusters are those of the configuration, and nobody has named one.
    takes_configured: bool,
    resumes: bool,
    pace: Option<Arc<Pace>>,
    within: Option<Duration>,
}

/// Verifies.
pub(crate) async fn run(arguments: &Verify, context: &Context) -> Result<Exit, CliError> {
    let terms = terms(arguments)?;
    let settings = context.settings()?;
    let mut report = Report::default();
    let mut opened = BTreeMap::new();
    for (name, clusters) in wanted(arguments, context, &settings).await? {
        if context.interrupt.was_requested() {
            break;
        }
        let verified = of_repository(
            context,
            &settings,
            (&name, clusters),
            &terms,
            &mut opened,
            &mut report,
        );
        if let Err(error) = verified.await {
            context.output.failure(&error);
            report.failed(&name, &error);
        }
    }
    report.tell_the_rest(context);
    let exit = report.exit();
    context.output.json(&report)?;
    match context.interrupt.was_requested() {
        true => Ok(Exit::Interrupted),
        false => Ok(exit),
    }
}

fn terms(arguments: &Verify) -> Result<Terms, CliError> {
    let usage = |option: &str, given: &str, wanted: &str| CliError::Usage {
        problem: format!("{option} {given:?} cannot be understood"),
        hint: format!("give {wanted}"),
    };
    let amount = match &arguments.share {
        None => Amount::All,
        Some(text) => {
            let share = text.parse();
            Amount::Part(share.map_err(|wanted: &str| CliError::Usage {
                problem: format!("--share {text:?} cannot be understood"),
                hint: wanted.to_owned(),
            })?)
        }
    };
    let rate = arguments.rate.as_deref().map(|text| {
        let rate = parse_size(text).and_then(NonZeroU64::new);
        rate.ok_or_else(|| usage("--rate", text, SIZE_WANTED))
    });
    let within = arguments.within.as_deref();
    let within =
        within.map(|text| parse_span(text).ok_or_else(|| usage("--within", text, SPAN_WANTED)));
    Ok(Terms {
        amount,
        takes_configured: arguments.clusters.is_empty(),
        resumes: arguments.resume,
        pace: rate.transpose()?.map(|rate| Arc::new(Pace::new(rate))),
        within: within.transpose()?,
    })
}

/// What is to be verified: repositories, and of each the clusters; none where that is all
/// that it holds.
async fn wanted(
    arguments: &Verify,
    context: &Context,
    settings: &Settings,
) -> Result<Vec<(String, Vec<ClusterName>)>, CliError> {
    if let Some(name) = &arguments.repository {
        context.repository_name(settings, Some(name))?;
    }
    let mut clusters = arguments.clusters.clone();
    if clusters.is_empty() {
        clusters = settings.clusters.keys().cloned().collect();
    }
    let mut wanted: Vec<(String, Vec<ClusterName>)> = Vec::new();
    if clusters.is_empty() {
        let all = settings.repositories.keys();
        let all = all.filter(|name| arguments.repository.as_ref().is_none_or(|n| n == *name));
        let all = all.cloned();
        wanted.extend(all.map(|name| (name, Vec::new())));
    }
    for cluster in clusters {
        let repositories = match &arguments.repository {
            // Whatever it holds can be read, also of clusters that are configured no more.
            Some(named) => vec![named.clone()],
            None => context.cluster(settings, Some(&cluster))?.1.repositories,
        };
        for name in repositories {
            match wanted.iter_mut().find(|(known, _)| *known == name) {
                Some((_, clusters)) => clusters.push(cluster.clone()),
                None => wanted.push((name, vec![cluster.clone()])),
            }
        }
    }
    Ok(wanted)
}

/// Verifies a repository, by its name, and of it these clusters. One that was `opened` by another
/// name is read once.
async fn of_repository(
    context: &Context,
    settings: &Settings,
    (name, mut clusters): (&str, Vec<ClusterName>),
    terms: &Terms,
    opened: &mut BTreeMap<RepositoryId, (String, BTreeSet<ClusterName>)>,
    report: &mut Report,
) -> Result<(), CliError> {
    let keys = context.keys(settings, None)?;
    let pins = keys.pins();
    let open = context.open_repository(settings, name, &pins);
    let repository = context.unless_interrupted("the verification", open).await?;
    for key in repository.unreadable_keys() {
        let error = CliError::UnreadableKey(key.clone());
        context.output.failure(&error);
        report.failed(name, &error);
    }
    let access = context.write_access(settings, &repository, keys);
    let access = access.map_err(|error| sentence(&error));
    if let Err(problem) = &access {
        context.output.warning(format_args!(
            "what is found is not written down in repository {name:?}: {problem}"
        ));
    }
    let stored = repository.clusters().await?;
    if clusters.is_empty() {
        if stored.is_empty() {
            report.nothing(context, name);
        }
        clusters = stored;
    } else if terms.takes_configured {
        let others = stored.into_iter().filter(|other| !clusters.contains(other));
        report.passed_over(context, name, others);
    }
    match opened.get_mut(&repository.id()) {
        Some((first, read)) => {
            let error = one_and_the_same(first, name);
            context.output.failure(&error);
            report.failed(name, &error);
            clusters.retain(|cluster| read.insert(cluster.clone()));
            if clusters.is_empty() {
                return Ok(());
            }
        }
        None => {
            let read = clusters.iter().cloned().collect();
            opened.insert(repository.id(), (name.to_owned(), read));
        }
    }
    let mut cited = Vec::new();
    for cluster in clusters {
        if context.interrupt.was_requested() {
            return Ok(());
        }
        let access = access.as_ref().map_err(String::as_str);
        let (verified, of_cluster) =
            of_cluster(context, &repository, name, &cluster, access, terms).await?;
        cited.push(of_cluster);
        report.cluster(context, verified);
    }
    report.strange(context, name, repository.strange(&cited).await?);
    Ok(())
}

async fn of_cluster(
    context: &Context,
    repository: &Repository,
    name: &str,
    cluster: &ClusterName,
    access: Result<&WriteAccess, &str>,
    terms: &Terms,
) -> Result<(ClusterReport, Cited), CliError> {
    let none = Identities::default();
    let catalogue = repository.catalogue(cluster, &none).await?;
    let started = context.clock.now();
    context.output.say(format_args!(
        "{} START verify of cluster {cluster} in repository {name:?}",
        words::time(started)
    ));
    let progress = Arc::new(VerifyProgress::default());
    let shown = context.live(VerifyRow::new(cluster, &progress));
    let verification = Verification {
        repository,
        catalogue: &catalogue,
        access: access.ok(),
        amount: terms.amount,
        resumes: terms.resumes,
        pace: terms.pace.as_ref(),
        within: terms.within,
        progress: &progress,
        clock: &context.clock,
        random: &context.random,
        pgkeep: env!("CARGO_PKG_VERSION"),
    };
    tell_unended(context, &verification)?;
    let mut stop = Box::pin(context.interrupt.requested());
    let verdict = verification.run(stop.as_mut()).await;
    drop(shown);
    let verdict = verdict?;
    // What was written down shows in what is offered.
    let after = repository.catalogue(cluster, &none).await?;
    let cited = after.cited().map_err(RepositoryError::from)?;
    let not_written = access.err().map(str::to_owned);
    let report = ClusterReport::new(name, verdict, after, terms.amount, not_written);
    let now = context.clock.now();
    context.output.say(format_args!(
        "{} END   verify of cluster {cluster} in repository {name:?}: {} in {}",
        words::time(now),
        report.in_short(),
        words::duration(started, now)
    ));
    Ok((report, cited))
}

/// Says what there is to go on with, or that there is nothing.
fn tell_unended(context: &Context, verification: &Verification<'_>) -> Result<(), CliError> {
    if verification.amount != Amount::All {
        return Ok(());
    }
    let before = match (verification.unended()?, verification.resumes) {
        (None, false) => return Ok(()),
        (None, true) => {
            context.output.say(
                "no verification of the last 24 hours is there to go on with: everything is read",
            );
            return Ok(());
        }
        (Some(before), _) => before,
    };
    let (read, until) = (
        words::counted(before.objects, "object"),
        words::time(before.until),
    );
    context.output.say(match verification.resumes {
        true => format!(
            "goes on with a verification that had read {read} until {until}: they are not read \
             again"
        ),
        false => format!(
            "a verification that has not ended had read {read} until {until}; this one reads \
             everything, and 'pgkeep verify --resume' would go on with that one"
        ),
    });
    Ok(())
}
