//! A bucket's address with what the surroundings say: everything that a client
//! needs, and nothing that it would look up itself.
//!
//! Invariant: the address goes before the environment, the environment before
//! the profile.

use std::path::PathBuf;

use pgkeep_types::Environment;

use super::address::{AddressError, S3Address};
use super::credentials::{self, Credentials, CredentialsError, Secret};
use super::wire::ProxySettings;

/// The region where none is named; Amazon's first, and what other servers expect.
const REGION: &str = "us-east-1";

/// All that a client needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Settings {
    /// The bucket.
    pub bucket: String,
    /// What every name begins with; no slash at its ends.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The server's URL: `https://host:port`.
    pub endpoint: String,
    /// Whether the bucket is in the path rather than in the host's name.
    pub path_style: bool,
    /// The certificate authorities to trust, in place of the system's.
    pub ca: Option<PathBuf>,
    /// The proxy to go through.
    pub proxy: Option<ProxySettings>,
    /// The keys.
    pub credentials: Credentials,
    /// Whether uploads carry a SHA-256 of their own.
    pub checksum: bool,
    /// Where it is, for people.
    pub location: String,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

impl S3Settings {
    /// Completes an address.
    ///
    /// # Errors
    /// Where credentials are there that cannot be used, or a server's URL is none.
    pub fn resolve(address: &S3Address, environment: &Environment) -> Result<Self, SettingsError> {
        let found = credentials::find(address.profile.as_deref(), environment)?;
        let text = |name| credentials::text(environment, name);
        let region = match &address.region {
            Some(region) => Some(region.clone()),
            None => text("AWS_REGION")?.or(text("AWS_DEFAULT_REGION")?),
        };
        let mut address = address.clone();
        address.region = region.or(found.region);
        let region = address.region.clone().unwrap_or(REGION.to_owned());
        if address.endpoint.is_none() {
            let url = text("AWS_ENDPOINT_URL_S3")?.or(text("AWS_ENDPOINT_URL")?);
            let url = url.map(|url| super::address::url_of("endpoint", &url));
            address.endpoint = url.transpose()?;
            address.check_endpoint()?;
        }
        let is_amazon = address.endpoint.is_none();
        let endpoint = address
            .endpoint
            .clone()
            .unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        // A bucket with a dot in its name has no certificate as a host.
        let path_style = address.path_style;
        let path_style = path_style.unwrap_or(!is_amazon || address.bucket.contains('.'));
        Ok(Self {
            location: address.display(),
            proxy: proxy(&address, &endpoint, environment)?,
            bucket: address.bucket,
            prefix: address.prefix,
            region,
            endpoint,
            path_style,
            ca: address.ca,
            credentials: found.credentials,
            checksum: address.checksum,
        })
    }
}

/// The proxy for a server: the address's, or that of the variables that curl and
/// most tools know, in either case.
fn proxy(
    address: &S3Address,
    endpoint: &str,
    environment: &Environment,
) -> Result<Option<ProxySettings>, CredentialsError> {
    if let Some(url) = &address.proxy {
        return Ok(Some(ProxySettings {
            url: Secret::new(url.clone()),
            except: None,
        }));
    }
    let names: [&'static str; 4] = match endpoint.starts_with("http://") {
        true => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        false => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let first = |names: &[&'static str]| -> Result<Option<String>, CredentialsError> {
        for name in names {
            if let Some(text) = credentials::text(environment, name)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    };
    let Some(url) = first(&names)? else {
        return Ok(None);
    };
    Ok(Some(ProxySettings {
        url: Secret::new(url),
        except: first(&["no_proxy", "NO_PROXY"])?,
    }))
}
