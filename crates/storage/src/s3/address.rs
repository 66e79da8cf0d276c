//! A bucket's address: `s3://bucket/prefix?key=value&…`.
//!
//! Invariant: there is no secret in an address; a user or a password in it is
//! refused, and no error repeats what was given but for names of keys.

use std::collections::BTreeSet;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use pgkeep_types::{ObjectName, nearest};

/// An address that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is of no kind that is known.
    #[error("{kind} is no address of a storage")]
    Kind {
        /// What kind it is; the whole could hold a password.
        kind: String,
    },
    /// The bucket's name is missing or cannot be one.
    #[error("the address names no bucket")]
    Bucket,
    /// The prefix would not be kept apart by every storage.
    #[error(
        "the address's prefix has parts other than letters, digits, '.', '_' and '-' between slashes"
    )]
    Prefix,
    /// A user or a password is in the address.
    #[error("there is a user or a password in {place}")]
    Secret {
        /// Where.
        place: &'static str,
    },
    /// A key that is not known.
    #[error("the address has an unknown key '{key}'")]
    UnknownKey {
        /// The key.
        key: String,
        /// The nearest one that is known.
        nearest: Option<&'static str>,
    },
    /// A key is there twice: which of the two is meant cannot be known.
    #[error("the address has the key '{key}' twice")]
    Twice {
        /// The key.
        key: &'static str,
    },
    /// A key's value cannot be used.
    #[error("the address's key '{key}' {problem}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
}

impl AddressError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Kind { .. } => {
                Some("give an absolute path, file:///a/path or s3://bucket/prefix".to_owned())
            }
            Self::Bucket | Self::Prefix => {
                Some("write it as s3://bucket/prefix?key=value".to_owned())
            }
            Self::Secret { .. } => Some(
                "put keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or into a profile"
                    .to_owned(),
            ),
            Self::UnknownKey { nearest, .. } => Some(match nearest {
                Some(name) => format!("did you mean '{name}'"),
                None => format!("there is {}", KEYS.join(", ")),
            }),
            Self::Twice { .. } => Some("leave one of the two out".to_owned()),
            Self::Value { .. } => None,
        }
    }
}

/// The keys of an address, in the order of the documentation.
pub(crate) const KEYS: [&str; 8] = [
    "region",
    "endpoint",
    "path_style",
    "allow_http",
    "ca",
    "proxy",
    "profile",
    "checksum",
];

/// A bucket, and how to get to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Address {
    /// The bucket.
    pub bucket: String,
    /// What every name begins with; no slash at its ends.
    pub prefix: String,
    /// The bucket's region.
    pub region: Option<String>,
    /// The server, where it is not Amazon's: `https://host:port`.
    pub endpoint: Option<String>,
    /// Whether the bucket is in the path rather than in the host's name.
    pub path_style: Option<bool>,
    /// Whether a server without TLS will do.
    pub allow_http: bool,
    /// The certificate authorities to trust, a PEM file, in place of the system's.
    pub ca: Option<PathBuf>,
    /// The proxy to go through.
    pub proxy: Option<String>,
    /// The profile with the credentials.
    pub profile: Option<String>,
    /// Whether uploads carry a SHA-256 of their own, as buckets with object lock
    /// want it.
    pub checksum: bool,
}

impl S3Address {
    /// Reads an address.
    ///
    /// # Errors
    /// Whatever is wrong with it first.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix("s3://").ok_or(AddressError::Kind {
            kind: "this text".to_owned(),
        })?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.contains('@') || bucket.contains(':') {
            return Err(AddressError::Secret {
                place: "the address",
            });
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || bucket.starts_with('.') || !bucket.chars().all(plain) {
            return Err(AddressError::Bucket);
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !prefix.is_empty() && prefix.parse::<ObjectName>().is_err() {
            return Err(AddressError::Prefix);
        }
        let mut address = Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            ..Self::default()
        };
        let mut given = BTreeSet::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let key = address.set(pair)?;
            if !given.insert(key) {
                return Err(AddressError::Twice { key });
            }
        }
        address.check_endpoint()?;
        Ok(address)
    }

    /// Takes a key with its value in, and tells the key.
    fn set(&mut self, pair: &str) -> Result<&'static str, AddressError> {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(key) = KEYS.into_iter().find(|known| *known == key) else {
            return Err(AddressError::UnknownKey {
                // A key is a word; what is none may be half of a secret.
                key: key.chars().filter(char::is_ascii_lowercase).collect(),
                nearest: nearest(key, KEYS),
            });
        };
        let refused = |problem| AddressError::Value { key, problem };
        let value = percent_decode_str(value).decode_utf8();
        let value = value.map_err(|_| refused("is not UTF-8"))?.into_owned();
        if value.is_empty() {
            return Err(refused("has no value"));
        }
        let flag = || match value.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(refused("is neither 'true' nor 'false'")),
        };
        match key {
            "region" => self.region = Some(value),
            "endpoint" => self.endpoint = Some(url_of("endpoint", &value)?),
            "path_style" => self.path_style = Some(flag()?),
            "allow_http" => self.allow_http = flag()?,
            "ca" if value.starts_with('/') => self.ca = Some(value.into()),
            "ca" => return Err(refused("is no absolute path")),
            "proxy" => self.proxy = Some(url_of("proxy", &value)?),
            "profile" => self.profile = Some(value),
            "checksum" if value == "sha256" => self.checksum = true,
            _ => return Err(refused("can only be 'sha256'")),
        }
        Ok(key)
    }

    /// Refuses a server without TLS that was not asked for by name.
    pub(super) fn check_endpoint(&self) -> Result<(), AddressError> {
        let plain = |url: &String| url.starts_with("http://");
        if self.endpoint.as_ref().is_some_and(plain) && !self.allow_http {
            return Err(AddressError::Value {
                key: "endpoint",
                problem: "has no TLS, and 'allow_http=true' is not there",
            });
        }
        Ok(())
    }

    /// The address for people: where the bucket is, without what is this machine's
    /// own.
    #[must_use]
    pub fn display(&self) -> String {
        let Self { bucket, prefix, .. } = self;
        let mut text = match prefix.as_str() {
            "" => format!("s3://{bucket}"),
            prefix => format!("s3://{bucket}/{prefix}"),
        };
        let flag = |flag: bool| if flag { "true" } else { "false" };
        let keys = [
            ("region", self.region.as_deref()),
            ("endpoint", self.endpoint.as_deref()),
            ("path_style", self.path_style.map(flag)),
            ("allow_http", self.allow_http.then_some("true")),
        ];
        let keys = keys
            .iter()
            .filter_map(|(key, value)| Some((key, (*value)?)));
        for ((key, value), sign) in keys.zip(std::iter::once('?').chain(std::iter::repeat('&'))) {
            text.push_str(&format!("{sign}{key}={value}"));
        }
        text
    }
}

