//! Figures as a table of plain text.
//!
//! Invariant: a cell is a median over the rounds; a ratio is the median of the ratios
//! within each round, since a machine's pace changes between rounds.

use crate::clock::Cost;

/// A way to do the job, and what it came to in each round.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The ratio to the first row's wall time that is to be kept to.
    pub(crate) goal: Option<f64>,
    pub(crate) costs: Vec<Cost>,
    /// What it stored or read, in bytes, and in how many requests.
    pub(crate) bytes: Option<u64>,
    pub(crate) requests: Option<u64>,
}

impl Row {
    pub(crate) fn new(name: &'static str, goal: Option<f64>) -> Self {
        Self {
            name,
            goal,
            costs: Vec::new(),
            bytes: None,
            requests: None,
        }
    }
}

/// Prints a table; the first row is what the others are compared to.
pub(crate) fn print(title: &str, rows: &[Row]) {
    println!("\n{title}");
    println!(
        "  {:38} {:>7} {:>6} {:>14} {:>7} {:>6} {:>10} {:>9}",
        "", "wall s", "ratio", "goal", "cpu s", "ratio", "MB", "requests"
    );
    let first = &rows[0].costs;
    for row in rows {
        let ratio = |of: fn(&Cost) -> f64| {
            let pairs = row.costs.iter().zip(first);
            median(pairs.map(|(cost, first)| of(cost) / of(first).max(0.01)))
        };
        let wall = ratio(|cost| cost.wall);
        let goal = row.goal.map_or_else(String::new, |goal| {
            let verdict = if wall <= goal { "met" } else { "missed" };
            format!("<= {goal:.2} {verdict}")
        });
        println!(
            "  {:38} {:>7.2} {:>6.2} {:>14} {:>7.2} {:>6.2} {:>10} {:>9}",
            row.name,
            median(row.costs.iter().map(|cost| cost.wall)),
            wall,
            goal,
            median(row.costs.iter().map(|cost| cost.processor)),
            ratio(|cost| cost.processor),
            row.bytes.map_or_else(String::new, megabytes),
            row.requests
                .map_or_else(String::new, |count| count.to_string()),
        );
    }
}

/// Bytes as millions of them.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes / 100_000 % 10)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}
