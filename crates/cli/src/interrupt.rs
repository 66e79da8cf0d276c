//! Being asked to stop: SIGINT, SIGTERM and SIGHUP.
//!
//! Invariant: the first signal asks the work to stop and clean up, a second one
//! not to wait for that; none is lost, however late somebody waits for it.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::CliError;

/// Its number on Linux, on x86-64 and Arm alike (signal(7)).
const SIGXFSZ: i32 = 25;

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
        let mut hung_up = signal(SignalKind::hangup()).map_err(failed)?;
        // A file that grows past the limit (setrlimit(2), RLIMIT_FSIZE) is an error of
        // that write, not the end of the process.
        let mut file_size = signal(SignalKind::from_raw(SIGXFSZ)).map_err(failed)?;
        let (sender, receiver) = watch::channel(0_u32);
        // Runs until the end, so that waiting never ends for another reason.
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupted.recv() => {}
                    _ = terminated.recv() => {}
                    _ = hung_up.recv() => {}
                    _ = file_size.recv() => continue,
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

    /// Whether somebody has asked.
    pub(crate) fn was_requested(&self) -> bool {
        *self.0.borrow() > 0
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
