//! The calm days: two databases, a repository, and a backup each evening.

use pgkeep_postgres::client::literal;
use serde::{Deserialize, Serialize};

use super::{Contents, RECOVERY_KEY, Scene};
use crate::commands::demo::error::DemoError;
use crate::commands::demo::fingerprint::Fingerprint;
use crate::commands::demo::sample::{LIBRARY, SHOP, Sample};
use crate::commands::demo::teller::count;
use crate::words::{self, Align};

/// A backup as `pgkeep list --json` tells it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::commands::demo) struct Listed {
    pub(in crate::commands::demo) id: Option<String>,
    pub(in crate::commands::demo) database: Option<String>,
    status: String,
    pub(in crate::commands::demo) raw_bytes: Option<u64>,
    pub(in crate::commands::demo) stored_bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Listing {
    backups: Vec<Listed>,
}

impl Scene<'_> {
    /// Fills two databases, and tells what is in them.
    pub(in crate::commands::demo) async fn something_to_lose(&self) -> Result<Contents, DemoError> {
        self.teller.chapter("1. Something to lose");
        self.teller.sentences(format_args!(
            "PostgreSQL {} runs for this story alone and keeps two databases, with triggers, \
             partitions, jsonb, large objects and umlauts in them, as life has it.",
            self.postgres
        ));
        tokio::try_join!(self.cluster.create(&SHOP), self.cluster.create(&LIBRARY))?;
        let contents = self.contents().await?;
        let rows = [
            self.describe(&SHOP, &contents.shop).await?,
            self.describe(&LIBRARY, &contents.library).await?,
        ];
        let headings = [
            ("DATABASE", Align::Left),
            ("", Align::Left),
            ("TABLES", Align::Right),
            ("ROWS", Align::Right),
            ("ON DISK", Align::Right),
        ];
        self.teller.table(&headings, &rows);
        Ok(contents)
    }

    async fn describe(
        &self,
        sample: &Sample,
        held: &Fingerprint,
    ) -> Result<Vec<String>, DemoError> {
        let session = self.cluster.connect(sample.database).await?;
        let question = format!(
            "SELECT pg_catalog.pg_database_size({}) AS size",
            literal(sample.database)
        );
        let row = session.query_one(&question, &[]).await?;
        let size: i64 = session.column(&row, "size")?;
        Ok(vec![
            sample.database.to_owned(),
            sample.what.to_owned(),
            held.tables().to_string(),
            count(held.rows()),
            words::size(size.unsigned_abs()),
        ])
    }

    /// Makes a repository and its keys.
    pub(in crate::commands::demo) async fn repository_and_keys(&self) -> Result<(), DemoError> {
        self.teller.chapter("2. A repository, and its keys");
        self.teller.sentences(
            "Backups are sealed to a recovery key that belongs offline. The folder usb-stick \
             stands in for that here.",
        );
        let connection = self.cluster.connection_text();
        let arguments = [
            ["init", "--repository", "backups"].as_slice(),
            &["--recovery-key-file", RECOVERY_KEY],
            &["--connection", &connection],
        ];
        self.typist.show(&arguments.concat()).await?.expect(0)?;
        Ok(())
    }

    /// Backs both databases up.
    pub(in crate::commands::demo) async fn first_backup(&self) -> Result<(), DemoError> {
        self.teller.chapter("3. The first evening");
        self.back_up().await
    }

    /// Lets a day go by; tells what both databases hold after it.
    pub(in crate::commands::demo) async fn a_day_goes_by(
        &self,
        before: &Contents,
    ) -> Result<Contents, DemoError> {
        self.teller.chapter("4. A day goes by");
        self.teller
            .sentences("The shop sells and changes a price, the library lends. New rows:");
        tokio::try_join!(self.cluster.change(&SHOP), self.cluster.change(&LIBRARY))?;
        let after = self.contents().await?;
        self.tell_changes(&SHOP, &before.shop, &after.shop)?;
        self.tell_changes(&LIBRARY, &before.library, &after.library)?;
        Ok(after)
    }

    fn tell_changes(
        &self,
        sample: &Sample,
        before: &Fingerprint,
        after: &Fingerprint,
    ) -> Result<(), DemoError> {
        if before.differences(after).is_empty() {
            return Err(DemoError::Unchanged {
                database: sample.database,
            });
        }
        let tables = before.parts.iter().filter(|part| part.is_table);
        let grown = tables.filter_map(|old| {
            let new = after.parts.iter().find(|new| new.name == old.name)?;
            let more = new.count.checked_sub(old.count).filter(|more| *more > 0)?;
            Some(format!("{} +{}", old.name, count(more)))
        });
        let grown: Vec<String> = grown.collect();
        let told = format!("{:<8}  {}", sample.database, grown.join(", "));
        self.teller.outcome(&told, &" ".repeat(10));
        Ok(())
    }

    /// Backs both databases up again and shows the list; tells what is in it.
    pub(in crate::commands::demo) async fn second_backup(&self) -> Result<Vec<Listed>, DemoError> {
        self.teller.chapter("5. The second evening");
        self.back_up().await?;
        self.teller.pause();
        self.typist.show(&["list"]).await?.expect(0)?;
        let listed = self.list().await?;
        for sample in [&SHOP, &LIBRARY] {
            let good = |backup: &&Listed| {
                backup.status == "complete" && backup.database.as_deref() == Some(sample.database)
            };
            let found = listed.iter().filter(good).count();
            if found != 2 {
                return Err(DemoError::Listed {
                    database: sample.database,
                    found,
                    expected: 2,
                });
            }
        }
        Ok(listed)
    }

    async fn back_up(&self) -> Result<(), DemoError> {
        let arguments = [
            ["backup", "main", "--kind", "dump"].as_slice(),
            &["--database", SHOP.database],
            &["--database", LIBRARY.database],
        ];
        self.typist.show(&arguments.concat()).await?.expect(0)?;
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Listed>, DemoError> {
        let typed = self.typist.ask(&["list", "--json"]).await?.expect(0)?;
        let listing: Listing =
            serde_json::from_str(&typed.lines.join("\n")).map_err(|source| DemoError::Printed {
                command: typed.command,
                source,
            })?;
        Ok(listing.backups)
    }
}
