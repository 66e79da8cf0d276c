//! Being asked to stop: SIGINT and SIGTERM.
//!
//! Invariant: the first signal asks the work to stop and clean up, a second one
//! not to wait for that; none is lost, however late somebody waits for it.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::CliError;

/// Tells when somebody has asked the process to stop.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<u32>);

impl Interrupt {
    /// Starts to listen. Must be called inside of a runtime.
    pub(crate) fn listen() -> Result<Self, CliError> {
        let failed = |source| CliError::Process {
            what: "listen for signals",
            source,
        };
        let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
        let (sender, receiver) = watch::channel(0_u32);
        // Runs until the end, so that waiting never ends for another reason.
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupted.recv() => {}
                    _ = terminated.recv() => {}
                }
                sender.send_modify(|signals| *signals += 1);
            }
        });
        Ok(Self(receiver))
    }

    /// Waits until somebody asks.
    pub(crate) async fn requested(&self) {
        self.signals(1).await;
    }

    /// Waits until somebody asks a second time.
    pub(crate) async fn insisted(&self) {
        self.signals(2).await;
    }

    async fn signals(&self, wanted: u32) {
        let mut receiver = self.0.clone();
        if receiver
            .wait_for(|signals| *signals >= wanted)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }
}
