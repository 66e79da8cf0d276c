//! What a server's log tells of its own end.
//!
//! Invariant: only what the server says of itself counts, whatever a statement of its has
//! written into the log.

use super::entry::Entry;

/// Something that happened to a server, and is no fault of what it was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// One of its processes was killed, as by a machine that has no memory left.
    Killed(String),
    /// One of its processes crashed.
    Crashed(String),
    /// It had no room left on its disk, or no memory.
    NoRoom(String),
    /// Its log cannot be read: nobody knows what happened to it.
    Unread(String),
}

/// What says that a process has ended (src/backend/postmaster/postmaster.c).
const OF_CHILDREN: &str = "LogChildExit";
/// `ERRCODE_DISK_FULL` and `ERRCODE_OUT_OF_MEMORY` (src/backend/utils/errcodes.txt); a
/// statement may raise them, too.
const NO_ROOM: [&str; 2] = ["53100", "53200"];

impl Mishap {
    /// What a log tells of the server whose first process this was.
    pub(super) fn all(log: &str, postmaster: u32) -> Vec<Self> {
        let entries = Entry::all(log).into_iter();
        let mishaps = entries.filter_map(|entry| Self::of(&entry, postmaster));
        mishaps.collect()
    }

    fn of(entry: &Entry<'_>, postmaster: u32) -> Option<Self> {
        let said = || entry.message.to_owned();
        if entry.is_error() && NO_ROOM.contains(&entry.code) && entry.is_the_servers_own() {
            return Some(Self::NoRoom(said()));
        }
        if entry.process != postmaster || entry.function != OF_CHILDREN {
            return None;
        }
        let (_, signal) = entry.message.split_once(" was terminated by signal ")?;
        Some(match signal.starts_with("9:") || signal.starts_with("9 ") {
            true => Self::Killed(said()),
            false => Self::Crashed(said()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-20 03:00:00.000 UTC";
    const POSTMASTER: u32 = 7;

    /// What an entry of this process at this place tells.
    fn told(process: u32, message: &str, location: &str) -> Vec<Mishap> {
        let log = format!(
            "{TIME} [{process}] {message}\n\tmore of it\n{TIME} [{process}] STATEMENT:  x\n\
             {TIME} [{process}] LOCATION:  {location}\n"
        );
        Mishap::all(&log, POSTMASTER)
    }

    #[test]
    fn a_kill_is_told_from_a_crash_and_from_a_lack_of_room() {
        let ended =
            |signal: &str| format!("server process (PID 8) was terminated by signal {signal}");
        let child = "LogChildExit, postmaster.c:3667";
        let of_child = |message: &str| told(POSTMASTER, &format!("LOG:  00000: {message}"), child);
        let killed = ended("9: Killed");
        assert_eq!(of_child(&killed), [Mishap::Killed(killed)]);
        let crashed = ended("11: Segmentation fault");
        assert_eq!(of_child(&crashed), [Mishap::Crashed(crashed)]);
        let full = "could not write to file \"x\": No space left on device";
        for severity in ["ERROR", "FATAL", "PANIC"] {
            let entry = format!("{severity}:  53100: {full}");
            let told = told(9, &entry, "XLogWrite, xlog.c:2273");
            assert_eq!(told, [Mishap::NoRoom(full.to_owned())]);
        }
        let memory = "out of memory";
        let told = told(
            9,
            "ERROR:  53200: out of memory",
            "AllocSetAlloc, aset.c:924",
        );
        assert_eq!(told, [Mishap::NoRoom(memory.to_owned())]);
        assert_eq!(of_child("database system is ready"), []);
    }

    #[test]
    fn what_a_statement_has_written_into_the_log_is_not_believed() {
        let killed = "LOG:  00000: server process (PID 8) was terminated by signal 9: Killed";
        let full = "ERROR:  53100: could not extend file: No space left on device";
        let raise = "exec_stmt_raise, pl_exec.c:3911";
        for (process, message, location) in [
            (9, killed, raise),
            (9, killed, "LogChildExit, postmaster.c:3667"),
            // A setting's new value, which the first process tells.
            (POSTMASTER, killed, "ProcessConfigFileInternal, guc.c:560"),
            (9, full, raise),
            (9, "ERROR:  53200: out of memory", raise),
            (9, full, "PLy_output, plpy_plpymodule.c:448"),
            (9, "ERROR:  P0001: No space left on device", raise),
            (
                9,
                "LOG:  53100: No space left on device",
                "mdextend, md.c:500",
            ),
        ] {
            assert_eq!(told(process, message, location), [], "{message} {location}");
        }
        // Nothing of a message is at the beginning of a line.
        let forged = format!(
            "{TIME} [9] ERROR:  P0001: x\n\t{TIME} [7] {killed}\n\
             \t{TIME} [7] LOCATION:  LogChildExit, postmaster.c:1\n\
             {TIME} [9] LOCATION:  {raise}\n"
        );
        assert_eq!(Mishap::all(&forged, POSTMASTER), []);
    }
}
