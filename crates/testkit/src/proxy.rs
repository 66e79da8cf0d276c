//! A network that is slow, breaks off, stalls or turns away, in front of a real
//! server.
//!
//! Invariants: what passes is passed unchanged; a fault strikes the connections
//! that are made after it was armed, as many as it was armed for, at the byte that
//! was named; a latency delays bytes without making the line narrower. The proxy
//! listens on loopback and ends with its value.

mod by_request;
mod door;
mod line;
mod refusal;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpStream;

pub use by_request::{Mishap, RequestProxy, Strike};

use door::{Door, server_at};
use line::{Direction, Line};

/// What goes wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It breaks once the server has had so many bytes of it.
    CutRequest(u64),
    /// It breaks once so many bytes of the answers were passed on. With 0 the
    /// server has had all, and the answer is lost.
    CutAnswer(u64),
    /// Nothing more reaches the server after so many bytes.
    StallRequest(u64),
    /// Nothing more of the answers is passed on after so many bytes.
    StallAnswer(u64),
    /// Its first request is answered 503 `SlowDown`, with a `Retry-After` where
    /// seconds are given, and never reaches the server.
    SlowDown(Option<u64>),
}

/// How the line is when nothing is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// What is added to every round trip, to making a connection too.
    pub latency: Duration,
    /// How many bytes a second pass in each direction, over all connections;
    /// without a bound where there is none.
    pub bytes_per_second: Option<u64>,
}

/// A running proxy.
#[derive(Debug)]
pub struct FaultProxy {
    door: Door,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: String,
    weather: Weather,
    armed: Mutex<Option<(Fault, usize)>>,
    up: Arc<Line>,
    down: Arc<Line>,
    connections: AtomicU64,
}

impl FaultProxy {
    /// A proxy for the server at `endpoint`, a URL or `host:port`.
    ///
    /// # Panics
    /// Where no port can be had.
    #[must_use]
    pub fn start(endpoint: &str, weather: Weather) -> Self {
        let shared = Arc::new(Shared {
            server: server_at(endpoint).to_owned(),
            weather,
            armed: Mutex::new(None),
            up: Arc::new(Line::new(weather)),
            down: Arc::new(Line::new(weather)),
            connections: AtomicU64::new(0),
        });
        let carrying = Arc::clone(&shared);
        let door = Door::open("fault-proxy", move |client| {
            Arc::clone(&carrying).carry(client)
        });
        Self { door, shared }
    }

    /// The URL by which clients reach the server through it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.door.endpoint()
    }

    /// Strikes the next so many connections.
    pub fn arm(&self, fault: Fault, connections: usize) {
        *self.shared.armed() = Some((fault, connections));
    }

    /// Strikes no further connection.
    pub fn disarm(&self) {
        *self.shared.armed() = None;
    }

    /// How many of the connections that it was armed for are still to come.
    #[must_use]
    pub fn left(&self) -> usize {
        self.shared.armed().map_or(0, |(_, left)| left)
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn armed(&self) -> MutexGuard<'_, Option<(Fault, usize)>> {
        self.armed.lock().expect("no panic while it is armed")
    }

    /// The fault of a connection that begins now.
    fn next_fault(&self) -> Option<Fault> {
        let mut armed = self.armed();
        let (fault, left) = armed.as_mut()?;
        let fault = *fault;
        *left -= 1;
        if *left == 0 {
            *armed = None;
        }
        Some(fault)
    }

    async fn carry(self: Arc<Self>, mut client: TcpStream) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let fault = self.next_fault();
        let _ = client.set_nodelay(true);
        tokio::time::sleep(self.weather.latency).await;
        if let Some(Fault::SlowDown(seconds)) = fault {
            // One who hangs up does not want the answer.
            let _ = refusal::refuse(&mut client, seconds).await;
            return;
        }
        let Ok(server) = TcpStream::connect(&self.server).await else {
            return;
        };
        let _ = server.set_nodelay(true);
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let up = Direction::new(Arc::clone(&self.up)).with_fault(match fault {
            Some(Fault::CutRequest(at)) => line::Fault::Cut(at),
            Some(Fault::StallRequest(at)) => line::Fault::Stall(at),
            _ => line::Fault::None,
        });
        let down = Direction::new(Arc::clone(&self.down)).with_fault(match fault {
            Some(Fault::CutAnswer(at)) => line::Fault::Cut(at),
            Some(Fault::StallAnswer(at)) => line::Fault::Stall(at),
            _ => line::Fault::None,
        });
        // A cut in one direction ends the connection in both.
        let _ = tokio::try_join!(
            up.carry(from_client, to_server),
            down.carry(from_server, to_client)
        );
    }
}
