//! What a server has written into its log, entry by entry.
//!
//! Invariants: an entry is told by what no statement can choose: the process that wrote it, the
//! error's code, and the place in the server's source, which stands behind it (`LOCATION`, with
//! `log_error_verbosity = verbose`). What a message goes on with after a line's end is indented
//! there, and no line of its own (`append_with_tabs` in src/backend/utils/error/elog.c).

/// How each line of the log begins: the time and the process.
pub(super) const LINE_PREFIX: &str = "%m [%p] ";

/// How the source files of procedural languages begin, in which a statement's own errors are
/// raised: pl_exec.c, plperl.c, plpy_plpymodule.c, pltcl.c.
const OF_LANGUAGES: &str = "pl";
/// What repeats an error of a session elsewhere, which may be one of the same server:
/// contrib/dblink/dblink.c, contrib/postgres_fdw/connection.c.
const OF_OTHER_SESSIONS: [&str; 3] = [
    "dblink_res_error",
    "pgfdw_report_error",
    "pgfdw_report_internal",
];

/// An entry: of what goes on over several lines, the first.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) process: u32,
    pub(super) severity: &'a str,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
    pub(super) hint: &'a str,
    /// Where in the server's source it was written: the function, and `file:line`.
    pub(super) function: &'a str,
    pub(super) file: &'a str,
    /// What the session was asked to do.
    pub(super) statement: &'a str,
}

impl<'a> Entry<'a> {
    /// All entries whose place in the source is told.
    pub(super) fn all(log: &'a str) -> Vec<Self> {
        let mut entries: Vec<Self> = Vec::new();
        for line in log.lines() {
            let Some((process, severity, text)) = parts(line) else {
                continue;
            };
            let open = entries.last_mut().filter(|entry| entry.process == process);
            match (severity, open) {
                ("HINT", Some(open)) => open.hint = text,
                ("STATEMENT", Some(open)) => open.statement = text,
                ("LOCATION", Some(open)) => {
                    (open.function, open.file) = text.split_once(", ").unwrap_or_default();
                }
                ("HINT" | "STATEMENT" | "LOCATION", None)
                | ("DETAIL" | "QUERY" | "CONTEXT" | "BACKTRACE", _) => {}
                _ => {
                    let (code, message) = text.split_once(": ").unwrap_or(("", text));
                    entries.push(Entry {
                        process,
                        severity,
                        code,
                        message: message.trim(),
                        ..Entry::default()
                    });
                }
            }
        }
        entries.retain(|entry| !entry.function.is_empty());
        entries
    }

    pub(super) fn is_error(&self) -> bool {
        matches!(self.severity, "ERROR" | "FATAL" | "PANIC")
    }

    /// Whether the server, or a library of the host's, says so: no statement can have chosen
    /// the code and the words.
    pub(super) fn is_the_servers_own(&self) -> bool {
        !self.file.starts_with(OF_LANGUAGES) && !OF_OTHER_SESSIONS.contains(&self.function)
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
