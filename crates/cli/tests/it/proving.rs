//! Test restores: what is proven, what is not, and what each says.
//!
//! The source listens on a socket, logs every connection, and is never connected to while
//! anything is proved.

mod crashes;
mod host;
mod sabotage;
mod several;

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use pgkeep_testkit::cluster::{Cluster, Major};
use serde_json::Value;

use crate::site::{Ran, Site};

/// A source with database `app`, and a repository for it.
struct Proving {
    cluster: Cluster,
    site: Site,
}

/// What was said of one backup.
#[derive(Debug)]
struct Proved {
    ran: Ran,
    line: Value,
}

impl Proving {
    async fn of(fill: &str) -> Self {
        Self::on(Major::Fifteen, fill).await
    }

    async fn on(major: Major, fill: &str) -> Self {
        let cluster = Cluster::start_with(major, &["log_connections = on"]).await;
        let roles = "CREATE ROLE app LOGIN; CREATE DATABASE app OWNER app";
        cluster.psql("postgres", roles).await;
        cluster.psql("app", fill).await;
        let site = Site::of(&cluster).await;
        std::fs::create_dir(site.path("scratch")).unwrap();
        // The account of the throwaway servers has to pass.
        let passable = Permissions::from_mode(0o711);
        std::fs::set_permissions(site.home.path(), passable).unwrap();
        Self { cluster, site }
    }

    /// Asks these questions from now on.
    fn asking(&self, queries: &str) {
        let path = self.site.path("pgkeep.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let kept = text.split("\n[cluster.main.prove]").next().unwrap();
        let mut file = std::fs::File::create(&path).unwrap();
        write!(file, "{kept}\n[cluster.main.prove]\nqueries = {queries}\n").unwrap();
    }

    /// Proves, and finds that the source was left alone and nothing was left behind.
    async fn prove(&self, more: &[&str]) -> Proved {
        let before = self.connections();
        let ran = self.site.run(&arguments(more)).await;
        self.check(before, ran)
    }

    fn check(&self, connections_before: usize, ran: Ran) -> Proved {
        assert_eq!(self.connections(), connections_before, "{ran:#?}");
        self.check_clean();
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or(Value::Null);
        let line = report["proofs"][0].clone();
        Proved { ran, line }
    }

    fn check_clean(&self) {
        let scratch = std::fs::read_dir(self.site.path("scratch")).unwrap();
        assert_eq!(scratch.count(), 0);
    }

    fn connections(&self) -> usize {
        self.cluster.log().matches("connection received").count()
    }

    /// The level of each backup of `app`, oldest first, as it is listed.
    async fn levels(&self) -> Vec<String> {
        let listed = self.site.list().await;
        let of_app = listed.iter().filter(|backup| backup["database"] == "app");
        let told = of_app.map(|backup| match backup["refuted"] == true {
            true => "refuted".to_owned(),
            false => backup["level"].as_str().unwrap().to_owned(),
        });
        told.collect()
    }
}

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let all = ["prove", "main", "--database", "app"];
    let all = match more.first() {
        Some(first) if !first.starts_with("--") => &all[..1],
        _ => &all[..],
    };
    let with = ["--json", "--identity", "recovery.key"];
    let within = ["--scratch", "scratch"];
    let within = match more.contains(&"--scratch") {
        true => &[],
        false => &within[..],
    };
    [all, more, &with, within].concat()
}

impl Proved {
    /// Exactly this came of it, for a reason that has all of `words`.
    #[track_caller]
    fn came_to(&self, code: i32, outcome: &str, words: &[&str]) {
        assert_eq!(self.ran.code(), code, "{self:#?}");
        assert_eq!(self.line["outcome"], outcome, "{self:#?}");
        let problem = self.line["problem"].as_str().unwrap_or_default();
        for word in words {
            assert!(problem.contains(word), "{word:?} is not in {self:#?}");
        }
        if outcome != "proven" && outcome != "restorable" {
            assert!(self.line["level"].is_null(), "{self:#?}");
        }
    }

