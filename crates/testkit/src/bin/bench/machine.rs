//! Where the figures come from: the machine, and the versions of everything.

use std::fs;
use std::process::Command;

use crate::place::Place;
use crate::server::Server;

/// Tells the machine and the programs.
pub(crate) fn tell(server: &Server, place: &Place) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_default();
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let memory = memory.trim_end_matches(" kB").parse().unwrap_or(0_u64) >> 20;
    let kernel = read("/proc/sys/kernel/osrelease");
    println!("machine   {cores} cores ({processor}), {memory} GiB, Linux {kernel}");
    let postgres = server.sql("postgres", "SHOW server_version");
    let mut programs = vec![format!("PostgreSQL {postgres}")];
    programs.push(first_line(Command::new(place.program()).arg("--version")));
    programs.push(first_line(Command::new("gzip").arg("--version")));
    let zstd = first_line(Command::new("zstd").args(["-q", "--version"]));
    programs.push(format!("zstd {zstd}"));
    println!("programs  {}", programs.join(", "));
    tell_load();
}

/// Tells how busy the machine is, with this and everything else.
pub(crate) fn tell_load() {
    let loads = read("/proc/loadavg");
    let loads: Vec<&str> = loads.split(' ').take(3).collect();
    println!("load avg  {}", loads.join(" "));
}

/// Whether a program is there.
pub(crate) fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

fn first_line(command: &mut Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(told) => {
            let told = String::from_utf8_lossy(&told.stdout).into_owned();
            told.lines().next().unwrap_or_default().trim().to_owned()
        }
        Err(error) => format!("no {program} ({error})"),
    }
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn read(file: &str) -> String {
    fs::read_to_string(file)
        .unwrap_or_default()
        .trim()
        .to_owned()
}
