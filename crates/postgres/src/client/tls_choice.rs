//! How much of TLS a connection asks for, in libpq's words.
//!
//! Invariant: every value has its word, and each word names one value.

use std::str::FromStr;

/// Whether the password's proof is bound to the TLS connection
/// (`channel_binding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelBinding {
    Disable,
    Prefer,
    Require,
}

impl ChannelBinding {
    pub(super) const ALL: [Self; 3] = [Self::Disable, Self::Prefer, Self::Require];

    /// libpq's word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }
}

/// Which versions of TLS will do (`ssl_min_protocol_version` and
/// `ssl_max_protocol_version`); never below 1.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TlsVersions {
    pub(super) no_1_2: bool,
    pub(super) no_1_3: bool,
}

/// How much of TLS is asked for (libpq's `sslmode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Only where the server insists.
    Allow,
    /// Where the server offers it; libpq's default.
    Prefer,
    /// Always; the certificate is not verified unless a root is given.
    Require,
    /// Always, with a certificate from a trusted authority.
    VerifyCa,
    /// Always, and the certificate names the host.
    VerifyFull,
}

impl SslMode {
    /// libpq's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl FromStr for SslMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [
            Self::Disable,
            Self::Allow,
            Self::Prefer,
            Self::Require,
            Self::VerifyCa,
            Self::VerifyFull,
        ]
        .into_iter()
        .find(|mode| mode.as_str() == text)
        .ok_or(())
    }
}