    /// How a step ended, and its notes.
    fn step(&self, name: &str) -> (String, String) {
        let steps = self.line["details"]["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["name"] == name).unwrap();
        let notes = step["notes"].to_string();
        (step["outcome"].as_str().unwrap().to_owned(), notes)
    }
}

const FILL: &str = "CREATE TABLE t AS SELECT n, now() AS at FROM generate_series(1, 1000) AS n; \
                    CREATE SEQUENCE s; SELECT nextval('s'); ALTER TABLE t OWNER TO app";

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restorable_without_questions_and_proven_with_right_answers() {
    let proving = Proving::of(FILL).await;
    let id = proving.site.back_up("app").await;
    assert_eq!(proving.levels().await, ["stored"]);
    let proved = proving.prove(&[]).await;
    proved.came_to(0, "restorable", &[]);
    let why = "not done: no questions are configured for this database";
    assert_eq!(proved.step("questions").0, "not-done");
    assert!(proved.step("questions").1.contains(why));
    assert_eq!(proving.levels().await, ["restorable"]);

    proving.asking(
        "[{ database = 'app', sql = 'select count(*) > 0 from t' }, \
          { database = 'app', sql = 'select count(*) from t', min = 1000, max = 1000 }, \
          { database = 'app', sql = 'select max(at) from t', newer_than = '1h' }, \
          { database = 'app', sql = 'table t', expect = 'rows' }, \
          { database = 'app', sql = 'select from t where n < 0;', expect = 'no rows' }]",
    );
    let proved = proving.prove(&["--report", "report.html"]).await;
    proved.came_to(0, "proven", &[]);
    assert_eq!(proved.line["proof"]["right"], 5);
    assert_eq!(proved.step("amcheck").0, "done");
    assert!(proved.step("compare").1.contains("1000 rows in 1 table"));
    assert_eq!(proving.levels().await, ["proven"]);
    let page = || std::fs::read_to_string(proving.site.path("report.html")).unwrap();
    assert!(page().contains("<span class=\"good\">proven</span>") && page().contains(&id));
    assert!(page().contains("written down in the repository, signed by the host"));

    let show = ["show", &id, "--identity", "recovery.key"];
    let told = proving.site.run(&show).await.ended(0).stdout;
    for words in [
        "level         proven",
        "proven, on host",
        "select max(at) from t",
        ": restorable, on host",
    ] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    // What is nowhere but on the page says so there.
    let unrecorded = ["--report", "report.html", "--no-record"];
    proving.prove(&unrecorded).await.came_to(0, "proven", &[]);
    assert!(page().contains("<dd>not written down, as was asked for</dd>"));

    // Without the key the outcome is told, and nothing that was answered.
    let told = proving.site.run(&["show", &id]).await.ended(0).stdout;
    assert!(told.contains("proven, on host"), "{told}");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_restore_time_of_a_proof_is_the_one_that_it_took() {
    let proving = Proving::of(FILL).await;
    proving.site.back_up("app").await;
    proving.asking("[{ database = 'app', sql = 'select pg_sleep(2) is not null' }]");
    let begun = Instant::now();
    let proved = proving.prove(&[]).await;
    let measured = u64::try_from(begun.elapsed().as_millis()).unwrap();
    proved.came_to(0, "proven", &[]);
    let recorded = proved.line["proof"]["restore_ms"].as_u64().unwrap();
    assert!(measured >= recorded, "{measured} {recorded}");
    assert!(recorded >= 2000, "{recorded}");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_answered_wrong_or_not_at_all_is_told_by_name() {
    let proving = Proving::of(FILL).await;
    proving.site.back_up("app").await;
    for (query, words) in [
        (
            "name = 'enough', sql = 'select count(*) from t', min = 2000",
            "question \"enough\" was to answer a number of at least 2000, and answered 1000: it \
             is below 2000",
        ),
        (
            "name = 'null', sql = 'select null::bool'",
            "question \"null\" was to answer true, and answered null: it is null",
        ),
        (
            "name = 'endless', sql = 'select $$Infinity$$::float8', min = 1",
            "answered Infinity: it is no number that can be compared",
        ),
        (
            "name = 'type', sql = 'select 1'",
            "answered 1: it is not a boolean",
        ),
        (
            "name = 'none', sql = 'select true where false'",
            "answered no rows: there are no rows",
        ),
        (
            "name = 'error', sql = 'select * from nowhere'",
            "question \"error\" was not answered: the server refused in database \"app\": \
             relation \"nowhere\" does not exist",
        ),
        (
            "name = 'slow', sql = 'select pg_sleep(60) is not null', timeout = '500ms'",
            "question \"slow\" was not answered: there was no answer within 0.5 s",
        ),
        (
            "name = 'writes', sql = 'select nextval($$s$$) > 0'",
            "question \"writes\" was not answered",
        ),
        (
            "name = 'two', sql = 'select true; select true'",
            "cannot insert multiple commands",
        ),
        (
            "name = 'super', sql = 'select rolsuper from pg_roles where rolname = current_user'",
            "answered false: it is false",
        ),
    ] {
        proving.asking(&format!(
            "[{{ database = 'app', sql = 'select true' }}, {{ database = 'app', {query} }}]"
        ));
        let proved = proving.prove(&[]).await;
        proved.came_to(1, "failed", &[words]);
        assert_eq!(proved.line["proof"]["questions"], 2);
        assert_eq!(proved.line["proof"]["right"], 1);
    }
    assert_eq!(proving.levels().await, ["refuted"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_and_what_is_not_there_are_told() {
    let proving = Proving::of(FILL).await;
    let with = ["--json", "--identity", "recovery.key"];
    let prove = |more: &[&'static str]| [&["prove"], more, &with].concat();
    let ran = proving.site.run(&prove(&["main"])).await.ended(4);
    ran.says(&["found no good backup to prove"]);
    proving.site.back_up("app").await;
    let ran = proving.site.run(&prove(&["nothing"])).await.ended(4);
    ran.says(&["id \"nothing\""]);
    let none = prove(&["main", "--database", "no"]);
    let ran = proving.site.run(&none).await.ended(4);
    ran.says(&["database \"no\""]);

    proving.asking("[{ database = 'ap', name = 'typo', sql = 'select true' }]");
    let ran = proving.site.run(&prove(&[])).await.ended(1);
    let words = "question \\\"typo\\\" is about database \\\"ap\\\", of which there is no backup";
    assert!(ran.stdout.contains(words), "{ran:#?}");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_proven_backup_stays_whatever_else_is_to_be_kept() {
    let mut proving = Proving::of(FILL).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(proving.site.back_up("app").await);
    }
    proving.asking("[{ database = 'app', sql = 'select true' }]");
    let proved = proving.prove(&[&ids[0]]).await;
    proved.came_to(0, "proven", &[]);
    proving.site.set("PGKEEP_CLUSTER_MAIN_DUMP_KEEP", "last=1");
    proving.site.run(&["prune", "--yes"]).await.ended(0);
    let kept = [ids[0].clone(), ids[2].clone()];
    assert_eq!(proving.site.good().await, kept);
    assert_eq!(proving.levels().await, ["proven", "stored"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_settings_limit_its_sessions_is_proven_all_the_same() {
    let limits = [
        "statement_timeout = '150ms'",
        "default_transaction_read_only = on",
    ];
    let mut fill = format!("{FILL}; INSERT INTO t SELECT n FROM generate_series(1, 3000000) AS n");
    for limit in limits {
        fill.push_str(&format!("; ALTER DATABASE app SET {limit}"));
    }
    let proving = Proving::of("SELECT").await;
    proving.cluster.psql("app", &fill).await;
    proving.site.back_up("app").await;
    proving.asking("[{ database = 'app', name = 'rows', sql = 'SELECT count(*) > 1 FROM t' }]");
    let proved = proving.prove(&[]).await;
    proved.came_to(0, "proven", &[]);
    assert_eq!(proved.step("amcheck").0, "done", "{proved:#?}");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_wrong_answers_some_are_told_in_the_sentence_and_each_one_once() {
    let proving = Proving::of(FILL).await;
    let id = proving.site.back_up("app").await;
    let wrong = (1..=5).map(|n| format!("{{ database = 'app', sql = 'select {n} < 0' }}"));
    let right = "{ database = 'app', sql = 'select true' }".to_owned();
    let all: Vec<String> = wrong.chain([right]).collect();
    proving.asking(&format!("[{}]", all.join(", ")));
    let proved = proving.prove(&[]).await;
    proved.came_to(1, "failed", &["select 3 < 0", "; and 2 more"]);
    assert_eq!(proved.step("questions").1, "[\"5 of 6 wrong\"]");
    let show = ["show", &id, "--identity", "recovery.key"];
    let told = proving.site.run(&show).await.ended(0).stdout;
    assert!(told.contains(": 5 of 6 wrong\n"), "{told}");
    assert_eq!(told.matches("select 3 < 0").count(), 1, "{told}");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_compared_is_told_beside_what_is_proven() {
    let mut proving = Proving::of(FILL).await;
    proving
        .site
        .set("PGKEEP_CLUSTER_MAIN_DUMP_TABLE_DATA_EXCLUDE", "t");
    proving.site.back_up("app").await;
    let prove = [
        "prove",
        "--identity",
        "recovery.key",
        "--scratch",
        "scratch",
    ];
    let ran = proving.site.run(&prove).await.ended(0);
    let words = "not compared: more than a part of the database";
    assert!(ran.stdout.contains(words), "{ran:#?}");
    assert!(ran.stdout.lines().take(2).all(|line| line.len() <= 80));
    proving.cluster.stop().await;
}
