//! Processor time, as `/proc` tells it (proc(5)).
//!
//! Invariant: times are in clock ticks, mostly a hundredth of a second; they are
//! made seconds only where they are told.

use std::fs;

/// A process and what it has used.
#[derive(Clone, Copy, Debug)]
struct Process {
    parent: u32,
    /// User and system time of its own threads.
    own: u64,
    /// The same of all its children that were waited for, and theirs.
    waited_for: u64,
}

fn process(id: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before may hold anything, brackets too.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    // proc_pid_stat(5) counts from 1; these begin with its third.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Process {
        parent: u32::try_from(field(4)?).ok()?,
        own: field(14)? + field(15)?,
        waited_for: field(16)? + field(17)?,
    })
}

fn children(parent: u32) -> impl Iterator<Item = (u32, Process)> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(move |id| Some((id, process(id)?)).filter(|(_, p)| p.parent == parent))
}

/// How many sessions a server has; it titles their processes by where they come from.
pub(crate) fn count_of_sessions(postmaster: u32) -> usize {
    let title = |id| fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let is_session = |title: String| title.contains("[local]") || title.contains("127.0.0.1(");
    let sessions = children(postmaster).filter(|(id, _)| is_session(title(*id)));
    sessions.count()
}

/// What a process that has ended, or not, has used with all the children that
/// it waited for.
pub(crate) fn of(id: u32) -> u64 {
    process(id).map_or(0, |process| process.own + process.waited_for)
}

/// What a server has used: its first process, all that have ended, and all that
/// run.
pub(crate) fn of_server(postmaster: u32) -> u64 {
    let running = children(postmaster).map(|(_, process)| process.own);
    of(postmaster) + running.sum::<u64>()
}

/// What the whole machine has used, time taken by a hypervisor included.
pub(crate) fn of_machine() -> u64 {
    let stat = fs::read_to_string("/proc/stat").expect("/proc/stat");
    let line = stat.lines().next().unwrap_or_default();
    let times: Vec<u64> = line
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; guests are in user.
    [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|at| times.get(*at))
        .sum()
}

/// The most memory that a running process has had resident, in bytes.
pub(crate) fn peak_memory(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Ticks as seconds.
#[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^53 ticks")]
pub(crate) fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}
