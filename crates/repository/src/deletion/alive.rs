//! Signs of life: small objects that tell pruners that a run still goes on.
//!
//! Invariant: they stop when the run ends or is dropped. One that cannot be
//! written is no failure of the run: the next one will do.

use std::time::Duration;

use pgkeep_format::RecordKind;
use pgkeep_format::names;
use pgkeep_format::records::RunAlive;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::{Repository, RunPlan, WriteAccess};

/// The task that writes signs of life.
#[derive(Debug)]
pub(crate) struct Signs(JoinHandle<()>);

impl Signs {
    /// Starts to show that the run lives; `begin` was the first sign.
    pub(crate) fn start(
        repository: &Repository,
        access: &WriteAccess,
        plan: &RunPlan,
        every: Duration,
    ) -> Self {
        let (repository, access) = (repository.clone(), access.clone());
        let (cluster, run) = (plan.cluster.clone(), plan.id.clone());
        Self(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.tick().await;
            for number in 0.. {
                ticks.tick().await;
                let Ok(name) = names::alive(&cluster, &run, number) else {
                    return;
                };
                let sign = RunAlive {
                    run: run.clone(),
                    cluster: cluster.clone(),
                    number,
                };
                let _ = repository
                    .write(&access, RecordKind::Alive, &name, sign, None)
                    .await;
            }
        }))
    }

    /// Returns once no more of them are being written: one that the storage has already
    /// been handed may still come to be.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        // That it was given up is what was asked for.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Signs {
    fn drop(&mut self) {
        self.0.abort();
    }
}
