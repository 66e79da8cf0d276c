//! Dumps: pgkeep beside `pg_dump` into nothing, and beside what people run.
//!
//! Invariant: a peer's file is read back once, and pgkeep's archive has the very
//! length of `pg_dump`'s own.

use std::process::{Command, Stdio};

use crate::load::{Load, length};
use crate::machine::has;
use crate::measure::{Cost, Measuring, Ran};
use crate::place::{Place, Site, size_of_good_backup};
use crate::server::{DATABASE, Server};
use crate::subject::{Figures, Subject, in_turns};
use crate::table;

/// At most this many times as long as `pg_dump` into nothing.
const GOAL: f64 = 1.3;
const BACKUP: [&str; 5] = ["backup", "main", "--database", DATABASE, "--json"];

/// What the dumps leave behind, to be restored.
pub(crate) struct Made<'a> {
    pub(crate) sealed: Site<'a>,
    pub(crate) open: Site<'a>,
    /// A file of `pg_dump -Fc`, as it compresses by itself.
    pub(crate) custom: &'static str,
}

/// Measures all of them and prints the table.
pub(crate) fn measure<'a>(
    measuring: &Measuring<'a>,
    place: &'a Place,
    load: &Load,
    rounds: usize,
) -> Made<'a> {
    let dumps = Dumps {
        measuring: *measuring,
        place,
        load,
    };
    let server = measuring.server;
    let mut notes = Vec::new();
    let mut subjects = vec![
        Subject::new("pg_dump -Fc --compress=none > /dev/null", |_| dumps.floor()),
        Subject::new("pg_dump | gzip", |round| dumps.filtered(round, "gzip", &[])),
    ];
    if has("zstd") {
        let zstd = |round| dumps.filtered(round, "zstd", &["-3", "-q"]);
        subjects.push(Subject::new("pg_dump | zstd -3", zstd));
    } else {
        notes.push("not measured: pg_dump | zstd -3 (no program zstd here)".to_owned());
    }
    subjects.push(Subject::new("pg_dump -Fc", |round| dumps.custom(round)));
    if has_zstd(server) {
        let zstd = |round| dumps.directory(round, &["--compress=zstd:3"]);
        subjects.push(Subject::new("pg_dump -Fd -j2 -Z zstd:3", zstd));
    } else {
        let gzip = |round| dumps.directory(round, &[]);
        subjects.push(Subject::new("pg_dump -Fd -j2", gzip));
        notes.push(
            "not measured: pg_dump -Fd -j2 -Z zstd:3 (this pg_dump is built without zstd)"
                .to_owned(),
        );
    }
    for (name, site, encryption) in [
        ("pgkeep backup, sealed", SEALED, "age"),
        ("pgkeep backup, unencrypted", OPEN, "none"),
    ] {
        let first = move |_| dumps.first(site, encryption);
        subjects.push(Subject::new(name, first).goal(GOAL));
        if site == SEALED {
            let second = move |_| dumps.second(site);
            subjects.push(Subject::new("pgkeep backup, sealed, the second", second).goal(GOAL));
        }
    }
    let measured = in_turns(subjects, rounds);
    table::print("dumps", &measured, &notes);
    Made {
        sealed: Site::at(place, server, SEALED),
        open: Site::at(place, server, OPEN),
        custom: CUSTOM,
    }
}

const SEALED: &str = "sealed";
const OPEN: &str = "unencrypted";
const CUSTOM: &str = "custom.dump";
const FILTERED: &str = "filtered.sql";
const DIRECTORY: &str = "directory.dump";

#[derive(Clone, Copy)]
struct Dumps<'a, 'b> {
    measuring: Measuring<'a>,
    place: &'a Place,
    load: &'b Load,
}

/// A backup has the cluster's globals beside the archive, of which there are few here.
const MOST_GLOBALS: u64 = 16 << 10;

impl Dumps<'_, '_> {
    fn pg_dump(&self, options: &[&str]) -> Command {
        let mut command = self.measuring.server.program("pg_dump", DATABASE);
        command.args(options);
        command
    }

    fn floor(&self) -> Figures {
        let cost = self.pipe(|| {
            let dump = self.pg_dump(&["--format=custom", "--compress=0"]);
            (vec![dump], Stdio::null())
        });
        Figures { cost, stored: None }
    }

