//! Several clusters and backups: what is in a bad way keeps no other from being proved or
//! told.

use std::fs;

use serde_json::Value;

use super::{FILL, Proving};
use crate::kills::signal;
use crate::site::ended;

impl Proving {
    /// Configures a cluster `other`, whose repository is at `url`.
    fn with_other(&self, url: &str) {
        let file = self.site.path("pgkeep.toml");
        let text = fs::read_to_string(&file).unwrap();
        let (before, after) = text.split_once("[cluster.main]\n").unwrap();
        let of_main = "[cluster.main]\nrepositories = [\"local\"]\n";
        let other = "[cluster.other]\nconnection = \"host=/no\"\nrepositories = [\"other\"]\n";
        let repository = format!("[repository.other]\nurl = \"{url}\"\n");
        let text = format!("{before}{of_main}{after}\n{repository}{other}");
        fs::write(&file, text).unwrap();
    }

    /// Proves all clusters; what is reported.
    async fn prove_all(&self, code: i32, more: &[&str]) -> (Value, String) {
        let all = ["prove", "--identity", "recovery.key", "--json"];
        let within = ["--scratch", "scratch", "--report", "report.html"];
        let ran = self.site.run(&[&all, &within, more].concat()).await;
        let ran = ran.ended(code);
        self.check_clean();
        (serde_json::from_str(&ran.stdout).unwrap(), ran.stderr)
    }
}

fn outcomes(report: &Value) -> Vec<String> {
    let lines = report["proofs"].as_array().unwrap().iter();
    let told = lines.map(|line| {
        let (cluster, database) = (&line["cluster"], &line["database"]);
        format!("{cluster} {database} {}", line["outcome"]).replace('"', "")
    });
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_repository_cannot_be_reached_keeps_no_other_from_being_proved() {
    let proving = Proving::of(FILL).await;
    proving.site.back_up("app").await;
    proving.with_other("nowhere");
    let (report, said) = proving.prove_all(3, &[]).await;
    let expected = ["other - not-provable", "main app restorable"];
    assert_eq!(outcomes(&report), expected);
    assert!(said.contains("no repository in"), "{said}");
    let page = fs::read_to_string(proving.site.path("report.html")).unwrap();
    assert!(page.contains("other / -: ") && page.contains("main / app: "));

    // A database that the other one may have.
    let (report, _) = proving.prove_all(3, &["--database", "app"]).await;
    assert_eq!(outcomes(&report), expected);

    // Alone it is an error.
    let alone = ["prove", "other", "--identity", "recovery.key"];
    let ran = proving.site.run(&alone).await.ended(1);
    ran.says(&["error: ", "no repository in"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_one_of_the_clusters_has_is_proved_there() {
    let proving = Proving::of(FILL).await;
    proving.site.back_up("app").await;
    proving.with_other("backups");
    let (report, said) = proving.prove_all(0, &["--database", "app"]).await;
    assert_eq!(outcomes(&report), ["main app restorable"]);
    let words = "cluster other has no backup of database \"app\"";
    assert!(said.contains(words), "{said}");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_hangs_is_given_up_and_the_others_go_on() {
    // What is quick where it is dumped, and never ends where it is restored.
    let fill = format!(
        "{FILL}; CREATE TABLE hangs (hangs bool); INSERT INTO hangs VALUES (false); \
         CREATE FUNCTION hang() RETURNS int LANGUAGE plpgsql AS $$BEGIN \
         IF (SELECT hangs FROM public.hangs) THEN PERFORM pg_sleep(10000); END IF; \
         RETURN 1; END$$; \
         CREATE MATERIALIZED VIEW v AS SELECT hang(); UPDATE hangs SET hangs = true"
    );
    let proving = Proving::of(&fill).await;
    proving
        .cluster
        .psql("postgres", "CREATE DATABASE zoo")
        .await;
    proving.cluster.psql("zoo", FILL).await;
    proving.site.back_up("app").await;
    proving.site.back_up("zoo").await;
    let (report, _) = proving.prove_all(3, &["--timeout", "30s"]).await;
    let expected = ["main app not-provable", "main zoo restorable"];
    assert_eq!(outcomes(&report), expected);
    let problem = report["proofs"][0]["problem"].as_str().unwrap();
    let words = "the proof was given up: it has taken longer than 30 s ('timeout'";
    assert!(problem.starts_with(words), "{problem}");
    assert!(problem.ends_with("was at step \"restore\""), "{problem}");
    assert_eq!(proving.levels().await, ["stored"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_tried_when_somebody_asked_to_stop_is_on_the_page_all_the_same() {
    let proving = Proving::of(FILL).await;
    for database in ["bar", "zoo"] {
        let create = format!("CREATE DATABASE {database}");
        proving.cluster.psql("postgres", &create).await;
        proving.cluster.psql(database, FILL).await;
    }
    for database in ["app", "bar", "zoo"] {
        proving.site.back_up(database).await;
    }
    let slow = "[{ database = 'bar', sql = 'select pg_sleep(100) is not null', timeout = '2min' }]";
    proving.asking(slow);
    let all = ["prove", "--identity", "recovery.key", "--json"];
    let within = ["--scratch", "scratch", "--report", "report.html"];
    let running = proving.site.start(&[&all[..], &within].concat());
    proving.postmaster().await;
    signal("-INT", running.id().unwrap());
    let ran = ended(running).await.ended(130);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected = [
        "main app restorable",
        "main bar not-provable",
        "main zoo not-provable",
    ];
    assert_eq!(outcomes(&report), expected);
    let problem = |line: usize| report["proofs"][line]["problem"].as_str().unwrap();
    assert_eq!(problem(1), "broken off: somebody asked to stop");
    assert_eq!(problem(2), "not tried: somebody asked to stop");
    let page = fs::read_to_string(proving.site.path("report.html")).unwrap();
    assert!(page.contains("Of 3 backups: 0 proven, 1 restorable, 0 failed, 2 not provable"));
    assert!(page.contains("main / zoo: ") && page.contains("not tried: somebody"));
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_or_a_database_without_a_backup_is_told_beside_what_has_one() {
    let proving = Proving::of(FILL).await;
    let site = &proving.site;
    let alone = [
        "prove",
        "--identity",
        "recovery.key",
        "--scratch",
        "scratch",
    ];
    site.run(&alone).await.ended(4);
    site.back_up("app").await;
    let nope = ["backup", "main", "--database", "nope"];
    site.run(&nope).await.ended(1);
    let (report, _) = proving.prove_all(1, &[]).await;
    let expected = ["main nope failed", "main app restorable"];
    assert_eq!(outcomes(&report), expected);
    let problem = report["proofs"][0]["problem"].as_str().unwrap();
    assert!(
        problem.contains("every attempt at one has failed"),
        "{problem}"
    );

    proving.with_other("backups");
    let (report, _) = proving.prove_all(1, &["main", "other"]).await;
    let expected = [&expected[..], &["other - failed"]].concat();
    assert_eq!(outcomes(&report), expected);
    let problem = report["proofs"][2]["problem"].as_str().unwrap();
    assert_eq!(problem, "there is no backup of this cluster");
    proving.cluster.stop().await;
}
