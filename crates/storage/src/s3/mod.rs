//! A storage in a bucket, over the S3 protocol.
//!
//! Invariants: every write sets the condition that the name is free, for as long
//! as the server does not say that it knows none; what was read has the length
//! that was asked for, and no more is ever held; the client's own retries are off.

mod address;
mod answer;
mod ask;
mod bounded;
mod credentials;
mod failure;
mod list;
mod multipart;
mod profiles;
mod resolve;
mod settings;
mod unfinished;
mod wire;
mod xml;

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::client::{HttpClient, HttpConnector as _};
use object_store::path::Path;
use object_store::{
    ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, RetryConfig,
};
use pgkeep_types::{ObjectName, Timestamp};

use crate::parts::{PartUpload, Parts, UploadTicket};
use crate::{
    Cursor, ObjectMeta, Operation, Page, Storage, StorageError, StorageErrorKind, Unfinished,
    UnfinishedPage, Upload,
};

pub use address::{AddressError, S3Address};
pub use credentials::{Credentials, CredentialsError, Secret};
pub(crate) use failure::{hint, nobody_is_there, retry_after};
pub use settings::{S3Settings, SettingsError};
pub use wire::{ProxySettings, WireError};

/// A bucket, or what lies below a prefix in it.
#[derive(Clone)]
pub struct S3Storage {
    client: Arc<AmazonS3>,
    /// For what the client has no call for.
    http: HttpClient,
    /// The bucket itself, without a slash at its end.
    bucket_url: String,
    region: String,
    /// With a slash at its end, or empty.
    prefix: String,
    location: String,
    /// Whether conditions are set: until the server says that it knows none.
    conditions: Arc<AtomicBool>,
    versions: Arc<AtomicBool>,
}

impl fmt::Debug for S3Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Storage").field(&self.location).finish()
    }
}

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The HTTP client.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The S3 client.
    #[error("cannot make an S3 client")]
    Client(#[source] object_store::Error),
}

