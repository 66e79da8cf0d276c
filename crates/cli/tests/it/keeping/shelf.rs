//! A repository with backups of chosen times, made without a server.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use pgkeep_format::cut::Cutting;
use pgkeep_format::records::{
    BackupKind, BackupOutcome, DatabaseFacts, DumpFacts, LocaleProvider, Outcome, PlannedBackup,
    ProofDetails, ProofOutcome, ProofRecord, RunErrors, Selection, TableFacts,
};
use pgkeep_format::{HostKey, Identities};
use pgkeep_repository::{DumpMeta, Limits, Repository, Run, RunPlan, RunReport};
use pgkeep_storage::LocalStorage;
use pgkeep_testkit::{ScriptedClock, SeededRandom};
use pgkeep_types::{BackupId, Clock, ProofId, RunId, SystemId};

use crate::site::Site;

/// A site whose server is nowhere, and whose backups are of any time.
pub(crate) struct Shelf {
    pub(crate) site: Site,
    pub(crate) repository: Repository,
    pub(crate) host: HostKey,
    pub(crate) random: SeededRandom,
    /// The server that the backups say that they are of.
    pub(crate) system: Option<SystemId>,
}

/// What a backup is.
#[derive(Clone, Copy)]
pub(crate) struct Dump<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) database: &'a str,
    pub(crate) globals: bool,
    pub(crate) selected: bool,
    /// The backup that it is compared with.
    pub(crate) parent: Option<&'a str>,
    /// What tells its content from that of others.
    pub(crate) content: u64,
    /// How many bytes it has.
    pub(crate) bytes: usize,
    /// Its tables, and how many rows each has.
    pub(crate) rows: &'a [(&'a str, u64)],
}

/// An ordinary one.
pub(crate) const APP: Dump<'_> = Dump {
    cluster: "main",
    database: "app",
    globals: true,
    selected: false,
    parent: None,
    content: 1,
    bytes: 300_000,
    rows: &[],
};

impl Shelf {
    /// One of which `dump` is configured of cluster `main`.
    pub(crate) async fn new(dump: &str) -> Self {
        let mut site = Site::empty();
        site.set("TZ", "UTC");
        let init = [
            "init",
            "--repository",
            "backups",
            "--connection",
            "host=/no",
        ];
        site.run(&init).await.ended(0);
        let configuration = fs::read_to_string(site.path("pgkeep.toml")).unwrap();
        let configuration = format!("{configuration}\n[cluster.main.dump]\n{dump}\n");
        fs::write(site.path("pgkeep.toml"), configuration).unwrap();
        let key = fs::read_to_string(site.path("host.key")).unwrap();
        let host = HostKey::from_secret_text(&key).unwrap();
        let storage = Arc::new(LocalStorage::new(site.path("backups")));
        let repository = Repository::open(storage, &host.trust).await.unwrap();
        Self {
            site,
            repository,
            host,
            random: SeededRandom::new(7),
            system: None,
        }
    }

    /// A backup a day of `app`, at three from this day on.
    pub(crate) async fn nights(&self, first: &str, count: i64) -> Vec<String> {
        let first: jiff::civil::Date = first.parse().unwrap();
        let mut ids = Vec::new();
        for night in 0..count {
            let day = first.saturating_add(jiff::Span::new().days(night));
            ids.push(self.dump(APP, &format!("{day}T03:00:00Z")).await);
        }
        ids
    }

    pub(crate) async fn dump(&self, dump: Dump<'_>, at: &str) -> String {
        let clock = ScriptedClock::at(at);
        let run = self.begin(dump, at).await;
        let planned = run.planned()[0].clone();
        let parent = run.parent(&planned).await.unwrap();
        let mut backup = run.backup(&planned, limits(), parent).unwrap();
        let mut file = backup.file("dump", Cutting::Content).await.unwrap();
        file.write(content(dump.content, dump.bytes)).await.unwrap();
        file.finish().await.unwrap();
        let meta = DumpMeta {
            system_id: self.system,
            server_version: "15.18".to_owned(),
            started: clock.now(),
            globals: dump.globals,
            selected: dump.selected,
            facts: facts(dump),
        };
        let stored = backup.finish().await.unwrap();
        stored.commit(meta, || clock.now()).await.unwrap();
        end(run, &planned, Outcome::Complete, clock.now()).await;
        planned.id.to_string()
    }

    /// An attempt that fails.
    pub(crate) async fn failure(&self, dump: Dump<'_>, at: &str) -> String {
        let run = self.begin(dump, at).await;
        let planned = run.planned()[0].clone();
        end(run, &planned, Outcome::Failed, at.parse().unwrap()).await;
        planned.id.to_string()
    }

    /// A run that has begun.
    pub(crate) async fn begin(&self, dump: Dump<'_>, at: &str) -> Run {
        let clock = ScriptedClock::at(at);
        let planned = PlannedBackup {
            id: BackupId::new(&clock, &self.random),
            database: dump.database.to_owned(),
            parent: dump.parent.map(|id| id.parse().unwrap()),
        };
        let plan = RunPlan {
            id: RunId::new(&clock, &self.random),
            cluster: dump.cluster.parse().unwrap(),
            kind: BackupKind::Dump,
            started: clock.now(),
            pgkeep: "0.0.0".to_owned(),
            backups: vec![planned],
        };
        let access = self.repository.write_access(&self.host).unwrap();
        self.repository.begin(&access, plan).await.unwrap()
    }

