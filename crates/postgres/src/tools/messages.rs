//! What PostgreSQL's programs say on standard error.
//!
//! Source: `pg_log_generic_v` in src/common/logging.c and `notice_processor` in
//! src/bin/pg_dump/pg_backup_db.c: what a program says, and what it repeats of the
//! server's where it is verbose, begins with its name; what belongs to a message comes in
//! lines behind it. Sessions of one program write between each other's words.
//!
//! Invariants: standard error is drained to its end, and of its messages a bounded part is
//! kept; of a success every message is handed on, or it is said that some were lost; of a
//! failure its cause is, from its beginning. What the server adds of rows and what may be a
//! password in a command is not kept: it would come out in logs and reports.

mod discretion;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use self::discretion::Discretion;

/// How much of the last messages is kept, in bytes.
const KEPT: usize = 64 * 1024;

/// How a program's own messages begin behind its name.
const OWN: [&str; 4] = ["error:", "warning:", "detail:", "hint:"];

/// How the server's messages begin, in English.
const SERVERS: [&str; 6] = ["WARNING", "NOTICE", "INFO", "LOG", "DETAIL", "HINT"];

/// How the server says that rights were not given or not taken away
/// (`restrict_and_check_grant` in src/backend/catalog/aclchk.c).
const OF_PRIVILEGES: [&str; 2] = [
    "privileges were granted for",
    "privileges could be revoked for",
];

/// How many lines of a failure are told.
const TOLD: usize = 8;

/// The last messages of a program.
#[derive(Debug)]
pub(super) struct Said {
    tool: &'static str,
    lines: Vec<String>,
    /// The bytes of these.
    length: usize,
    /// Whether there were more than these.
    cut: bool,
    /// Whether there were more that may have told of privileges.
    privileges_cut: bool,
    discretion: Discretion,
    /// The last line that only told how far the work is, where nothing came behind it.
    progress: Option<String>,
}

/// What a program said that succeeded, each message in one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolMessages {
    messages: Vec<Message>,
    /// Whether there were more than these.
    cut: bool,
    /// Whether there were more that may have told of privileges.
    privileges_cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    text: String,
    /// Whether it speaks of rights, or in a language that is not known here.
    may_tell_of_privileges: bool,
}

impl ToolMessages {
    /// All of them.
    #[must_use]
    pub fn into_all(self) -> Vec<String> {
        let (mut first, others) = self.into_privileges_and_others();
        first.extend(others);
        first
    }

    /// Those that tell that rights were not given or not taken away, and the others. What
    /// was lost, or is in another language than English, is with the former: it may be one.
    #[must_use]
    pub fn into_privileges_and_others(self) -> (Vec<String>, Vec<String>) {
        let lost = "some of its messages, which were lost".to_owned();
        let (mut privileges, mut others) = (Vec::new(), Vec::new());
        match (self.privileges_cut, self.cut) {
            (true, _) => privileges.push(lost),
            (false, true) => others.push(lost),
            (false, false) => {}
        }
        for message in self.messages {
            match message.may_tell_of_privileges {
                true => privileges.push(message.text),
                false => others.push(message.text),
            }
        }
        (privileges, others)
    }
}

impl Said {
    fn new(tool: &'static str) -> Self {
        Self {
            tool,
            lines: Vec::new(),
            length: 0,
            cut: false,
            privileges_cut: false,
            discretion: Discretion::default(),
            progress: None,
        }
    }

    /// What nobody heard.
    pub(super) fn lost(tool: &'static str) -> Self {
        Self {
            cut: true,
            privileges_cut: true,
            ..Self::new(tool)
        }
    }

    /// Reads a program's standard error to its end. Where that cannot be read, what came
    /// next counts as lost.
    pub(super) async fn of(
        tool: &'static str,
        stderr: Option<impl AsyncRead + Unpin + Send>,
    ) -> Self {
        let Some(mut stderr) = stderr else {
            return Self::lost(tool);
        };
        let mut said = Self::new(tool);
        let (mut buffer, mut begun) = ([0; 4096], Vec::new());
        loop {
            let read = match stderr.read(&mut buffer).await {
                Ok(0) => break,
                Ok(read) => read,
                Err(_) => {
                    said.cut = true;
                    said.privileges_cut = true;
                    break;
                }
            };
            for piece in buffer[..read].split_inclusive(|byte| *byte == b'\n') {
                begun.extend_from_slice(piece);
                if piece.ends_with(b"\n") || begun.len() > KEPT {
                    said.line(&String::from_utf8_lossy(&begun));
                    begun.clear();
                }
            }
        }
        said.line(&String::from_utf8_lossy(&begun));
        said
    }

