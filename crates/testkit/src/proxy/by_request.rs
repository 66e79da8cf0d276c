//! A network whose faults strike requests by their number, in front of a real server.
//!
//! Invariants: each request has a connection of its own, in which it is passed unchanged
//! but for a header that asks the server to close it; requests are numbered in the order
//! in which they came in whole, from 0.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::door::{Door, server_at};
use super::refusal::{answer as refuse, read_request};

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The connection breaks once the server has had so many bytes of it.
    CutRequest(usize),
    /// The connection breaks once so many bytes of the answer were passed on. With 0 the
    /// server has done it, and the answer is lost.
    CutAnswer(usize),
    /// It reaches the server, and no answer comes.
    Stall,
    /// It is answered 503 `SlowDown`, and never reaches the server.
    SlowDown,
}

/// Which requests meet with a mishap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// The first of them, since it was armed.
    pub from: u64,
    /// Whether all that come after it do, too.
    pub lasting: bool,
    /// What goes wrong.
    pub mishap: Mishap,
}

/// A running proxy.
#[derive(Debug)]
pub struct RequestProxy {
    door: Door,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    strike: Option<Strike>,
    /// Method and target of each request since it was armed.
    requests: Vec<String>,
}

impl RequestProxy {
    /// A proxy for the server at `endpoint`, a URL or `host:port`.
    ///
    /// # Panics
    /// Where no port can be had.
    #[must_use]
    pub fn start(endpoint: &str) -> Self {
        let shared = Arc::new(Shared {
            server: server_at(endpoint).to_owned(),
            state: Mutex::default(),
        });
        let carrying = Arc::clone(&shared);
        let door = Door::open("request-proxy", move |client| {
            let shared = Arc::clone(&carrying);
            // One who hangs up does not want an answer.
            async move { drop(shared.carry(client).await) }
        });
        Self { door, shared }
    }

    /// The URL by which clients reach the server through it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.door.endpoint()
    }

    /// Counts requests from 0 again; strikes as told.
    pub fn arm(&self, strike: Option<Strike>) {
        *self.shared.state() = State {
            strike,
            requests: Vec::new(),
        };
    }

    /// Method and target of each request since it was armed.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }

    /// Takes down a request, and tells what goes wrong with it.
    fn meets(&self, head: &[u8]) -> Option<Mishap> {
        let mut state = self.state();
        let number = state.requests.len() as u64;
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or(head);
        state
            .requests
            .push(String::from_utf8_lossy(line).into_owned());
        let strike = state.strike?;
        let struck = number == strike.from || strike.lasting && number > strike.from;
        struck.then_some(strike.mishap)
    }

    async fn carry(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let Some((mut request, body_from)) = read_request(&mut client).await? else {
            return Ok(());
        };
        let mishap = self.meets(&request);
        if mishap == Some(Mishap::SlowDown) {
            let is_head = request.starts_with(b"HEAD ");
            return refuse(&mut client, None, is_head).await;
        }
        // Before the line that ends the head.
        let end = body_from.saturating_sub(2);
        request.splice(end..end, *b"Connection: close\r\n");
        let mut server = TcpStream::connect(&self.server).await?;
        server.set_nodelay(true)?;
        if let Some(Mishap::CutRequest(at)) = mishap {
            return server.write_all(&request[..at.min(request.len())]).await;
        }
        let answer = exchange(&mut server, &request).await?;
        match mishap {
            Some(Mishap::CutAnswer(at)) => client.write_all(&answer[..at.min(answer.len())]).await,
            Some(Mishap::Stall) => {
                // Until the client has had enough.
                let mut nothing = [0; 1];
                client.read(&mut nothing).await.map(drop)
            }
            _ => {
                client.write_all(&answer).await?;
                client.shutdown().await
            }
        }
    }
}

/// Sends the request and reads the answer, also of a server that has no need of all of the
/// request and hangs up on the rest.
async fn exchange(server: &mut TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    let (mut from, mut to) = server.split();
    let mut answer = Vec::new();
    let (sent, read) = tokio::join!(to.write_all(request), from.read_to_end(&mut answer));
    if answer.is_empty() {
        sent?;
        read?;
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::RequestProxy;

    #[test]
    fn an_answer_that_comes_before_the_whole_request_was_read_is_passed_on() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let answer = b"HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\r\n";
        let hasty = std::thread::spawn(move || {
            let (mut client, _) = server.accept().unwrap();
            client.read_exact(&mut [0; 100]).unwrap();
            client.write_all(answer).unwrap();
        });
        let proxy = RequestProxy::start(&address.to_string());
        let mut client = TcpStream::connect(proxy.door.address()).unwrap();
        let body = vec![b'x'; 20 << 20];
        let head = format!("PUT /x HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len());
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(&body).unwrap();
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        hasty.join().unwrap();
        assert_eq!(got, answer);
    }
}
