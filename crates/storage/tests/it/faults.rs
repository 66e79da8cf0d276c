//! Buckets behind a network that fails: the result is right, or there is a clear
//! error, and never a wrong object.
//!
//! Invariant: a fault strikes one connection at one byte, so that what is tried
//! again finds a network that works; where it strikes every connection, the call
//! ends with an error and what is in the bucket is whole or not there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pgkeep_storage::{Patience, Storage, StorageErrorKind, list_all};
use pgkeep_testkit::proxy::{Fault, FaultProxy, Weather};
use pgkeep_testkit::s3::{S3Access, S3s};
use pgkeep_types::ObjectName;

/// Time enough for what works; a stall is told soon.
const PATIENCE: Patience = Patience {
    attempt: Duration::from_secs(1),
    total: Duration::from_secs(60),
    first: Duration::from_secs(60),
    nobody: Duration::from_secs(60),
    slowest: 16 << 20,
    pause: Duration::from_millis(5),
    longest_pause: Duration::from_millis(50),
};
/// Gives up soon.
const IMPATIENCE: Patience = Patience {
    attempt: Duration::from_millis(300),
    total: Duration::from_secs(1),
    first: Duration::from_secs(1),
    ..PATIENCE
};

struct World {
    server: S3s,
    proxy: FaultProxy,
}

impl World {
    fn new() -> Self {
        let server = S3s::start();
        let proxy = FaultProxy::start(&server.access().endpoint, Weather::default());
        Self { server, proxy }
    }

    fn through_the_proxy(&self) -> S3Access {
        self.server.access().through(self.proxy.endpoint())
    }

    /// A client with no connection yet.
    fn storage(&self) -> Arc<dyn Storage> {
        self.through_the_proxy().patient("", PATIENCE)
    }

    /// The bucket as it is, past the proxy.
    fn bucket(&self) -> Arc<dyn Storage> {
        self.server.access().storage("")
    }
}

fn name(text: impl AsRef<str>) -> ObjectName {
    text.as_ref().parse().expect("a plain name")
}

fn bytes(length: usize) -> Bytes {
    (0..=250).cycle().take(length).collect()
}

/// Cuts in the head, at its seams and in the body of a request of so many bytes,
/// and stalls at fewer places, since each takes a time-out.
fn of_request(body: u64) -> Vec<Fault> {
    let cuts = [0, 1, 90, 400, 700, 1000, 20_000, body / 2, body, body + 300];
    let mut faults: Vec<Fault> = cuts.map(Fault::CutRequest).into();
    faults.extend([200, 2000].map(Fault::StallRequest));
    faults
}

fn of_answer(body: u64) -> Vec<Fault> {
    let cuts = [0, 1, 15, 80, 200, 400, body / 2, body, body + 100];
    let mut faults: Vec<Fault> = cuts.map(Fault::CutAnswer).into();
    faults.extend([0, 100].map(Fault::StallAnswer));
    faults.push(Fault::SlowDown(None));
    faults.push(Fault::SlowDown(Some(0)));
    faults
}

#[tokio::test]
async fn a_put_succeeds_whatever_byte_the_network_fails_at() {
    let world = World::new();
    let content = bytes(60_000);
    let mut faults = of_request(60_000);
    faults.extend(of_answer(0));
    for (n, fault) in faults.into_iter().enumerate() {
        let object = name(format!("put/{n}"));
        world.proxy.arm(fault, 1);
        let written = world.storage().put(&object, content.clone()).await;
        written.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        let read = world.bucket().get(&object, None).await.unwrap();
        assert!(read == content, "{fault:?}");
    }
}

#[tokio::test]
async fn a_put_whose_answer_was_lost_finds_its_own_object_and_no_others() {
    let world = World::new();
    let object = name("lost");
    world.proxy.arm(Fault::CutAnswer(0), 1);
    world.storage().put(&object, bytes(100)).await.unwrap();
    // The same length, and other bytes.
    world.proxy.arm(Fault::CutAnswer(0), 1);
    let storage = world.storage();
    let other = storage.put(&object, Bytes::from(vec![7; 100])).await;
    let error = other.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::AlreadyExists, "{error}");
    assert_eq!(world.bucket().get(&object, None).await.unwrap(), bytes(100));
}

