//! Figures as a table of plain text.
//!
//! Invariant: a cell is a median over the rounds; a ratio is the median of the
//! ratios within each round, since a machine's pace changes between rounds.

use crate::subject::{Figures, Measured};

const HEADINGS: [&str; 10] = [
    "",
    "wall s",
    "from-to",
    "ratio",
    "goal",
    "programs s",
    "server s",
    "others",
    "stored MB",
    "peak MB",
];

/// Prints one table.
pub(crate) fn print(title: &str, measured: &[Measured], notes: &[String]) {
    println!("\n{title}");
    let headings = HEADINGS.map(str::to_owned).to_vec();
    let floor = measured.first().map_or(&[][..], |floor| &floor.rounds);
    let lines = measured.iter().map(|measured| line(measured, floor));
    let lines: Vec<Vec<String>> = [headings].into_iter().chain(lines).collect();
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    for line in &lines {
        let mut text = String::new();
        for (column, cell) in line.iter().enumerate() {
            let width = width(column);
            match column {
                0 => text += &format!("  {cell:width$}"),
                _ => text += &format!("  {cell:>width$}"),
            }
        }
        println!("{}", text.trim_end());
    }
    for note in notes {
        println!("  {note}");
    }
}

fn line(measured: &Measured, floor: &[Figures]) -> Vec<String> {
    let rounds = &measured.rounds;
    let walls = || rounds.iter().map(|figures| figures.cost.wall);
    let ratio = median(
        walls()
            .zip(floor)
            .map(|(wall, floor)| wall / floor.cost.wall),
    );
    let of = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure));
    let stored = rounds.last().and_then(|figures| figures.stored);
    let peak = rounds.iter().map(|figures| figures.cost.peak).max();
    let goal = measured.goal.map(|goal| {
        let verdict = if ratio <= goal { "met" } else { "missed" };
        format!("<= {goal:.2} {verdict}")
    });
    vec![
        measured.name.to_owned(),
        format!("{:.2}", median(walls())),
        format!(
            "{:.2}-{:.2}",
            walls().fold(f64::INFINITY, f64::min),
            walls().fold(0.0, f64::max)
        ),
        format!("{ratio:.2}"),
        goal.unwrap_or_default(),
        format!("{:.2}", of(|figures| figures.cost.programs)),
        format!("{:.2}", of(|figures| figures.cost.server)),
        format!("{:.2}", of(|figures| figures.cost.others)),
        stored.map(megabytes).unwrap_or_default(),
        peak.filter(|peak| *peak > 0)
            .map(megabytes)
            .unwrap_or_default(),
    ]
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
