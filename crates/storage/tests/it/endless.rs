//! Servers that send more than was asked for: no more is held, and it is an error.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use pgkeep_storage::{Parts, S3Storage, Storage, StorageErrorKind, UploadTicket};
use pgkeep_testkit::s3::S3s;
use pgkeep_types::ObjectName;

/// More than what the two sides of a connection hold by themselves.
const IN_FLIGHT: u64 = 32 << 20;

/// A server that begins every answer with `head` and sends a body without an end.
struct Endless {
    storage: S3Storage,
    sent: Arc<AtomicU64>,
}

impl Endless {
    fn start(head: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                // It ends when nobody takes any more.
                let _ = pour(&connection, head, &counted);
            }
        });
        let mut settings = S3s::start().access().settings("");
        settings.endpoint = format!("http://{address}");
        Self {
            storage: S3Storage::new(&settings).unwrap(),
            sent,
        }
    }

    fn holds_no_more_than(&self, bytes: u64) {
        let sent = self.sent.load(Ordering::Relaxed);
        assert!(sent < bytes + IN_FLIGHT, "{sent} bytes were taken");
    }
}

fn pour(mut connection: &TcpStream, head: &str, sent: &AtomicU64) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    write!(
        connection,
        "HTTP/1.1 {head}\r\nETag: \"x\"\r\nLast-Modified: Sat, 21 Nov 2026 00:00:00 GMT\r\n"
    )?;
    let chunked = !head.contains("Content-Length");
    if chunked {
        write!(connection, "Transfer-Encoding: chunked\r\n")?;
    }
    write!(connection, "\r\n")?;
    let chunk = vec![b' '; 64 << 10];
    // An end after all, for who takes everything.
    while sent.load(Ordering::Relaxed) < 1 << 30 {
        if chunked {
            write!(connection, "{:x}\r\n", chunk.len())?;
        }
        connection.write_all(&chunk)?;
        if chunked {
            write!(connection, "\r\n")?;
        }
        sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

fn object() -> ObjectName {
    "some/object".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_range_no_more_is_taken_than_was_asked_for() {
    let server = Endless::start(
        "206 Partial\r\nContent-Range: bytes 0-999/5000\r\nContent-Length: 9000000000000000000",
    );
    let error = server.storage.get(&object(), Some(0..1000)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Other, "{error}");
    assert!(
        error.to_string().contains("more than the 1000 bytes"),
        "{error}"
    );
    assert!(error.to_string().contains("some/object"), "{error}");
    server.holds_no_more_than(1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_is_answered_with_the_whole_is_not_taken() {
    let server = Endless::start("200 OK\r\nContent-Length: 9000000000000000000");
    server
        .storage
        .get(&object(), Some(0..1000))
        .await
        .unwrap_err();
    server.holds_no_more_than(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_object_that_is_too_long_is_refused_by_the_length_it_has() {
    let server = Endless::start("200 OK\r\nContent-Length: 9000000000000000000");
    let error = server.storage.get(&object(), None).await.unwrap_err();
    assert!(error.to_string().contains("more than the"), "{error}");
    server.holds_no_more_than(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_that_do_not_end_are_errors() {
    let server = Endless::start("200 OK");
    let objects = server.storage.list("", None).await.unwrap_err();
    let uploads = server.storage.unfinished("", None).await.unwrap_err();
    for error in [objects, uploads] {
        assert!(error.to_string().contains("more than the"), "{error}");
    }
    server.holds_no_more_than(2 * (64 << 20));
}

/// A bucket whose every answer is `body`.
fn answering(body: &'static str) -> S3Storage {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
            while lines
                .next()
                .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
            {}
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let _ = connection.write_all(&[head.as_bytes(), body.as_bytes()].concat());
        }
    });
    let mut settings = S3s::start().access().settings("");
    settings.endpoint = format!("http://{address}");
    S3Storage::new(&settings).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_ends_only_where_the_server_says_so() {
    const SILENT: &str = "<ListBucketResult></ListBucketResult>";
    const ODD: &str = "<ListBucketResult><IsTruncated>no</IsTruncated></ListBucketResult>";
    const ENDED: &str = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    for unclear in [SILENT, ODD] {
        let error = answering(unclear).list("", None).await.unwrap_err();
        assert!(error.to_string().contains("whether it goes on"), "{error}");
    }
    let page = answering(ENDED).list("", None).await.unwrap();
    assert!(page.objects.is_empty() && page.next.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_without_a_name_is_no_empty_list() {
    const NAMELESS: &str = "<ListBucketResult><IsTruncated>false</IsTruncated>\
        <Contents><Name>a</Name><Size>1</Size></Contents></ListBucketResult>";
    let error = answering(NAMELESS).list("", None).await.unwrap_err();
    assert!(error.to_string().contains("list"), "{error}");
    const UPLOAD: &str = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>\
        <Upload><Name>a</Name></Upload></ListMultipartUploadsResult>";
    answering(UPLOAD).unfinished("", None).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_does_not_end_is_the_refusal_that_it_is() {
    let server = Endless::start("403 Forbidden");
    let put = server.storage.put(&object(), Bytes::new()).await;
    let error = put.unwrap_err();
    assert_eq!(error.kind, StorageErrorKind::Denied, "{error}");
    server.holds_no_more_than(1 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_that_does_not_end_is_no_success() {
    let server = Endless::start("200 OK");
    let upload = UploadTicket {
        name: object(),
        id: "1".to_owned(),
    };
    server.storage.complete(&upload, &[]).await.unwrap_err();
    server.holds_no_more_than(1 << 20);
}
