//! A dry run tells what a restore would do, ends as it would, and touches nothing.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{PROGRAM, Ran, Site, ended, restore, restore_as_new, socket_of};

/// Everything of a server that a restore could change.
async fn state(cluster: &Cluster) -> String {
    let query = "SELECT 'd', oid, datname, datdba, datallowconn, datconnlimit, datacl::text \
         FROM pg_database UNION ALL \
         SELECT 'r', oid, rolname, 0, rolcanlogin, rolconnlimit, rolpassword FROM pg_authid \
         ORDER BY 1, 2";
    cluster.psql("postgres", query).await
}

async fn source() -> (Cluster, Site) {
    let cluster = Cluster::start(Major::Fifteen).await;
    let roles = "CREATE ROLE boss; CREATE DATABASE app OWNER boss \
         TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'";
    for statement in roles.split("; ") {
        cluster.psql("postgres", statement).await;
    }
    let fill = "SET ROLE boss; CREATE TABLE t AS SELECT generate_series(1, 1000) AS n; \
         CREATE TABLE u (n serial); INSERT INTO u DEFAULT VALUES";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    (cluster, site)
}

fn json(ran: &Ran) -> serde_json::Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_says_from_what_into_what_by_whom_with_what_and_what_is_compared() {
    let (cluster, site) = source().await;
    let before = state(&cluster).await;
    let arguments = restore(&["--database", "app", "--dry-run", "--no-privileges"]);
    let ran = site.run(&arguments).await.ended(0);
    assert_eq!(state(&cluster).await, before);
    let id = site.good().await.remove(0);
    for words in [
        &*id,
        "of database \"app\"",
        "new database \"app_2",
        "owner \"boss\", UTF8, locale C (libc), ctype C.UTF-8, tablespace \"pg_default\"",
        "made by     \"postgres\"",
        "pg_restore 15",
        "left out    privileges",
        "1001 rows in 2 tables, 1 sequence\n",
    ] {
        assert!(
            ran.stdout.contains(words),
            "{words:?} is not in {}",
            ran.stdout
        );
    }
    let told = site.run(&[&arguments[..], &["--json"]].concat()).await;
    let told = json(&told.ended(0));
    assert_eq!(
        (&told["version"], &told["dry_run"]),
        (&1.into(), &true.into())
    );
    assert_eq!(told["backup"], id);
    assert_eq!(told["new_database"]["owner"], "boss");
    assert_eq!(told["compared"]["rows"], 1001);
    assert_eq!(told["problems"], serde_json::json!([]));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_replaced_is_told_without_a_question_and_stays() {
    let (cluster, site) = source().await;
    let before = state(&cluster).await;
    let replace = ["--database", "app", "--replace", "--dry-run"];
    let ran = site.run(&restore(&replace)).await.ended(0);
    let kept = "replaces    \"app\", which is kept as \"app_replaced_2";
    assert!(ran.stdout.contains(kept), "{ran:?}");
    let dropped = [&replace[..], &["--drop-replaced"]].concat();
    let ran = site.run(&restore(&dropped)).await.ended(0);
    assert!(ran.stdout.contains("is dropped"), "{ran:?}");
    assert_eq!(state(&cluster).await, before);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_makes_it_fail_as_the_restore_would() {
    let (cluster, site) = source().await;
    let other = Cluster::start(Major::Fifteen).await;
    other
        .psql("postgres", "CREATE ROLE app LOGIN; CREATE DATABASE new")
        .await;
    let before = state(&other).await;
    let into = socket_of(&other).replace("user='postgres'", "user=app");
    let real = restore_as_new(&into, &[]);
    let dry = restore_as_new(&into, &["--dry-run"]);
    let ran = site.run(&dry).await.ended(1);
    let words = [
        "missing     database \"new\" exists already",
        "missing     role \"app\" may not create databases",
        "missing     the backup needs roles that do not exist here: \"boss\"",
    ];
    for words in words {
        assert!(ran.stdout.contains(words), "{words:?} is not in {ran:?}");
    }
    let as_real = site.run(&real).await.ended(1).stderr;
    assert!(ran.stderr.ends_with(&as_real), "{ran:?}\n{as_real}");
    let told = json(&site.run(&[&dry[..], &["--json"]].concat()).await.ended(1));
    assert_eq!(told["problems"].as_array().unwrap().len(), 3);

    let into = socket_of(&other);
    let arguments = ["--database", "app", "--create-roles", "--dry-run"];
    let roles = restore(&[&arguments[..], &["--into", &into]].concat());
    let ran = site.run(&roles).await.ended(0);
    assert!(ran.stdout.contains("makes       roles \"boss\""), "{ran:?}");
    assert_eq!(state(&other).await, before);
    other.stop().await;
    cluster.stop().await;
}

/// The names of all that is in the home.
fn home(site: &Site) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(site.home.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_of_a_file_says_what_would_be_written_where_and_how_much_it_is() {
    let (cluster, site) = source().await;
    let before = home(&site);
    let path = site.path("app.file").display().to_string();
    let file = ["--database", "app", "--to-file", "app.file", "--dry-run"];
    let sql = ["--format", "sql", "--table", "u", "--no-owner"];
    let plans: [(&[&str], &[&str]); 3] = [
        (
            &[],
            &["writes      the archive, for pg_restore; ", " KiB\n"],
        ),
        (&["--globals"], &["writes      the globals, for psql; "]),
        (
            &sql,
            &[
                "writes      SQL, for psql; how much is not known before\n",
                "with        pg_restore 15",
                "left out    owners\n",
                "chosen      public.u\n",
            ],
        ),
    ];
    for (more, told) in plans {
        let arguments = restore(&[&file[..], more].concat());
        let ran = site.run(&arguments).await.ended(0);
        let into = format!("into        new file {path}\n");
        for words in told.iter().copied().chain([&*into, "database \"app\""]) {
            assert!(ran.stdout.contains(words), "{words:?} is not in {ran:#?}");
        }
        ran.says(&["this was a dry run: nothing was touched"]);
        assert_eq!(home(&site), before);
    }

    let dry = restore(&file);
    let real: Vec<&str> = dry.iter().copied().filter(|a| *a != "--dry-run").collect();
    let told = json(&site.run(&[&dry[..], &["--json"]].concat()).await.ended(0));
    site.run(&real).await.ended(0);
    let length = std::fs::metadata(&path).unwrap().len();
    // With the archive the globals are counted.
    let bytes = told["bytes"].as_u64().unwrap();
    assert!((length..length + 4096).contains(&bytes), "{bytes} {length}");
    assert_eq!(told["writes"], "archive");

    let refused = site.run(&real).await.ended(1);
    let ran = site.run(&dry).await.ended(1);
    let words = format!("missing     {path} exists already\n");
    assert!(ran.stdout.contains(&words), "{ran:#?}");
    assert!(ran.stderr.ends_with(&refused.stderr), "{ran:#?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_would_not_fit_is_told_before_anything_is_written() {
    let (cluster, site) = source().await;
    std::fs::create_dir(site.path("small")).unwrap();
    for dry in ["--dry-run", ""] {
        let script = format!(
            "mount -t tmpfs -o size=4k tmpfs small; '{PROGRAM}' restore --database app \
             --to-file small/app.dump --identity recovery.key {dry} && exit; code=$?; \
             ls -A small >&2; exit $code"
        );
        let ran = ended(site.start_with_own_mounts(&script)).await.ended(1);
        let path = site.path("small/app.dump");
        let ran = ran.says(&[
            &format!("cannot write {}: it takes ", path.display()),
            ", and 4.0 KiB are free there",
            "hint: make room there",
        ]);
        assert!(!ran.stderr.contains("partial"), "{ran:#?}");
    }
    cluster.stop().await;
}
