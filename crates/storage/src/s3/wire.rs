//! The requests of the S3 client on their way to the server.
//!
//! Invariants: no proxy, no certificate and no time-out but what was handed in; no
//! redirect is followed; no answer is longer than what was asked for can be; one that is
//! no success leaves here as a typed [`Answer`]; an upload is completed under the condition that its name is free,
//! until a server says that it knows no conditions.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use reqwest::header::{HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Certificate, Client, Method, NoProxy, Proxy};

use super::answer::Answer;
use super::bounded::{TooMuch, WORDS, bounded, limit};
use super::credentials::Secret;
use super::resolve::Resolver;

/// A connection that brings nothing for so long is stalled.
const SILENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
/// The metadata service is on the machine itself, or there is none.
const CONNECT_METADATA: Duration = Duration::from_secs(2);

/// Where Amazon's machines, containers and pods ask for credentials, each on the
/// machine itself:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>.
const METADATA: [&str; 5] = [
    "169.254.169.254",
    "[fd00:ec2::254]",
    "169.254.170.2",
    "169.254.170.23",
    "[fd00:ec2::23]",
];

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The certificate authorities cannot be read.
    #[error("cannot read the certificate authorities in {}", .path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The proxy's URL is none.
    #[error("the proxy's URL cannot be used")]
    Proxy,
    /// The HTTP client refuses its settings.
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
}

/// A proxy to go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySettings {
    /// Its URL, which may hold a password.
    pub url: Secret,
    /// The hosts that are reached without it, with commas between them.
    pub except: Option<String>,
}

/// Makes the clients of one storage.
#[derive(Debug)]
pub(super) struct Connector {
    wire: Arc<Wire>,
}

impl Connector {
    /// A connector for the server at `endpoint`, without TLS where `plain`.
    pub(super) fn new(
        endpoint: &str,
        ca: Option<&Path>,
        proxy: Option<&ProxySettings>,
    ) -> Result<Self, WireError> {
        let basic = || {
            Client::builder()
                .no_proxy()
                .dns_resolver(Arc::new(Resolver))
                .http1_only()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .user_agent(concat!("pgkeep/", env!("CARGO_PKG_VERSION")))
        };
        let mut storage = basic().connect_timeout(CONNECT).read_timeout(SILENCE);
        match ca {
            Some(path) => storage = storage.tls_certs_only(authorities(path)?),
            // The system's authorities are not asked for where they are not used.
            None if endpoint.starts_with("http://") => storage = storage.tls_certs_only([]),
            None => {}
        }
        if let Some(settings) = proxy {
            let proxy = Proxy::all(settings.url.expose()).map_err(|_| WireError::Proxy)?;
            let except = settings.except.as_deref().and_then(NoProxy::from_string);
            storage = storage.proxy(proxy.no_proxy(except));
        }
        let local = basic()
            .connect_timeout(CONNECT_METADATA)
            .read_timeout(CONNECT)
            .tls_certs_only([]);
        Ok(Self {
            wire: Arc::new(Wire {
                storage: storage.build().map_err(WireError::Client)?,
                local: local.build().map_err(WireError::Client)?,
                endpoint: authority(endpoint).to_owned(),
            }),
        })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Shared(Arc::clone(&self.wire))))
    }
}

#[derive(Debug)]
struct Shared(Arc<Wire>);

#[derive(Debug)]
struct Wire {
    storage: Client,
    /// For services of the machine itself, which no proxy reaches.
    local: Client,
    endpoint: String,
}

tokio::task_local! {
    /// Whether an upload that this task completes must not replace anything. The client has
    /// no way to say so with the request.
    static IF_FREE: bool;
}

/// Does `work`, which completes an upload, under the condition that its name is free, or
/// without one. What others complete at the same moment is not concerned.
pub(super) async fn completing<T>(if_free: bool, work: impl Future<Output = T>) -> T {
    IF_FREE.scope(if_free, work).await
}

/// A token would be readable on the way.
#[derive(Debug, thiserror::Error)]
#[error("credentials are not asked for without TLS")]
pub(super) struct InTheClear;

/// Who gives credentials could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("no credentials were found, and the instance's metadata service does not answer: {0}")]
pub(super) struct NoCredentials(HttpError);

#[async_trait]
impl HttpService for Shared {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let wire = &self.0;
        let host = request.uri().host().unwrap_or_default();
        let is_local = METADATA.contains(&host);
        let of_storage = request
            .uri()
            .authority()
            .is_some_and(|to| to.as_str() == wire.endpoint);
        let near = is_local || ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        if !of_storage && !near && request.uri().scheme_str() == Some("http") {
            return Err(HttpError::new(HttpErrorKind::Unknown, InTheClear));
        }
        let completes = of_storage
            && request.method() == Method::POST
            && request
                .uri()
                .query()
                .is_some_and(|q| q.starts_with("uploadId="));
        if completes && IF_FREE.try_with(|if_free| *if_free).unwrap_or(false) {
            let any = HeaderValue::from_static("*");
            request.headers_mut().insert(IF_NONE_MATCH, any);
        }
        let limit = if of_storage { limit(&request) } else { WORDS };
        let client = if is_local { &wire.local } else { &wire.storage };
        let response = match client.call(request).await {
            Err(error) if is_local => {
                let error = NoCredentials(error);
                return Err(HttpError::new(HttpErrorKind::Unknown, error));
            }
            response => response?,
        };

        let status = response.status();
        let (head, body) = response.into_parts();
        if status.is_success() && !completes {
            return Ok(HttpResponse::from_parts(head, bounded(body, limit)));
        }
        let after = head.headers.get(RETRY_AFTER);
        let after = after.and_then(|after| after.to_str().ok().map(str::to_owned));
        let body = match bounded(body, WORDS).bytes().await {
            // The status says enough.
            Err(error) if !status.is_success() && is_too_much(&error) => Bytes::new(),
            body => body?,
        };
        // An upload can also fail after a status that says success:
        // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        let failed_late = || body.windows(6).any(|window| window == b"<Error");
        if status.is_success() && !failed_late() {
            return Ok(HttpResponse::from_parts(head, body.into()));
        }
        let mut answer = Answer::new(status.as_u16(), &body, after.as_deref());
        answer.of_credentials = !of_storage;
        Err(HttpError::new(HttpErrorKind::Unknown, answer))
    }
}

fn is_too_much(error: &HttpError) -> bool {
    let source = std::error::Error::source(error);
    source
        .and_then(<dyn std::error::Error>::downcast_ref::<TooMuch>)
        .is_some()
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, WireError> {
    let failed = |source| WireError::Authorities {
        path: path.to_owned(),
        source,
    };
    let pem = fs::read(path).map_err(failed)?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|e| failed(io::Error::other(e)))?;
    match found.is_empty() {
        true => Err(failed(io::Error::other("there is no certificate in it"))),
        false => Ok(found),
    }
}

/// Host and port of a URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}