    /// A plain dump through a program that compresses.
    fn filtered(&self, round: usize, program: &str, options: &[&str]) -> Figures {
        let filter = || {
            let mut filter = Command::new(program);
            filter.args(options);
            filter
        };
        let cost = self.pipe(|| {
            let stages = vec![self.pg_dump(&[]), filter()];
            (stages, self.place.file(FILTERED))
        });
        let stored = self.place.size(FILTERED);
        if round == 0 {
            let mut unpack = Command::new(program);
            unpack.arg("-dc").arg(self.place.path(FILTERED));
            assert_eq!(
                length(&mut unpack),
                self.load.plain,
                "{program} lost something"
            );
        }
        self.place.remove(FILTERED);
        Figures {
            cost,
            stored: Some(stored),
        }
    }

    fn custom(&self, round: usize) -> Figures {
        let cost = self.pipe(|| {
            let dump = self.pg_dump(&["--format=custom"]);
            (vec![dump], self.place.file(CUSTOM))
        });
        self.check_contents(round, CUSTOM);
        Figures {
            cost,
            stored: Some(self.place.size(CUSTOM)),
        }
    }

    fn directory(&self, round: usize, options: &[&str]) -> Figures {
        let undo = || self.place.remove(DIRECTORY);
        let run = |measuring: &Measuring<'_>| {
            let mut dump = self.pg_dump(&["--format=directory", "--jobs=2"]);
            dump.args(options)
                .arg("--file")
                .arg(self.place.path(DIRECTORY));
            measuring.program(dump)
        };
        let cost = self.measuring.measure(run, undo).cost;
        self.check_contents(round, DIRECTORY);
        let stored = self.place.size(DIRECTORY);
        undo();
        Figures {
            cost,
            stored: Some(stored),
        }
    }

    fn first(&self, site: &'static str, encryption: &str) -> Figures {
        let server = self.measuring.server;
        let fresh = || Site::new(self.place, server, site, encryption);
        let mut empty = fresh().stored();
        let run = |measuring: &Measuring<'_>| {
            measuring.program(Site::at(self.place, server, site).command(&BACKUP))
        };
        let ran = self.measuring.measure(run, || drop(fresh()));
        let stored = Site::at(self.place, server, site).stored();
        // A site that was made anew has keys of the same size.
        empty = empty.min(stored);
        self.backed_up(&ran, stored - empty)
    }

    /// Another one into the same repository, of a database that is as it was.
    fn second(&self, site: &'static str) -> Figures {
        let site = Site::at(self.place, self.measuring.server, site);
        let before = site.stored();
        let ran = self.measuring.program(site.command(&BACKUP));
        self.backed_up(&ran, site.stored() - before)
    }

    fn backed_up(&self, ran: &Ran, stored: u64) -> Figures {
        let globals = size_of_good_backup(&ran.said).checked_sub(self.load.archive);
        let globals = globals.expect("no less than the archive");
        assert!(
            globals < MOST_GLOBALS,
            "{globals} bytes more than the archive"
        );
        Figures {
            cost: ran.cost,
            stored: Some(stored),
        }
    }

    fn pipe(&self, stages: impl Fn() -> (Vec<Command>, Stdio)) -> Cost {
        let run = |measuring: &Measuring<'_>| {
            let (stages, output) = stages();
            let cost = measuring.pipe(stages, output);
            let said = String::new();
            Ran { cost, said }
        };
        self.measuring.measure(run, || ()).cost
    }

    /// All tables are in the table of contents. Read once: later rounds write
    /// the same.
    fn check_contents(&self, round: usize, name: &str) {
        if round > 0 {
            return;
        }
        let mut list = self.measuring.server.program("pg_restore", DATABASE);
        let listed = list.arg("--list").arg(self.place.path(name)).output();
        let listed = listed.expect("pg_restore");
        let contents = String::from_utf8_lossy(&listed.stdout);
        let tables = contents.matches(" TABLE DATA ").count();
        assert_eq!(tables, self.load.tables(), "{name}: {contents}");
    }
}

/// Whether this `pg_dump` compresses with zstd: 16 and later, where it was built
/// in.
fn has_zstd(server: &Server) -> bool {
    let mut attempt = server.program("pg_dump", "postgres");
    attempt.args(["--format=custom", "--compress=zstd:3"]);
    let ended = attempt.stdout(Stdio::null()).stderr(Stdio::null()).status();
    ended.expect("pg_dump").success()
}
