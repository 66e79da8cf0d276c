//! Uploads that a bucket has begun and nobody has finished.
//!
//! Invariants: a page that is not what it should be is an error, never an empty one:
//! servers were seen that answer what they do not know with something else; what is
//! not below the prefix, or has no object's name, is not told.
//!
//! The request and the answer:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>. The
//! client has no call for it, so it is made here, signed by the client's own credentials
//! and sent by the client's own wire.

use std::io;

use object_store::aws::AwsAuthorizer;
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpRequestBody};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pgkeep_types::ObjectName;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde::Deserialize;

use super::S3Storage;
use crate::{Cursor, Operation, StorageError, StorageErrorKind, Unfinished, UnfinishedPage};

/// What a signature leaves as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const ROOT: &str = "ListMultipartUploadsResult";

/// An answer, as far as it is of use.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
    #[serde(default, rename = "Upload")]
    uploads: Vec<Pending>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pending {
    key: String,
    upload_id: String,
    initiated: String,
}

/// An answer that cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("the server's answer is no list of uploads: {0}")]
    NoList(String),
    #[error("the server's list of uploads cannot be read: {0}")]
    Fields(String),
    #[error("the server answers with another thing than a list of uploads")]
    Another,
    #[error("the server's list of uploads is cut off, and it does not say where it goes on")]
    Endless,
    #[error("the server says of an upload that it was begun at {0:?}")]
    Instant(String),
}

impl S3Storage {
    pub(super) async fn list_uploads(
        &self,
        prefix: &str,
        cursor: Option<Cursor>,
    ) -> Result<UnfinishedPage, StorageError> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            self.error(Operation::ListUnfinished, prefix, error)
        };
        let before = cursor.as_ref().map(|cursor| cursor.0.as_str());
        let url = self.uploads_url(prefix, before);
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
        let body = body.map_err(|error| failed(&error))?;
        self.page(prefix, before, &body).map_err(|unusable| {
            let mut error = failed(&HttpError::new(HttpErrorKind::Decode, unusable));
            error.kind = StorageErrorKind::Other;
            error
        })
    }

    /// Where the page after the cursor is asked for.
    fn uploads_url(&self, prefix: &str, cursor: Option<&str>) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, &PLAIN).to_string();
        let mut url = format!("{}?uploads=", self.bucket_url);
        let wanted = format!("{}{prefix}", self.prefix);
        if !wanted.is_empty() {
            url = format!("{url}&prefix={}", encoded(&wanted));
        }
        if let Some((id, key)) = cursor.and_then(|cursor| cursor.split_once('\n')) {
            url = format!("{url}&key-marker={}", encoded(key));
            // Servers that have no such marker go on after the key.
            if !id.is_empty() {
                url = format!("{url}&upload-id-marker={}", encoded(id));
            }
        }
        url
    }

    fn page(
        &self,
        prefix: &str,
        before: Option<&str>,
        body: &[u8],
    ) -> Result<UnfinishedPage, Unusable> {
        if !is_list(body).map_err(|error| Unusable::NoList(error.to_string()))? {
            return Err(Unusable::Another);
        }
        let listed = quick_xml::de::from_reader::<_, Listed>(body);
        let listed = listed.map_err(|error| Unusable::Fields(error.to_string()))?;
        let mut unfinished = Vec::with_capacity(listed.uploads.len());
        for upload in listed.uploads {
            // Somebody else's uploads may stand beside ours.
            let Some(object) = upload.key.strip_prefix(&self.prefix) else {
                continue;
            };
            if !object.starts_with(prefix) || object.parse::<ObjectName>().is_err() {
                continue;
            }
            let modified = upload.initiated.parse();
            unfinished.push(Unfinished {
                object: object.to_owned(),
                id: upload.upload_id,
                modified: modified.map_err(|_| Unusable::Instant(upload.initiated))?,
                bytes: None,
            });
        }
        let next = format!(
            "{}\n{}",
            listed.next_upload_id_marker, listed.next_key_marker
        );
        let next = match listed.is_truncated {
            false => None,
            true if listed.next_key_marker.is_empty() || before == Some(&next) => {
                return Err(Unusable::Endless);
            }
            true => Some(Cursor(next)),
        };
        Ok(UnfinishedPage { unfinished, next })
    }
}

/// Whether the outermost element is that of a list of uploads.
fn is_list(body: &[u8]) -> Result<bool, quick_xml::Error> {
    let mut reader = Reader::from_reader(body);
    loop {
        match reader.read_event()? {
            Event::Start(element) => return Ok(element.local_name().as_ref() == ROOT.as_bytes()),
            Event::Eof | Event::Empty(_) => return Ok(false),
            _ => {}
        }
    }
}
