//! What a server's refusal means.
//!
//! Invariants: every answer but a success becomes an [`Answer`], which has no URL
//! and no header in it; its kind follows from status and code alone. Codes are
//! those of <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.

use std::fmt;
use std::time::Duration;

use crate::StorageErrorKind;

/// The longest message that is passed on, in characters.
const MESSAGE: usize = 300;

const NO_BUCKET: &str = "NoSuchBucket";

/// A server's answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
    /// Whether it is not the storage that answered, but who gives credentials.
    pub(super) of_credentials: bool,
}

impl Answer {
    /// Reads the body of an answer: `<Code>` and `<Message>` of S3's errors.
    pub(super) fn new(status: u16, body: &[u8], retry_after: Option<&str>) -> Self {
        let text = String::from_utf8_lossy(body);
        let seconds = retry_after.and_then(|text| text.trim().parse().ok());
        Self {
            status,
            code: element(&text, "Code"),
            message: element(&text, "Message"),
            retry_after: seconds.map(Duration::from_secs),
            of_credentials: false,
        }
    }

    pub(super) fn kind(&self) -> StorageErrorKind {
        use StorageErrorKind as K;
        let by_status = || match self.status {
            401 | 403 => K::Denied,
            404 => K::NotFound,
            304 | 412 => K::AlreadyExists,
            408 => K::TimedOut,
            429 | 503 => K::Throttled,
            507 => K::NoSpace,
            500 | 502 | 504 => K::Unreachable,
            _ => K::Other,
        };
        match self.code.as_str() {
            _ if self.of_credentials => match by_status() {
                kind if kind.is_transient() => kind,
                _ => K::Denied,
            },
            NO_BUCKET | "NotImplemented" => K::Other,
            "ExpiredToken" | "InvalidToken" | "InvalidAccessKeyId" => K::Denied,
            "SlowDown" | "TooManyRequests" | "RequestLimitExceeded" => K::Throttled,
            // Somebody else writes this name at this moment.
            "ConditionalRequestConflict" | "OperationAborted" => K::Throttled,
            "RequestTimeout" => K::TimedOut,
            "InternalError" | "ServiceUnavailable" => K::Unreachable,
            // Damaged on the way, and found out.
            "BadDigest" | "IncompleteBody" | "XAmzContentSHA256Mismatch" => K::Unreachable,
            "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" => K::NoSpace,
            _ => by_status(),
        }
    }

    /// Whether the server does not know the condition that was set.
    pub(super) fn knows_no_condition(&self) -> bool {
        self.status == 501 || self.code == "NotImplemented"
    }

    /// Whether what was asked for begins after the object's end.
    pub(super) fn is_past_the_end(&self) -> bool {
        self.status == 416
    }

    pub(super) fn hint(&self) -> Option<&'static str> {
        Some(match self.code.as_str() {
            _ if self.of_credentials => "see docs/storage.md for where credentials are looked for",
            NO_BUCKET => "make the bucket first, or correct its name",
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
                "check the access key and the secret key, and which profile is in use"
            }
            "ExpiredToken" | "InvalidToken" => "get a new session token",
            "RequestTimeTooSkewed" => "set this machine's clock",
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect" => {
                "set 'region' in the address to the bucket's"
            }
            _ if (300..400).contains(&self.status) => {
                "set 'region' or 'endpoint' in the address to the bucket's"
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of_credentials {
            f.write_str("no credentials: ")?;
        }
        if self.code == NO_BUCKET {
            f.write_str("there is no such bucket: ")?;
        }
        write!(f, "HTTP status {}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Answer {}

/// The text of the first such element, on one line.
fn element(text: &str, name: &str) -> String {
    let found = text
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")))
        .map_or("", |(text, _)| text);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = found.trim().chars().map(plain).take(MESSAGE).collect();
    text.trim_end_matches('.').to_owned()
}
