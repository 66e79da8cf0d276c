//! The file that makes a host a writer: its signing key, its age identity, and
//! which root key it trusts for which repository.
//!
//! Invariant: the file holds private keys and is kept with mode 0600 on the
//! host alone; none of its private fields is ever printed.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::descriptor::RepositoryId;
use crate::hash::{decode_hex, encode_hex};
use crate::keys::fingerprint;
use crate::signing::{Signer, VerifyingKey};
use crate::{FormatError, Recipient, RecoveryIdentity};

/// What is known of a repository from when it was made or joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// The repository.
    pub repository: RepositoryId,
    /// Its root key.
    pub root: VerifyingKey,
    /// The recovery keys that a host seals to; a recovery key's own file does not
    /// say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipients: Option<Vec<Recipient>>,
    /// The provers' keys that a host seals to besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provers: Vec<Recipient>,
    /// The newest key ring that was seen; 0 is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ring: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Trust {
    /// Knows a repository by its root key alone.
    #[must_use]
    pub fn in_root(repository: RepositoryId, root: VerifyingKey) -> Self {
        Self {
            repository,
            root,
            recipients: None,
            provers: Vec::new(),
            ring: 0,
        }
    }
}

/// A host's private keys.
#[derive(Clone, Debug)]
pub struct HostKey {
    /// The host's name, for people.
    pub name: String,
    /// Signs what the host writes.
    pub signer: Signer,
    /// Opens what is sealed to the host.
    pub identity: RecoveryIdentity,
    /// The repositories that the host has joined.
    pub trust: Vec<Trust>,
}

#[derive(Serialize, Deserialize)]
struct Text {
    note: String,
    pgkeep_host_key: u16,
    name: String,
    signing: String,
    identity: String,
    trust: Vec<Trust>,
}

impl Drop for Text {
    fn drop(&mut self) {
        self.signing.zeroize();
        self.identity.zeroize();
    }
}

const NOTE: &str = "Private keys of this host. Keep this file here, readable by pgkeep alone. \
                    It cannot open backups; it can write them.";

impl HostKey {
    /// Makes new keys; `seed` is 32 random bytes.
    #[must_use]
    pub fn generate(name: String, seed: &[u8; 32]) -> Self {
        Self {
            name,
            signer: Signer::from_seed(seed),
            identity: RecoveryIdentity::generate(),
            trust: Vec::new(),
        }
    }

    /// The name of the host's key record in any repository.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let recipient = self.identity.recipient();
        fingerprint(Some(&recipient), Some(&self.signer.verifying_key()))
    }

    /// Takes `trust` for what this host knows of a repository from now on.
    pub fn pin(&mut self, trust: Trust) {
        self.trust
            .retain(|known| known.repository != trust.repository);
        self.trust.push(trust);
    }

    /// Notes a newer key ring of a repository that is known; tells whether it is newer.
    pub fn note_ring(&mut self, repository: RepositoryId, ring: u32) -> bool {
        let mut known = self.trust.iter_mut();
        let known = known.find(|known| known.repository == repository && known.ring < ring);
        known.map(|known| known.ring = ring).is_some()
    }

    /// What this host knows of `repository`.
    #[must_use]
    pub fn trust_in(&self, repository: RepositoryId) -> Option<&Trust> {
        self.trust
            .iter()
            .find(|trust| trust.repository == repository)
    }

    /// The content of the key file.
    ///
    /// # Errors
    /// Never in practice: the fields are plain text.
    pub fn to_secret_text(&self) -> Result<Zeroizing<String>, FormatError> {
        let text = Text {
            note: NOTE.to_owned(),
            pgkeep_host_key: 1,
            name: self.name.clone(),
            signing: encode_hex(&self.signer.seed()),
            identity: self.identity.to_secret_text().to_string(),
            trust: self.trust.clone(),
        };
        let mut json = serde_json::to_string_pretty(&text)
            .map_err(|_| FormatError::Key { what: "host key" })?;
        json.push('\n');
        Ok(Zeroizing::new(json))
    }

    /// Reads the content of a key file.
    ///
    /// # Errors
    /// `Key` where the text is none; the text is not repeated.
    pub fn from_secret_text(text: &str) -> Result<Self, FormatError> {
        let unusable = || FormatError::Key {
            what: "pgkeep host key file",
        };
        let text: Text = serde_json::from_str(text).map_err(|_| unusable())?;
        if text.pgkeep_host_key != 1 {
            return Err(unusable());
        }
        let seed = Zeroizing::new(decode_hex(&text.signing).ok_or_else(unusable)?);
        Ok(Self {
            name: text.name.clone(),
            signer: Signer::from_seed(&seed),
            identity: text.identity.parse()?,
            trust: text.trust.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_key_file_reads_back_and_never_prints_its_secrets() {
        let mut key = HostKey::generate("db1".into(), &[7; 32]);
        let root = Signer::from_seed(&[1; 32]).verifying_key();
        key.pin(Trust::in_root(RepositoryId::new([9; 16]), root));
        key.pin(Trust {
            recipients: Some(vec![RecoveryIdentity::generate().recipient()]),
            ring: 3,
            ..key.trust[0].clone()
        });
        let text = key.to_secret_text().unwrap();
        let back = HostKey::from_secret_text(&text).unwrap();
        assert_eq!(back.signer.seed(), [7; 32]);
        assert_eq!(back.identity.recipient(), key.identity.recipient());
        assert_eq!(
            back.trust_in(RepositoryId::new([9; 16])),
            Some(&key.trust[0])
        );
        assert_eq!(back.trust_in(RepositoryId::new([8; 16])), None);
        let shown = format!("{key:?}");
        assert!(!shown.contains("SECRET") && !shown.contains(&encode_hex(&[7; 32])));
    }
}
