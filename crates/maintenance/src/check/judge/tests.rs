//! What the judgement always holds to, whatever was seen.

use std::collections::BTreeMap;
use std::time::Duration;

use pgkeep_types::SystemId;
use proptest::prelude::*;

use super::*;
use crate::check::seen::{Clusters, Damaged, Moved, Proofs, Space};

const NOW: &str = "2026-11-20T12:00:00Z";
const DAY: i64 = 86_400;

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - seconds).unwrap()
}

fn id_of(at: Timestamp) -> BackupId {
    format!("{}-7k3m9q2x", at.strftime("%Y%m%dT%H%M%SZ"))
        .parse()
        .unwrap()
}

fn good(age: i64) -> Good {
    Good {
        id: id_of(ago(age)),
        started: ago(age),
        bytes: 1000,
        globals: true,
        system: Some(SystemId(7)),
        opens: Opens::ToSomebody,
    }
}

fn database(age: Option<i64>) -> Database {
    Database {
        chosen: true,
        newest: age.map(good),
        rows: Rows::Counted {
            newest: BTreeMap::new(),
            before: Vec::new(),
            missing: None,
        },
        sizes: vec![1000; 8],
        ..Database::default()
    }
}

fn repository(of: impl IntoIterator<Item = (&'static str, Database)>) -> Seen {
    let databases = of
        .into_iter()
        .map(|(name, database)| (name.to_owned(), database));
    Seen {
        databases: databases.collect(),
        readable: true,
        may_not_write: Some(None),
        ..Seen::default()
    }
}

fn server(names: &[&str]) -> Server {
    Server::Asked(Asked {
        databases: names.iter().map(|name| (*name).to_owned()).collect(),
        system: Some(SystemId(7)),
        ..Asked::default()
    })
}

fn unreachable() -> Server {
    Server::Unreachable("nobody listens".to_owned())
}

fn judged(server: &Server, seen: Seen) -> Judgement {
    let seen = Repository::Seen(Box::new(seen));
    let repositories = BTreeMap::from([("local".to_owned(), seen)]);
    judge(server, &repositories, &Limits::default(), now())
}

fn told(judgement: &Judgement) -> Vec<String> {
    let told = judgement.findings.iter().map(|finding| {
        let (severity, kind) = (finding.severity.as_str(), finding.what.name());
        let of = finding.what.database().unwrap_or("-");
        format!("{severity} {kind} {of}")
    });
    told.collect()
}

#[test]
fn what_is_as_it_should_be_is_ok() {
    let judgement = judged(
        &server(&["app"]),
        repository([("app", database(Some(3600)))]),
    );
    assert_eq!(told(&judgement), [""; 0]);
    assert_eq!(judgement.severity(), Severity::Ok);
    let (_, age) = judgement.measured[0].newest.as_ref().unwrap();
    assert_eq!(*age, 3600);
}

#[test]
fn nothing_seen_is_never_ok() {
    let nothing = BTreeMap::new();
    for server in [server(&[]), server(&["app"]), unreachable()] {
        let judgement = judge(&server, &nothing, &Limits::default(), now());
        assert!(judgement.severity() >= Severity::Unknown, "{judgement:?}");
        for repository in [
            Repository::Unreachable("no such bucket".to_owned()),
            Repository::TooSlow(Duration::from_secs(25)),
        ] {
            let seen = BTreeMap::from([("local".to_owned(), repository)]);
            let judgement = judge(&server, &seen, &Limits::default(), now());
            assert!(judgement.severity() >= Severity::Unknown, "{judgement:?}");
        }
    }
}

#[test]
fn an_empty_repository_is_critical() {
    let empty = || repository([]);
    for (server, expected) in [
        (server(&["app"]), "CRITICAL no-backup app"),
        (unreachable(), "CRITICAL no-backups -"),
        (server(&[]), "CRITICAL no-databases -"),
    ] {
        let judgement = judged(&server, empty());
        assert_eq!(told(&judgement)[0], expected);
        assert_eq!(judgement.severity(), Severity::Critical);
    }
}

#[test]
fn a_new_database_without_a_backup_warns_while_the_others_are_fresh() {
    let here = server(&["app", "new"]);
    let with = |age| judged(&here, repository([("app", database(Some(age)))]));
    assert_eq!(told(&with(3600)), ["WARNING no-backup new"]);
    assert_eq!(
        told(&with(3 * DAY)),
        ["CRITICAL backup-old app", "CRITICAL no-backup new"]
    );
    // Somebody has tried.
    let mut tried = database(None);
    tried.attempt = Some(Attempted {
        id: id_of(ago(60)),
        started: ago(60),
        state: State::Failed(None),
    });
    let seen = repository([("app", database(Some(3600))), ("new", tried)]);
    assert_eq!(
        told(&judged(&here, seen)),
        ["CRITICAL no-backup new", "WARNING run-failed new"]
    );
    // Or there is a backup, and a proof of it has failed.
    let seen = repository([("app", database(Some(3600))), ("new", database(None))]);
    assert_eq!(told(&judged(&here, seen)), ["CRITICAL no-backup new"]);
}

#[test]
fn what_another_repository_knows_of_a_database_is_not_new() {
    let with = |more: &[&'static str]| {
        let of = |name| (name, database(Some(3600)));
        Repository::Seen(Box::new(repository(more.iter().copied().map(of))))
    };
    let repositories = BTreeMap::from([
        ("local".to_owned(), with(&["app", "new"])),
        ("two".to_owned(), with(&["app"])),
    ]);
    let here = server(&["app", "new"]);
    let judgement = judge(&here, &repositories, &Limits::default(), now());
    assert_eq!(told(&judgement), ["CRITICAL no-backup new"]);
}

#[test]
fn a_database_that_is_gone_from_the_server_is_told_and_no_fault() {
    let seen = || {
        repository([
            ("app", database(Some(60))),
            ("old", database(Some(99 * DAY))),
        ])
    };
    let judgement = judged(&server(&["app"]), seen());
    assert_eq!(judgement.severity(), Severity::Ok);
    let gone = Note::Gone(vec!["old".to_owned()]);
    assert!(judgement.notes.iter().any(|(_, note)| *note == gone));
    // Where nobody can ask the server it may be there.
    let judgement = judged(&unreachable(), seen());
    assert_eq!(
        told(&judgement),
        ["CRITICAL backup-old old", "WARNING server-unreachable -"]
    );
}

#[test]
fn a_pattern_that_matches_no_database_is_told_and_no_alarm() {
    let server = Server::Asked(Asked {
        databases: ["app".to_owned()].into(),
        unmatched: vec!["ordres_*".to_owned()],
        system: Some(SystemId(7)),
        ..Asked::default()
    });
    let judgement = judged(&server, repository([("app", database(Some(60)))]));
    assert_eq!(judgement.severity(), Severity::Ok);
    let unmatched = (None, Note::Unmatched("ordres_*".to_owned()));
    assert!(judgement.notes.contains(&unmatched));
}

#[test]
fn a_question_that_no_new_backup_will_answer_warns() {
    let limits = |about: &str| {
        let mut limits = Limits::default();
        limits.proofs.questioned = [(about.to_owned(), 1)].into();
        limits
    };
    let seen = || {
        let proven = |age| Database {
            proofs: Proofs {
                proven: Some(now()),
                asked: 1,
                ..Proofs::default()
            },
            ..database(Some(age))
        };
        let of = [("shop", proven(60)), ("renamed", proven(99 * DAY))];
        Repository::Seen(Box::new(repository(of)))
    };
    let told_of = |server: &Server, about, other: Option<Repository>| {
        let all = [("one".to_owned(), seen())].into_iter();
        let all = all.chain(other.map(|other| ("two".to_owned(), other)));
        let judgement = judge(server, &all.collect(), &limits(about), now());
        let of_questions = judgement.findings.iter().filter_map(|found| {
            let says = (found.severity, found.what.clone());
            matches!(says.1, What::Unasked { .. }).then_some(says)
        });
        of_questions.collect::<Vec<_>>()
    };
    let unasked = |database: &str, stale| {
        let database = database.to_owned();
        vec![(Severity::Warning, What::Unasked { database, stale })]
    };
    let here = server(&["shop", "new"]);
    assert_eq!(told_of(&here, "shop", None), []);
    assert_eq!(told_of(&here, "shp", None), unasked("shp", false));
    assert_eq!(told_of(&here, "renamed", None), unasked("renamed", true));
    // That it has no backup is told, and so it is not.
    assert_eq!(told_of(&here, "new", None), []);
    assert_eq!(told_of(&unreachable(), "shp", None), unasked("shp", false));
    assert_eq!(told_of(&unreachable(), "renamed", None), []);
    // Who was not seen may have a backup of it.
    for other in [
        Repository::Unreachable("no such bucket".to_owned()),
        Repository::TooSlow(Duration::from_secs(25)),
    ] {
        assert_eq!(told_of(&here, "shp", Some(other)), []);
    }
    let other = Repository::Seen(Box::new(repository([("shp", database(Some(60)))])));
    assert_eq!(told_of(&unreachable(), "shp", Some(other)), []);
}

#[test]
fn what_was_seen_is_judged_though_the_repository_was_too_slow_for_the_rest() {
    let judged_slow = |age| {
        let mut seen = repository([("app", database(Some(age)))]);
        seen.slow = Some(Duration::from_secs(25));
        judged(&server(&["app"]), seen)
    };
    let fresh = judged_slow(3600);
    assert_eq!(told(&fresh), ["UNKNOWN repository-too-slow -"]);
    assert_eq!(fresh.measured.len(), 1);
    assert_eq!(
        told(&judged_slow(3 * DAY)),
        ["CRITICAL backup-old app", "UNKNOWN repository-too-slow -"]
    );
}

#[test]
fn that_nobody_can_tell_who_else_stores_there_is_told_and_no_alarm() {
    let mut seen = repository([("app", database(Some(3600)))]);
    seen.space = Space::Free(u64::MAX);
    seen.clusters = Clusters::Unknown("permission denied".to_owned());
    let judgement = judged(&server(&["app"]), seen);
    assert_eq!(judgement.severity(), Severity::Ok);
    let unknown = Note::OthersUnknown("permission denied".to_owned());
    assert!(judgement.notes.iter().any(|(_, note)| *note == unknown));
}

#[test]
fn what_is_damaged_is_critical_where_it_may_be_the_newest() {
    let damaged = |begun: Option<i64>, database: Option<&str>| {
        let mut seen = repository([("app", self::database(Some(3600)))]);
        seen.damaged.push(Damaged {
            id: begun.map(|age| id_of(ago(age))),
            database: database.map(str::to_owned),
            begun: begun.map(ago),
            problem: "damaged at offset 4".to_owned(),
        });
        judged(&server(&["app"]), seen).severity()
    };
    use Severity::{Critical, Warning};
    assert_eq!(damaged(Some(60), Some("app")), Critical);
    assert_eq!(damaged(Some(60), None), Critical);
    assert_eq!(damaged(None, None), Critical);
    assert_eq!(damaged(Some(7200), Some("app")), Warning);
    assert_eq!(damaged(Some(60), Some("gone")), Warning);
}

#[test]
fn a_host_whose_clock_is_behind_makes_nothing_fresh() {
    let mut seen = repository([("app", database(Some(3600)))]);
    seen.newest = ago(-3 * DAY);
    let judgement = judged(&server(&["app"]), seen);
    assert_eq!(
        told(&judgement),
        ["CRITICAL backup-old app", "WARNING storage-clock -"]
    );
}

#[test]
fn keys_with_which_nobody_could_restore_are_critical() {
    let mut seen = repository([("app", database(Some(60)))]);
    seen.readable = false;
    assert_eq!(
        told(&judged(&server(&["app"]), seen)),
        ["CRITICAL no-recovery-key -"]
    );
    for opens in [
        Opens::ToRetired(vec!["recovery \"old\"".to_owned()]),
        Opens::ToLost,
    ] {
        let mut seen = repository([("app", database(Some(60)))]);
        if let Some(app) = seen.databases.get_mut("app") {
            app.newest = Some(Good { opens, ..good(60) });
        }
        assert_eq!(
            told(&judged(&server(&["app"]), seen)),
            ["CRITICAL sealed-to-retired app"]
        );
    }
}

#[test]
fn what_was_not_looked_at_is_told() {
    let mut app = database(Some(60));
    app.rows = Rows::Unseen("no key".to_owned());
    let mut seen = repository([("app", app)]);
    seen.may_not_write = None;
    seen.space = Space::Unknown("gone".to_owned());
    let judgement = judged(&server(&["app"]), seen);
    let unseen = judgement.notes.iter().filter_map(|(_, note)| note.unseen());
    let mut unseen: Vec<&str> = unseen.collect();
    unseen.sort_unstable();
    assert_eq!(
        unseen,
        ["free space", "rows", "whether this host may write"]
    );
}

#[test]
fn a_run_that_goes_on_is_no_finding_until_it_takes_too_long() {
    let run = |age: i64, state: State| {
        let mut app = database(Some(3600));
        app.attempt = Some(Attempted {
            id: id_of(ago(age)),
            started: ago(age),
            state,
        });
        told(&judged(&server(&["app"]), repository([("app", app)])))
    };
    assert!(run(DAY, State::Running).is_empty());
    assert_eq!(run(DAY + 1, State::Running), ["WARNING run-long app"]);
    assert_eq!(run(60, State::CutOff), ["WARNING run-abandoned app"]);
    assert_eq!(run(60, State::Silent(ago(30))), ["WARNING run-silent app"]);
}

#[test]
fn a_proof_in_one_repository_stands_for_its_copies() {
    let limits = Limits {
        proofs: ProofLimits {
            max_age: Some(Duration::from_secs(7200)),
            ..ProofLimits::default()
        },
        ..Limits::default()
    };
    let told_of = |proven: Option<i64>| {
        let mut app = database(Some(3600));
        app.proofs.proven = proven.map(ago);
        app.since = Some(ago(3600));
        let mut bare = database(Some(3600));
        bare.since = Some(ago(3600));
        let bare = repository([("app", bare)]);
        let of = |seen| Repository::Seen(Box::new(seen));
        let repositories = BTreeMap::from([
            ("local".to_owned(), of(repository([("app", app)]))),
            ("offsite".to_owned(), of(bare)),
        ]);
        told(&judge(&server(&["app"]), &repositories, &limits, now()))
    };
    assert_eq!(told_of(Some(60)), [""; 0]);
    assert_eq!(told_of(Some(7201)), ["WARNING proof-old app"]);
    assert_eq!(told_of(None), ["WARNING never-proven app"]);
}

const NAMES: [&str; 4] = ["app", "app_archive", "shop", "crm"];

fn ages() -> impl Strategy<Value = Vec<Option<i64>>> {
    prop::collection::vec(prop::option::of(-DAY..9 * DAY), NAMES.len())
}

fn seen_of(ages: &[Option<i64>]) -> Seen {
    let databases = NAMES.into_iter().zip(ages);
    let known = databases.filter(|(_, age)| age.is_some());
    repository(known.map(|(name, age)| (name, database(*age))))
}

proptest! {
    #[test]
    fn an_older_backup_is_never_better(ages in ages(), which in 0..NAMES.len(), more in 0..9 * DAY) {
        let here = server(&NAMES);
        let mut older = ages.clone();
        older[which] = older[which].map(|age| age + more);
        let before = judged(&here, seen_of(&ages)).severity();
        prop_assert!(before <= judged(&here, seen_of(&older)).severity());
    }

    #[test]
    fn without_its_backup_a_database_is_never_ok(ages in ages(), which in 0..NAMES.len()) {
        let mut without = ages;
        without[which] = None;
        let judgement = judged(&server(&NAMES), seen_of(&without));
        prop_assert!(judgement.severity() >= Severity::Warning);
    }

    #[test]
    fn no_database_is_forgotten(ages in ages(), asked: bool) {
        let here = match asked {
            true => server(&NAMES),
            false => unreachable(),
        };
        let judgement = judged(&here, seen_of(&ages));
        let limit = CheckSettings::default().max_age.as_secs();
        for (name, age) in NAMES.into_iter().zip(&ages) {
            if !asked && age.is_none() {
                continue;
            }
            prop_assert!(judgement.measured.iter().any(|m| m.database == name));
            let is_fresh = age.is_some_and(|age| u64::try_from(age).unwrap_or(0) <= limit);
            let found = judgement.findings.iter().any(|f| f.what.database() == Some(name));
            prop_assert_eq!(found, !is_fresh, "{}", name);
        }
    }

    #[test]
    fn the_worst_comes_first(ages in ages()) {
        let judgement = judged(&server(&NAMES), seen_of(&ages));
        let all: Vec<Severity> = judgement.findings.iter().map(|f| f.severity).collect();
        prop_assert!(all.is_sorted_by(|a, b| a >= b));
        if let Some(first) = all.first() {
            prop_assert_eq!(judgement.severity(), *first);
        }
    }
}

#[test]
fn that_backups_are_of_another_server_than_before_is_told_whoever_asks() {
    let hidden = Server::Asked(Asked {
        databases: ["app".to_owned()].into(),
        ..Asked::default()
    });
    for server in [server(&["app"]), hidden, unreachable()] {
        let finds = |since: i64| {
            let mut app = database(Some(3600));
            app.moved = Some(Moved {
                from: SystemId(6),
                since: ago(since),
            });
            let judgement = judged(&server, repository([("app", app)]));
            told(&judgement).contains(&"WARNING server-changed -".to_owned())
        };
        assert!(finds(3600), "{server:?}");
        assert!(!finds(8 * DAY), "{server:?}");
    }
}

#[test]
fn the_newest_backup_of_another_server_is_critical() {
    let mut app = database(Some(3600));
    app.newest = Some(Good {
        system: Some(SystemId(6)),
        ..good(3600)
    });
    let judgement = judged(&server(&["app"]), repository([("app", app)]));
    assert_eq!(told(&judgement), ["CRITICAL other-server -"]);
}
