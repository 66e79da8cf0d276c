//! A command with somebody at its terminal, who answers.

use std::process::Stdio;

use crate::site::{Ran, Site, ended};

/// Runs a program on a terminal of its own and types an answer whenever it asks:
/// whenever what it wrote ends with a colon or a bracket, and a blank. What the
/// terminal showed goes to stdout.
const TYPIST: &str = r#"
import os, pty, select, signal, sys
answers, command = sys.argv[1].split("|"), sys.argv[2:]
signal.alarm(120)
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
shown = b""
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if shown.endswith((b": ", b"] ")) and answers:
        os.write(terminal, answers.pop(0).encode() + b"\n")
        shown += b"\0"
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

/// Runs `program` and types `answers`.
pub(crate) async fn typed(site: &Site, answers: &[&str], program: &str, arguments: &[&str]) -> Ran {
    let answers = answers.join("|");
    let all = [&["-c", TYPIST, &answers, program], arguments].concat();
    let mut command = tokio::process::Command::new("python3");
    let like = site.command(&[]);
    command.env_clear();
    for (name, value) in like.as_std().get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let child = command
        .args(all)
        .current_dir(site.home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3");
    ended(child).await
}
