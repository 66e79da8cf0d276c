//! A private key under a passphrase: an age file with one scrypt stanza, so that
//! `age --decrypt` and the passphrase bring back the key's file.
//!
//! Invariants: the passphrase is never printed; what is opened costs no more than
//! what is written here does, whoever wrote it.

use std::fmt;
use std::io::{Read, Write};

use age::secrecy::SecretString;
use zeroize::Zeroizing;

use crate::error::{Damage, FormatError};
use crate::seal::{refused, writing};

/// The base-2 logarithm of scrypt's cost N (RFC 7914; r = 8, p = 1): 256 MiB and
/// about a second. The `age` program writes the same and opens up to 22. More
/// memory than this is not to be had on every machine on which a restore has to
/// work.
pub const WORK_FACTOR: u8 = 18;

/// The most bytes of a key's file.
const LIMIT: u64 = 64 << 10;

/// A passphrase. Wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// The fewest characters that a new one may have: whoever has the storage can
    /// try passphrases for as long as they like.
    pub const SHORTEST: usize = 12;

    /// Takes a text for a passphrase; none where it is empty.
    #[must_use]
    pub fn new(text: Zeroizing<String>) -> Option<Self> {
        (!text.is_empty()).then_some(Self(text))
    }

    /// Whether it has as many characters as a new one must have.
    #[must_use]
    pub fn is_long_enough(&self) -> bool {
        self.0.chars().count() >= Self::SHORTEST
    }

    /// Whether both are the same.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Wraps the text of a key's file. Takes about a second and 256 MiB.
    ///
    /// # Errors
    /// Where age fails.
    pub fn wrap(&self, file: &str) -> Result<Vec<u8>, FormatError> {
        let mut recipient = age::scrypt::Recipient::new(self.secret());
        recipient.set_work_factor(WORK_FACTOR);
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as _));
        let encryptor = encryptor.map_err(|_| FormatError::Key { what: "passphrase" })?;
        let mut writer = encryptor.wrap_output(Vec::new()).map_err(writing)?;
        writer.write_all(file.as_bytes()).map_err(writing)?;
        writer.finish().map_err(writing)
    }

    /// Brings back the text of a key's file. Takes about a second and 256 MiB.
    ///
    /// # Errors
    /// `NoIdentity` where it is another passphrase's, `Damaged` where it is no
    /// such file or would cost more than one that is written here.
    pub fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<String>, FormatError> {
        let mut identity = age::scrypt::Identity::new(self.secret());
        identity.set_max_work_factor(WORK_FACTOR);
        let damaged = |what| FormatError::damaged(0, Damage::Sealed(what));
        let file = age::Decryptor::new(wrapped).map_err(|error| match error {
            age::DecryptError::Io(error) => refused(error, 0),
            _ => damaged("it does not begin as an age file does"),
        })?;
        if !file.is_scrypt() {
            return Err(damaged("it is not under a passphrase"));
        }
        let opened = file.decrypt(std::iter::once(&identity as _));
        let opened = opened.map_err(|error| match error {
            age::DecryptError::ExcessiveWork { .. } => {
                damaged("to try a passphrase would cost more than it should")
            }
            age::DecryptError::InvalidMac => damaged("the header's MAC does not hold"),
            age::DecryptError::InvalidHeader => damaged("its header is malformed"),
            age::DecryptError::Io(error) => refused(error, 0),
            _ => FormatError::NoIdentity,
        })?;
        let mut text = Zeroizing::new(String::new());
        opened
            .take(LIMIT)
            .read_to_string(&mut text)
            .map_err(|error| refused(error, 0))?;
        Ok(text)
    }

    fn secret(&self) -> SecretString {
        SecretString::from(self.0.as_str().to_owned())
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    #[test]
    fn what_was_wrapped_opens_with_the_same_passphrase_alone() {
        let right = passphrase("correct horse battery");
        let wrapped = right.wrap("a key").unwrap();
        assert_eq!(right.unwrap(&wrapped).unwrap().as_str(), "a key");
        let error = passphrase("wrong").unwrap(&wrapped).unwrap_err();
        assert!(matches!(error, FormatError::NoIdentity), "{error}");
        let header = String::from_utf8_lossy(&wrapped[..100]).into_owned();
        assert!(header.contains(" 18\n"), "{header}");
    }

    #[test]
    fn a_hostile_work_factor_is_refused_and_not_worked_off() {
        let right = passphrase("correct horse battery");
        // What scrypt would take days and terabytes for.
        let hostile = "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 40\n\
                       AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
                       --- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAA";
        let error = right.unwrap(hostile.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("cost more"), "{error}");
    }

    #[test]
    fn what_is_under_no_passphrase_is_refused() {
        let right = passphrase("correct horse battery");
        let key = crate::RecoveryIdentity::generate().recipient();
        let sealed = crate::Seal::To(vec![key]).seal(b"x".to_vec()).unwrap();
        let error = right.unwrap(&sealed).unwrap_err();
        assert!(error.to_string().contains("passphrase"), "{error}");
        assert!(right.unwrap(b"not an age file").is_err());
    }

    #[test]
    fn a_passphrase_is_never_printed() {
        let shown = format!("{:?}", passphrase("hunter2"));
        assert!(!shown.contains("hunter2"));
    }
}
