//! A command with somebody at its terminal, who watches and answers.

mod dialogue;
mod narrow;
mod progress;

use crate::site::{PROGRAM, Ran, Site};

/// Runs a program on a terminal of so many columns; whenever the next of some words is
/// shown, types what belongs to it, once what the variable MEANWHILE says has ended. No words are a question: what ends with a colon or a
/// bracket, and a blank. What the terminal showed goes to stdout.
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
def due(words):
    if words:
        at = shown.find(words, seen)
        return 0 if at < 0 else at + len(words)
    return len(shown) if shown[seen:].endswith((b": ", b"] ")) else 0
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    while steps and (until := due(steps[0].encode())):
        seen = until
        os.system(os.environ.get("MEANWHILE", ""))
        os.write(terminal, steps[1].encode())
        steps = steps[2:]
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

/// Runs `program` and types `answers`, one at each question.
pub(crate) async fn typed(site: &Site, answers: &[&str], program: &str, arguments: &[&str]) -> Ran {
    let lines: Vec<_> = answers.iter().map(|answer| format!("{answer}\n")).collect();
    let steps: Vec<_> = lines.iter().map(|line| ("", line.as_str())).collect();
    on_terminal(site, 80, &steps, program, arguments).await
}

/// Runs pgkeep on a terminal of so many columns; each step is words to wait for and what
/// to type then.
pub(crate) async fn watched(
    site: &Site,
    columns: u16,
    steps: &[(&str, &str)],
    arguments: &[&str],
) -> Ran {
    on_terminal(site, columns, steps, PROGRAM, arguments).await
}

async fn on_terminal(
    site: &Site,
    columns: u16,
    steps: &[(&str, &str)],
    program: &str,
    arguments: &[&str],
) -> Ran {
    let (columns, count) = (columns.to_string(), steps.len().to_string());
    let mut all = vec![columns.as_str(), &count];
    all.extend(steps.iter().flat_map(|(wait, typed)| [*wait, *typed]));
    all.push(program);
    all.extend(arguments);
    site.python(WATCHER, &all).await
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
