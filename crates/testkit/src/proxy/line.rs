//! One direction of a connection: bytes that come late, slowly, or not at all.
//!
//! Invariant: bytes leave in the order in which they came, each no earlier than its
//! delay; a fault strikes at its byte exactly.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Weather;

const CHUNK: usize = 64 << 10;
/// Chunks on their way: enough that a latency of 20 ms leaves room for 800 MB/s.
const ON_THE_WAY: usize = 256;

/// What all connections share in one direction.
#[derive(Debug)]
pub(super) struct Line {
    /// Half of a round trip.
    delay: Duration,
    bytes_per_second: Option<u64>,
    /// Until when it is taken.
    busy_until: Mutex<Option<Instant>>,
}

impl Line {
    pub(super) fn new(weather: Weather) -> Self {
        Self {
            delay: weather.latency / 2,
            bytes_per_second: weather.bytes_per_second,
            busy_until: Mutex::new(None),
        }
    }

    /// When so many bytes have passed that come now.
    fn passed(&self, bytes: usize) -> Instant {
        let now = Instant::now();
        let Some(rate) = self.bytes_per_second else {
            return now + self.delay;
        };
        let mut busy = self.busy_until.lock().expect("no panic while it is held");
        let starts = busy.unwrap_or(now).max(now);
        let nanoseconds = bytes as u64 * 1_000_000_000 / rate.max(1);
        let ends = starts + Duration::from_nanos(nanoseconds);
        *busy = Some(ends);
        ends + self.delay
    }
}

/// What happens to one direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The connection ends after so many bytes.
    Cut(u64),
    /// Nothing passes after so many bytes.
    Stall(u64),
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Direction {
    line: Arc<Line>,
    fault: Fault,
}

impl Direction {
    pub(super) fn new(line: Arc<Line>) -> Self {
        Self {
            line,
            fault: Fault::None,
        }
    }

    pub(super) fn with_fault(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    /// Carries what comes until the sender ends it or the fault strikes.
    pub(super) async fn carry(
        self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
    ) -> io::Result<()> {
        let (send, mut receive) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
        let line = Arc::clone(&self.line);
        let reading = async move {
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = from.read(&mut chunk).await?;
                chunk.truncate(read);
                let due = line.passed(read);
                if read == 0 || send.send((due, chunk)).await.is_err() {
                    // Held until everything on its way is out.
                    return Ok::<_, io::Error>(from);
                }
            }
        };
        let writing = async move {
            let mut passed = 0;
            while let Some((due, chunk)) = receive.recv().await {
                sleep_until(due).await;
                let room = match self.fault {
                    Fault::None => u64::MAX,
                    Fault::Cut(at) | Fault::Stall(at) => at - passed,
                };
                let now = usize::try_from(room).unwrap_or(usize::MAX).min(chunk.len());
                to.write_all(&chunk[..now]).await?;
                passed += now as u64;
                if now < chunk.len() {
                    match self.fault {
                        Fault::Stall(_) => std::future::pending::<()>().await,
                        _ => return Err(io::ErrorKind::ConnectionAborted.into()),
                    }
                }
            }
            to.shutdown().await
        };
        tokio::try_join!(reading, writing).map(drop)
    }
}
