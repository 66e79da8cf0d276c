//! Being asked to stop: SIGINT and SIGTERM.
//!
//! Invariant: the first signal asks the work to stop and clean up; it is never
//! lost, however late somebody waits for it.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::CliError;

/// Tells when somebody has asked the process to stop.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Starts to listen. Must be called inside of a runtime.
    pub(crate) fn listen() -> Result<Self, CliError> {
        let failed = |source| CliError::Process {
            what: "listen for signals",
            source,
        };
        let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
            }
            // Kept until the end, so that waiting never ends for another reason.
            let _ = sender.send(true);
            std::future::pending::<()>().await;
        });
        Ok(Self(receiver))
    }

    /// Waits until somebody asks.
    pub(crate) async fn requested(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
