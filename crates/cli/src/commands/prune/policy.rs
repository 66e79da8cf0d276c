//! `pgkeep prune` by policy: what no rule keeps.
//!
//! Invariants: what goes was decided twice, the second time after whoever sits there has
//! said yes, and goes only where both say so; where most of a cluster would go, or a policy
//! keeps nothing of a database, somebody has to say yes.

use std::collections::BTreeSet;

use pgkeep_config::Keep;
use pgkeep_maintenance::{Going, Sweeping, all_going, going};
use pgkeep_repository::Catalogue;
use pgkeep_repository::deletion::Terms;
use pgkeep_types::{BackupId, Clock, Timestamp};

use super::told::tell;
use super::{Report, Work, now};
use crate::commands::keeping::{self, Kept, sentence, table, warn_of_failures, warn_of_unread};
use crate::commands::list::warn_of_pins;
use crate::error::CliError;
use crate::{terminal, words};

/// Why a backup goes, as its tombstone says it.
const REASON: &str = "no rule of what is kept ('keep') keeps it";

impl Work<'_> {
    /// Deletes what no rule keeps.
    pub(super) async fn by_policy(&self, keep: &Keep) -> Result<Report, CliError> {
        let context = self.context;
        let catalogue = self.catalogue().await?;
        warn_of_pins(context, &catalogue);
        warn_of_unread(&catalogue, context.output);
        let of_storage = now(context, &self.repository, self.cluster).await?;
        let terms = Terms::at(of_storage);
        let now = context.clock.now().min(of_storage);
        let kept = Kept::of(&catalogue, keep, now);
        let chosen = all_going(&kept.judged);
        let going = going(&self.repository, self.cluster, chosen, &terms).await?;
        let kept = kept.with(&going, &catalogue);
        self.tell(&kept, &catalogue, &going, keep, now);
        let (going, report) = match self.asked.dry_run || going.backups.is_empty() {
            true => (going, keeping::Report::of(&kept)),
            false => {
                self.ask(&kept, &going).await?;
                self.decide_again(keep, going, &terms, now).await?
            }
        };
        let Going { backups, prune, .. } = going;
        let done = self.finish(prune, &backups, REASON).await?;
        Ok(Report {
            retention: Some(report),
            ..done
        })
    }

    fn tell(
        &self,
        kept: &Kept<'_>,
        catalogue: &Catalogue,
        going: &Going,
        keep: &Keep,
        now: Timestamp,
    ) {
        let (output, mut plan) = (self.context.output, going.prune.preview().clone());
        if self.asked.dry_run {
            output.data(format_args!("{}\n", table(kept, output, now)));
            plan.deletions.retain(|deletion| !going.is_of(deletion));
        }
        if !self.asked.dry_run && keep.lets_go() {
            warn_of_failures(kept, output);
        }
        let none = BTreeSet::new();
        let chosen = match self.asked.dry_run {
            true => &none,
            false => &going.backups,
        };
        tell(self.context, catalogue, chosen, &going.prune, &plan);
    }

    /// Asks where a great deal goes; whoever sits there, whatever goes.
    async fn ask(&self, kept: &Kept<'_>, going: &Going) -> Result<(), CliError> {
        let sweeping = Sweeping::of(&kept.judged);
        let asks = self.asked.asks_always && terminal::is_there();
        if sweeping.is_none() && !asks {
            return Ok(());
        }
        let question = question(
            sweeping.as_ref(),
            self.cluster.as_str(),
            going.backups.len(),
        );
        terminal::confirm(self.context, &question, self.asked.yes).await
    }

    /// Decides again, of what there is by now: what would stay, stays. What is reported is what
    /// is done.
    async fn decide_again(
        &self,
        keep: &Keep,
        before: Going,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<(Going, keeping::Report), CliError> {
        let catalogue = self.catalogue().await?;
        let again = Kept::of(&catalogue, keep, now);
        let chosen = all_going(&again.judged);
        let chosen: BTreeSet<BackupId> = chosen.intersection(&before.backups).cloned().collect();
        let going = going(&self.repository, self.cluster, chosen, terms).await?;
        for id in before.backups.difference(&going.backups) {
            self.context.output.warning(format_args!(
                "backup {id} stays: what it was to go by has changed meanwhile"
            ));
        }
        let report = keeping::Report::of(&again.with(&going, &catalogue));
        Ok((going, report))
    }
}

fn question(sweeping: Option<&Sweeping>, cluster: &str, going: usize) -> String {
    let backups = match going {
        1 => "this backup".to_owned(),
        count => format!("these {count} backups"),
    };
    let mut told = Vec::new();
    if let Some(sweeping) = sweeping {
        let unkept = sweeping.unkept.iter().map(|name| sentence(name, &[]));
        told.extend(unkept.map(|series| format!("no rule keeps any {series}")));
        told.extend(sweeping.most.map(|(going, good)| {
            let good = words::counted(good, "good backup");
            format!("{going} of {good} of cluster {cluster} would go")
        }));
    }
    told.push(format!("delete {backups} for good?"));
    told.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_what_a_great_deal_is() {
        let sweeping = Sweeping {
            most: Some((5, 8)),
            ..Sweeping::default()
        };
        assert_eq!(
            question(Some(&sweeping), "main", 5),
            "5 of 8 good backups of cluster main would go: delete these 5 backups for good?"
        );
        assert_eq!(question(None, "main", 1), "delete this backup for good?");
    }
}
