//! What is kept of a program's words, and how it is told.

use std::process::Stdio;

use tokio::process::Command;

use super::*;

fn said(tool: &'static str, text: &str) -> Said {
    let mut said = Said::new(tool);
    text.lines().for_each(|line| said.line(line));
    said
}

#[test]
fn a_failure_begins_with_its_error_and_ends_with_the_beginning_of_the_command() {
    let said = said(
        "pg_restore",
        "pg_restore: while PROCESSING TOC:\n\
         pg_restore: from TOC entry 3; 1259 16390 VIEW v joe\n\
         pg_restore: error: could not execute query: ERROR:  function f() is not there\n\
         LINE 2:  SELECT f() AS a,\n                 ^\nHINT:  You might need casts.\n\
         Command was: CREATE VIEW public.v AS\n SELECT f() AS a,\n 2 AS b,\n 3 AS c,\n\
         4 AS d,\n 5 AS e,\n 6 AS f;\n\n\
         pg_restore: error: a worker process died unexpectedly\n",
    );
    assert_eq!(
        said.of_failure(),
        [
            "error: could not execute query: ERROR:  function f() is not there",
            "LINE 2:  SELECT f() AS a,",
            "^",
            "HINT:  You might need casts.",
            "Command was: CREATE VIEW public.v AS …",
        ]
    );
}

#[test]
fn a_failure_without_an_error_is_told_by_its_last_lines() {
    let lines: Vec<String> = (0..20).map(|n| format!("line {n}\n")).collect();
    let told = said("pg_dump", &lines.concat()).of_failure();
    assert_eq!(told.first().unwrap(), "line 12");
    assert_eq!(told.last().unwrap(), "line 19");
    let loader = "pg_dump: error while loading shared libraries: libpq.so.5";
    let told = said("pg_dump", loader).of_failure();
    assert_eq!(told, ["error while loading shared libraries: libpq.so.5"]);
}

#[test]
fn a_message_of_several_lines_is_one() {
    let said = said(
        "pg_dump",
        "WARNING:  database \"a\" has a collation version mismatch\nDETAIL:  The database was created using x\n\
         pg_dump: warning: one\npg_dump: detail: of it\n\
         pg_dump: warning: two\n",
    );
    assert_eq!(
        said.of_success().into_all(),
        [
            "WARNING:  database \"a\" has a collation version mismatch / DETAIL:  The database was created using x",
            "warning: one / detail: of it",
            "warning: two",
        ]
    );
}

#[test]
fn values_of_rows_and_passwords_in_commands_are_not_told() {
    let text = "pg_restore: error: COPY failed for table \"t\": ERROR:  new row violates \"c\"\n\
         DETAIL:  Failing row contains (1, SECRET\nSECRET).\n\
         CONTEXT:  COPY t, line 1: \"1 SECRET\"\n\
         SQL function \"f\" statement SECRET\n\
         HINT:  None.\n\
         pg_restore: error: could not execute query: ERROR:  no such publication\n\
         LINE 1: CREATE SUBSCRIPTION s CONNECTION 'password=SECRET'\n   ^\n\
         Command was: CREATE SUBSCRIPTION s\n CONNECTION 'password=SECRET\nSECRET'\n\
         pg_restore: error: another: ERROR:  one\n\
         Command was: CREATE USER MAPPING FOR a SERVER b options (password 'SECRET');\n\
         pg_restore: warning: errors ignored on restore: 2\n";
    let failure = said("pg_restore", text).of_failure();
    assert_eq!(failure[1], "HINT:  None.", "{failure:?}");
    assert!(!failure.concat().contains("SECRET"), "{failure:?}");
    let success = said("pg_restore", text).of_success().into_all().concat();
    assert!(!success.contains("SECRET"), "{success}");
    for told in [
        "CREATE SUBSCRIPTION s",
        "errors ignored",
        "USER MAPPING FOR a",
    ] {
        assert!(success.contains(told), "{success}");
    }
}

#[test]
fn a_value_that_looks_like_a_message_is_not_told() {
    for looks in [
        "PIN:  SECRET",
        "error: SECRET",
        "LOG:  SECRET",
        "WARNING:  SECRET",
    ] {
        let text = format!(
            "pg_restore: error: COPY failed for table \"t\": ERROR:  new row violates \"c\"\n\
             DETAIL:  Failing row contains (1, Dear\n{looks}\nSECRET).\n\
             HINT:  None.\n"
        );
        let told = said("pg_restore", &text).of_success().into_all().concat();
        assert!(!told.contains("SECRET"), "{told}");
        assert!(told.contains("HINT:  None."), "{told}");
    }
}

