//! What a restore says of a backup whose newest proof failed.

use std::fs;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore};

/// A backup of `app` that was proven, and a newer one that was not.
async fn refuted(cluster: &Cluster) -> (Site, String, String) {
    let fill = "CREATE DATABASE app";
    cluster.psql("postgres", fill).await;
    let fill = "CREATE TABLE t (n int); INSERT INTO t VALUES (1)";
    cluster.psql("app", fill).await;
    let site = Site::of(cluster).await;
    let configuration = fs::read_to_string(site.path("pgkeep.toml")).unwrap();
    let question = "{ name = \"rows\", database = \"app\", sql = \"SELECT count(*) > 0 FROM t\" }";
    let question = format!("{configuration}\n[cluster.main.prove]\nqueries = [{question}]\n");
    fs::write(site.path("pgkeep.toml"), question).unwrap();
    let prove = ["prove", "--identity", "recovery.key"];
    let good = site.back_up("app").await;
    site.run(&prove).await.ended(0);
    cluster.psql("app", "DELETE FROM t").await;
    let bad = site.back_up("app").await;
    site.run(&prove).await.ended(1);
    (site, good, bad)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_newest_proof_failed_is_restored_with_a_warning_and_a_better_one_named() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let (site, good, bad) = refuted(&cluster).await;
    let short = |id: &str| id.rsplit('-').next().unwrap().to_owned();
    let told = site.run(&["doctor"]).await.ended(1).stdout;
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let newest = format!("{bad}, the newest of database \"app\", FAILED its proof");
    assert!(told.contains(&newest), "{told}");
    assert!(!told.contains("the newest is of database"), "{told}");
    let failed = format!("the newest proof of backup {} FAILED, at ", short(&bad));
    let instead = format!("that is proven; --backup {} restores that", short(&good));
    for more in [
        &["--as", "new"][..],
        &["--as", "one", "--table", "public.t"],
        &["--to-file", "archive"],
        &["--to-file", "sql", "--format", "sql"],
        &["--globals"],
        &["--globals", "--to-file", "globals"],
    ] {
        for dry in [&["--dry-run"][..], &[]] {
            let of = ["--database", "app", "--json"];
            let ran = site.run(&restore(&[&of, more, dry].concat())).await;
            let ran = ran.ended(0);
            let warned = ran.stderr.find(&failed).expect(&ran.stderr);
            // Before anything is made.
            let begun = ran.stderr.find(" START ").unwrap_or(usize::MAX);
            assert!(warned < begun, "{ran:#?}");
            let ran = ran.says(&["rows", &instead]);
            let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            assert_eq!(told["level"], "stored", "{told}");
            let proof = &told["failed_proof"];
            assert_eq!(proof["instead"]["backup"], *good, "{told}");
            assert_eq!(proof["instead"]["level"], "proven", "{told}");
            assert!(proof["problem"].as_str().unwrap().contains("rows"));
            assert!(proof["id"].is_string() && proof["started"].is_string());
        }
    }
    let plan = restore(&["--database", "app", "--dry-run"]);
    let plan = site.run(&plan).await.ended(0).stdout;
    assert!(plan.contains("\nlevel       FAILED PROOF at "), "{plan}");
    assert!(plan.contains(&format!("; {} is proven\n", short(&good))));

    let plan = restore(&["--backup", &good, "--dry-run"]);
    let plan = site.run(&plan).await.ended(0);
    assert!(plan.stdout.contains("\nlevel       proven\n"), "{plan:#?}");
    assert!(!plan.stderr.contains("warning"), "{plan:#?}");
    let back = restore(&["--backup", &good, "--as", "good", "--json"]);
    let back = site.run(&back).await.ended(0);
    let told: serde_json::Value = serde_json::from_str(&back.stdout).unwrap();
    assert_eq!(told["level"], "proven");
    assert_eq!(told["failed_proof"], serde_json::Value::Null);

    // Without the other there is nothing better to name.
    site.run(&["prune", "--id", &good, "--yes"]).await.ended(0);
    let plan = restore(&["--database", "app", "--dry-run"]);
    let words = "no other backup of database \"app\" is proven or restorable";
    site.run(&plan).await.ended(0).says(&[&failed, words]);
    let last = "the last one, though not known to be good, of database \"app\" is among them";
    let prune = site.run(&["prune", "--id", &bad]).await;
    prune.ended(2).says(&[last]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_which_a_proof_cannot_be_read_is_restored_with_a_warning_too() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let (site, good, bad) = refuted(&cluster).await;
    let short = |id: &str| id.rsplit('-').next().unwrap().to_owned();
    let folder = site.path(&format!("backups/main/proofs/{bad}"));
    let proof = fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    let mut bytes = fs::read(proof.path()).unwrap();
    bytes[100] ^= 1;
    fs::write(proof.path(), bytes).unwrap();
    let plan = restore(&["--database", "app", "--dry-run", "--json"]);
    let plan = site.run(&plan).await.ended(0);
    let told: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let name = proof.file_name().into_string().unwrap();
    let doubt = &told["in_doubt"];
    assert!(doubt["unread_proof"].as_str().unwrap().ends_with(&name));
    assert_eq!(doubt["instead"]["backup"], *good, "{told}");
    plan.says(&[
        &format!("what a proof of backup {} says cannot be read", short(&bad)),
        &format!("that is proven; --backup {} restores that", short(&good)),
    ]);
    let plan = site
        .run(&restore(&["--database", "app", "--dry-run"]))
        .await;
    let plan = plan.ended(0).stdout;
    let line = "\nlevel       stored, and a proof that cannot be read may have FAILED; ";
    assert!(plan.contains(line), "{plan}");
    cluster.stop().await;
}
