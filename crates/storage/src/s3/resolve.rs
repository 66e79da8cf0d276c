//! From a host's name to its addresses, by the system's own way.
//!
//! Invariant: a name that is nobody's is an error of a type of its own: the client's own
//! resolver tells it by a text alone.

use std::io;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A name that cannot be resolved.
#[derive(Debug, thiserror::Error)]
#[error("the name {host} cannot be resolved")]
pub(super) struct NoSuchHost {
    host: String,
    source: io::Error,
}

/// Asks the system.
#[derive(Debug)]
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            // The client has the port.
            let found = tokio::net::lookup_host((host, 0)).await;
            let found: Vec<_> = match found {
                Ok(found) => found.collect(),
                Err(source) => {
                    let host = host.to_owned();
                    return Err(NoSuchHost { host, source }.into());
                }
            };
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
