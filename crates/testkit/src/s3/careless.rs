//! A double of S3 that accepts every condition and keeps none, as real servers
//! were seen to do: `If-None-Match` is ignored, and what exists is overwritten with
//! 200.
//!
//! Invariants: in all else it is strict: a request that it does not know is an
//! error, a part that is too small fails the upload, lists come in order and in
//! pages. It looks at no signature.

mod bucket;
mod request;

use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use bucket::Bucket;
use request::{Answer, Request};

use super::{REGION, S3Access};

const BUCKET: &str = "backups";

/// The running double.
#[derive(Debug)]
pub struct Careless {
    access: S3Access,
    address: SocketAddr,
    seen: Arc<Seen>,
    stopping: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Careless {
    /// Starts it with an empty bucket.
    ///
    /// # Panics
    /// Where no port can be had.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Manners::default())
    }

    /// Starts one that says so where it knows no condition: 501, as other servers
    /// were seen to do.
    ///
    /// # Panics
    /// Where no port can be had.
    #[must_use]
    pub fn start_honest() -> Self {
        Self::start_with(Manners {
            honest: true,
            ..Manners::default()
        })
    }

    /// Starts one that lists no unfinished uploads, and answers with `status` and `body`
    /// in place of it.
    ///
    /// # Panics
    /// Where no port can be had.
    #[must_use]
    pub fn start_without_uploads(status: u16, body: &'static str) -> Self {
        Self::start_with(Manners {
            uploads: Some((status, body)),
            ..Manners::default()
        })
    }

    fn start_with(manners: Manners) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(any).expect("a port");
        let address = listener.local_addr().expect("its address");
        let seen = Arc::<Seen>::default();
        let looking = Arc::clone(&seen);
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let accepting = thread::spawn(move || {
            let bucket = Arc::new(Mutex::new(Bucket::default()));
            for connection in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (bucket, seen) = (Arc::clone(&bucket), Arc::clone(&looking));
                // One who hangs up does not want an answer.
                thread::spawn(move || serve(&connection, &bucket, manners, &seen).ok());
            }
        });
        Self {
            access: S3Access {
                endpoint: format!("http://{address}"),
                bucket: BUCKET.to_owned(),
                id: "anybody".to_owned(),
                secret: "never-in-an-output-of-pgkeep".to_owned(),
                region: REGION.to_owned(),
            },
            address,
            seen,
            stopping,
            accepting: Some(accepting),
        }
    }

    /// How many requests had a condition.
    #[must_use]
    pub fn conditions(&self) -> u64 {
        self.seen.conditions.load(Ordering::Relaxed)
    }

    /// Answers every write with 501 from now on, or no more.
    pub fn refuse_writes(&self, refuse: bool) {
        self.seen.refuses.store(refuse, Ordering::Relaxed);
    }

    /// How to get to its bucket.
    #[must_use]
    pub fn access(&self) -> &S3Access {
        &self.access
    }
}

impl Drop for Careless {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // It waits for a connection: it gets one.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// What it has seen, and is told meanwhile.
#[derive(Debug, Default)]
struct Seen {
    conditions: AtomicU64,
    refuses: AtomicBool,
}

/// What it does otherwise than it should.
#[derive(Clone, Copy, Debug, Default)]
struct Manners {
    /// Says so where it knows no condition, in place of ignoring it.
    honest: bool,
    /// What it answers to who wants to know of unfinished uploads.
    uploads: Option<(u16, &'static str)>,
}

/// Answers the requests of one connection, one after the other.
fn serve(
    mut connection: &TcpStream,
    bucket: &Mutex<Bucket>,
    manners: Manners,
    seen: &Seen,
) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    while let Some(request) = Request::read(&mut reader)? {
        let conditional = request.headers.contains_key("if-none-match");
        if conditional {
            seen.conditions.fetch_add(1, Ordering::Relaxed);
        }
        let refuses = request.method == "PUT" && seen.refuses.load(Ordering::Relaxed);
        let lists_uploads = request.method == "GET" && request.query.contains_key("uploads");
        let answer = match manners.uploads.filter(|_| lists_uploads) {
            Some((status, body)) => Answer::of(status).with_body(body),
            None if refuses || manners.honest && conditional => {
                Answer::error(501, "NotImplemented")
            }
            None => bucket
                .lock()
                .expect("no panic while it answers")
                .answer(&request, BUCKET),
        };
        let is_head = request.method == "HEAD";
        connection.write_all(&answer.to_bytes(is_head))?;
    }
    Ok(())
}
