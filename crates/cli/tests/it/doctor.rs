//! The doctor finds what would fail and says how to mend it, and what it prescribes
//! helps.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{PROGRAM, Site, ended, restore_as_new, socket_of};

/// The findings about a subject, each as state and words.
fn about(stdout: &str, subject: &str) -> Vec<(String, String)> {
    let report: serde_json::Value = serde_json::from_str(stdout).unwrap();
    let findings = report["clusters"][0]["findings"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let ours = findings.iter().filter(|found| found["subject"] == subject);
    ours.map(|found| (text(&found["state"]), text(&found["says"])))
        .collect()
}

fn has(found: &[(String, String)], state: &str, words: &str) -> bool {
    found
        .iter()
        .any(|(s, says)| s == state && says.contains(words))
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_nothing_is_a_problem() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    std::fs::remove_file(site.path("recovery.key")).unwrap();
    site.back_up("postgres").await;
    let ran = site.run(&["doctor"]).await.ended(0);
    assert!(ran.stdout.contains("no problems"), "{ran:?}");
    assert!(!ran.stdout.contains("PROBLEM"), "{ran:?}");
    for subject in [
        "connection",
        "tools",
        "rights",
        "globals",
        "repository",
        "keys",
        "clock",
    ] {
        let line = format!("ok       {subject}");
        assert!(ran.stdout.contains(&line), "{subject}: {ran:?}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_missing_are_found_and_the_sql_that_is_printed_gives_them() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = "CREATE SCHEMA s; CREATE TABLE s.secret (); CREATE TABLE policed (); \
         ALTER TABLE policed ENABLE ROW LEVEL SECURITY; GRANT SELECT ON policed TO PUBLIC; \
         CREATE SEQUENCE q; SELECT lo_from_bytea(0, 'x');";
    cluster.psql("app", fill).await;
    cluster.psql("postgres", "CREATE ROLE backup LOGIN").await;
    let connection = socket_of(&cluster).replace("user='postgres'", "user=backup");
    let site = Site::with(&connection, &[]).await;
    let ran = site.run(&["doctor", "--json"]).await.ended(1);
    let rights = about(&ran.stdout, "rights");
    for wanted in [
        "s.secret",
        "public.q",
        "policies hide rows of public.policed",
        "cannot read 1 large object",
    ] {
        assert!(has(&rights, "problem", wanted), "{wanted}: {rights:?}");
    }
    assert_eq!(about(&ran.stdout, "globals")[0].0, "warning");
    let ran = site.run(&["backup"]).await.ended(3);
    ran.says(&["cannot back up database \"app\"", "permission denied"]);

    let role = site.run(&["doctor", "--role", "backup"]).await.ended(0);
    cluster.psql("postgres", &role.stdout).await;
    let ran = site.run(&["doctor", "--json"]).await.ended(1);
    let rights = about(&ran.stdout, "rights");
    assert!(
        rights.iter().all(|(state, _)| state == "good"),
        "{rights:?}"
    );
    assert_eq!(about(&ran.stdout, "globals")[0].0, "good");
    let ran = site.run(&["backup"]).await.ended(0);
    assert!(!ran.stderr.contains("warning"), "{ran:#?}");
    site.run(&["doctor"]).await.ended(0);
    // What the role has read, a superuser brings back, and it is all that there was.
    let into = socket_of(&cluster);
    let back = restore_as_new(&into, &[]);
    site.run(&back).await.ended(0);
    let without_names = |dump: String| dump.replace("new", "app");
    assert_eq!(
        without_names(cluster.pg_dump_c("new").await),
        without_names(cluster.pg_dump_c("app").await)
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_and_a_repository_that_are_not_there_are_both_told() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    cluster.stop().await;
    std::fs::rename(site.path("backups"), site.path("elsewhere")).unwrap();
    let ran = site.run(&["doctor", "--json"]).await.ended(1);
    for subject in ["connection", "repository"] {
        let found = about(&ran.stdout, subject);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "problem");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_are_missing_beside_pg_dump_are_told() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let mut site = Site::of(&cluster).await;
    let tools = site.path("tools");
    std::fs::create_dir(&tools).unwrap();
    let script = "#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.99'\n";
    std::fs::write(tools.join("pg_dump"), script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(tools.join("pg_dump"), mode).unwrap();
    site.set("PGKEEP_POSTGRES_BIN", tools);
    let ran = site.run(&["doctor", "--json"]).await.ended(1);
    let told = about(&ran.stdout, "tools");
    assert!(has(&told, "problem", "there is no pg_dumpall"), "{told:?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_newest_attempt_came_to_nothing_is_a_problem_until_there_is_a_new_one() {
    let cluster = Cluster::start(Major::Fifteen).await;
    for database in ["app", "cut", "other"] {
        let create = format!("CREATE DATABASE {database}");
        cluster.psql("postgres", &create).await;
    }
    let site = Site::of(&cluster).await;
    site.run(&["backup"]).await.ended(0);
    site.run(&["doctor"]).await.ended(0);

    let close = "ALTER DATABASE app ALLOW_CONNECTIONS false";
    cluster.psql("postgres", close).await;
    site.run(&["backup", "--database", "app", "--database", "other"])
        .await
        .ended(3);
    let open = "ALTER DATABASE app ALLOW_CONNECTIONS true";
    cluster.psql("postgres", open).await;
    let cut = site.back_up("cut").await;
    forget(&site, &cut);
    let failed = site.list().await;
    let failed = failed.iter().rfind(|line| line["database"] == "app");
    let failed = failed.unwrap()["id"].as_str().unwrap().to_owned();
    let ran = site.run(&["doctor", "--json"]).await.ended(1);
    let told = about(&ran.stdout, "backups");
    let of = |id: &str| id.rsplit('-').next().unwrap().to_owned();
    let said = |words: &str| has(&told, "problem", words);
    assert!(said(&format!("\"app\", {} of", of(&failed))), "{told:?}");
    assert!(said(&format!("\"cut\", {} of", of(&cut))), "{told:?}");
    assert!(said("FAILED") && said("ABANDONED"), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");

    site.back_up("app").await;
    site.back_up("cut").await;
    let ran = site.run(&["doctor", "--json"]).await.ended(0);
    assert!(has(&about(&ran.stdout, "backups"), "good", "the newest"));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_at_a_database_that_is_backed_up_no_more_is_no_problem() {
    let cluster = Cluster::start(Major::Fifteen).await;
    for database in ["gone", "scratch"] {
        let create = format!("CREATE DATABASE {database}");
        cluster.psql("postgres", &create).await;
    }
    let mut site = Site::of(&cluster).await;
    site.run(&["backup"]).await.ended(0);
    cluster.psql("postgres", "DROP DATABASE gone").await;
    let close = "ALTER DATABASE scratch ALLOW_CONNECTIONS false";
    cluster.psql("postgres", close).await;
    let fails = ["backup", "--database", "gone", "--database", "scratch"];
    site.run(&fails).await.ended(1);
    let attempt = |database: &str| format!("the newest attempt at database {database:?}");

    // As long as nothing else was backed up since, all may have failed.
    let told = site.run(&["doctor", "--json"]).await.ended(1).stdout;
    let told = about(&told, "backups");
    assert!(has(&told, "problem", &attempt("gone")), "{told:?}");
    site.back_up("postgres").await;
    let told = site.run(&["doctor", "--json"]).await.ended(1).stdout;
    let told = about(&told, "backups");
    assert!(has(&told, "good", &attempt("gone")), "{told:?}");
    assert!(has(&told, "problem", &attempt("scratch")), "{told:?}");

    site.set("PGKEEP_CLUSTER_MAIN_DUMP_DATABASES_EXCLUDE", "scratch");
    let told = site.run(&["doctor", "--json"]).await.ended(0).stdout;
    let told = about(&told, "backups");
    assert!(has(&told, "good", &attempt("scratch")), "{told:?}");
    assert!(has(&told, "good", "the newest is of"), "{told:?}");

    // Where nobody can tell which databases there are, each may be one of them.
    cluster.stop().await;
    let told = site.run(&["doctor", "--json"]).await.ended(1).stdout;
    let told = about(&told, "backups");
    assert!(has(&told, "problem", &attempt("gone")), "{told:?}");
    assert!(has(&told, "problem", &attempt("scratch")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosters_own_database_is_not_looked_at() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE ROLE rdsadmin").await;
    let create = "CREATE DATABASE rdsadmin OWNER rdsadmin ALLOW_CONNECTIONS false";
    cluster.psql("postgres", create).await;
    let site = Site::of(&cluster).await;
    site.run(&["backup"]).await.ended(0);
    site.run(&["doctor"]).await.ended(0);
    cluster.stop().await;
}

/// Makes of a backup one whose run was cut off long ago.
fn forget(site: &Site, id: &str) {
    let of_cluster = site.path("backups/main");
    std::fs::remove_file(of_cluster.join("backups").join(id).join("backup")).unwrap();
    let day = std::time::Duration::from_secs(86_400);
    for file in site.repository_files() {
        let stored = std::fs::File::options().append(true).open(&file).unwrap();
        let made = stored.metadata().unwrap().modified().unwrap();
        stored.set_modified(made - day).unwrap();
    }
    // What a run sets out to do is in the clear.
    let mut runs = std::fs::read_dir(of_cluster.join("runs")).unwrap();
    let run = runs.find_map(|run| {
        let run = run.unwrap().path();
        let begin = std::fs::read(run.join("begin")).unwrap();
        String::from_utf8_lossy(&begin).contains(id).then_some(run)
    });
    std::fs::remove_file(run.unwrap().join("outcome")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newest_backup_without_the_globals_is_a_problem() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let mut site = Site::of(&cluster).await;
    let tools = site.path("tools");
    std::fs::create_dir(&tools).unwrap();
    let programs = Major::Fifteen.programs();
    for name in ["pg_dump", "pg_restore"] {
        std::os::unix::fs::symlink(programs.join(name), tools.join(name)).unwrap();
    }
    let script = "#!/bin/sh\nexit 1\n";
    let path = tools.join("pg_dumpall");
    std::fs::write(&path, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).unwrap();
    site.set("PGKEEP_POSTGRES_BIN", tools);
    site.run(&["backup", "--database", "postgres"])
        .await
        .ended(3);
    let ran = site.run(&["doctor", "--json"]).await.ended(1);
    let told = about(&ran.stdout, "backups");
    assert!(has(&told, "problem", "is partial"), "{told:?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_next_backup_can_end_well_with_is_a_problem() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let mut site = Site::of(&cluster).await;
    site.run(&["backup"]).await.ended(0);
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_DATABASES_EXCLUDE", "*");
    site.run(&["backup"]).await.ended(1);
    let told = site.run(&["doctor", "--json"]).await.ended(1).stdout;
    let told = about(&told, "databases");
    assert!(
        has(&told, "problem", "has no database to back up"),
        "{told:?}"
    );

    site.set("PGKEEP_CLUSTER_MAIN_DUMP_DATABASES_EXCLUDE", "scratch");
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_ARGUMENTS", "--format=plain");
    site.run(&["backup"]).await.ended(2);
    let told = site.run(&["doctor", "--json"]).await.ended(1).stdout;
    let told = about(&told, "dump");
    assert!(has(&told, "problem", "\"--format=plain\""), "{told:?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_repository_that_a_backup_goes_to_is_looked_at() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let configuration = site.path("pgkeep.toml");
    let written = std::fs::read_to_string(&configuration).unwrap();
    let written = written.replace(
        "[cluster.main]\n",
        "[cluster.main]\nrepositories = [\"local\", \"offsite\"]\n",
    );
    let with = |offsite: &str| {
        let more = format!("{written}\n[repository.offsite]\nurl = \"{offsite}\"\n");
        std::fs::write(&configuration, more).unwrap();
    };
    with(&site.path("offsite").display().to_string());
    site.run(&["backup"]).await.ended(3);
    let told = site.run(&["doctor", "--json"]).await.ended(1).stdout;
    let told = about(&told, "repository");
    assert!(has(&told, "good", "local: "), "{told:?}");
    assert!(has(&told, "problem", "offsite: "), "{told:?}");

    let like = ["init", "--like", "local", "--repository", "offsite"];
    site.run(&like).await.ended(0);
    site.run(&["backup"]).await.ended(0);
    let told = site.run(&["doctor", "--json"]).await.ended(0).stdout;
    assert!(has(&about(&told, "repository"), "good", "offsite: "));
    assert!(has(&about(&told, "keys"), "good", "offsite: this host may"));

    let strange = Site::with(&socket_of(&cluster), &["--encryption", "none"]).await;
    with(&strange.path("backups").display().to_string());
    site.run(&["backup"]).await.ended(3);
    let told = site.run(&["doctor", "--json"]).await.ended(1).stdout;
    let found = about(&told, "repository");
    assert!(has(&found, "problem", "offsite: "), "{told}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_sessions_that_a_backup_goes_beyond_is_a_problem_beforehand() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let make = "CREATE ROLE backup LOGIN BYPASSRLS; GRANT pg_read_all_data TO backup; \
                CREATE DATABASE app CONNECTION LIMIT 1";
    cluster.psql("postgres", make).await;
    let connection = socket_of(&cluster).replace("user='postgres'", "user=backup");
    let mut site = Site::with(&connection, &[]).await;
    let of_database = ["database \"app\"", "CONNECTION LIMIT"];
    site.run(&["backup"]).await.ended(3).says(&of_database);
    let told = site.run(&["doctor", "--json"]).await.ended(1).stdout;
    let words = "database \"app\" takes 1 at the same time";
    assert!(has(&about(&told, "sessions"), "problem", words), "{told}");

    let limit = "ALTER DATABASE app CONNECTION LIMIT -1; ALTER ROLE backup CONNECTION LIMIT 3";
    for statement in limit.split("; ") {
        cluster.psql("postgres", statement).await;
    }
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_JOBS", "2");
    let told = site.run(&["doctor", "--json"]).await.ended(1).stdout;
    let words = "role \"backup\" may have 3 at the same time, and a backup takes 4";
    assert!(has(&about(&told, "sessions"), "problem", words), "{told}");
    assert!(told.contains("jobs = 1"), "{told}");

    let limit = "ALTER ROLE backup CONNECTION LIMIT 1";
    cluster.psql("postgres", limit).await;
    let of_role = ["too many connections for role", "ALTER ROLE", "'jobs'"];
    site.run(&["backup"]).await.ended(1).says(&of_role);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_drop_was_interrupted_is_left_out_and_told_and_fails_where_it_is_named() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE half").await;
    let interrupt = "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half'";
    cluster.psql("postgres", interrupt).await;
    let mut site = Site::of(&cluster).await;
    let words = ["database \"half\" is INVALID", "DROP DATABASE \"half\""];
    site.run(&["backup"]).await.ended(0).says(&words);
    let told = site.run(&["doctor", "--json"]).await.ended(0).stdout;
    let words = "database \"half\" is invalid";
    assert!(has(&about(&told, "databases"), "warning", words), "{told}");

    site.set(
        "PGKEEP_CLUSTER_MAIN_DUMP_DATABASES_INCLUDE",
        "half,postgres",
    );
    let words = ["invalid database", "DROP DATABASE \"half\""];
    site.run(&["backup"]).await.ended(3).says(&words);
    let told = site.run(&["doctor", "--json"]).await.ended(1).stdout;
    let words = "cannot be backed up";
    assert!(has(&about(&told, "databases"), "problem", words), "{told}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_that_a_backup_cannot_write_in_are_a_problem() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    site.back_up("postgres").await;
    // Root may write anywhere.
    let user = "setpriv --reuid=65534 --regid=65534 --clear-groups --";
    for directory in ["main", "main/backups", "main/runs"] {
        let script = format!(
            "chown -R 65534:65534 .; chmod 500 backups/{directory}; \
             {user} '{PROGRAM}' doctor --json || true; chmod 700 backups/{directory}"
        );
        let ran = ended(site.start_with_own_mounts(&script)).await.ended(0);
        let told = about(&ran.stdout, "storage");
        let words = format!("backups/{directory}: Permission denied");
        assert!(has(&told, "problem", &words), "{ran:#?}");
        let problems = told.iter().filter(|(state, _)| state == "problem");
        assert_eq!(problems.count(), 1, "{told:?}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_of_a_database_and_not_there_is_told_as_a_backup_tells_it() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let fill = "CREATE SCHEMA shop; CREATE TABLE shop.orders (); CREATE TABLE t ()";
    cluster.psql("postgres", fill).await;
    let mut site = Site::of(&cluster).await;
    for (tables, state, code, words) in [
        ("t,zzzzzz", "warning", 0, "no table \"zzzzzz\""),
        (
            "orders",
            "problem",
            1,
            "no table \"orders\", which 'tables' chooses and which was looked for along the role's \
             search_path (there is shop.orders)",
        ),
        (
            "shop.ordres",
            "problem",
            1,
            "no table \"shop.ordres\", which 'tables' chooses (there is shop.orders)",
        ),
    ] {
        site.set("PGKEEP_CLUSTER_MAIN_DUMP_TABLES_INCLUDE", tables);
        let told = site.run(&["doctor", "--json"]).await.ended(code).stdout;
        let told = about(&told, "dump");
        assert!(has(&told, state, words), "{told:?}");
        let words = ["database \"postgres\"", words];
        site.run(&["backup"]).await.ended(code).says(&words);
    }
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_TABLES_INCLUDE", "t");
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_SCHEMAS_INCLUDE", "shopp");
    let words = [
        "it has no schema \"shopp\", which 'schemas' chooses (there is shop)",
        "leave the database out under 'databases'",
    ];
    site.run(&["backup"]).await.ended(1).says(&words);
    cluster.stop().await;
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_one_problem() {
    let site = Site::empty();
    let init = [
        "init",
        "--repository",
        "backups",
        "--connection",
        "host=/nowhere",
    ];
    site.run(&init).await.ended(0);
    std::fs::rename(site.path("backups"), site.path("away")).unwrap();
    let ran = site.run(&["doctor"]).await.ended(1);
    let told = format!("{}{}", ran.stdout, ran.stderr);
    assert!(told.contains("no repository in"), "{ran:#?}");
    let of_space = told.lines().any(|line| line.contains("space"));
    assert!(!of_space, "{ran:#?}");
}
