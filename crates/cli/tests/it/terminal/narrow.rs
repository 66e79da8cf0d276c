//! A terminal of few columns: lines are broken between words, and programs get them whole.

use pgkeep_testkit::cluster::{Cluster, Major};

use super::{screen, watched};
use crate::keeping::shelf::{APP, Dump, Shelf};
use crate::site::{Site, restore};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_is_broken_between_words_and_stands_below_its_beginning() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", "CREATE TABLE t (n int)").await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;

    let plan = restore(&["--database", "app", "--as", "new", "--dry-run"]);
    let shown = watched(&site, 60, &[], &plan).await.ended(0);
    let lines = screen(&shown.stdout);
    let compared = lines.iter().position(|line| line.contains("compared"));
    let compared = &lines[compared.unwrap()..][..2];
    assert_eq!(
        compared,
        [
            "compared    afterwards, with what was backed up: 0 rows in 1",
            "            table, 0 sequences",
        ]
    );

    site.run(&["backup", "--database", "gone"]).await.ended(1);
    let listed = watched(&site, 60, &[], &["list"]).await.ended(0);
    let lines = screen(&listed.stdout);
    let remark = lines.iter().position(|line| line.contains(": cannot back"));
    let remark = remark.unwrap();
    let begin = "          ";
    assert!(lines[remark].ends_with("database \"gone\": there is no"));
    assert!(lines[remark + 1].starts_with(&format!("{begin}database \"gone\"")));
    let id = lines[remark].split(':').next().unwrap();
    let shown = watched(&site, 60, &[], &["show", id]).await.ended(0);
    let lines = screen(&shown.stdout);
    let error = lines.iter().position(|line| line.starts_with("error "));
    let begin = "              ";
    assert!(lines[error.unwrap() + 1].starts_with(&format!("{begin}database \"gone\"")));

    let shown = watched(&site, 40, &[], &["restore", "--database", "gone"]).await;
    let lines = screen(&shown.ended(4).stdout);
    assert_eq!(
        lines[..2],
        [
            "error: found no good backup of database",
            "\"gone\" in cluster main",
        ]
    );
    let whole = site.run(&["restore", "--database", "gone"]).await;
    let words = "error: found no good backup of database \"gone\" in cluster main\n";
    whole.ended(4).says(&[words]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_long_go_on_below_themselves_and_programs_get_a_line_for_each() {
    let site = Site::empty();
    let tables = ["first", "second", "third", "fourth", "fifth", "sixth"];
    let file = format!(
        "[repository.local]\nurl = \"/a\"\n[cluster.main]\nconnection = \"host=/nowhere\"\n\
         [cluster.main.dump]\ntables = {{ include = {tables:?} }}\n"
    );
    std::fs::write(site.path("pgkeep.toml"), file).unwrap();
    let shown = watched(&site, 76, &[], &["config"]).await.ended(0);
    let lines = screen(&shown.stdout);
    let value = lines[2].find("VALUE").unwrap();
    let first = lines.iter().position(|line| line.contains("first,"));
    let [first, more] = &lines[first.unwrap()..][..2] else {
        panic!("{lines:#?}");
    };
    assert_eq!(first.find("first"), Some(value), "{lines:#?}");
    assert!(more.starts_with(&" ".repeat(value)), "{lines:#?}");
    assert!(first.chars().count() <= 76, "{lines:#?}");

    let whole = site.run(&["config"]).await.ended(0).stdout;
    let line = whole.lines().find(|line| line.contains("first,")).unwrap();
    assert!(line.contains(&tables.join(", ")), "{whole}");
    assert!(line.contains("pgkeep.toml"), "{whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_proofs_is_broken_between_its_cells() {
    for (columns, database) in [(40, "app"), (80, &*"d".repeat(60))] {
        let shelf = Shelf::new("").await;
        let dump = Dump { database, ..APP };
        shelf.dump(dump, "2026-11-20T03:00:00Z").await;
        let prove = ["prove", "--no-record", "--identity", "recovery.key"];
        let nowhere = [&prove[..], &["--scratch", "nowhere"]].concat();
        let proved = watched(&shelf.site, columns, &[], &nowhere).await.ended(3);
        let lines = screen(&proved.stdout);
        let table = lines.iter().skip_while(|line| !line.starts_with("BACKUP"));
        let table: Vec<_> = table.take_while(|line| !line.is_empty()).collect();
        let widest = table.iter().map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns.into()), "{lines:#?}");
        let whole = |cell: &str| table.iter().any(|line| line.contains(cell));
        assert!(whole(database) && whole("not provable here"), "{lines:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_any_length_leave_the_list_in_its_columns() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let longest = "n".repeat(63);
    let names = ["app", "a_name_of_24_characters_", &longest];
    for name in names {
        let create = format!("CREATE DATABASE {name}");
        cluster.psql("postgres", &create).await;
    }
    let site = Site::of(&cluster).await;
    for name in names {
        site.back_up(name).await;
    }
    let listed = watched(&site, 80, &[], &["list"]).await.ended(0);
    let lines = screen(&listed.stdout);
    let started = lines[0].find("STARTED").unwrap();
    let of = |name: &str| {
        let at = lines.iter().position(|line| line.contains(name));
        at.unwrap_or_else(|| panic!("{lines:#?}"))
    };
    let date = |line: &str| {
        line.get(started..)
            .is_some_and(|rest| rest.starts_with("20"))
    };
    assert!(date(&lines[of("  app ")]), "{lines:#?}");
    assert!(date(&lines[of(&longest) + 1]), "{lines:#?}");
    assert!(
        lines.iter().all(|line| line.chars().count() <= 80),
        "{lines:#?}"
    );
    let whole = site.run(&["list"]).await.ended(0).stdout;
    assert_eq!(whole.lines().count(), 4, "{whole}");
    cluster.stop().await;
}

#[tokio::test]
async fn what_is_in_force_keeps_to_the_terminal() {
    let site = Site::empty();
    let file = "[repository.local]\nurl = \"/a/path/of/more/than/forty/characters/in/all\"\n\
                [cluster.main]\nconnection = \"host=/nowhere\"\n";
    std::fs::write(site.path("pgkeep.toml"), file).unwrap();
    let shown = watched(&site, 80, &[], &["config"]).await.ended(0);
    let lines = screen(&shown.stdout);
    let unbroken = |line: &&String| line.trim().contains(' ');
    let long = lines.iter().filter(|line| line.chars().count() > 80);
    let long: Vec<_> = long.filter(unbroken).collect();
    assert!(long.is_empty(), "{long:#?}");
}
