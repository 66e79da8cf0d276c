//! `pgkeep init` where the bucket does not answer: it says what it waits for, stops when it
//! is asked to, and does not wait for what is a mistake.

use std::net::TcpListener;

use pgkeep_testkit::s3::{S3Access, S3s};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;

use crate::buckets::site_with;
use crate::site::{Site, ended, until};

fn interrupt(process: u32) {
    let process = Pid::from_raw(process.try_into().unwrap()).unwrap();
    kill_process(process, Signal::INT).unwrap();
}

fn nothing_is_left(site: &Site) {
    for file in ["recovery.key", "host.key", "pgkeep.toml"] {
        assert!(!site.path(file).exists(), "{file}");
    }
}

/// The first line of talk that holds `words`.
async fn line_with(talk: impl AsyncRead + Unpin, words: &str) -> String {
    let mut lines = BufReader::new(talk).lines();
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains(words) {
            return line;
        }
        said.push(line);
    }
    panic!("{words:?} was not said: {said:#?}");
}

/// A server that takes connections and says nothing.
pub(crate) fn silent() -> (TcpListener, S3Access) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let access = S3s::start().access().through(endpoint);
    (listener, access)
}

/// An `init` of a repository there.
fn init(site: &Site, access: &S3Access) -> Child {
    let url = access.url("pg");
    site.start(&["init", "--repository", &url, "--connection", "host=/x"])
}

#[tokio::test(flavor = "multi_thread")]
async fn init_says_what_it_waits_for_and_stops_when_it_is_asked_once() {
    let (_listener, access) = silent();
    let site = site_with(&access);
    let mut child = init(&site, &access);
    let talk = child.stderr.take().unwrap();
    let line = line_with(talk, "no answer from").await;
    assert!(line.contains("s3://backups/pg"), "{line}");
    let id = child.id().unwrap();
    interrupt(id);
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    nothing_is_left(&site);
}

#[tokio::test(flavor = "multi_thread")]
async fn init_that_was_asked_to_stop_says_what_there_is() {
    let (_listener, access) = silent();
    let site = site_with(&access);
    let child = init(&site, &access);
    let id = child.id().unwrap();
    until("the configuration", async || {
        site.path("pgkeep.toml").exists()
    })
    .await;
    interrupt(id);
    let ran = ended(child).await.ended(130);
    ran.says(&["init was interrupted; nothing was made"]);
    nothing_is_left(&site);
}

#[tokio::test(flavor = "multi_thread")]
async fn init_where_nobody_listens_fails_soon_and_says_what_to_look_at() {
    let (listener, refused) = silent();
    drop(listener);
    let nameless = refused.through("http://no-such-host.invalid:9000");
    for (access, words) in [(refused, "refused"), (nameless, "cannot be resolved")] {
        let site = site_with(&access);
        let ran = ended(init(&site, &access)).await.ended(1);
        // It did not come to be waited for.
        assert!(!ran.stderr.contains("no answer from"), "{ran:#?}");
        ran.says(&[words, "tried", "hint: check 'endpoint'"]);
    }
}
