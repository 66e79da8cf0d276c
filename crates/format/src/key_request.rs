//! A key that asks to be added to a repository: one line of text without a secret,
//! to be carried to whoever holds a recovery key.
//!
//! Invariant: the line carries its own fingerprint, so that one that was cut or
//! misspelt is none. It proves nothing of who made it: people compare
//! fingerprints.

use std::fmt;
use std::str::FromStr;

use crate::keys::fingerprint;
use crate::{FormatError, KeyRole, Recipient, VerifyingKey};

const MAGIC: &str = "pgkeep-key";
const NAME_LIMIT: usize = 63;

/// The public half of a key that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// What it is to be for: `host`, `prover` or `recovery`.
    pub role: KeyRole,
    /// Who it belongs to: 1 to 63 of `A-Z a-z 0-9 . _ -`.
    pub name: String,
    /// What is sealed to it is sealed to this recipient.
    pub recipient: Recipient,
    /// What it signs is verified with this key; a host has one.
    pub verifier: Option<VerifyingKey>,
}

impl KeyRequest {
    /// The name of the record that it asks for.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(Some(&self.recipient), self.verifier.as_ref())
    }

    /// Whether a text can be a key's name.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        (1..=NAME_LIMIT).contains(&text.len()) && text.bytes().all(plain)
    }
}

impl fmt::Display for KeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, name, recipient) = (self.role.as_str(), &self.name, &self.recipient);
        write!(f, "{MAGIC}:{role}:{name}:{recipient}:")?;
        if let Some(verifier) = &self.verifier {
            write!(f, "{verifier}")?;
        }
        write!(f, ":{}", self.fingerprint())
    }
}

impl FromStr for KeyRequest {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let none = || FormatError::Key {
            what: "key request: a line that begins with pgkeep-key: and that 'pgkeep key new' prints",
        };
        let fields: Vec<&str> = text.trim().split(':').collect();
        let [MAGIC, role, name, recipient, verifier, print] = *fields.as_slice() else {
            return Err(none());
        };
        let (role, is_host) = match role {
            "host" => (KeyRole::Host, true),
            "prover" => (KeyRole::Prover, false),
            "recovery" => (KeyRole::Recovery, false),
            _ => return Err(none()),
        };
        let verifier = match verifier {
            "" => None,
            hex => Some(VerifyingKey::try_from(hex.to_owned())?),
        };
        let request = Self {
            role,
            name: name.to_owned(),
            recipient: recipient.parse()?,
            verifier,
        };
        let is_whole = Self::is_name(name)
            && request.verifier.is_some() == is_host
            && request.fingerprint() == print;
        is_whole.then_some(request).ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HostKey, RecoveryIdentity};

    fn host() -> KeyRequest {
        let key = HostKey::generate("db2.internal".to_owned(), &[7; 32]);
        KeyRequest {
            role: KeyRole::Host,
            name: key.name.clone(),
            recipient: key.identity.recipient(),
            verifier: Some(key.signer.verifying_key()),
        }
    }

    #[test]
    fn a_request_reads_back_and_holds_no_secret() {
        let prover = KeyRequest {
            role: KeyRole::Prover,
            name: "ci".to_owned(),
            recipient: RecoveryIdentity::generate().recipient(),
            verifier: None,
        };
        for request in [host(), prover] {
            let text = request.to_string();
            assert!(!text.contains("SECRET") && !text.contains(char::is_whitespace));
            let back: KeyRequest = format!("{text}\n").parse().unwrap();
            assert_eq!(back, request);
        }
    }

    #[test]
    fn a_request_that_was_cut_or_misspelt_is_none() {
        let text = host().to_string();
        for end in 0..text.len() {
            assert!(text[..end].parse::<KeyRequest>().is_err(), "{end}");
        }
        let verifier = host().verifier.unwrap().to_string();
        let other = verifier.replace(
            &verifier[..2],
            if &verifier[..2] == "00" { "01" } else { "00" },
        );
        assert!(
            text.replace(&verifier, &other)
                .parse::<KeyRequest>()
                .is_err()
        );
        let as_recovery = text.replace(":host:", ":recovery:");
        assert!(as_recovery.parse::<KeyRequest>().is_err());
    }

    #[test]
    fn a_name_gives_no_orders_to_a_terminal() {
        for name in ["", "a b", "a\u{1b}[31m", "a:b", &"x".repeat(64)] {
            assert!(!KeyRequest::is_name(name), "{name:?}");
        }
    }
}
