//! Asking whoever sits at the terminal.
//!
//! Invariants: nobody is asked where nobody sits: stdin and stderr are terminals.
//! A passphrase is not shown while it is typed, and the terminal shows again what
//! is typed afterwards, however the question ended.

use std::io::{self, BufRead, IsTerminal};
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::CliError;

/// Whether there is anybody to ask.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a yes; where nobody sits, refuses and tells of `--yes`.
pub(crate) async fn confirm(context: &Context, question: &str, yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !is_there() {
        return Err(CliError::Usage {
            problem: format!("nobody is there to answer: {question}"),
            hint: "look at what was told, and give --yes".to_owned(),
        });
    }
    let answer = ask(context, &format!("{question} [y/N] ")).await?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(CliError::Declined)
    }
}

/// Asks for a line; an empty one means the default, where there is one.
pub(crate) async fn ask_line(
    context: &Context,
    question: &str,
    default: Option<&str>,
) -> Result<String, CliError> {
    let shown = default.map(|default| format!(" [{default}]"));
    let question = format!("{question}{}: ", shown.unwrap_or_default());
    let answer = ask(context, &question).await?;
    match (answer.trim(), default) {
        ("", Some(default)) => Ok(default.to_owned()),
        (answer, _) => Ok(answer.to_owned()),
    }
}

/// Asks for a yes or a no until it is one; an empty answer means `default`.
pub(crate) async fn ask_yes(
    context: &Context,
    question: &str,
    default: bool,
) -> Result<bool, CliError> {
    let choice = if default { "[Y/n]" } else { "[y/N]" };
    loop {
        let answer = ask(context, &format!("{question} {choice} ")).await?;
        match answer.trim() {
            "" => return Ok(default),
            "y" | "Y" | "yes" => return Ok(true),
            "n" | "N" | "no" => return Ok(false),
            _ => {}
        }
    }
}

/// Asks for a line that is not to be seen.
pub(crate) async fn ask_secretly(
    context: &Context,
    question: &str,
) -> Result<Zeroizing<String>, CliError> {
    let hidden = Hidden::start();
    let answer = ask(context, question).await;
    drop(hidden);
    // The line's end that was typed was not shown either.
    context.output.say("");
    answer
}

async fn ask(context: &Context, question: &str) -> Result<Zeroizing<String>, CliError> {
    context.output.ask(question);
    let failed = |source| CliError::Process {
        what: "read the answer",
        source,
    };
    let (sender, read) = oneshot::channel();
    // A thread that nobody waits for: who stops at a question is not kept until it is
    // answered.
    let reader = thread::Builder::new().name("answer".to_owned());
    let started = reader.spawn(move || {
        let mut line = Zeroizing::new(String::new());
        let read = io::stdin().lock().read_line(&mut line);
        // Who has stopped wants no answer.
        let _ = sender.send(read.map(|length| (length > 0).then_some(line)));
    });
    started.map_err(failed)?;
    let line = async {
        let gone = |_| failed(io::ErrorKind::UnexpectedEof.into());
        let line = read.await.map_err(gone)?.map_err(failed)?;
        // The end of the input (^D) is no answer, not even an empty one.
        let line = line.ok_or(CliError::Declined)?;
        let text = line.strip_suffix('\n').unwrap_or(&line);
        Ok(Zeroizing::new(
            text.strip_suffix('\r').unwrap_or(text).to_owned(),
        ))
    };
    let answer = context.unless_interrupted("the question", line).await;
    if answer.is_err() {
        // No line's end was typed.
        context.output.say("");
    }
    answer
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Option<Termios>);

impl Hidden {
    fn start() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            // Where it cannot be hidden it is better typed than not at all.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &hidden);
        }
        Self(before)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
