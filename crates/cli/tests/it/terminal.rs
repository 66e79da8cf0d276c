//! A command with somebody at its terminal, who watches and answers.

mod dialogue;
mod progress;

use std::process::Stdio;

use crate::site::{PROGRAM, Ran, Site, ended};

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

/// Runs a program on a terminal of so many columns; whenever the next of some words is
/// shown, types what belongs to it. What the terminal showed goes to stdout.
const WATCHER: &str = r#"
import fcntl, os, pty, signal, struct, sys, termios
columns, count = int(sys.argv[1]), int(sys.argv[2])
steps, command = sys.argv[3:3 + 2 * count], sys.argv[3 + 2 * count:]
signal.alarm(120)
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.execvp(command[0], command)
shown, seen = b"", 0
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    while steps and steps[0].encode() in shown[seen:]:
        seen = shown.index(steps[0].encode(), seen) + len(steps[0].encode())
        os.write(terminal, steps[1].encode())
        steps = steps[2:]
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

/// Runs `program` and types `answers`.
pub(crate) async fn typed(site: &Site, answers: &[&str], program: &str, arguments: &[&str]) -> Ran {
    let answers = answers.join("|");
    python(
        site,
        &[&["-c", TYPIST, &answers, program], arguments].concat(),
    )
    .await
}

/// Runs pgkeep on a terminal of so many columns; each step is words to wait for and what
/// to type then.
pub(crate) async fn watched(
    site: &Site,
    columns: u16,
    steps: &[(&str, &str)],
    arguments: &[&str],
) -> Ran {
    let (columns, count) = (columns.to_string(), steps.len().to_string());
    let mut all = vec!["-c", WATCHER, &columns, &count];
    all.extend(steps.iter().flat_map(|(wait, typed)| [*wait, *typed]));
    all.push(PROGRAM);
    all.extend(arguments);
    python(site, &all).await
}

async fn python(site: &Site, arguments: &[&str]) -> Ran {
    let mut command = tokio::process::Command::new("python3");
    let like = site.command(&[]);
    command.env_clear();
    for (name, value) in like.as_std().get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let child = command
        .args(arguments)
        .current_dir(site.home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3");
    ended(child).await
}

/// What is left on a terminal that never scrolls once all of `shown` was written to it.
///
/// # Panics
/// Where it gets an order that this terminal does not know.
pub(crate) fn screen(shown: &str) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut all = shown.chars();
    while let Some(c) = all.next() {
        match c {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                lines.resize(lines.len().max(row + 1), Vec::new());
            }
            '\u{1b}' => {
                let order = order(&mut all);
                match order.strip_prefix('[').expect("CSI") {
                    "?7l" | "?7h" => {}
                    "J" => {
                        lines.truncate(row + 1);
                        lines[row].truncate(column);
                    }
                    "K" => lines[row].truncate(column),
                    colour if colour.ends_with('m') => {}
                    up => {
                        let up = up.strip_suffix('A').expect("a known order");
                        row -= up.parse::<usize>().expect("a number");
                    }
                }
            }
            c => {
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                column += 1;
            }
        }
    }
    let lines = lines.into_iter().map(|line| line.into_iter().collect());
    lines.collect()
}

/// An order, which ends with its first letter.
fn order(from: &mut impl Iterator<Item = char>) -> String {
    let mut order = String::new();
    for c in from {
        order.push(c);
        if c.is_ascii_alphabetic() {
            break;
        }
    }
    order
}
