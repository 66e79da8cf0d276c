//! The end of a server's log, for messages.

use std::path::Path;

/// How many lines a message repeats.
const TOLD: usize = 8;

/// The last lines of a text that are not empty, without places in a server's source.
pub(super) fn last_lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.contains("] LOCATION:  "))
        .collect();
    lines[lines.len().saturating_sub(TOLD)..]
        .iter()
        .map(|&line| line.to_owned())
        .collect()
}

/// The last lines of a file; none where it cannot be read.
pub(super) fn last_lines_of(path: &Path) -> Vec<String> {
    std::fs::read(path).map_or_else(|_| Vec::new(), |text| last_lines(&text))
}
