//! Where a proxy's clients come in.
//!
//! Invariants: it is on loopback, has threads of its own (a test that blocks its runtime
//! does not stop the network), and ends with its value.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// A listener whose clients are carried, each in a task of its own.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

/// `host:port` of a server at `endpoint`, a URL or that itself.
pub(super) fn server_at(endpoint: &str) -> &str {
    let server = endpoint.split_once("://").map_or(endpoint, |(_, at)| at);
    server.trim_end_matches('/')
}

impl Door {
    /// Lets clients in from now on; `name` is that of its threads.
    ///
    /// # Panics
    /// Where no port can be had.
    pub(super) fn open<F>(name: &str, carry: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(name)
            .enable_all()
            .build()
            .expect("a runtime");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = std::net::TcpListener::bind(any).expect("a port");
        let address = listener.local_addr().expect("its address");
        let asynchronous = listener.set_nonblocking(true).and_then(|()| {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)
        });
        let listener = asynchronous.expect("a listener");
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client));
            }
        });
        Self {
            address,
            runtime: Some(runtime),
        }
    }

    #[cfg(test)]
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
