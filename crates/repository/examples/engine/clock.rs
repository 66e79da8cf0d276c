//! Wall time and processor time of a piece of work, its children's included
//! (`/proc/self/stat`, proc(5)).

use std::fs;
use std::time::Instant;

/// What a piece of work cost, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) wall: f64,
    pub(crate) processor: f64,
}

/// Times `work`. What came before is written to the disk first.
pub(crate) fn time<T>(work: impl FnOnce() -> T) -> (Cost, T) {
    rustix::fs::sync();
    let (used, started) = (ticks(), Instant::now());
    let done = work();
    let wall = started.elapsed().as_secs_f64();
    let processor = (ticks() - used) / ticks_per_second();
    (Cost { wall, processor }, done)
}

/// User and system time of this process and of the children that it waited for.
fn ticks() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("proc");
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let fields: Vec<&str> = fields.split(' ').collect();
    // Fields 14 to 17 of proc_pid_stat(5), of which the third comes first here.
    (11..15)
        .map(|at| fields[at].parse::<f64>().expect("ticks"))
        .sum()
}

#[expect(clippy::cast_precision_loss, reason = "it is a hundred or so")]
fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// The most memory that this process has had resident, in bytes.
pub(crate) fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.expect("VmHWM").trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().expect("a number") * 1024
}
