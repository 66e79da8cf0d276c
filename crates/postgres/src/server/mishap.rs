//! What a server's log tells of its own end.
//!
//! Invariants: only what the server says of itself counts, whatever a statement of its has
//! written into the log. So an entry is taken by what no statement can choose: the process
//! that wrote it, the error's code, and the place in the server's source, which stands behind
//! it (`LOCATION`, with `log_error_verbosity = verbose`). What a message goes on with after a
//! line's end is indented there, and no line of its own (`append_with_tabs` in
//! src/backend/utils/error/elog.c).

/// Something that happened to a server, and is no fault of what it was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// One of its processes was killed, as by a machine that has no memory left.
    Killed(String),
    /// One of its processes crashed.
    Crashed(String),
    /// It had no room left.
    NoRoom(String),
    /// Its log cannot be read: nobody knows what happened to it.
    Unread(String),
}

/// How each line of the log begins, for [`Mishap::all`]: the time and the process.
pub(super) const LINE_PREFIX: &str = "%m [%p] ";

/// What says that a process has ended (src/backend/postmaster/postmaster.c).
const OF_CHILDREN: &str = "LogChildExit";
/// `ERRCODE_DISK_FULL` (src/backend/utils/errcodes.txt); a statement may raise it, too.
const DISK_FULL: &str = "53100";
/// How the source files of procedural languages begin, in which a statement's own errors are
/// raised: pl_exec.c, plperl.c, plpy_plpymodule.c, pltcl.c.
const OF_LANGUAGES: &str = "pl";

/// The first line of an entry.
struct Entry<'a> {
    process: u32,
    severity: &'a str,
    code: &'a str,
    message: &'a str,
}

impl Mishap {
    /// What a log tells of the server whose first process this was.
    pub(super) fn all(log: &str, postmaster: u32) -> Vec<Self> {
        let mut mishaps = Vec::new();
        let mut open: Option<Entry<'_>> = None;
        for line in log.lines() {
            let Some((process, severity, text)) = parts(line) else {
                continue;
            };
            match severity {
                "LOCATION" => {
                    let entry = open.take().filter(|entry| entry.process == process);
                    mishaps.extend(entry.and_then(|entry| entry.mishap(text, postmaster)));
                }
                "DETAIL" | "HINT" | "QUERY" | "CONTEXT" | "BACKTRACE" | "STATEMENT" => {}
                _ => {
                    open = text.split_once(": ").map(|(code, message)| Entry {
                        process,
                        severity,
                        code,
                        message,
                    });
                }
            }
        }
        mishaps
    }
}

impl Entry<'_> {
    /// What it tells, at this place of the source: `function, file:line`.
    fn mishap(&self, location: &str, postmaster: u32) -> Option<Mishap> {
        let (function, file) = location.split_once(", ")?;
        let said = || self.message.trim().to_owned();
        let is_error = matches!(self.severity, "ERROR" | "FATAL" | "PANIC");
        if is_error && self.code == DISK_FULL && !file.starts_with(OF_LANGUAGES) {
            return Some(Mishap::NoRoom(said()));
        }
        if self.process != postmaster || function != OF_CHILDREN {
            return None;
        }
        let (_, signal) = self.message.split_once(" was terminated by signal ")?;
        Some(match signal.starts_with("9:") || signal.starts_with("9 ") {
            true => Mishap::Killed(said()),
            false => Mishap::Crashed(said()),
        })
    }
}

/// The process, the severity and the rest of a line that the server began.
fn parts(line: &str) -> Option<(u32, &str, &str)> {
    let (time, rest) = line.split_once(" [")?;
    time.starts_with(|c: char| c.is_ascii_digit())
        .then_some(())?;
    let (process, rest) = rest.split_once("] ")?;
    let (severity, text) = rest.split_once(":  ")?;
    Some((process.parse().ok()?, severity, text))
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
    fn a_kill_is_told_from_a_crash_and_from_a_full_disk() {
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
