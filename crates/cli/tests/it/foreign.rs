//! What others have put beside a repository's objects is in nobody's way: a backup, a list, a
//! restore and a prune go on as without it, and leave it.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_testkit::s3::Careless;

use crate::buckets::site_with;
use crate::site::{Site, restore, socket_of};

const DAY: Duration = Duration::from_hours(24);

/// Names that look like ours and are none, of the backup `id`, and beside all of them.
fn foreign(id: &str) -> Vec<String> {
    let backup = format!("main/backups/{id}");
    [
        "/".to_owned(),
        "keys/".to_owned(),
        "keys//x".to_owned(),
        "main/".to_owned(),
        "main/backups/".to_owned(),
        format!("{backup}/"),
        // Each of these would damage or hide it, were it taken for the name without its end.
        format!("{backup}/backup/"),
        format!("{backup}//backup"),
        format!("{backup}/packs/0/"),
        format!("{backup}/packs/0\n"),
        format!("main/tombstones/{id}/"),
        format!("main//tombstones/{id}"),
        format!("main/tombstones/{id} "),
        format!("main/tombstones/../tombstones/{id}"),
        "main/runs/\u{e4}\u{1f}&<x>".to_owned(),
        "a/../b".to_owned(),
        "probe-notes.txt".to_owned(),
        "probe-results/measurements.csv".to_owned(),
        "probe-0123456789abcdef/x".to_owned(),
    ]
    .into()
}

/// Two backups; `plant` puts foreign objects beside them; then all that reads and deletes.
async fn goes_on(site: &Site, cluster: &Cluster, plant: impl Fn(&str)) {
    let first = site.back_up("app").await;
    let second = site.back_up("app").await;
    for name in foreign(&first).into_iter().chain(foreign(&second)) {
        plant(&name);
    }
    assert_eq!(site.good().await, [first.as_str(), &second]);
    let listed = site.run(&["list"]).await.ended(0);
    assert!(!listed.stderr.contains("warning"), "{listed:#?}");
    site.run(&["show", &first]).await.ended(0);
    let third = site.back_up("app").await;
    site.run(&["prune", "--id", &first, "--yes"]).await.ended(0);
    assert_eq!(site.good().await, [second.as_str(), &third]);
    site.run(&["doctor"]).await.ended(0);
    for (id, name) in [(&second, "one"), (&third, "two")] {
        let back = restore(&["--backup", id, "--as", name]);
        site.run(&back).await.ended(0);
        let rows = cluster.psql(name, "SELECT count(*) FROM t").await;
        assert_eq!(rows.trim(), "1000");
    }
}

async fn cluster_with_app() -> Cluster {
    let cluster = Cluster::start(Major::Sixteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) AS n";
    cluster.psql("app", fill).await;
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_keys_in_a_bucket_are_in_nobodys_way() {
    let cluster = cluster_with_app().await;
    let server = Careless::start();
    let access = server.access();
    let site = site_with(access);
    let (url, connection) = (access.url("pg"), socket_of(&cluster));
    // The place itself may have been marked as a folder before.
    access.put_any("pg/", b"");
    access.put_any("pg/keys/", b"");
    let init = ["init", "--repository", &url, "--connection", &connection];
    site.run(&init).await.ended(0);
    goes_on(&site, &cluster, |name| {
        access.put_any(&format!("pg/{name}"), b"foreign");
    })
    .await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_files_in_a_directory_are_in_nobodys_way() {
    let cluster = cluster_with_app().await;
    let site = Site::of(&cluster).await;
    let planted = RefCell::new(Vec::new());
    let plant = |name: &[u8]| {
        let path = site.path("backups").join(OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"foreign").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        file.set_modified(now - DAY * 3).unwrap();
        planted.borrow_mut().push(path);
    };
    plant(b"keys/.DS_Store");
    plant(b"lost+found/x");
    plant(b"keys/\xff\xfe");
    goes_on(&site, &cluster, |name| {
        // A directory has no such names as begin, end or go on with a slash twice.
        if !name.ends_with('/') && !name.contains("//") && !name.contains("..") {
            plant(name.as_bytes());
            plant(&[name.as_bytes(), b"\xff"].concat());
        }
    })
    .await;
    for path in planted.borrow().iter() {
        assert_eq!(fs::read(path).unwrap(), b"foreign", "{path:?}");
    }
    cluster.stop().await;
}
