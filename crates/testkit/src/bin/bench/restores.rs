//! Restores: pgkeep beside `pg_restore` of a file, and an archive in a file
//! beside the same bytes written and synced.
//!
//! Invariant: every restored database has the fingerprint of the dumped one.

use std::fs::File;
use std::io::Write;
use std::process::Command;

use crate::dumps::Made;
use crate::load::{Load, fingerprint};
use crate::measure::{Measuring, Ran};
use crate::place::{Place, Site};
use crate::server::{DATABASE, Server};
use crate::subject::{Figures, Subject, in_turns};
use crate::table;

const NEW: &str = "restored";
const ARCHIVE: &str = "archive.dump";
const WRITTEN: &str = "written.dump";
/// How much the floor writes at a time, in bytes.
const BLOCK: usize = 1 << 20;

/// Measures all of them and prints the tables.
pub(crate) fn measure(
    measuring: &Measuring<'_>,
    place: &Place,
    load: &Load,
    made: &Made<'_>,
    rounds: usize,
) {
    let restores = Restores {
        measuring,
        place,
        load,
    };
    restores.write_archive();
    let databases = vec![
        Subject::new("pg_restore of an uncompressed file", |_| {
            restores.by_pg_restore(ARCHIVE)
        }),
        Subject::new("pg_restore of a file of pg_dump -Fc", |_| {
            restores.by_pg_restore(made.custom)
        }),
        Subject::new("pgkeep restore, sealed", |_| {
            restores.by_pgkeep(&made.sealed, KEY)
        }),
        Subject::new("pgkeep restore, unencrypted", |_| {
            restores.by_pgkeep(&made.open, &[])
        }),
    ];
    table::print(
        "restores into a new database",
        &in_turns(databases, rounds),
        &[],
    );
    let files = vec![
        Subject::new("the same bytes, written and synced", |_| restores.written()),
        Subject::new("pgkeep restore --to-file, sealed", |_| {
            restores.to_file(&made.sealed, KEY)
        }),
        Subject::new("pgkeep restore --to-file, unencrypted", |_| {
            restores.to_file(&made.open, &[])
        }),
    ];
    table::print("archives into a file", &in_turns(files, rounds), &[]);
}

const KEY: &[&str] = &["--identity", "recovery.key"];

struct Restores<'a> {
    measuring: &'a Measuring<'a>,
    place: &'a Place,
    load: &'a Load,
}

impl Restores<'_> {
    fn server(&self) -> &Server {
        self.measuring.server
    }

    fn write_archive(&self) {
        let mut dump = self.server().program("pg_dump", DATABASE);
        dump.args(["--format=custom", "--compress=0", "--file"]);
        let ended = dump.arg(self.place.path(ARCHIVE)).status();
        assert!(ended.expect("pg_dump").success());
        assert_eq!(self.place.size(ARCHIVE), self.load.archive);
    }

    /// Into a database that is made beforehand, which takes no time to speak of.
    fn by_pg_restore(&self, file: &str) -> Figures {
        let make = || {
            self.server()
                .sql("postgres", &format!("CREATE DATABASE {NEW}"))
        };
        let run = |measuring: &Measuring<'_>| {
            make();
            let mut restore = self.server().program("pg_restore", NEW);
            restore.args(["--exit-on-error", "--dbname", NEW]);
            restore.arg(self.place.path(file));
            measuring.program(restore)
        };
        self.compared(&self.measuring.measure(run, || self.drop()))
    }

    fn by_pgkeep(&self, site: &Site<'_>, key: &[&str]) -> Figures {
        let restore = ["restore", "main", "--database", DATABASE, "--as", NEW];
        let command = || site.command(&[&restore[..], key].concat());
        let run = |measuring: &Measuring<'_>| measuring.program(command());
        self.compared(&self.measuring.measure(run, || self.drop()))
    }

    fn compared(&self, ran: &Ran) -> Figures {
        let restored = fingerprint(self.server(), NEW);
        assert_eq!(restored, self.load.fingerprint, "what was restored differs");
        self.drop();
        Figures {
            cost: ran.cost,
            stored: None,
        }
    }

    fn drop(&self) {
        self.server()
            .sql("postgres", &format!("DROP DATABASE {NEW}"));
    }

    fn to_file(&self, site: &Site<'_>, key: &[&str]) -> Figures {
        let file = self.place.path(WRITTEN);
        let file = file.to_str().expect("UTF-8");
        let restore = ["restore", "main", "--database", DATABASE, "--to-file", file];
        let command = || -> Command { site.command(&[&restore[..], key].concat()) };
        let run = |measuring: &Measuring<'_>| measuring.program(command());
        let undo = || self.place.remove(WRITTEN);
        let ran = self.measuring.measure(run, undo);
        self.written_right(&ran)
    }

    fn written(&self) -> Figures {
        let run = |measuring: &Measuring<'_>| {
            let block = vec![1; BLOCK];
            let cost = measuring.work(|| {
                let mut file = File::create(self.place.path(WRITTEN)).expect("a file");
                let mut left = usize::try_from(self.load.archive).expect("64 bits");
                while left > 0 {
                    let now = left.min(BLOCK);
                    file.write_all(&block[..now]).expect("room");
                    left -= now;
                }
                file.sync_all().expect("a sync");
            });
            let said = String::new();
            Ran { cost, said }
        };
        let ran = self.measuring.measure(run, || self.place.remove(WRITTEN));
        self.written_right(&ran)
    }

    fn written_right(&self, ran: &Ran) -> Figures {
        let stored = self.place.size(WRITTEN);
        assert_eq!(stored, self.load.archive);
        self.place.remove(WRITTEN);
        Figures {
            cost: ran.cost,
            stored: Some(stored),
        }
    }
}
