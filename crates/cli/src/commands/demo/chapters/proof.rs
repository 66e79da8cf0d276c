//! The proof of a backup, and one that is worth nothing.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use pgkeep_config::FILE_NAME;

use super::{Listed, RECOVERY_KEY, Scene};
use crate::commands::demo::error::DemoError;
use crate::commands::demo::sample::{LIBRARY, SHOP};
use crate::commands::demo::typed::Typed;

/// What is asked of restored databases.
const QUESTIONS: &str = "\n[cluster.main.prove]\nqueries = [\n  \
    { database = \"shop\", sql = \"select count(*) from orders\", min = 1000 },\n  \
    { database = \"library\", sql = \"select count(*) > 0 from loans\" },\n]\n";

impl Scene<'_> {
    /// Proves the shop's newest backup.
    pub(in crate::commands::demo) async fn proof(&self, stage: &Path) -> Result<(), DemoError> {
        self.teller.chapter("10. The proof");
        self.teller.sentences(
            "Nobody wants to find out on the day. This restores the newest backup into a server \
             of its own, compares it, and asks what the configuration has:",
        );
        for line in QUESTIONS.trim().lines() {
            self.teller.outcome(line, "  ");
        }
        self.teller.pause();
        let file = stage.join(FILE_NAME);
        change(&file, |file| {
            file.seek(SeekFrom::End(0))?;
            file.write_all(QUESTIONS.as_bytes())
        })?;
        let proved = self.prove(SHOP.database).await?.expect(0)?;
        proved.expect_said("proven")?;
        Ok(())
    }

    /// Damages the library's newest backup, which must be noticed.
    pub(in crate::commands::demo) async fn sabotage(
        &self,
        stage: &Path,
        backups: &[Listed],
    ) -> Result<(), DemoError> {
        self.teller.chapter("11. A backup that is worth nothing");
        self.teller.sentences(
            "One bit of the library's newest backup flips on the disk. It is still listed, with \
             the right size. Is it still a backup?",
        );
        let newest = backups
            .iter()
            .rfind(|b| b.database.as_deref() == Some(LIBRARY.database));
        let backup = newest.and_then(|newest| newest.id.as_deref());
        let backup = backup.unwrap_or_default();
        let pack = format!("backups/main/backups/{backup}/packs/0");
        change(&stage.join(&pack), |file| {
            let mut byte = [0];
            let middle = file.seek(SeekFrom::End(0))? / 2;
            file.seek(SeekFrom::Start(middle))?;
            file.read_exact(&mut byte)?;
            file.seek(SeekFrom::Start(middle))?;
            file.write_all(&[byte[0] ^ 1])
        })?;
        let refused = self.prove(LIBRARY.database).await?.expect(1)?;
        refused
            .expect_said("FAILED")?
            .expect_said(&pack_of(&pack))?;
        self.teller.seen("exit code 1, and the object is named");
        self.teller.pause();
        let listed = self.typist.show(&["list"]).await?.expect(1)?;
        listed.expect_said("DAMAGED")?;
        self.teller
            .seen("no restore takes it unasked, and no backup builds on it");
        Ok(())
    }

    async fn prove(&self, database: &str) -> Result<Typed, DemoError> {
        let arguments = ["prove", "main", "--database", database];
        let with = ["--identity", RECOVERY_KEY, "--scratch", "."];
        self.typist.show(&[&arguments[..], &with].concat()).await
    }
}

/// The object's name in the repository.
fn pack_of(path: &str) -> String {
    path.trim_start_matches("backups/").to_owned()
}

fn change(
    path: &Path,
    change: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<(), DemoError> {
    let opened = std::fs::File::options().read(true).write(true).open(path);
    let changed = opened.and_then(|mut file| change(&mut file));
    changed.map_err(|source| DemoError::Stage {
        what: "change",
        path: path.to_owned(),
        source,
    })
}