    /// Writes down what a test restore of a backup came to.
    pub(crate) async fn prove(&self, id: &str, outcome: ProofOutcome) {
        self.prove_at(id, outcome, "2026-05-01T00:00:00Z").await;
    }

    /// The same, of a test restore at this time.
    pub(crate) async fn prove_at(&self, id: &str, outcome: ProofOutcome, at: &str) {
        let cluster = "main".parse().unwrap();
        let none = Identities::default();
        let catalogue = self.repository.catalogue(&cluster, &none).await.unwrap();
        let mut records = catalogue.complete();
        let backup = records.find(|record| record.id.as_str() == id).unwrap();
        let clock = ScriptedClock::at(at);
        let asked = u32::from(outcome == ProofOutcome::Proven);
        let proof = ProofRecord {
            id: ProofId::new(&clock, &self.random),
            backup: backup.id.clone(),
            cluster,
            record: self.repository.record_hash(backup).await.unwrap(),
            host: "db1".to_owned(),
            pgkeep: "0.0.0".to_owned(),
            started: clock.now(),
            finished: clock.now(),
            outcome,
            questions: asked,
            right: asked,
            restore_ms: None,
            loss_seconds: None,
            server_version: None,
            pg_restore_version: None,
            repository: None,
            damage: false,
        };
        let details = ProofDetails {
            steps: Vec::new(),
            questions: Vec::new(),
            problem: None,
        };
        let access = self.repository.write_access(&self.host).unwrap();
        let recorded = self.repository.record_proof(&access, proof, &details);
        recorded.await.unwrap();
    }

    /// Has the storage's clock say that backups were stored when their hosts made them.
    pub(crate) fn stored_when_made(&self, ids: &[String]) {
        for id in ids {
            let made: BackupId = id.parse().unwrap();
            let path = format!("backups/main/backups/{id}/backup");
            let path = fs::File::options().append(true).open(self.site.path(&path));
            path.unwrap().set_modified(made.time().into()).unwrap();
        }
    }

    /// Prunes, and tells which of these backups are left.
    pub(crate) async fn left_of(&self, ids: &[String], more: &[&str]) -> Vec<usize> {
        self.site.run(&[&["prune"], more].concat()).await.ended(0);
        self.still_there(ids).await
    }

    /// Which of these backups are there.
    pub(crate) async fn still_there(&self, ids: &[String]) -> Vec<usize> {
        let good = self.site.good().await;
        let left = ids.iter().enumerate().filter(|(_, id)| good.contains(*id));
        left.map(|(at, _)| at).collect()
    }
}

async fn end(run: Run, planned: &PlannedBackup, outcome: Outcome, at: Timestamp) {
    let report = RunReport {
        backups: vec![BackupOutcome {
            id: planned.id.clone(),
            database: planned.database.clone(),
            outcome,
        }],
        globals: None,
        errors: RunErrors::default(),
    };
    run.finish(at, report).await.unwrap();
}

fn limits() -> Limits {
    Limits {
        pack: 100_000,
        part: 64 << 10,
        level: 1,
        workers: NonZeroUsize::MIN,
    }
}

/// What was seen of a database with these tables.
fn facts(dump: Dump<'_>) -> Vec<u8> {
    let tables = dump.rows.iter().map(|(name, rows)| TableFacts {
        schema: "public".to_owned(),
        name: (*name).to_owned(),
        rows: Some(*rows),
        bytes: Some(rows * 10),
    });
    let facts = DumpFacts {
        server_version: "15.18".to_owned(),
        pg_dump_version: "15.18".to_owned(),
        selection: Selection::default(),
        database: DatabaseFacts {
            name: dump.database.to_owned(),
            owner: "postgres".to_owned(),
            encoding: "UTF8".to_owned(),
            locale_provider: LocaleProvider::Libc,
            collate: "C".to_owned(),
            ctype: "C".to_owned(),
            locale: None,
            icu_rules: None,
            collation_version: None,
            tablespace: "pg_default".to_owned(),
            tablespaces: None,
            connection_limit: -1,
            is_template: false,
            allows_connections: true,
            comment: None,
            security_labels: Vec::new(),
            privileges: None,
            settings: Vec::new(),
            roles: Vec::new(),
            extensions: Vec::new(),
            schemas: None,
            objects: BTreeMap::new(),
            not_dumped: BTreeMap::new(),
            tables: 0,
            size: 0,
        },
        tables: tables.collect(),
        sequences: Vec::new(),
    };
    facts.to_json().unwrap()
}

/// So many bytes, of which the first half is the same in all.
fn content(seed: u64, bytes: usize) -> Bytes {
    let half = |seed| {
        let random = SeededRandom::new(seed);
        (0..bytes / 16).flat_map(move |_| random.next().to_le_bytes())
    };
    half(0).chain(half(seed)).collect()
}
