//! Lines at the bottom of the terminal that tell how far the work is.
//!
//! Invariants: they are shown only where stderr is a terminal that takes orders (`TERM`),
//! and only while this process is in its foreground; all else that is printed goes above
//! them, through [`above`]; however the work ends, its line is gone once its [`Shown`] is
//! dropped. The cursor is never hidden and rests at the beginning of the line below, so
//! that whatever kills the process leaves a usable terminal. No colours, so that there
//! is nothing for `NO_COLOR` to switch off.
//!
//! Our own and no library's: it is these lines of code, and all that is printed has one
//! owner already.

mod line;
mod rate;

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pgkeep_types::Environment;
use rustix::termios::{tcgetpgrp, tcgetwinsize};

pub(crate) use self::line::line;
pub(crate) use self::rate::Rate;

/// How often the lines are painted anew.
const EVERY: Duration = Duration::from_millis(200);
/// How wide a line becomes at most.
const WIDEST: usize = 100;
/// How many columns and rows a terminal has that does not know.
const USUAL: (usize, usize) = (80, 24);

/// Something that has a line.
pub(crate) trait Row: Send + Sync {
    /// The line as of now, of at most so many columns.
    fn line(&self, columns: usize, now: Instant) -> String;
}

impl<R: Row> Row for Arc<R> {
    fn line(&self, columns: usize, now: Instant) -> String {
        self.as_ref().line(columns, now)
    }
}

/// A line that is shown until this is dropped.
#[must_use]
pub(crate) struct Shown(Option<u64>);

/// Shows a line where there is a terminal for it.
pub(crate) fn show(environment: &Environment, row: Arc<dyn Row>) -> Shown {
    let obeys = environment.text("TERM").is_some_and(|term| term != "dumb");
    if !obeys || !io::stderr().is_terminal() {
        return Shown(None);
    }
    let mut screen = screen();
    let number = screen.next;
    screen.next += 1;
    screen.rows.push((number, row));
    screen.paint();
    if !screen.ticks {
        // A thread of its own: a terminal that was told to hold (^S) holds it alone.
        let ticker = thread::Builder::new().name("progress".to_owned());
        screen.ticks = ticker.spawn(tick).is_ok();
    }
    Shown(Some(number))
}

/// Prints above the lines.
pub(crate) fn above<T>(print: impl FnOnce() -> T) -> T {
    let mut screen = screen();
    screen.wipe();
    let printed = print();
    screen.paint();
    printed
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(number) = self.0 {
            let mut screen = screen();
            screen.rows.retain(|(of, _)| *of != number);
            screen.paint();
        }
    }
}

static SCREEN: Mutex<Screen> = Mutex::new(Screen {
    rows: Vec::new(),
    next: 0,
    painted: 0,
    ticks: false,
});

fn screen() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Paints until there is nothing more to paint.
fn tick() {
    loop {
        thread::sleep(EVERY);
        let mut screen = screen();
        if screen.rows.is_empty() {
            screen.ticks = false;
            return;
        }
        screen.paint();
    }
}

struct Screen {
    rows: Vec<(u64, Arc<dyn Row>)>,
    /// The number of the next row.
    next: u64,
    /// How many lines stand above the cursor.
    painted: usize,
    /// Whether somebody paints from time to time.
    ticks: bool,
}

impl Screen {
    fn paint(&mut self) {
        if !is_in_foreground() {
            return;
        }
        let (columns, rows) = size();
        let lines = self.lines(columns, rows, Instant::now());
        if lines.is_empty() {
            return self.wipe();
        }
        let mut frame = self.to_the_top();
        // What is too long all the same (wide characters) is cut by the terminal, and
        // does not wrap: DECAWM off and on again. EL and ED clear what is left of before.
        frame.push_str("\x1b[?7l");
        for line in &lines {
            frame.push_str(line);
            frame.push_str("\x1b[K\r\n");
        }
        frame.push_str("\x1b[?7h\x1b[J");
        self.painted = lines.len();
        put(&frame);
    }

    fn wipe(&mut self) {
        if self.painted > 0 {
            let wipe = format!("{}\x1b[J", self.to_the_top());
            self.painted = 0;
            put(&wipe);
        }
    }

    /// Where the lines begin, also where a `^C` was shown behind them.
    fn to_the_top(&self) -> String {
        match self.painted {
            0 => String::new(),
            lines => format!("\r\x1b[{lines}A"),
        }
    }

    /// The lines, as many as there is room for.
    fn lines(&self, columns: usize, rows: usize, now: Instant) -> Vec<String> {
        let columns = columns.saturating_sub(1).min(WIDEST);
        // Half of the screen is for what is printed.
        let room = (rows / 2).max(1);
        let shown = match self.rows.len() {
            all if all <= room => all,
            _ => room - 1,
        };
        let each = self.rows.iter().take(shown);
        let mut lines: Vec<_> = each.map(|(_, row)| row.line(columns, now)).collect();
        if shown < self.rows.len() {
            let more = format!("  and {} more", self.rows.len() - shown);
            lines.push(line(columns, &more, "", &[]));
        }
        lines
    }
}

fn size() -> (usize, usize) {
    let known = |size: u16, usual| match size {
        0 => usual,
        size => usize::from(size),
    };
    let (columns, rows) = USUAL;
    tcgetwinsize(io::stderr()).map_or(USUAL, |size| {
        (known(size.ws_col, columns), known(size.ws_row, rows))
    })
}

/// Whether the terminal is ours to paint on: a shell may have it while we are a job in
/// the background.
fn is_in_foreground() -> bool {
    tcgetpgrp(io::stderr()).is_ok_and(|group| group == rustix::process::getpgrp())
}

fn put(text: &str) {
    // A terminal that is gone shows nothing, and the work goes on.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Row for Fixed {
        fn line(&self, columns: usize, _: Instant) -> String {
            line(columns, "  app", "schema", &[])
        }
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let screen = Screen {
            rows: (0..9).map(|n| (n, Arc::new(Fixed) as _)).collect(),
            next: 9,
            painted: 0,
            ticks: false,
        };
        let lines = |rows| screen.lines(60, rows, Instant::now());
        assert_eq!(lines(24).len(), 9);
        let few = lines(8);
        assert_eq!(few.len(), 4);
        assert_eq!(few[3].trim(), "and 6 more");
        assert_eq!(lines(1).len(), 1);
    }
}