#[tokio::test]
async fn an_upload_succeeds_whatever_byte_the_network_fails_at() {
    let world = World::new();
    let part = 5 << 20;
    let parts = [bytes(part), bytes(part + 1), bytes(1000)];
    let mut faults: Vec<Fault> = [0, 300, 100_000, 5 << 20].map(Fault::CutRequest).into();
    faults.extend([0, 50, 300].map(Fault::CutAnswer));
    faults.extend([Fault::StallRequest(3 << 20), Fault::StallAnswer(0)]);
    faults.push(Fault::SlowDown(None));
    for (n, fault) in faults.into_iter().enumerate() {
        let object = name(format!("upload/{n}"));
        world.proxy.arm(fault, 2);
        let storage = world.storage();
        let mut upload = storage.upload(&object).await.unwrap();
        for part in &parts {
            let sent = upload.part(part.clone()).await;
            sent.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        }
        let finished = upload.finish().await;
        finished.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        let read = world.bucket().get(&object, None).await.unwrap();
        assert!(read == parts.concat(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_finish_whose_answer_was_lost_is_found_to_be_done() {
    let world = World::new();
    let storage = world.through_the_proxy().bare("");
    let parts = storage.parts().unwrap();
    let object = name("finished");
    let ticket = parts.start(&object).await.unwrap();
    let tags = [parts.send(&ticket, 0, bytes(1000)).await.unwrap()];
    // Another client, so that the next connection is the one that is struck.
    let retrying = world.storage();
    world.proxy.arm(Fault::CutAnswer(0), 1);
    let complete = retrying.parts().unwrap().complete(&ticket, &tags);
    complete.await.unwrap();
    assert_eq!(world.proxy.left(), 0);
    let read = world.bucket().get(&object, None).await.unwrap();
    assert_eq!(read, bytes(1000));
}

#[tokio::test]
async fn a_read_is_right_whatever_byte_the_network_fails_at() {
    let world = World::new();
    let object = name("read");
    let content = bytes(200_000);
    world.bucket().put(&object, content.clone()).await.unwrap();
    let mut faults = of_answer(200_000);
    faults.extend(of_request(0));
    for fault in faults {
        world.proxy.arm(fault, 1);
        let whole = world.storage().get(&object, None).await;
        let whole = whole.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert!(whole == content, "{fault:?}");
        world.proxy.arm(fault, 1);
        let range = world.storage().get(&object, Some(1000..150_000)).await;
        let range = range.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert!(range == content.slice(1000..150_000), "{fault:?}");
    }
}

#[tokio::test]
async fn a_listing_is_whole_whatever_byte_the_network_fails_at() {
    let world = World::new();
    for n in 0..40 {
        let object = name(format!("listed/{n}"));
        world.bucket().put(&object, bytes(n)).await.unwrap();
    }
    let mut faults = of_answer(8000);
    faults.extend(of_request(0));
    for fault in faults {
        world.proxy.arm(fault, 1);
        let listed = list_all(world.storage().as_ref(), "listed/").await;
        let listed = listed.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(listed.len(), 40, "{fault:?}");
    }
}

#[tokio::test]
async fn a_network_that_never_works_is_an_error_that_counts_the_attempts() {
    let world = World::new();
    let faults = [
        (Fault::CutRequest(100), StorageErrorKind::Unreachable),
        (Fault::StallAnswer(0), StorageErrorKind::TimedOut),
        (Fault::SlowDown(None), StorageErrorKind::Throttled),
    ];
    for (fault, kind) in faults {
        world.proxy.arm(fault, usize::MAX);
        let storage = world.through_the_proxy().patient("", IMPATIENCE);
        let object = name("never");
        let error = storage.put(&object, bytes(10_000)).await.unwrap_err();
        assert_eq!(error.kind, kind, "{fault:?}: {error}");
        let text = error.to_string();
        assert!(text.contains("tried"), "{text}");
        assert!(text.contains("never in s3://backups/"), "{text}");
    }
}

/// Whatever was lost on the way, what is there is whole.
#[tokio::test]
async fn an_upload_that_fails_for_good_leaves_nothing_that_is_listed() {
    let world = World::new();
    let object = name("gone/object");
    let storage = world.through_the_proxy().patient("", IMPATIENCE);
    let mut upload = storage.upload(&object).await.unwrap();
    world.proxy.arm(Fault::CutRequest(100_000), usize::MAX);
    let mut failed = false;
    for _ in 0..8 {
        failed = failed || upload.part(bytes(5 << 20)).await.is_err();
    }
    failed = failed || upload.finish().await.is_err();
    assert!(failed);
    assert!(
        list_all(world.bucket().as_ref(), "gone/")
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_is_refused_is_not_tried_again() {
    let world = World::new();
    let mut access = world.through_the_proxy();
    access.secret = "not-the-secret".to_owned();
    let storage = access.patient("", PATIENCE);
    let error = storage.list("", None).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Denied, "{error}");
    assert_eq!(world.proxy.connections(), 1);
    let text = format!("{error} {error:?} {storage:?}");
    assert!(!text.contains("not-the-secret"), "{text}");
    assert!(error.hint().unwrap().contains("secret key"), "{error}");
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_no_empty_one() {
    let world = World::new();
    let mut access = world.server.access().clone();
    access.bucket = "no-such-bucket".to_owned();
    let storage = access.patient("", PATIENCE);
    let error = storage.list("", None).await.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Other, "{error}");
    assert!(error.hint().unwrap().contains("make the bucket"), "{error}");
}

#[tokio::test]
async fn a_narrow_line_is_slow_and_right() {
    let server = S3s::start();
    let weather = Weather {
        latency: Duration::from_millis(5),
        bytes_per_second: Some(4 << 20),
    };
    let proxy = FaultProxy::start(&server.access().endpoint, weather);
    let storage = server.access().through(proxy.endpoint()).storage("");
    let object = name("narrow");
    storage.put(&object, bytes(1 << 20)).await.unwrap();
    assert!(storage.get(&object, None).await.unwrap() == bytes(1 << 20));
}
