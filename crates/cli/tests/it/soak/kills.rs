//! A round of kills: backups and restores of a busy database, most of them
//! struck by something.
//!
//! What is held: a backup that is listed as good restores to what was in the
//! database when it was made; a run that failed says so; the next one works; a
//! restore that is cut off touches nothing but the database that it makes, which
//! has its own name only when it is whole.

use std::time::{Duration, Instant};

use pgkeep_testkit::SeededRandom;

use super::busy_database::{BusyDatabase, DATABASE};
use super::strike::{Moment, Strike, Victim, held};
use crate::site::{Ran, Site, socket_of};

const BACKUPS: u64 = 7;
const RESTORES: u64 = 5;
/// What a restore calls the database `again` until it is whole.
const UNFINISHED: &str = "again_unfinished_";
const KILLED: i32 = 128 + 9;
/// Failed, interrupted, and interrupted before it could listen.
const FAILED: [i32; 4] = [1, 130, 128 + 2, 128 + 15];
/// The one database is backed up, and the globals are not.
const PARTIAL: i32 = 3;

/// A backup that is listed as good, and what must come out of it.
struct Kept {
    id: String,
    picture: String,
    /// The log is somewhere from the one to the other.
    log: (u64, u64),
}

struct Scene {
    random: SeededRandom,
    database: BusyDatabase,
    site: Site,
    kept: Vec<Kept>,
    identity: &'static [&'static str],
    /// How long a backup and a restore take when they are left alone.
    takes: (Duration, Duration),
    /// What one backup adds to the repository, in bytes.
    adds: u64,
}

/// One round.
pub(super) async fn round(random: SeededRandom) {
    let mut scene = Scene::set(random).await;
    let (mut backups, mut restores) = (BACKUPS, RESTORES);
    while backups + restores > 0 {
        if scene.random.below(backups + restores) < backups {
            backups -= 1;
            scene.database.change(&scene.random).await;
            scene.struck_backup().await;
            if scene.random.below(3) == 0 {
                scene.good_backup().await;
            }
        } else {
            restores -= 1;
            scene.struck_restore().await;
        }
    }
    scene.good_backup().await;
    scene.all_are_what_they_were().await;
    scene.database.cluster.stop().await;
}

impl Scene {
    async fn set(random: SeededRandom) -> Self {
        let database = BusyDatabase::start(&random).await;
        let connection = socket_of(&database.cluster);
        let (more, identity): (&[&str], &[&str]) = match random.below(3) {
            0 => (&["--encryption", "none"], &[]),
            _ => (&[], &["--identity", "recovery.key"]),
        };
        let site = Site::with(&connection, more).await;
        let mut scene = Self {
            random,
            database,
            site,
            kept: Vec::new(),
            identity,
            takes: (Duration::ZERO, Duration::ZERO),
            adds: 0,
        };
        let empty = held(&scene.site);
        let started = Instant::now();
        scene.good_backup().await;
        scene.takes.0 = started.elapsed();
        scene.adds = held(&scene.site) - empty;
        let started = Instant::now();
        scene.restores_to_what_it_was(0, "first").await;
        scene.takes.1 = started.elapsed();
        scene
    }

    /// A backup that nothing keeps from its end.
    async fn good_backup(&mut self) {
        let nobody = Strike {
            victim: Victim::Nobody,
            moment: Moment::After(Duration::ZERO),
            tool: "pg_dump",
        };
        self.backup(nobody).await;
    }

    async fn struck_backup(&mut self) {
        let mut strike = Strike::drawn(&self.random, "pg_dump", self.takes.0);
        if self.random.below(2) == 0 {
            let from = held(&self.site);
            strike.moment = Moment::Held(from + self.random.below(self.adds));
        }
        self.backup(strike).await;
    }

    async fn backup(&mut self, strike: Strike) {
        let before = self.site.good().await;
        let picture = self.database.picture(DATABASE).await;
        let low = self.database.log(DATABASE).await;
        self.database.start_writing().await;
        let arguments = ["backup", "main", "--database", DATABASE];
        let ran = strike.run(&self.site, &mut self.database, &arguments).await;
        self.recover(strike).await;
        let high = self.database.log(DATABASE).await;

        let mut after = self.site.good().await;
        assert!(
            before.iter().all(|id| after.contains(id)),
            "{strike:?}: a good backup is gone: {before:?} {after:?}"
        );
        after.retain(|id| !before.contains(id));
        tell(strike, &ran);
        let may_be = match ran.code() {
            0 => 1..=1,
            PARTIAL => {
                assert!(
                    ran.stderr.contains("globals: FAILED"),
                    "{strike:?}: {ran:?}"
                );
                1..=1
            }
            // Between the commit and the program's end.
            KILLED => 0..=1,
            code if FAILED.contains(&code) => 0..=0,
            _ => panic!("{strike:?}: {ran:?}"),
        };
        assert!(
            may_be.contains(&after.len()),
            "{strike:?}: {after:?} {ran:?}"
        );
        assert!(
            strike.victim != Victim::Nobody || ran.code() == 0,
            "{strike:?}: {ran:?}"
        );
        says_why(strike, &ran);
        self.kept.extend(after.into_iter().map(|id| Kept {
            id,
            picture: picture.clone(),
            log: (low, high),
        }));
    }

