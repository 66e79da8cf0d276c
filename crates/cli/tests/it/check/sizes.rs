//! Sizes and rows that are out of line with what was before.

use std::fs;

use super::{hours_ago, says, shelf};
use crate::keeping::shelf::{APP, Dump, Shelf};

const USUAL: Dump<'_> = Dump {
    rows: &[("orders", 1000), ("queue", 5), ("users", 200)],
    ..APP
};

impl Shelf {
    /// Three nights, and this one nine hours ago.
    async fn nights_and(&self, last: Dump<'_>) {
        for night in [3, 2, 1] {
            self.dump(USUAL, &hours_ago(&self.site, 24 * night)).await;
        }
        self.dump(last, &hours_ago(&self.site, 9)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_emptied_is_critical_and_one_that_has_lost_much_warns() {
    let (cluster, shelf) = shelf("").await;
    let fewer = Dump {
        rows: &[("orders", 499), ("queue", 0)],
        ..USUAL
    };
    shelf.nights_and(fewer).await;
    says(
        shelf.check(&[]).await,
        1,
        &[
            "table public.orders of database \"app\" has 499 rows, where 1000 are usual",
            "table public.users of database \"app\" is gone, where 200 rows are usual",
        ],
    );
    says(
        shelf
            .check(&["--max-shrink", "51%", "--min-rows", "201"])
            .await,
        0,
        &["main: OK"],
    );
    let emptied = Dump {
        rows: &[("orders", 0), ("queue", 9), ("users", 200)],
        ..USUAL
    };
    shelf.dump(emptied, &hours_ago(&shelf.site, 8)).await;
    let ran = says(
        shelf.check(&[]).await,
        2,
        &[
            "main: CRITICAL: table public.orders of database \"app\" is empty, where 1000 rows are \
         usual",
        ],
    );
    assert!(!ran.stdout.contains("queue"), "{ran:#?}");
    // The next night it is still told.
    shelf.dump(emptied, &hours_ago(&shelf.site, 7)).await;
    says(shelf.check(&[]).await, 2, &["public.orders"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_shrinks_to_next_to_nothing_or_grows_out_of_line_is_told() {
    let (cluster, shelf) = shelf("").await;
    let of = |bytes| Dump { bytes, ..USUAL };
    shelf.nights_and(of(20_000)).await;
    says(
        shelf.check(&[]).await,
        2,
        &["the newest backup of database \"app\" has 19.5 KiB, where 293 KiB are usual"],
    );
    shelf.dump(of(120_000), &hours_ago(&shelf.site, 8)).await;
    says(
        shelf.check(&[]).await,
        1,
        &["has 117 KiB, where 293 KiB are usual"],
    );
    says(
        shelf.check(&["--max-shrink", "61%"]).await,
        0,
        &["main: OK"],
    );
    shelf.dump(of(20_000_000), &hours_ago(&shelf.site, 7)).await;
    says(
        shelf.check(&[]).await,
        1,
        &["has 19.1 MiB, where 293 KiB are usual"],
    );
    says(
        shelf.check(&["--max-growth", "10000%"]).await,
        0,
        &["main: OK"],
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_before_the_newest_that_are_damaged_are_told() {
    let (cluster, shelf) = shelf("").await;
    shelf.nights_and(USUAL).await;
    says(shelf.check(&[]).await, 0, &["main: OK"]);
    let backups = shelf.site.repository_files().into_iter();
    let mut facts = backups.filter(|path| path.ends_with("facts"));
    let oldest = facts.next().unwrap();
    let whole = fs::read(&oldest).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&oldest, flipped).unwrap();
    says(
        shelf.check(&[]).await,
        1,
        &[
            "WARNING: backup ",
            "not looked at: rows",
            "of the facts of the backups before, 1 cannot be read",
        ],
    );
    cluster.stop().await;
}