/// A server's URL, without a user, a path or a query.
pub(super) fn url_of(key: &'static str, text: &str) -> Result<String, AddressError> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = host.map(|host| host.strip_suffix('/').unwrap_or(host));
    match host {
        Some(host) if host.contains('@') => Err(AddressError::Secret {
            place: match key {
                "proxy" => "the address's proxy",
                _ => "the address's endpoint",
            },
        }),
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', ' ']) => {
            Ok(text.strip_suffix('/').unwrap_or(text).to_owned())
        }
        _ => Err(AddressError::Value {
            key,
            problem: "is not of the form https://host:port",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_bucket_a_prefix_and_keys() {
        let text = "s3://my-bucket/pg/main/?region=eu-west-1&endpoint=https%3A%2F%2Fs3.example:9000/\
                    &path_style=true&ca=/etc/ca.pem&proxy=http://proxy:3128&profile=backup\
                    &checksum=sha256";
        let address = S3Address::parse(text).unwrap();
        assert_eq!(address.bucket, "my-bucket");
        assert_eq!(address.prefix, "pg/main");
        assert_eq!(address.region.as_deref(), Some("eu-west-1"));
        assert_eq!(address.endpoint.as_deref(), Some("https://s3.example:9000"));
        assert_eq!(address.path_style, Some(true));
        assert_eq!(address.proxy.as_deref(), Some("http://proxy:3128"));
        assert_eq!(address.profile.as_deref(), Some("backup"));
        assert!(address.checksum);
        assert_eq!(
            address.display(),
            "s3://my-bucket/pg/main?region=eu-west-1&endpoint=https://s3.example:9000\
             &path_style=true"
        );
        assert_eq!(S3Address::parse("s3://b/p").unwrap().display(), "s3://b/p");
    }

    #[test]
    fn an_unknown_key_is_told_with_the_nearest_known_one() {
        let error = S3Address::parse("s3://b?regoin=x").unwrap_err();
        assert!(error.to_string().contains("'regoin'"));
        assert_eq!(error.hint().unwrap(), "did you mean 'region'");
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused_by_name() {
        for text in [
            "s3://b?region=a&region=b",
            "s3://b?region=a&profile=p&region=a",
        ] {
            let error = S3Address::parse(text).unwrap_err();
            assert_eq!(error, AddressError::Twice { key: "region" }, "{text}");
            assert!(error.to_string().contains("'region'"), "{error}");
        }
    }

    #[test]
    fn a_secret_in_an_address_is_refused_and_not_repeated() {
        for text in [
            "s3://key:hunter2@bucket/x",
            "s3://b?endpoint=https://u:hunter2@h",
            "s3://b?proxy=http://u:hunter2@h:3128",
            "s3://b?hunter2=x",
        ] {
            let error = S3Address::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_server_without_tls_takes_a_word() {
        assert!(S3Address::parse("s3://b?endpoint=http://h:1").is_err());
        assert!(S3Address::parse("s3://b?endpoint=http://h:1&allow_http=true").is_ok());
    }

    #[test]
    fn what_is_no_bucket_or_prefix_is_refused() {
        for text in [
            "s3://",
            "s3:///x",
            "s3://b/a//b",
            "s3://b/../x",
            "s3://b/a b",
        ] {
            assert!(S3Address::parse(text).is_err(), "{text}");
        }
    }
}
