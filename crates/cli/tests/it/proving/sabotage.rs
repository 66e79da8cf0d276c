//! Ways in which a backup is worthless: each is done for real, and none is proven.

use pgkeep_testkit::cluster::Major;

use super::{FILL, Proving};
use crate::copies;
use crate::whole_servers::with_pg_dumpall;

const ROWS: &str = "[{ database = 'app', name = 'rows', sql = 'select count(*) >= 1000 from t' }]";

/// So much that the next backup refers to what this one has.
const LARGE: &str = "CREATE TABLE t AS SELECT n, md5(n::text) AS noise \
                     FROM generate_series(1, 60000) AS n";

/// Where an object of the repository is.
fn object(proving: &Proving, ending: &str) -> std::path::PathBuf {
    let files = proving.site.repository_files();
    let mut of_it = files.into_iter().filter(|path| path.ends_with(ending));
    of_it.next().unwrap()
}

fn flip(path: &std::path::Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_is_missing() {
    let proving = Proving::of(FILL).await;
    let id = proving.site.back_up("app").await;
    proving.asking(ROWS);
    std::fs::remove_file(object(&proving, "packs/0")).unwrap();
    let proved = proving.prove(&[]).await;
    let may_be = format!("backup {id} may be the one, and cannot be used");
    proved.came_to(1, "failed", &[&may_be, "packs/0", "it is not there"]);
    assert!(proved.line["proof"].is_null());
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_each_kind_of_object_that_a_backup_has() {
    let proving = Proving::of(FILL).await;
    let id = proving.site.back_up("app").await;
    proving.asking(ROWS);
    for (of_it, step) in [
        ("packs/0", "roles"),
        ("index/0", "roles"),
        ("manifest", "open"),
        ("facts", "open"),
    ] {
        let path = object(&proving, &format!("{id}/{of_it}"));
        let whole = std::fs::read(&path).unwrap();
        flip(&path);
        let proved = proving.prove(&[]).await;
        proved.came_to(1, "failed", &[&format!("backups/{id}/{of_it}"), "offset"]);
        assert_eq!(proved.step(step).0, "failed", "{proved:#?}");
        assert_eq!(proved.step("questions").0, "not-done");
        let damage = proved.line["damage"].as_str().unwrap();
        let words = format!("backups/{id}/{of_it} was read back: it has the right length, and");
        assert!(damage.contains(&words), "{damage}");
        // It is offered no more, until somebody has found it whole.
        let proved = proving.prove(&[]).await;
        proved.came_to(1, "failed", &[&id, "cannot be used", of_it]);
        std::fs::write(path, whole).unwrap();
        proving.site.run(&["verify"]).await.ended(0);
        assert_eq!(proving.levels().await, ["refuted"]);
    }
    let path = object(&proving, &format!("{id}/backup"));
    let whole = std::fs::read(&path).unwrap();
    flip(&path);
    let proved = proving.prove(&[]).await;
    proved.came_to(1, "failed", &[&id, "cannot be used", "offset"]);
    std::fs::write(path, whole).unwrap();
    // What failed for the storage's fault is taken back once that is mended.
    proving.prove(&[]).await.came_to(0, "proven", &[]);
    assert_eq!(proving.levels().await, ["proven"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pack_that_later_backups_would_be_built_on() {
    let proving = Proving::of(LARGE).await;
    let site = &proving.site;
    let id = site.back_up("app").await;
    let path = object(&proving, &format!("{id}/packs/0"));
    let whole = std::fs::read(&path).unwrap();
    flip(&path);
    // Nothing is written down: it may be built on, and is no better for that.
    let proved = proving.prove(&["--no-record"]).await;
    proved.came_to(1, "failed", &["packs/0"]);
    let damage = proved.line["damage"].as_str().unwrap();
    assert!(
        damage.contains("still offered; 'pgkeep verify' writes it down"),
        "{damage}"
    );
    let second = site.back_up("app").await;
    let proved = proving.prove(&[]).await;
    proved.came_to(1, "failed", &[&format!("backups/{id}/packs/0")]);
    assert_eq!(proved.line["proof"]["damage"], true);
    let damage = proved.line["damage"].as_str().unwrap();
    let words = "backups that need it are not offered any more, nor built upon; the next 'pgkeep \
                 backup' stores anew what it had";
    assert!(damage.ends_with(words), "{damage}");
    let show = site.run(&["show", &second]).await;
    assert!(show.stdout.contains("packs/0") || show.stderr.contains("packs/0"));

    site.back_up("app").await;
    proving.prove(&[]).await.came_to(0, "restorable", &[]);
    std::fs::write(path, whole).unwrap();
    site.run(&["verify"]).await.ended(0);
    assert_eq!(proving.levels().await, ["intact", "refuted", "restorable"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pack_that_another_repository_has_whole() {
    let proving = Proving::of(LARGE).await;
    let site = &proving.site;
    copies::configure(site, true);
    copies::like(site).await;
    let id = site.back_up("app").await;
    let two = site.back_up("app").await;
    flip(&object(
        &proving,
        &format!("backups/main/backups/{id}/packs/0"),
    ));
    let proved = proving.prove(&[]).await;
    proved.came_to(1, "failed", &[&format!("backups/{id}/packs/0")]);
    let damage = proved.line["damage"].as_str().unwrap();
    let words = "'pgkeep copy --from offsite --to local' mends it, and the next 'pgkeep backup'";
    assert!(damage.contains(words), "{damage}");
    let verified = site
        .run(&["verify", "--repository", "local"])
        .await
        .ended(1);
    assert!(
        verified.stdout.contains("NO GOOD BACKUP IS LEFT"),
        "{verified:#?}"
    );
    let copy = ["copy", "--from", "offsite", "--to", "local"];
    site.run(&copy).await.ended(0);
    proving.prove(&[&two]).await.came_to(0, "restorable", &[]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_the_repository_s_own_objects_or_in_a_proof() {
    let proving = Proving::of(FILL).await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let host = proving.site.repository_files().into_iter().find(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        path.parent().unwrap().ends_with("keys") && !name.starts_with("ring-")
    });
    for path in [object(&proving, "pgkeep.json"), host.unwrap()] {
        let whole = std::fs::read(&path).unwrap();
        flip(&path);
        let proved = proving.prove(&[]).await;
        assert_eq!(proved.ran.code(), 1, "{proved:#?}");
        assert!(proved.line.is_null(), "{proved:#?}");
        std::fs::write(path, whole).unwrap();
    }
    proving.prove(&[]).await.came_to(0, "proven", &[]);
    let files = proving.site.repository_files();
    let proof = files
        .iter()
        .find(|p| p.to_string_lossy().contains("/proofs/"));
    flip(proof.unwrap());
    assert_eq!(proving.levels().await, ["stored"]);
    let listed = proving.site.run(&["list"]).await.ended(1);
    listed.says(&["main/proofs/", "offset"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_emptied_before_the_dump() {
    let proving = Proving::of(FILL).await;
    proving.cluster.psql("app", "TRUNCATE t").await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let proved = proving.prove(&[]).await;
    let words = "question \"rows\" was to answer true, and answered false: it is false";
    proved.came_to(1, "failed", &[words]);
    assert_eq!(proved.step("compare").0, "done");
    assert_eq!(proved.step("questions").0, "failed");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_rows_were_deleted_between_two_backups() {
    let proving = Proving::of(FILL).await;
    let good = proving.site.back_up("app").await;
    proving
        .cluster
        .psql("app", "DELETE FROM t WHERE n % 2 = 0")
        .await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let proved = proving.prove(&[]).await;
    proved.came_to(1, "failed", &["question \"rows\""]);
    proving.prove(&[&good]).await.came_to(0, "proven", &[]);
    assert_eq!(proving.levels().await, ["proven", "refuted"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_answer_that_a_proof_without_questions_would_take_back() {
    let proving = Proving::of(FILL).await;
    proving.cluster.psql("app", "TRUNCATE t").await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    proving.prove(&[]).await.came_to(1, "failed", &[]);
    proving.asking("[]");
    let proved = proving.prove(&["--report", "report.html"]).await;
    proved.came_to(1, "restorable", &[]);
    let words = "the backup stays FAILED PROOF: of 1 answer in the proof of ";
    let told = proved.line["still_refuted"].as_str().unwrap();
    assert!(told.starts_with(words), "{told}");
    assert!(told.ends_with("0 were right, and only a proof that asks no fewer takes that back"));
    let page = std::fs::read_to_string(proving.site.path("report.html")).unwrap();
    assert!(page.contains(words), "{page}");
    assert_eq!(proving.levels().await, ["refuted"]);
    let checked = proving.site.run(&["check"]).await.ended(2);
    assert!(
        checked
            .stdout
            .contains("the proof of database \"app\" FAILED")
    );
    proving.asking("[{ database = 'app', sql = 'select count(*) = 0 from t' }]");
    proving.prove(&[]).await.came_to(0, "proven", &[]);
    assert_eq!(proving.levels().await, ["proven"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_tables() {
    let proving = Proving::of("SELECT").await;
    proving.site.back_up("app").await;
    let proved = proving.prove(&[]).await;
    proved.came_to(1, "failed", &["database \"app\" has no tables at all"]);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_missing() {
    let mut proving = Proving::of(FILL).await;
    let real = Major::Fifteen.programs().join("pg_dumpall");
    let script = format!(
        "#!/bin/sh\n'{}' \"$@\" | sed '/ROLE app/d'\n",
        real.display()
    );
    with_pg_dumpall(&mut proving.site, &script);
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let proved = proving.prove(&[]).await;
    let words = "it needs roles that its globals do not have: \"app\"";
    proved.came_to(1, "failed", &[words]);
    assert_eq!(proved.step("look").0, "failed");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_trigger_that_fails() {
    // Made before materialized views are filled, which is a command that it sees; in the
    // sessions of a restore those fire that are to fire always.
    let fill = format!(
        "{FILL}; CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM t; \
         CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS \
         $$BEGIN RAISE EXCEPTION 'not on my watch'; END$$; \
         CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION no(); \
         ALTER EVENT TRIGGER no ENABLE ALWAYS"
    );
    let proving = Proving::of(&fill).await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let proved = proving.prove(&[]).await;
    proved.came_to(1, "failed", &["pg_restore", "not on my watch"]);
    assert_eq!(proved.step("restore").0, "failed");
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_on_logins_that_fails() {
    let fill = format!(
        "{FILL}; CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS \
         $$BEGIN RAISE EXCEPTION 'closed today'; END$$; \
         CREATE EVENT TRIGGER no ON login EXECUTE FUNCTION no()"
    );
    let proving = Proving::on(Major::Eighteen, &fill).await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let proved = proving.prove(&[]).await;
    let words = ["question \"rows\" was not answered", "closed today"];
    proved.came_to(1, "failed", &words);
    proving.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_fails_when_a_constraint_is_checked() {
    // A function that no longer does what rows were let in by: a check constraint that
    // looks at another table, which is filled later.
    let fill = "CREATE TABLE z (n int); INSERT INTO z VALUES (1); \
                CREATE FUNCTION known(int) RETURNS bool LANGUAGE sql AS \
                $$SELECT EXISTS (SELECT FROM public.z WHERE n = $1)$$; \
                CREATE TABLE a (n int CHECK (known(n))); INSERT INTO a VALUES (1); \
                CREATE TABLE t AS SELECT generate_series(1, 1000) AS n";
    let proving = Proving::of(fill).await;
    proving.site.back_up("app").await;
    proving.asking(ROWS);
    let proved = proving.prove(&[]).await;
    proved.came_to(1, "failed", &["pg_restore", "violates check constraint"]);
    proving.cluster.stop().await;
}

/// Statements that say what a server does of a full disk, of a process that was killed, and of
/// what the host lacks.
const FORGED: [&str; 5] = [
    "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'",
    "RAISE LOG 'server process (PID 1) was terminated by signal 9: Killed'; \
     RAISE EXCEPTION 'not here'",
    "RAISE EXCEPTION 'could not access file \"$libdir/x\": No such file or directory' \
     USING ERRCODE = '58P01'",
    "RAISE EXCEPTION 'x can only be loaded via shared_preload_libraries'",
    "RAISE EXCEPTION 'could not connect to server \"source\"' USING ERRCODE = '08001'",
];

/// What each of them says in the end.
const SAYS: [&str; 5] = [
    "No space left",
    "not here",
    "could not access file",
    "can only be loaded via",
    "could not connect to server",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_says_what_a_server_says_of_its_host() {
    for (forged, words) in FORGED.iter().zip(SAYS) {
        // It fails where it is restored, and did not where it was dumped.
        let fill = format!(
            "{FILL}; CREATE TABLE fails (fails bool); INSERT INTO fails VALUES (false); \
             CREATE FUNCTION fail() RETURNS int LANGUAGE plpgsql AS $$BEGIN \
             IF (SELECT fails FROM public.fails) THEN {forged}; END IF; RETURN 1; END$$; \
             CREATE MATERIALIZED VIEW v AS SELECT fail(); UPDATE fails SET fails = true"
        );
        let proving = Proving::of(&fill).await;
        proving.site.back_up("app").await;
        let proved = proving.prove(&[]).await;
        proved.came_to(1, "failed", &["pg_restore", words]);
        proving.cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_says_what_a_server_says_of_its_host() {
    let functions = FORGED.iter().enumerate().map(|(number, forged)| {
        format!(
            "; CREATE FUNCTION f{number}() RETURNS bool LANGUAGE plpgsql AS \
             $$BEGIN {forged}; END$$"
        )
    });
    let fill: String = std::iter::once(FILL.to_owned()).chain(functions).collect();
    let proving = Proving::of(&fill).await;
    proving.site.back_up("app").await;
    for (number, words) in SAYS.iter().enumerate() {
        proving.asking(&format!(
            "[{{ database = 'app', sql = 'select f{number}()' }}]"
        ));
        let proved = proving.prove(&[]).await;
        proved.came_to(1, "failed", &[words]);
    }
    proving.cluster.stop().await;
}
