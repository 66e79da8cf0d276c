//! Sealing to age recipients (age-encryption.org/v1, X25519 stanzas), and
//! opening what was sealed.
//!
//! Invariant: whether something is sealed is decided by the repository's
//! descriptor alone, never by looking at the bytes: nothing unsealed is ever
//! taken for sealed, nor the other way round.

use std::fmt;
use std::io::{Read, Write};
use std::str::FromStr;

use age::secrecy::ExposeSecret;
use age::x25519;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Damage, FormatError};

/// A public key to seal to: `age1…`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Recipient(String);

impl Recipient {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn key(&self) -> Result<x25519::Recipient, FormatError> {
        self.0.parse().map_err(|_| FormatError::Key {
            what: "age recipient (age1…)",
        })
    }
}

impl FromStr for Recipient {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let recipient = Self(text.to_owned());
        recipient.key()?;
        Ok(recipient)
    }
}

impl TryFrom<String> for Recipient {
    type Error = FormatError;

    fn try_from(text: String) -> Result<Self, FormatError> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A private age key: `AGE-SECRET-KEY-1…`. Never printed.
#[derive(Clone)]
pub struct RecoveryIdentity(x25519::Identity);

impl RecoveryIdentity {
    /// Draws a new key from the operating system's generator.
    #[must_use]
    pub fn generate() -> Self {
        Self(x25519::Identity::generate())
    }

    /// The public half.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public().to_string())
    }

    /// The key as text, to be kept secret.
    #[must_use]
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string().expose_secret().to_owned())
    }
}

impl FromStr for RecoveryIdentity {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        text.parse().map(Self).map_err(|_| FormatError::Key {
            what: "age identity (AGE-SECRET-KEY-1…)",
        })
    }
}

impl fmt::Debug for RecoveryIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecoveryIdentity({})", self.recipient())
    }
}

/// To whom bytes are sealed; to nobody in an unencrypted repository.
#[derive(Clone, Debug)]
pub enum Seal {
    /// The bytes stay as they are: `[encryption] mode = "none"`.
    Open,
    /// An age file for these recipients.
    To(Vec<Recipient>),
}

impl Seal {
    /// Seals all of `plain`.
    ///
    /// # Errors
    /// `Key` where a recipient is none, `Write` where age fails.
    pub fn seal(&self, plain: Vec<u8>) -> Result<Vec<u8>, FormatError> {
        match self {
            Self::Open => Ok(plain),
            Self::To(_) => {
                let mut writer = self.writer(Vec::with_capacity(plain.len() + 1024))?;
                writer.write_all(&plain).map_err(writing)?;
                writer.finish().map_err(writing)
            }
        }
    }

    /// Seals what is written, into `sink`.
    pub(crate) fn writer<W: Write>(&self, sink: W) -> Result<SealWriter<W>, FormatError> {
        let Self::To(recipients) = self else {
            return Ok(SealWriter::Open(sink));
        };
        let keys = recipients
            .iter()
            .map(Recipient::key)
            .collect::<Result<Vec<_>, _>>()?;
        let encryptor =
            age::Encryptor::with_recipients(keys.iter().map(|key| key as _)).map_err(|_| {
                FormatError::Key {
                    what: "set of age recipients",
                }
            })?;
        let writer = encryptor.wrap_output(sink).map_err(writing)?;
        Ok(SealWriter::Sealed(Box::new(writer)))
    }
}

pub(crate) fn writing(source: std::io::Error) -> FormatError {
    FormatError::Write {
        what: "seal",
        source,
    }
}

/// A writer that seals what passes.
pub(crate) enum SealWriter<W: Write> {
    Open(W),
    Sealed(Box<age::stream::StreamWriter<W>>),
}

impl<W: Write> SealWriter<W> {
    /// Writes the last age chunk; without it nothing can be opened.
    pub(crate) fn finish(self) -> std::io::Result<W> {
        match self {
            Self::Open(sink) => Ok(sink),
            Self::Sealed(writer) => writer.finish(),
        }
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Open(sink) => sink.write(bytes),
            Self::Sealed(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Private keys to open with.
#[derive(Clone, Debug, Default)]
pub struct Identities(Vec<RecoveryIdentity>);

impl Identities {
    /// These keys, each tried in turn.
    #[must_use]
    pub fn new(keys: Vec<RecoveryIdentity>) -> Self {
        Self(keys)
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &RecoveryIdentity> {
        self.0.iter()
    }

    /// Adds another key.
    pub fn push(&mut self, key: RecoveryIdentity) {
        self.0.push(key);
    }

    /// Opens all of `sealed`, an age file.
    ///
    /// # Errors
    /// `NoIdentity` where no key fits, `Damaged` where age refuses the bytes.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, FormatError> {
        let mut plain = Vec::new();
        self.reader(sealed)?
            .read_to_end(&mut plain)
            .map_err(|error| refused(error, 0))?;
        Ok(plain)
    }

    /// Opens what is read from `source`, an age file.
    pub(crate) fn reader<R: Read>(
        &self,
        source: R,
    ) -> Result<age::stream::StreamReader<R>, FormatError> {
        age::Decryptor::new(source)
            .and_then(|file| file.decrypt(self.0.iter().map(|key| &key.0 as _)))
            .map_err(|error| match error {
                age::DecryptError::NoMatchingKeys => FormatError::NoIdentity,
                age::DecryptError::Io(error) => refused(error, 0),
                age::DecryptError::InvalidMac => header("the header's MAC does not hold"),
                _ => header("it does not begin as an age file does"),
            })
    }
}

fn header(what: &'static str) -> FormatError {
    FormatError::damaged(0, Damage::Sealed(what))
}

/// Tells a failure to read the bytes from a refusal of what was read. age makes
/// only errors of these two kinds; what a storage's reader fails with is of
/// another.
pub(crate) fn refused(error: std::io::Error, offset: u64) -> FormatError {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidData => FormatError::damaged(
            offset,
            Damage::Sealed("the authentication of a chunk does not hold"),
        ),
        ErrorKind::UnexpectedEof => {
            FormatError::damaged(offset, Damage::Sealed("it ends too early"))
        }
        _ => FormatError::Read { source: error },
    }
}
