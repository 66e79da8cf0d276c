//! The servers that a connection may be made to, in their order.
//!
//! Source: `connectOptions2` in src/interfaces/libpq/fe-connect.c.
//!
//! Invariant: there is at least one, and a value that was narrowed to one names no
//! other.

use std::fmt;
use std::net::IpAddr;

use zeroize::Zeroizing;

use super::connection_string::ConnectionStringError;
use super::parameters::ConnectionParameters;
use super::session_attributes::SessionAttributes;

const DEFAULT_PORT: u16 = 5432;

/// One of them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// Its name, its address or the directory of its socket; where there is none,
    /// the address is all that is known.
    pub(super) host: Option<String>,
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) password: Option<Zeroizing<String>>,
}

impl Server {
    /// `host:port`, for people.
    pub(super) fn host_and_port(&self) -> String {
        let host = match (&self.host, self.address) {
            (Some(host), _) => host.clone(),
            (None, Some(address)) => address.to_string(),
            (None, None) => "localhost".to_owned(),
        };
        if host.contains(':') {
            format!("[{host}]:{}", self.port)
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host_and_port())?;
        match (&self.host, self.address) {
            (Some(host), Some(address)) if *host != address.to_string() => {
                write!(f, " ({address})")
            }
            _ => Ok(()),
        }
    }
}

impl ConnectionParameters {
    /// How many servers are named; where none is, the default one counts.
    pub(super) fn server_count(&self) -> usize {
        self.hosts.len().max(self.addresses.len()).max(1)
    }

    pub(super) fn port_of(&self, position: usize) -> u16 {
        let port = match self.ports.as_slice() {
            [one] => *one,
            several => several.get(position).copied().flatten(),
        };
        port.unwrap_or(DEFAULT_PORT)
    }

    /// All of them, as they are listed.
    pub(super) fn servers(&self) -> Vec<Server> {
        let server = |position: usize| {
            let host = self.hosts.get(position).filter(|host| !host.is_empty());
            let in_file = self.file_passwords.get(position).cloned().flatten();
            Server {
                host: host.cloned(),
                address: self.addresses.get(position).copied().flatten(),
                port: self.port_of(position),
                password: self.password.clone().or(in_file),
            }
        };
        (0..self.server_count()).map(server).collect()
    }

    /// The same connection to one server, which was chosen: nothing is left to
    /// choose.
    pub(super) fn narrowed_to(&self, server: &Server) -> Self {
        Self {
            hosts: server.host.clone().into_iter().collect(),
            addresses: server.address.into_iter().map(Some).collect(),
            ports: vec![Some(server.port)],
            password: server.password.clone(),
            file_passwords: Vec::new(),
            session_attributes: SessionAttributes::Any,
            balanced: false,
            ..self.clone()
        }
    }

    /// Whether what belongs together fits: the lists of hosts, addresses and ports,
    /// and the versions of TLS.
    pub(super) fn check_together(&self) -> Result<(), ConnectionStringError> {
        let (hosts, addresses) = (self.hosts.len(), self.addresses.len());
        if hosts > 0 && addresses > 0 && hosts != addresses {
            return Err(ConnectionStringError::Lists {
                what: "hostaddr",
                count: addresses,
                hosts,
            });
        }
        let (ports, servers) = (self.ports.len(), self.server_count());
        if ports > 1 && ports != servers {
            return Err(ConnectionStringError::Lists {
                what: "port",
                count: ports,
                hosts: servers,
            });
        }
        if self.ssl_versions.no_1_2 && self.ssl_versions.no_1_3 {
            return Err(ConnectionStringError::BadValue {
                key: "ssl_min_protocol_version".to_owned(),
                value: "TLSv1.3".to_owned(),
                wanted: "no more than ssl_max_protocol_version",
            });
        }
        Ok(())
    }
}

/// The items in an order that the seed decides (Fisher and Yates; splitmix64).
pub(super) fn shuffle<T>(items: &mut [T], seed: &mut u64) {
    for last in (1..items.len()).rev() {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let among = u64::try_from(last + 1).unwrap_or(u64::MAX);
        let chosen = usize::try_from(mixed % among).unwrap_or(last);
        items.swap(last, chosen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_comes_up() {
        let mut seen = std::collections::BTreeSet::new();
        let mut seed = 1;
        for _ in 0..200 {
            let mut items = [1, 2, 3];
            shuffle(&mut items, &mut seed);
            seen.insert(items);
        }
        assert_eq!(seen.len(), 6);
    }

    #[test]
    fn servers_are_told_with_the_address_where_that_says_more() {
        let told = |text: &str| ConnectionParameters::parse(text).unwrap().server();
        assert_eq!(told("host=db hostaddr=10.0.0.1"), "db:5432 (10.0.0.1)");
        assert_eq!(told("hostaddr=::1 port=1"), "[::1]:1");
        assert_eq!(told("host=10.0.0.1 hostaddr=10.0.0.1"), "10.0.0.1:5432");
        assert_eq!(told("host=a,/run/b port=1,2"), "a:1, /run/b:2");
    }
}
