//! Questions to a bucket for which the client has no call, or one that cannot be used.
//!
//! Invariant: they are signed by the client's own credentials and sent by the client's own
//! wire, so what holds for its requests holds for these.

use std::io;

use bytes::Bytes;
use object_store::aws::AwsAuthorizer;
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpRequestBody};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::S3Storage;
use super::xml::Unusable;
use crate::{Operation, StorageError, StorageErrorKind};

/// What a signature leaves as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A text as a value in a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &PLAIN).to_string()
}

impl S3Storage {
    /// What the bucket answers to `query`, which is about `object`.
    pub(super) async fn ask(
        &self,
        operation: Operation,
        object: &str,
        query: &str,
    ) -> Result<Bytes, StorageError> {
        let failed =
            |error: &(dyn std::error::Error + 'static)| self.error(operation, object, error);
        let url = format!("{}?{query}", self.bucket_url);
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = url.parse().map_err(|_| {
            let text = "no request can be made of the endpoint";
            failed(&io::Error::new(io::ErrorKind::InvalidInput, text))
        })?;
        let credential = self.client.credentials().get_credential().await;
        let credential = credential.map_err(|error| failed(&error))?;
        AwsAuthorizer::new(&credential, "s3", &self.region)
            .try_authorize(&mut request, None)
            .map_err(|error| failed(&error))?;
        let answer = self.http.execute(request).await;
        let answer = answer.map_err(|error| failed(&error))?;
        let body = answer.into_body().bytes().await;
        body.map_err(|error| failed(&error))
    }

    /// That the bucket's answer is not what it should be.
    pub(super) fn unusable(
        &self,
        operation: Operation,
        object: &str,
        unusable: Unusable,
    ) -> StorageError {
        let error = HttpError::new(HttpErrorKind::Decode, unusable);
        StorageError {
            kind: StorageErrorKind::Other,
            ..self.error(operation, object, &error)
        }
    }
}