impl S3Storage {
    /// The storage that `settings` describe. Nothing is asked of the server.
    ///
    /// # Errors
    /// Where certificates cannot be read or a proxy's URL is none.
    pub fn new(settings: &S3Settings) -> Result<Self, ClientError> {
        let S3Settings { bucket, prefix, .. } = settings;
        let endpoint = match (settings.path_style, settings.endpoint.split_once("://")) {
            (false, Some((scheme, host))) => format!("{scheme}://{bucket}.{host}"),
            _ => settings.endpoint.clone(),
        };
        let bucket_url = match settings.path_style {
            true => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            false => endpoint.trim_end_matches('/').to_owned(),
        };
        let connector =
            wire::Connector::new(&endpoint, settings.ca.as_deref(), settings.proxy.as_ref())?;
        let http = connector.connect(&ClientOptions::default());
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&settings.region)
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(!settings.path_style)
            .with_http_connector(connector)
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            });
        if settings.checksum {
            builder = builder.with_checksum_algorithm(Checksum::SHA256);
        }
        builder = with_credentials(builder, &settings.credentials);
        Ok(Self {
            client: Arc::new(builder.build().map_err(ClientError::Client)?),
            http: http.map_err(ClientError::Client)?,
            bucket_url,
            region: settings.region.clone(),
            prefix: match prefix.as_str() {
                "" => String::new(),
                prefix => format!("{prefix}/"),
            },
            location: settings.location.clone(),
            conditions: Arc::new(AtomicBool::new(true)),
            versions: Arc::new(AtomicBool::new(false)),
        })
    }

    fn path(&self, name: &ObjectName) -> Path {
        Path::from(format!("{}{name}", self.prefix))
    }

    fn error(
        &self,
        operation: Operation,
        object: &str,
        error: &(dyn std::error::Error + 'static),
    ) -> StorageError {
        let (kind, source) = failure::of_request(error);
        StorageError {
            operation,
            object: object.to_owned(),
            location: self.location.clone(),
            kind,
            source,
        }
    }

    /// Does `work`, told whether to set a condition; and again without one where the
    /// server says that it knows none. Several calls may find that out at once, each for
    /// itself. Only where it works without one was it the condition.
    async fn on_condition<T, F>(&self, work: impl Fn(bool) -> F) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, StorageError>>,
    {
        let conditional = self.conditions.load(Ordering::Relaxed);
        match work(conditional).await {
            Err(error) if conditional && knows_no_condition(&error) => {
                let done = work(false).await;
                if done.is_ok() {
                    self.conditions.store(false, Ordering::Relaxed);
                }
                done
            }
            done => done,
        }
    }

    async fn put_once(
        &self,
        name: &ObjectName,
        bytes: Bytes,
        conditional: bool,
    ) -> Result<(), StorageError> {
        let mode = match conditional {
            true => PutMode::Create,
            false => PutMode::Overwrite,
        };
        let (path, payload) = (self.path(name), PutPayload::from(bytes));
        let done = self.client.put_opts(&path, payload, PutOptions::from(mode));
        let done = done.await;
        let done = done.map_err(|error| self.error(Operation::Put, name.as_str(), &error))?;
        // A bucket that has stopped keeping versions calls them all "null".
        if done.version.is_some_and(|version| version != "null") {
            self.versions.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn meta(
        &self,
        name: ObjectName,
        meta: &object_store::ObjectMeta,
    ) -> Result<ObjectMeta, StorageError> {
        let modified = Timestamp::from_nanosecond(
            i128::from(meta.last_modified.timestamp()) * 1_000_000_000
                + i128::from(meta.last_modified.timestamp_subsec_nanos()),
        );
        let modified =
            modified.map_err(|error| self.error(Operation::Head, name.as_str(), &error))?;
        Ok(ObjectMeta {
            name,
            size: meta.size,
            modified,
        })
    }
}

fn knows_no_condition(error: &StorageError) -> bool {
    failure::answer(error).is_some_and(answer::Answer::knows_no_condition)
}

fn with_credentials(builder: AmazonS3Builder, credentials: &Credentials) -> AmazonS3Builder {
    use AmazonS3ConfigKey as Key;
    let path = |path: &std::path::Path| path.display().to_string();
    match credentials {
        Credentials::Static { id, secret, token } => {
            let builder = builder
                .with_access_key_id(id)
                .with_secret_access_key(secret.expose());
            match token {
                Some(token) => builder.with_token(token.expose()),
                None => builder,
            }
        }
        Credentials::WebIdentity {
            token_file,
            role,
            session,
            endpoint,
        } => {
            let mut builder = builder
                .with_config(Key::WebIdentityTokenFile, path(token_file))
                .with_config(Key::RoleArn, role);
            if let Some(session) = session {
                builder = builder.with_config(Key::RoleSessionName, session);
            }
            match endpoint {
                Some(endpoint) => builder.with_config(Key::StsEndpoint, endpoint),
                None => builder,
            }
        }
        Credentials::Task { relative_uri } => {
            builder.with_config(Key::ContainerCredentialsRelativeUri, relative_uri)
        }
        Credentials::Pod { uri, token_file } => builder
            .with_config(Key::ContainerCredentialsFullUri, uri)
            .with_config(Key::ContainerAuthorizationTokenFile, path(token_file)),
        Credentials::Instance { endpoint } => match endpoint {
            Some(endpoint) => builder.with_metadata_endpoint(endpoint),
            None => builder,
        },
    }
}

#[async_trait]
impl Storage for S3Storage {
    fn location(&self) -> String {
        self.location.clone()
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        self.on_condition(|conditional| self.put_once(name, bytes.clone(), conditional))
            .await
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        let upload = PartUpload::of(Arc::new(self.clone()), name);
        let upload = upload.ok_or_else(|| {
            let nothing = io::Error::other("the storage takes no parts");
            self.error(Operation::Upload, name.as_str(), &nothing)
        })?;
        Ok(Box::new(upload))
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            self.error(Operation::Get, name.as_str(), error)
        };
        if range.as_ref().is_some_and(Range::is_empty) {
            // There is no way to ask for nothing, but for whether it is there.
            self.head(name).await?;
            return Ok(Bytes::new());
        }
        let is_whole = range.is_none();
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let result = match self.client.get_opts(&self.path(name), options).await {
            Ok(result) => result,
            Err(error) => {
                let error = failed(&error);
                // A range past the end.
                return match failure::answer(&error) {
                    Some(answer) if answer.is_past_the_end() => Ok(Bytes::new()),
                    _ => Err(error),
                };
            }
        };
        let length = result.range.end.saturating_sub(result.range.start);
        // What the server says is the length of a whole object is believed to here.
        if is_whole && length > bounded::WHOLE {
            return Err(failed(&bounded::TooMuch(bounded::WHOLE)));
        }
        let bytes = result.bytes().await.map_err(|error| failed(&error))?;
        if bytes.len() as u64 != length {
            let text = format!("{} of {length} bytes came", bytes.len());
            let mut error = failed(&io::Error::other(text));
            error.kind = StorageErrorKind::Unreachable;
            return Err(error);
        }
        Ok(bytes)
    }

    async fn list(&self, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StorageError> {
        self.list_objects(prefix, cursor).await
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        let meta = self.client.head(&self.path(name)).await;
        let meta = meta.map_err(|error| self.error(Operation::Head, name.as_str(), &error))?;
        self.meta(name.clone(), &meta)
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        match self.client.delete(&self.path(name)).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = self.error(Operation::Delete, name.as_str(), &error);
                match error.is_not_found() {
                    true => Ok(()),
                    false => Err(error),
                }
            }
        }
    }

    async fn unfinished(
        &self,
        prefix: &str,
        cursor: Option<Cursor>,
    ) -> Result<UnfinishedPage, StorageError> {
        self.list_uploads(prefix, cursor).await
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<bool, StorageError> {
        let name = unfinished.object.parse();
        let name = name.map_err(|error| self.error(Operation::Discard, &unfinished.object, &error));
        let upload = UploadTicket {
            name: name?,
            id: unfinished.id.clone(),
        };
        self.discard(&upload).await.map(|()| true)
    }

    fn shows_versions(&self) -> bool {
        self.versions.load(Ordering::Relaxed)
    }

    fn parts(&self) -> Option<&dyn Parts> {
        Some(self)
    }
}
