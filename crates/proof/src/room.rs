//! Room on the disk and in memory, looked at before anything is made.
//!
//! Invariant: what does not tell is no reason to refuse.

use std::path::Path;

use pgkeep_format::records::{BackupRecord, DumpFacts};
use pgkeep_postgres::server::free_bytes;
use pgkeep_types::size;

/// What an empty server takes on the disk, with the WAL that it may keep.
const EMPTY_SERVER: u64 = 256 << 20;
/// What a server takes in memory, with what `pg_restore` and we take.
const MEMORY: u64 = 384 << 20;

/// How many bytes a restore of the backup takes, about.
pub(crate) fn needed(backup: &BackupRecord, facts: &DumpFacts) -> u64 {
    // An archive has no indexes, and is not compressed as large values are.
    let of_archive = backup.raw_bytes.saturating_mul(2);
    let database = match backup.selected {
        true => facts.database.size.min(of_archive),
        false => facts.database.size,
    };
    database.saturating_add(EMPTY_SERVER)
}

/// What is found, or why it is not enough.
pub(crate) fn look(scratch: &Path, needed: u64) -> Result<String, String> {
    let place = scratch.display();
    let free = match free_bytes(scratch) {
        Ok(free) => free,
        Err(error) => return Err(format!("{place} cannot be used: {error}")),
    };
    if let Some(free) = free.filter(|free| *free < needed) {
        return Err(format!(
            "{place} has {} free, and the restore takes about {}",
            size(free),
            size(needed)
        ));
    }
    let memory = available_memory();
    if let Some(memory) = memory.filter(|memory| *memory < MEMORY) {
        return Err(format!(
            "{} of memory are available, and a throwaway server takes about {}",
            size(memory),
            size(MEMORY)
        ));
    }
    let told = |bytes: Option<u64>| bytes.map_or_else(|| "an unknown amount".to_owned(), size);
    Ok(format!(
        "{} free in {place}, about {} needed; {} of memory available",
        told(free),
        size(needed),
        told(memory)
    ))
}

/// The memory that can be had (proc(5), "/proc/meminfo"), or that is left of what a
/// container may have (the kernel's cgroup-v2.rst), whichever is less.
fn available_memory() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let of_machine = read("/proc/meminfo").and_then(|text| of_meminfo(&text));
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    let most = number("/sys/fs/cgroup/memory.max");
    let used = number("/sys/fs/cgroup/memory.current");
    // What is cached can be given back.
    let cached = read("/sys/fs/cgroup/memory.stat").and_then(|text| of_stat(&text));
    let of_container = most.zip(used).map(|(most, used)| {
        let used = used.saturating_sub(cached.unwrap_or(0));
        most.saturating_sub(used)
    });
    [of_machine, of_container].into_iter().flatten().min()
}

fn of_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn of_stat(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix("inactive_file "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_told_with_the_place_and_both_amounts() {
        let here = Path::new(".");
        assert!(look(here, 1).unwrap().contains("about 1 B needed"));
        let told = look(here, u64::MAX).unwrap_err();
        assert!(told.starts_with(". has "), "{told}");
        assert!(told.ends_with("and the restore takes about 16.0 EiB"));
        let told = look(Path::new("/nowhere"), 1).unwrap_err();
        assert!(told.starts_with("/nowhere cannot be used"), "{told}");
    }

    #[test]
    fn memory_is_read_in_the_kernels_words() {
        let text = "MemTotal:  2000 kB\nMemAvailable:    1000 kB\n";
        assert_eq!(of_meminfo(text), Some(1_024_000));
        assert_eq!(of_stat("anon 5\ninactive_file 7\n"), Some(7));
    }
}
