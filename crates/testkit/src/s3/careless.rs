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
use std::sync::atomic::{AtomicBool, Ordering};
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
        Self::start_with(false)
    }

    /// Starts one that says so where it knows no condition: 501, as other servers
    /// were seen to do.
    ///
    /// # Panics
    /// Where no port can be had.
    #[must_use]
    pub fn start_honest() -> Self {
        Self::start_with(true)
    }

    fn start_with(honest: bool) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(any).expect("a port");
        let address = listener.local_addr().expect("its address");
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let accepting = thread::spawn(move || {
            let bucket = Arc::new(Mutex::new(Bucket::default()));
            for connection in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let bucket = Arc::clone(&bucket);
                // One who hangs up does not want an answer.
                thread::spawn(move || serve(&connection, &bucket, honest).ok());
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
            stopping,
            accepting: Some(accepting),
        }
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

/// Answers the requests of one connection, one after the other.
fn serve(mut connection: &TcpStream, bucket: &Mutex<Bucket>, honest: bool) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    while let Some(request) = Request::read(&mut reader)? {
        let conditional = request.headers.contains_key("if-none-match");
        let answer = match honest && conditional {
            true => Answer::error(501, "NotImplemented"),
            false => bucket
                .lock()
                .expect("no panic while it answers")
                .answer(&request, BUCKET),
        };
        let is_head = request.method == "HEAD";
        connection.write_all(&answer.to_bytes(is_head))?;
    }
    Ok(())
}