    /// Takes a line in.
    fn line(&mut self, line: &str) {
        let line = line.trim_end();
        let (text, is_named) = without_name(line, self.tool);
        if text.trim().is_empty() {
            return;
        }
        let follows_progress = self.progress.is_some();
        if (is_named || follows_progress) && !is_message(text) {
            self.progress = Some(text.to_owned());
            return;
        }
        self.progress = None;
        let Some(line) = self.discretion.told(line, text, is_named) else {
            return;
        };
        self.length += line.len();
        self.lines.push(line.into_owned());
        if self.length > 2 * KEPT {
            self.shorten();
        }
    }

    /// Lets go of the first lines, those that may tell of privileges last.
    fn shorten(&mut self) {
        self.cut = true;
        for privileges_too in [false, true] {
            let mut left = self.length;
            self.lines.retain(|line| {
                let (text, _) = without_name(line, self.tool);
                let of_privileges = may_tell_of_privileges(text);
                let goes = left > KEPT && (privileges_too || !of_privileges);
                left -= if goes { line.len() } else { 0 };
                self.privileges_cut |= goes && of_privileges;
                !goes
            });
            self.length = left;
        }
    }

    /// What it said, where it succeeded.
    pub(super) fn of_success(self) -> ToolMessages {
        let mut messages: Vec<Message> = Vec::new();
        for line in &self.lines {
            let (text, is_named) = without_name(line, self.tool);
            let text = text.trim();
            let belongs = ["detail:", "hint:"]
                .iter()
                .any(|part| text.starts_with(part));
            let begins = (is_named && !belongs) || text.starts_with("WARNING:");
            match messages.last_mut() {
                Some(message) if !begins => {
                    message.text.push_str(" / ");
                    message.text.push_str(text);
                    message.may_tell_of_privileges |= is_of_privileges(text);
                }
                _ => messages.push(Message {
                    text: text.to_owned(),
                    may_tell_of_privileges: may_tell_of_privileges(text),
                }),
            }
        }
        ToolMessages {
            messages,
            cut: self.cut,
            privileges_cut: self.privileges_cut,
        }
    }

    /// Why it failed, in its words: from its first error on, which the others follow from,
    /// without most of a long command's text; its last lines, where it called nothing an
    /// error.
    pub(super) fn of_failure(self) -> Vec<String> {
        let words = |line: &String| without_name(line, self.tool).0.trim().to_owned();
        let lines: Vec<String> = self.lines.iter().map(words).collect();
        let Some(first) = lines.iter().position(|line| line.starts_with("error:")) else {
            let last = lines.iter().chain(&self.progress);
            let last: Vec<&String> = last.collect();
            let last = &last[last.len().saturating_sub(TOLD)..];
            return last.iter().map(|&line| line.clone()).collect();
        };
        let cause = &lines[first..];
        let command = cause.iter().position(|line| line.contains("Command was:"));
        let end = command.map_or(cause.len(), |at| at + 1).min(TOLD);
        let mut told = cause[..end].to_vec();
        if let Some(last) = told.last_mut().filter(|_| end < cause.len()) {
            last.push_str(" …");
        }
        told
    }
}

/// What stands behind the program's name, and whether the line begins with that: with
/// several of them, where sessions write at once.
fn without_name<'a>(line: &'a str, tool: &str) -> (&'a str, bool) {
    let behind = |line: &'a str| line.strip_prefix(tool)?.strip_prefix(':');
    let mut rest = line;
    while let Some(text) = behind(rest.trim_start()) {
        rest = text;
    }
    match rest.len() < line.len() {
        true => (rest.trim_start(), true),
        false => (line, false),
    }
}

/// Whether it tells more than how far the work is.
fn is_message(text: &str) -> bool {
    OWN.iter().any(|word| text.starts_with(word)) || severity(text).is_some()
}

/// The server's word for what it is: it writes two blanks behind it.
fn severity(text: &str) -> Option<&str> {
    let (severity, _) = text.split_once(":  ")?;
    (!severity.contains(' ')).then_some(severity)
}

/// Whether it says, or may say, that rights were not given or not taken away.
fn may_tell_of_privileges(text: &str) -> bool {
    is_of_privileges(text) || is_in_another_language(text)
}

/// Whether the server says that rights were not given or not taken away.
fn is_of_privileges(text: &str) -> bool {
    OF_PRIVILEGES.iter().any(|words| text.contains(words))
}

/// Whether it is the server's and not in English: its own settings choose its language.
fn is_in_another_language(text: &str) -> bool {
    severity(text).is_some_and(|word| !SERVERS.contains(&word))
}

#[cfg(test)]
mod tests;
