//! What a host lacks says nothing of the backup: neither good nor bad.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

use pgkeep_testkit::cluster::Major;

use super::{FILL, Proved, Proving, arguments};
use crate::site::{PROGRAM, ended};

const ROWS: &str = "[{ database = 'app', name = 'rows', sql = 'select count(*) >= 1000 from t' }]";
const SHARED: &str = "/usr/share/postgresql/15/extension";
const LIBRARIES: &str = "/usr/lib/postgresql/15/lib";

impl Proving {
    /// Proves on a host that `changes` made another one, by mounts of its own.
    async fn prove_where(&self, changes: &str) -> Proved {
        let before = self.connections();
        let words = arguments(&[]).join("' '");
        let script = format!("{changes}\nset +e\n'{PROGRAM}' '{words}'");
        let ran = ended(self.site.start_with_own_mounts(&script)).await;
        self.check(before, ran)
    }
}

/// A script that shows `directory` as a copy of which `change` is made.
fn instead_of(directory: &str, change: &str) -> String {
    format!(
        "cp -r '{directory}' copied; chmod -R a+rX copied; (cd copied; {change}); \
         mount --bind copied '{directory}'"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_a_library_or_one_that_wants_to_be_preloaded() {
    let fill = format!("CREATE EXTENSION hstore; {FILL}");
    let proving = Proving::of(&fill).await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    // As pg_cron does.
    let wants = "for f in hstore--*.sql; do echo \"DO \\$\\$BEGIN RAISE EXCEPTION 'hstore can \
                 only be loaded via shared_preload_libraries'; END\\$\\$;\" > $f; done";
    for (directory, change, words) in [
        (
            SHARED,
            "rm hstore.control",
            ["extension \"hstore\" 1.8 is not installed here", ""],
        ),
        (
            LIBRARIES,
            "rm hstore.so",
            ["could not access file \"$libdir/hstore\"", "pg_restore"],
        ),
        (
            SHARED,
            wants,
            [
                "can only be loaded via shared_preload_libraries",
                "pg_restore",
            ],
        ),
    ] {
        let proved = proving.prove_where(&instead_of(directory, change)).await;
        proved.came_to(3, "not-provable", &words);
        std::fs::remove_dir_all(proving.site.path("copied")).unwrap();
    }
    assert_eq!(proving.levels().await, ["stored"]);
    proving.prove(&[]).await.came_to(0, "proven", &[]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_major_that_is_not_there_and_the_nearest_newer_one_that_is() {
    let mut proving = Proving::on(Major::Sixteen, FILL).await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    proving
        .site
        .set("PGKEEP_POSTGRES_BIN", Major::Fifteen.programs());
    let proved = proving.prove(&[]).await;
    let words = "PostgreSQL 16 or newer is needed, and this host has 15.";
    proved.came_to(3, "not-provable", &[words]);
    let both = [Major::Fifteen.programs(), Major::Eighteen.programs()];
    let both = std::env::join_paths(both).unwrap();
    proving.site.set("PGKEEP_POSTGRES_BIN", both);
    let proved = proving.prove(&[]).await;
    proved.came_to(0, "proven", &[]);
    let told = "the throwaway server is PostgreSQL 18, the backup's was 16";
    assert!(proved.step("server").1.contains(told), "{proved:#?}");
    let why = "not done: the extension amcheck is not installed";
    assert!(proved.step("amcheck").1.contains(why), "{proved:#?}");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_locales_that_the_server_was_built_without() {
    let proving = Proving::of("SELECT").await;
    let icu = "DROP DATABASE app; CREATE DATABASE app TEMPLATE template0 LOCALE_PROVIDER icu \
               ICU_LOCALE 'de'";
    proving.cluster.psql("postgres", icu).await;
    proving.cluster.psql("app", FILL).await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let hidden = "mount -t tmpfs none /usr/lib/postgresql/15";
    let proved = proving.prove_where(hidden).await;
    let words = "the server was built without ICU";
    proved.came_to(3, "not-provable", &[words]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_room_for_the_restore() {
    let proving = Proving::of(FILL).await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let small = "mount -t tmpfs -o size=64m,mode=755 none scratch";
    let proved = proving.prove_where(small).await;
    let words = ["scratch has 64.0 MiB free, and the restore takes about 26"];
    proved.came_to(3, "not-provable", &words);
    assert_eq!(proved.step("room").0, "failed");
    let proved = proving.prove(&["--scratch", "nowhere"]).await;
    proved.came_to(3, "not-provable", &["nowhere cannot be used"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_the_servers_user_may_not_enter() {
    let proving = Proving::of(FILL).await;
    proving.site.back_up("app").await;
    let closed = proving.site.path("closed");
    std::fs::create_dir_all(closed.join("scratch")).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
    let proved = proving.prove(&["--scratch", "closed/scratch"]).await;
    match std::fs::metadata("/proc/self").unwrap().uid() {
        0 => {
            let user = "user \"nobody\", as whom a throwaway server runs here, may not enter";
            let (enter, mend) = (closed.display().to_string(), "chmod o+x");
            proved.came_to(3, "not-provable", &[user, &enter, mend]);
        }
        _ => proved.came_to(0, "restorable", &[]),
    }
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn room_that_does_not_suffice_for_what_was_not_foreseen() {
    // A view that is small where it is dumped, and large where it is restored.
    let fill = format!(
        "{FILL}; CREATE TABLE grows (rows int); INSERT INTO grows VALUES (1); \
         CREATE FUNCTION rows() RETURNS SETOF text LANGUAGE sql AS \
         $$SELECT repeat('x', 1000) FROM public.grows, generate_series(1, grows.rows)$$; \
         CREATE MATERIALIZED VIEW v AS SELECT rows(); UPDATE grows SET rows = 1000000"
    );
    let proving = Proving::of(&fill).await;
    proving.site.back_up("app").await;
    let small = "mount -t tmpfs -o size=300m,mode=755 none scratch";
    let proved = proving.prove_where(small).await;
    let words = [
        "the throwaway server had no room or memory left",
        // It goes on with how the file system refuses.
        "could not extend file",
    ];
    proved.came_to(3, "not-provable", &words);
    assert_eq!(proved.step("restore").0, "failed");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cannot_isolate_restores_nothing() {
    let proving = Proving::of(FILL).await;
    proving.site.back_up("app").await;
    for (unshare, words) in [
        ("cat /dev/null", "cannot run unshare"),
        (
            "printf '#!/bin/sh\\necho no rights >&2\\nexit 1\\n'",
            "this host cannot isolate a throwaway server: no rights",
        ),
    ] {
        let mode = if words.starts_with("cannot") {
            "644"
        } else {
            "755"
        };
        let other =
            format!("{unshare} >other; chmod {mode} other; mount --bind other /usr/bin/unshare");
        let proved = proving.prove_where(&other).await;
        let hints = ["util-linux 2.36 or newer is needed", "--not-isolated"];
        proved.came_to(3, "not-provable", &[&[words], &hints[..]].concat());
        assert_eq!(proved.step("isolate").0, "failed");
        assert_eq!(proved.step("server").0, "not-done");
        std::fs::remove_file(proving.site.path("other")).unwrap();
    }
    assert_eq!(proving.levels().await, ["stored"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_root_proves_too() {
    let proving = Proving::of(FILL).await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let user = "setpriv --reuid=65534 --regid=65534 --clear-groups --";
    let before = proving.connections();
    let words = arguments(&[]).join("' '");
    let script = format!("chown -R 65534:65534 .; exec {user} '{PROGRAM}' '{words}'");
    let ran = ended(proving.site.start_with_own_mounts(&script)).await;
    let proved = proving.check(before, ran);
    proved.came_to(0, "proven", &[]);
    assert_eq!(proved.step("isolate").0, "done", "{proved:#?}");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_key() {
    let proving = Proving::of(FILL).await;
    proving.site.back_up("app").await;
    let new = [
        "key", "new", "--role", "prover", "--name", "p", "--output", "p.key",
    ];
    proving.site.run(&new).await.ended(0);
    let with = ["prove", "main", "--identity", "p.key"];
    let ran = proving.site.run(&with).await.ended(1);
    ran.says(&["no key at hand opens backups of the repository"]);
    assert_eq!(proving.levels().await, ["stored"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_contacts_nobody_and_cron_has_no_server_to_run_in() {
    let publisher = TcpListener::bind("127.0.0.1:0").unwrap();
    publisher.set_nonblocking(true).unwrap();
    let port = publisher.local_addr().unwrap().port();
    let fill = format!(
        "{FILL}; CREATE EXTENSION hstore; \
         CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port={port} dbname=x' PUBLICATION p \
         WITH (connect = false, slot_name = 's'); \
         CREATE FOREIGN DATA WRAPPER w; CREATE SERVER f FOREIGN DATA WRAPPER w"
    );
    let proving = Proving::of(&fill).await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let cron = "for f in hstore--*.sql; do echo \"DO \\$\\$BEGIN RAISE EXCEPTION 'hstore can \
                only be loaded via shared_preload_libraries'; END\\$\\$;\" > $f; done";
    let proved = proving.prove_where(&instead_of(SHARED, cron)).await;
    let words = "can only be loaded via shared_preload_libraries";
    proved.came_to(3, "not-provable", &[words]);
    // Without it, the subscription alone keeps nobody from proving, and nobody hears of it.
    proving.prove(&[]).await.came_to(0, "proven", &[]);
    let knocked = publisher.accept().unwrap_err();
    assert_eq!(knocked.kind(), std::io::ErrorKind::WouldBlock);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tablespaces_lie_in_the_throwaway_server() {
    let proving = Proving::of("SELECT").await;
    let directory = proving.cluster.server().make_directory("space").unwrap();
    let space = format!(
        "DROP DATABASE app; CREATE TABLESPACE space LOCATION '{}'; \
         CREATE DATABASE app TABLESPACE space",
        directory.display()
    );
    proving.cluster.psql("postgres", &space).await;
    proving.cluster.psql("app", FILL).await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let proved = proving.prove(&[]).await;
    proved.came_to(0, "proven", &[]);
    let told = "tablespaces in the throwaway server's own directory, not where they were";
    assert!(proved.step("roles").1.contains(told), "{proved:#?}");
    proving.cluster.stop().await;
}