#[test]
fn a_warning_of_privileges_is_told_among_the_values_of_another_session() {
    let text = "pg_restore: error: COPY failed for table \"t\": ERROR:  one\n\
         DETAIL:  Failing row contains (1, a\n\
         WARNING:  no privileges were granted for \"f\"\nb).\n";
    let (privileges, _) = said("pg_restore", text)
        .of_success()
        .into_privileges_and_others();
    assert_eq!(privileges, ["WARNING:  privileges were granted for …"]);
}

#[test]
fn an_error_of_the_servers_repeats_no_value() {
    let text = "pg_restore: error: COPY failed for table \"t\": ERROR:  invalid input syntax for \
         type integer: \"SECRET\nSECRET\"\n\
         CONTEXT:  COPY t, line 1, column n: \"SECRET\"\n\
         pg_restore: error: could not execute query: ERROR:  role \"app\" does not exist\n\
         pg_restore: FEHLER:  ungültig: »SECRET«\n\
         pg_restore: WARNING:  no privileges were granted for \"t\"\n";
    let told = said("pg_restore", text).of_success().into_all().join("\n");
    assert!(!told.contains("SECRET"), "{told}");
    for part in [
        "table \"t\": ERROR:  invalid input syntax for type integer: …",
        "role \"app\" does not exist",
        "FEHLER:  ungültig: …",
        "granted for \"t\"",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn what_may_tell_of_privileges_is_told_apart() {
    let told = |text: &str| {
        let messages = said("pg_restore", text).of_success();
        let (privileges, others) = messages.into_privileges_and_others();
        (privileges.len(), others.len())
    };
    for of_privileges in [
        "pg_restore: WARNING:  no privileges could be revoked for \"f\"\n",
        "pg_restore: WARNING:  not all privileges were granted for \"f\"\n",
        "pg_restore: WARNING:  no privileges were granted for column \"a\" of relation \"b\"\n",
        // Two of several sessions at once.
        "pg_restore: pg_restore: WARNING:  no privileges were granted for \"f\"\n",
        "pg_restore: pg_restore: creating ACL \"f\"\nWARNING:  no privileges were granted for \"f\"",
        "pg_restore: WARNUNG:  es wurden keine Privilegien gewährt\n",
    ] {
        assert_eq!(told(of_privileges), (1, 0), "{of_privileges}");
    }
    for other in [
        "pg_restore: warning: privileges: none\n",
        "pg_restore: WARNING:  collation  is old\n",
        "pg_restore: WARNING:  one\nBut:  of it\n",
        "pg_restore: creating ACL \"a\nb\"\npg_restore: WARNING:  one\n",
    ] {
        assert_eq!(told(other), (0, 1), "{other}");
    }
    assert_eq!(told(""), (0, 0));
    let at_once = "pg_restore:pg_restore:  finished item 3 INDEX i\n creating TABLE \"t\"\n";
    assert_eq!(told(at_once), (0, 0));
    assert_eq!(told("pg_restore: creating TABLE \"a\nb\"\n"), (0, 0));
}

#[test]
fn what_tells_of_privileges_is_kept_longest() {
    let warning = |n: usize| format!("pg_restore: WARNING:  number {n}\n");
    let many: Vec<String> = (0..KEPT / 10).map(warning).collect();
    let right = "pg_restore: WARNING:  no privileges were granted for \"f\"\n".to_owned();
    let text = [right, many.concat()].concat();
    let (privileges, others) = said("pg_restore", &text)
        .of_success()
        .into_privileges_and_others();
    assert_eq!(privileges.len(), 1, "{privileges:?}");
    assert!(others[0].contains("lost"), "{others:?}");
    assert!(others.len() < many.len());
}

#[tokio::test]
async fn what_could_not_be_read_is_lost_and_may_have_told_of_privileges() {
    // A directory can be opened, and not be read.
    let unreadable = tokio::fs::File::open("/").await.unwrap();
    let stderr = b"pg_dump: warning: one\n".chain(unreadable);
    let said = Said::of("pg_dump", Some(stderr)).await;
    let (privileges, others) = said.of_success().into_privileges_and_others();
    assert!(privileges[0].contains("lost"), "{privileges:?}");
    assert_eq!(others, ["warning: one"]);
    let unheard = Said::of("pg_dump", None::<&[u8]>).await.of_success();
    assert!(unheard.into_all()[0].contains("lost"));
}

#[tokio::test]
async fn a_program_that_says_more_than_is_kept_never_blocks_and_it_is_told() {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "yes 'some words' | head -c 1000000 >&2; exit 3"])
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let said = Said::of("sh", child.stderr.take()).await;
    assert!(said.length <= 2 * KEPT && said.length >= KEPT / 2);
    assert_eq!(child.wait().await.unwrap().code(), Some(3));
    assert!(said.of_success().into_all()[0].contains("lost"));
}
