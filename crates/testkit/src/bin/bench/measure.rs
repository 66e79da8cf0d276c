//! One measurement: programs that are started together, joined by pipes, and
//! timed until the last of them has ended.
//!
//! Invariants: the clock runs from before the first start to the last end;
//! before it nothing is left to be written from what came before; a program
//! that does not end with 0 ends the bench.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::processor;
use crate::server::Server;

/// How often the peak of a process's memory is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long the server's processes for a program that has ended may stay.
const LINGER: Duration = Duration::from_secs(10);
/// Of a core: what others may take before a measurement counts as disturbed.
const DISTURBED: f64 = 0.1;

/// What a run cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// From the first start to the last end, in seconds.
    pub(crate) wall: f64,
    /// User and system time of the programs, in seconds.
    pub(crate) programs: f64,
    /// The same of the server.
    pub(crate) server: f64,
    /// How many cores everybody else took meanwhile.
    pub(crate) others: f64,
    /// The most memory that the first program had resident, in bytes.
    pub(crate) peak: u64,
}

/// What a run cost, and what the last program wrote on stdout where it was
/// asked for.
pub(crate) struct Ran {
    pub(crate) cost: Cost,
    pub(crate) said: String,
}

/// How measurements are made.
#[derive(Clone, Copy)]
pub(crate) struct Measuring<'a> {
    pub(crate) server: &'a Server,
    /// How often a disturbed one is made again.
    pub(crate) again: usize,
}

impl Measuring<'_> {
    /// Measures what `run` does; `undo` makes room for another attempt.
    pub(crate) fn measure(&self, run: impl Fn(&Self) -> Ran, undo: impl Fn()) -> Ran {
        let mut ran = run(self);
        for _ in 0..self.again {
            if ran.cost.others <= DISTURBED {
                break;
            }
            undo();
            ran = run(self);
        }
        ran
    }

    /// Runs programs as one pipe, the last one's stdout going to `output`.
    pub(crate) fn pipe(&self, commands: Vec<Command>, output: Stdio) -> Cost {
        self.settle();
        let before = Counters::read(self.server);
        let started = Instant::now();
        let children = start(commands, output);
        let (children, peak) = wait(children);
        let wall = started.elapsed();
        self.after(before, wall, children, peak, "")
    }

    /// Runs one program and keeps what it says, which fits into a pipe.
    pub(crate) fn program(&self, mut command: Command) -> Ran {
        command.stderr(Stdio::piped());
        self.settle();
        let before = Counters::read(self.server);
        let started = Instant::now();
        let children = start(vec![command], Stdio::piped());
        let (mut children, peak) = wait(children);
        let wall = started.elapsed();
        let child = children.first_mut().expect("the program");
        let said = read(child.stdout.take());
        let words = read(child.stderr.take());
        let cost = self.after(before, wall, children, peak, &words);
        Ran { cost, said }
    }

    /// Times work of this process itself.
    pub(crate) fn work(&self, work: impl FnOnce()) -> Cost {
        self.settle();
        let before = Counters::read(self.server);
        let own = processor::of(std::process::id());
        let started = Instant::now();
        work();
        let wall = started.elapsed();
        let used = processor::of(std::process::id()) - own;
        before.cost(self.server, wall, used, 0)
    }

    /// Lets everything be written that came before, so that none of it is
    /// counted here.
    fn settle(&self) {
        self.server.sql("postgres", "CHECKPOINT");
        rustix::fs::sync();
        until_no_session(self.server);
    }

    fn after(
        &self,
        before: Counters,
        wall: Duration,
        children: Vec<Child>,
        peak: u64,
        words: &str,
    ) -> Cost {
        let used = children.iter().map(|child| processor::of(child.id())).sum();
        for mut child in children {
            let status = child.wait().expect("a child that was waited for");
            assert!(status.success(), "a program failed: {status}\n{words}");
        }
        before.cost(self.server, wall, used, peak)
    }
}

fn start(commands: Vec<Command>, output: Stdio) -> Vec<Child> {
    let mut children: Vec<Child> = Vec::new();
    let last = commands.len() - 1;
    let mut output = Some(output);
    for (at, mut command) in commands.into_iter().enumerate() {
        let before = children.last_mut().and_then(|child| child.stdout.take());
        command.stdin(before.map_or_else(Stdio::null, Stdio::from));
        let to = match output.take_if(|_| at == last) {
            Some(output) => output,
            None => Stdio::piped(),
        };
        let program = command.get_program().to_owned();
        let child = command.stdout(to).spawn();
        children.push(child.unwrap_or_else(|error| panic!("{}: {error}", program.display())));
    }
    children
}

/// Waits for the end of all, without letting go of them: what they used can
/// still be read.
fn wait(children: Vec<Child>) -> (Vec<Child>, u64) {
    let peak = AtomicU64::new(0);
    let ended = AtomicBool::new(false);
    let first = children.first().map_or(0, Child::id);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                if let Some(seen) = processor::peak_memory(first) {
                    peak.fetch_max(seen, Ordering::Relaxed);
                }
                thread::park_timeout(LOOK);
            }
        });
        for child in &children {
            let id = WaitId::Pid(Pid::from_child(child));
            let how = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let waited = rustix::io::retry_on_intr(|| waitid(id.clone(), how));
            waited.expect("a child to wait for");
        }
        ended.store(true, Ordering::Relaxed);
    });
    (children, peak.into_inner())
}

fn read(pipe: Option<impl Read>) -> String {
    let text = pipe.map(std::io::read_to_string);
    text.expect("a pipe").expect("UTF-8")
}

/// Waits until the server has let go of all sessions that have ended: only then
/// their time is its own.
fn until_no_session(server: &Server) {
    let deadline = Instant::now() + LINGER;
    while processor::count_of_sessions(server.postmaster()) > 0 {
        assert!(Instant::now() < deadline, "a session that does not end");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Where all clocks stood before.
#[derive(Clone, Copy)]
struct Counters {
    server: u64,
    machine: u64,
}

impl Counters {
    fn read(server: &Server) -> Self {
        Self {
            server: processor::of_server(server.postmaster()),
            machine: processor::of_machine(),
        }
    }

    fn cost(self, server: &Server, wall: Duration, used: u64, peak: u64) -> Cost {
        let machine = processor::of_machine() - self.machine;
        until_no_session(server);
        let by_server = processor::of_server(server.postmaster()) - self.server;
        let others = machine.saturating_sub(by_server + used);
        let wall = wall.as_secs_f64();
        Cost {
            wall,
            programs: processor::seconds(used),
            server: processor::seconds(by_server),
            others: processor::seconds(others) / wall,
            peak,
        }
    }
}
