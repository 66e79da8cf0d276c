//! The disaster, who is refused, and the way back.

use std::time::Duration;

use super::{Contents, RECOVERY_KEY, Scene};
use crate::commands::demo::error::DemoError;
use crate::commands::demo::fingerprint::{Fingerprint, Part};
use crate::commands::demo::sample::{LIBRARY, SHOP, Sample};
use crate::commands::demo::teller::{EQUAL, count, short};
use crate::words::Align;

/// What `pgkeep restore` says of a repository that it has no key for.
const REFUSAL: &str = "give the recovery key";

/// A database that came back as it was.
#[derive(Clone, Debug)]
pub(in crate::commands::demo) struct Return {
    pub(in crate::commands::demo) database: &'static str,
    pub(in crate::commands::demo) restored_as: String,
    pub(in crate::commands::demo) before: Fingerprint,
    pub(in crate::commands::demo) after: Fingerprint,
    pub(in crate::commands::demo) took: Duration,
}

impl Scene<'_> {
    /// Drops a database.
    pub(in crate::commands::demo) async fn disaster(&self) -> Result<(), DemoError> {
        self.teller.chapter("6. The disaster");
        self.teller
            .sentences("Somebody means the test server, and is in the wrong window.");
        let statement = format!("DROP DATABASE {};", SHOP.database);
        self.teller.statement(&statement);
        self.cluster.administer(&statement).await?;
        self.cluster.expect_database(SHOP.database, false).await?;
        self.teller.seen("the shop is gone");
        Ok(())
    }

    /// Tries to restore without the recovery key, which must not succeed.
    pub(in crate::commands::demo) async fn refused_without_key(&self) -> Result<(), DemoError> {
        let shop = SHOP.database;
        self.teller.chapter("7. What this host alone cannot do");
        self.teller.sentences(
            "It writes backups but cannot read them, and neither can whoever breaks into it. \
             Without the recovery key its owner is refused as well.",
        );
        let arguments = ["restore", "main", "--database", shop, "--as", shop];
        let refused = self.typist.show(&arguments).await?.expect(1)?;
        refused.expect_said(REFUSAL)?;
        self.cluster.expect_database(shop, false).await?;
        self.teller.seen("exit code 1, and no database was made");
        Ok(())
    }

    /// Restores the database that was dropped under its own name.
    pub(in crate::commands::demo) async fn the_way_back(
        &self,
        before: &Contents,
    ) -> Result<Return, DemoError> {
        self.teller.chapter("8. The way back");
        let back = self
            .restore(&SHOP, &before.shop, Some(SHOP.database))
            .await?;
        self.teller
            .sentences("\nIs it the same? By plain SQL, before the disaster and now:");
        let row = |(before, after): (&Part, &Part)| {
            vec![
                before.name.clone(),
                count(after.count),
                short(&before.checksum).to_owned(),
                short(&after.checksum).to_owned(),
                EQUAL.to_owned(),
            ]
        };
        let parts = before.shop.parts.iter().zip(&back.after.parts);
        let rows: Vec<Vec<String>> = parts.map(row).collect();
        let headings = [
            ("", Align::Left),
            ("COUNT", Align::Right),
            ("BEFORE", Align::Left),
            ("NOW", Align::Left),
            ("", Align::Left),
        ];
        self.teller.table(&headings, &rows);
        Ok(back)
    }

    /// Restores the other one beside itself.
    pub(in crate::commands::demo) async fn beside_itself(
        &self,
        before: &Contents,
    ) -> Result<Return, DemoError> {
        self.teller.chapter("9. A rehearsal");
        self.teller.sentences(
            "Without --as a restore takes a new name, so that the library can be tried out while \
             people read in it.",
        );
        let back = self.restore(&LIBRARY, &before.library, None).await?;
        self.same(LIBRARY.database, &before.library).await?;
        self.teller
            .seen("equal as well, and the library itself was not touched");
        Ok(back)
    }

    /// Restores from the newest backup and compares.
    async fn restore(
        &self,
        sample: &Sample,
        before: &Fingerprint,
        name: Option<&str>,
    ) -> Result<Return, DemoError> {
        let mut arguments = vec!["restore", "main", "--database", sample.database];
        arguments.extend(name.map(|name| ["--as", name]).into_iter().flatten());
        arguments.extend(["--identity", RECOVERY_KEY]);
        let restored = self.typist.show(&arguments).await?.expect(0)?;
        // The name is what restore prints, after all else that it has to say.
        let restored_as = restored.last_line().to_owned();
        let after = self.same(&restored_as, before).await?;
        Ok(Return {
            database: sample.database,
            restored_as,
            before: before.clone(),
            after,
            took: restored.took,
        })
    }

    /// Fails unless a database holds what it should.
    async fn same(&self, database: &str, before: &Fingerprint) -> Result<Fingerprint, DemoError> {
        let now = self.contents_of(database).await?;
        let differences = before.differences(&now);
        if differences.is_empty() {
            return Ok(now);
        }
        Err(DemoError::Differs {
            database: database.to_owned(),
            differences,
        })
    }
}