    async fn struck_restore(&mut self) {
        let strike = Strike::drawn(&self.random, "pg_restore", self.takes.1);
        let at = usize::try_from(self.random.below(self.kept.len() as u64)).unwrap();
        let name = "again";
        let before = self.database.databases().await;
        let picture = self.database.picture(DATABASE).await;
        self.database.start_writing().await;
        let id = self.kept[at].id.clone();
        let arguments = ["restore", "main", "--backup", &id, "--as", name];
        let arguments = [&arguments, self.identity].concat();
        let ran = strike.run(&self.site, &mut self.database, &arguments).await;
        self.recover(strike).await;

        let (new, rest): (Vec<String>, Vec<String>) = self
            .database
            .databases()
            .await
            .into_iter()
            .partition(|database| database == name || database.starts_with(UNFINISHED));
        tell(strike, &ran);
        assert_eq!(rest, before, "{strike:?}: {ran:?}");
        assert_eq!(self.database.picture(DATABASE).await, picture, "{strike:?}");
        self.database.log(DATABASE).await;
        let code = ran.code();
        assert!(
            [0, KILLED].contains(&code) || FAILED.contains(&code),
            "{strike:?}: {ran:?}"
        );
        assert!(
            strike.victim != Victim::Nobody || code == 0,
            "{strike:?}: {ran:?}"
        );
        says_why(strike, &ran);
        assert!(code != 0 || new == [name], "{strike:?}: {new:?} {ran:?}");
        for found in &new {
            if found == name {
                // Whatever was said: under its own name it is whole.
                self.is_what_it_was(at, name).await;
            } else {
                let told = ran.stderr.contains(found.as_str());
                assert!(told || code == KILLED, "{strike:?}: {found} {ran:?}");
            }
            self.database.drop(found).await;
        }
        self.restores_to_what_it_was(at, name).await;
    }

    /// Lets the server come back and pgkeep find it.
    async fn recover(&mut self, strike: Strike) {
        let killed = strike.victim == Victim::Postmaster;
        self.database.recover(killed).await;
        let connection = socket_of(&self.database.cluster);
        self.site.set("PGKEEP_DATABASE_URL", connection);
    }

    async fn restores_to_what_it_was(&self, at: usize, name: &str) {
        let arguments = [
            "restore",
            "main",
            "--backup",
            &self.kept[at].id,
            "--as",
            name,
        ];
        let arguments = [&arguments, self.identity].concat();
        self.site.run(&arguments).await.ended(0);
        self.is_what_it_was(at, name).await;
        self.database.drop(name).await;
    }

    async fn is_what_it_was(&self, at: usize, name: &str) {
        let kept = &self.kept[at];
        let found = self.database.picture(name).await;
        assert_eq!(found, kept.picture, "backup {}", kept.id);
        let log = self.database.log(name).await;
        let (low, high) = kept.log;
        assert!(
            (low..=high).contains(&log),
            "{log} is not in {low}..={high}"
        );
    }

    async fn all_are_what_they_were(&self) {
        let listed = self.site.good().await;
        let mut known: Vec<&str> = self.kept.iter().map(|kept| kept.id.as_str()).collect();
        known.sort_unstable();
        let mut listed: Vec<&str> = listed.iter().map(String::as_str).collect();
        listed.sort_unstable();
        assert_eq!(listed, known);
        for at in 0..self.kept.len() {
            self.restores_to_what_it_was(at, "checked").await;
        }
    }
}

fn tell(strike: Strike, ran: &Ran) {
    let Strike {
        victim,
        moment,
        tool,
    } = strike;
    println!("  {tool}: {victim:?}, {moment:?}: exit code {}", ran.code());
}

/// Whoever failed names the database or the backup.
fn says_why(strike: Strike, ran: &Ran) {
    let died_silently = ran.code() > 128 && ran.code() != 130;
    if ran.code() != 0 && !died_silently {
        let names = ["\"app\"", "\"again\"", "backup "];
        let named = names.iter().any(|name| ran.stderr.contains(name));
        assert!(
            named && ran.stderr.contains("error:"),
            "{strike:?}: {ran:?}"
        );
    }
}
