//! How a silent connection is kept alive, and when it counts as lost
//! (`keepalives…`, `tcp_user_timeout`).
//!
//! libpq has no variables for these: PostgreSQL's programs get them as the pairs of
//! a connection string, which hold no secret.

use std::time::Duration;

/// What was said; what was not has this program's default here and the operating
/// system's in PostgreSQL's programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keepalive {
    pub(super) off: bool,
    /// Seconds of silence until the first question.
    pub(super) idle: Option<u32>,
    /// Seconds between questions.
    pub(super) interval: Option<u32>,
    /// How many questions may go unanswered.
    pub(super) count: Option<u32>,
    /// Milliseconds for which sent bytes may stay unacknowledged.
    pub(super) user_timeout: Option<u32>,
}

/// An idle session is asked this often, so that no firewall forgets the one that
/// holds a snapshot for hours.
const IDLE: Duration = Duration::from_secs(60);

impl Keepalive {
    /// Sets it for a session of ours.
    pub(super) fn apply(&self, config: &mut tokio_postgres::Config) {
        let seconds = |said: Option<u32>, default| {
            said.map_or(default, |seconds| Duration::from_secs(seconds.into()))
        };
        config
            .keepalives(!self.off)
            .keepalives_idle(seconds(self.idle, IDLE))
            .keepalives_interval(seconds(self.interval, IDLE / 4))
            .keepalives_retries(self.count.unwrap_or(4));
        if let Some(milliseconds) = self.user_timeout {
            config.tcp_user_timeout(Duration::from_millis(milliseconds.into()));
        }
    }

    /// libpq's pairs, a blank before each; empty where nothing was said.
    pub(super) fn pairs(&self) -> String {
        let mut pairs = String::new();
        if self.off {
            pairs.push_str(" keepalives=0");
        }
        for (key, value) in [
            ("keepalives_idle", self.idle),
            ("keepalives_interval", self.interval),
            ("keepalives_count", self.count),
            ("tcp_user_timeout", self.user_timeout),
        ] {
            if let Some(value) = value {
                pairs.push_str(&format!(" {key}={value}"));
            }
        }
        pairs
    }
}
