//! What a server's log tells of its own end.
//!
//! Invariant: only what the server says of itself counts (`LogChildExit` in
//! src/backend/postmaster/postmaster.c; `ENOSPC` in its messages), by the words of a
//! server that speaks English.

/// Something that happened to a server, and is no fault of what it was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// One of its processes was killed, as by a machine that has no memory left.
    Killed(String),
    /// One of its processes crashed.
    Crashed(String),
    /// It had no room left.
    NoRoom(String),
}

impl Mishap {
    /// What a line of the log tells.
    pub(super) fn of(line: &str) -> Option<Self> {
        let said = |message: &str| message.trim().to_owned();
        for severity in ["ERROR:", "FATAL:", "PANIC:"] {
            if let Some((_, message)) = line.split_once(severity)
                && message.contains("No space left on device")
            {
                return Some(Self::NoRoom(said(message)));
            }
        }
        let (_, message) = line.split_once("LOG:")?;
        let (process, signal) = message.split_once(" was terminated by signal ")?;
        process.contains("(PID ").then_some(())?;
        Some(match signal.starts_with("9:") || signal.starts_with("9 ") {
            true => Self::Killed(said(message)),
            false => Self::Crashed(said(message)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_told_from_a_crash_and_from_a_full_disk() {
        let time = "2026-11-20 03:00:00.000 UTC [7] ";
        for (line, expected) in [
            (
                "LOG:  server process (PID 8) was terminated by signal 9: Killed",
                Some(Mishap::Killed(
                    "server process (PID 8) was terminated by signal 9: Killed".to_owned(),
                )),
            ),
            (
                "LOG:  server process (PID 8) was terminated by signal 11: Segmentation fault",
                Some(Mishap::Crashed(
                    "server process (PID 8) was terminated by signal 11: Segmentation fault"
                        .to_owned(),
                )),
            ),
            (
                "PANIC:  could not write to file \"x\": No space left on device",
                Some(Mishap::NoRoom(
                    "could not write to file \"x\": No space left on device".to_owned(),
                )),
            ),
            (
                "STATEMENT:  select 'was terminated by signal 9: Killed'",
                None,
            ),
            ("LOG:  database system is ready", None),
        ] {
            assert_eq!(Mishap::of(&format!("{time}{line}")), expected, "{line}");
        }
    }
}
