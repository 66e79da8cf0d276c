//! `pgkeep check`: whether everything is fresh, for monitoring.
//!
//! Invariants: it reads, and writes nothing; the exit codes are those of Nagios, and what
//! keeps a cluster from being judged is never 0. A cluster that is in a bad way keeps no
//! other from being looked at.

mod findings;
mod json;
mod looking;
mod nagios;
mod words;

use std::collections::BTreeSet;

use futures_util::future::join_all;
use pgkeep_config::{CheckSettings, ClusterSettings, Settings};
use pgkeep_maintenance::check::{Judgement, Limits, ProofLimits, Severity, judge, share_room};
use pgkeep_types::{Clock, ClusterName};
use tokio::time::timeout;

use self::looking::Asking;
use crate::arguments::{Check, Telling};
use crate::context::{Context, unconfigured};
use crate::error::{CliError, Exit, sentence};

/// How far right a sentence goes on.
const INDENT: usize = 2;

/// A cluster, and what came of looking at it.
struct Checked {
    cluster: ClusterName,
    limits: Limits,
    /// How many repositories it has.
    repositories: usize,
    /// The judgement; or why there is none.
    judged: Result<Judgement, String>,
}

impl Checked {
    fn severity(&self) -> Severity {
        self.judged
            .as_ref()
            .map_or(Severity::Unknown, Judgement::severity)
    }

    fn told(&self) -> String {
        match &self.judged {
            Ok(judgement) => words::sentence(judgement, self.repositories > 1),
            Err(problem) => problem.clone(),
        }
    }

    fn sentence(&self) -> String {
        format!(
            "{}: {}: {}",
            self.cluster,
            self.severity().as_str(),
            self.told()
        )
    }
}

/// Checks.
pub(crate) async fn run(arguments: &Check, context: &Context) -> Result<Exit, CliError> {
    let telling = arguments.format.unwrap_or(Telling::Human);
    let checked = match checked(arguments, context).await {
        Ok(checked) => checked,
        Err(error) => {
            let problem = sentence(&error);
            if telling == Telling::Nagios {
                context.output.data(nagios::unknown(&problem));
            }
            context.output.json(&json::unknown(&problem))?;
            context.output.failure(&error);
            return Ok(exit(Severity::Unknown));
        }
    };
    let severities = checked.iter().map(Checked::severity);
    let severity = severities.max().unwrap_or(Severity::Unknown);
    match telling {
        Telling::Nagios => context.output.data(nagios::told(&checked, severity)),
        Telling::Human | Telling::Json => context.output.data(told(context, &checked, severity)),
    }
    context.output.json(&json::report(&checked, severity))?;
    Ok(exit(severity))
}

fn exit(severity: Severity) -> Exit {
    match severity {
        Severity::Ok => Exit::Done,
        Severity::Warning => Exit::Warning,
        Severity::Critical => Exit::Critical,
        Severity::Unknown => Exit::Unknown,
    }
}

/// A sentence for each cluster, what else there is to say of it, and the verdict.
fn told(context: &Context, checked: &[Checked], severity: Severity) -> String {
    let mut text = String::new();
    for one in checked {
        let sentence = crate::words::printable(&one.sentence());
        text.push_str(&context.output.folded(&sentence, INDENT));
        text.push('\n');
        for note in one.judged.iter().flat_map(words::notes) {
            let note = crate::words::printable(&note);
            text.push_str(&context.output.folded(&format!("  {note}"), 2 * INDENT));
            text.push('\n');
        }
    }
    text.push_str(&format!("verdict: {}\n", severity.as_str()));
    text
}

async fn checked(arguments: &Check, context: &Context) -> Result<Vec<Checked>, CliError> {
    if arguments.format.is_some_and(|f| f != Telling::Json) && context.output.is_json() {
        return Err(CliError::Usage {
            problem: "--json and --format are both given, and say otherwise".to_owned(),
            hint: "leave one of them out".to_owned(),
        });
    }
    let settings = context.settings()?;
    let wanted = wanted(arguments, context, &settings).await?;
    let looks = wanted.iter().map(|(cluster, of_cluster)| {
        let asking = Asking {
            context,
            settings: &settings,
            cluster,
            of_cluster,
            timeout: arguments.timeout,
        };
        async move { asking.look().await }
    });
    let mut looked = join_all(looks).await;
    let clusters = wanted.iter().map(|(cluster, _)| cluster);
    let seen = clusters.zip(&mut looked).filter_map(|(cluster, looked)| {
        let (_, repositories) = looked.as_mut().ok()?;
        Some((cluster, repositories))
    });
    share_room(&mut seen.collect::<Vec<_>>());
    let judged = wanted
        .iter()
        .zip(looked)
        .map(|((cluster, of_cluster), looked)| {
            let limits = Limits {
                check: arguments.limits.over(&of_cluster.check),
                proofs: ProofLimits {
                    max_age: arguments.limits.max_proof_age.or(of_cluster.prove.max_age),
                    ..ProofLimits::of(&of_cluster.prove)
                },
            };
            let judged = looked.map(|(server, repositories)| {
                judge(&server, &repositories, &limits, context.clock.now())
            });
            Checked {
                cluster: cluster.clone(),
                repositories: of_cluster.repositories.len(),
                judged: judged.map_err(|error| sentence(&error)),
                limits,
            }
        });
    Ok(judged.collect())
}

/// The clusters that are meant: those that are named, all that are configured, or where none
/// is, all that the repository knows.
async fn wanted(
    arguments: &Check,
    context: &Context,
    settings: &Settings,
) -> Result<Vec<(ClusterName, ClusterSettings)>, CliError> {
    let named: BTreeSet<&ClusterName> = arguments.clusters.iter().collect();
    if !named.is_empty() {
        let named = named.into_iter();
        return named
            .map(|name| context.cluster(settings, Some(name)))
            .collect();
    }
    let all = settings.clusters.iter();
    let all: Vec<_> = all.map(|(name, of)| (name.clone(), of.clone())).collect();
    if !all.is_empty() {
        return Ok(all);
    }
    let any = unconfigured(settings);
    let keys = context.keys(settings, None)?;
    let knowing = async {
        let repository = context.repository(settings, &any, &keys).await?;
        Ok::<_, CliError>(repository.clusters().await?)
    };
    let known = timeout(arguments.timeout, knowing).await;
    let known = known.map_err(|_| CliError::TooSlow {
        within: CheckSettings::in_words(arguments.timeout),
    })??;
    if known.is_empty() {
        return Err(CliError::Usage {
            problem: "no cluster is configured, and the repository knows none".to_owned(),
            hint: "name one, or add a [cluster.main] with a connection".to_owned(),
        });
    }
    Ok(known.into_iter().map(|name| (name, any.clone())).collect())
}
