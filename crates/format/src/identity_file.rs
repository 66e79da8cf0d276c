//! The file with a recovery key: an age identity file (as `age-keygen` writes
//! it, so that `age -d -i` takes it) whose comments also say which repository
//! it belongs to.
//!
//! Invariant: nothing but lines that begin with `#`, empty lines and
//! `AGE-SECRET-KEY-1…` lines; anything else is refused, not skipped.

use zeroize::Zeroizing;

use crate::descriptor::RepositoryId;
use crate::host_key::Trust;
use crate::{FormatError, KeyRole, RecoveryIdentity};

const TRUST: &str = "# pgkeep repository: ";

/// What an identity file holds.
#[derive(Clone, Debug, Default)]
pub struct RecoveryKeyFile {
    /// The private keys.
    pub identities: Vec<RecoveryIdentity>,
    /// The repositories that the file vouches for.
    pub trust: Vec<Trust>,
}

impl RecoveryKeyFile {
    /// The content of a file for one key and one repository, with `created` (a
    /// date) told to whoever finds it.
    #[must_use]
    pub fn to_secret_text(
        identity: &RecoveryIdentity,
        trust: &Trust,
        created: &str,
    ) -> Zeroizing<String> {
        let about = format!(
            "# pgkeep recovery key, made {created}. Whoever has it can read every backup of\n\
             # this repository; without it, nobody can. Keep it offline, in two places.\n"
        );
        Self::text(identity, trust, &about)
    }

    /// The content of a file for the key that manages an unencrypted repository.
    #[must_use]
    pub fn owners_secret_text(
        identity: &RecoveryIdentity,
        trust: &Trust,
        created: &str,
    ) -> Zeroizing<String> {
        let about = format!(
            "# pgkeep owner's key, made {created}. Whoever has it can add hosts to this\n\
             # repository and retire them; without it, nobody can. Keep it offline.\n"
        );
        Self::text(identity, trust, &about)
    }

    fn text(identity: &RecoveryIdentity, trust: &Trust, about: &str) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "{about}{}\n# public key: {}\n{}\n",
            Self::trust_line(trust),
            identity.recipient(),
            identity.to_secret_text().as_str(),
        ))
    }

    /// The content of a file for a key that no repository has yet; its role tells
    /// whoever finds it what it can do.
    #[must_use]
    pub fn new_secret_text(
        identity: &RecoveryIdentity,
        role: KeyRole,
        created: &str,
    ) -> Zeroizing<String> {
        let recipient = identity.recipient();
        let secret = identity.to_secret_text();
        let means = match role {
            KeyRole::Prover => "It opens every backup that is made once it was added.",
            _ => "It opens every backup that is made once it was added. Keep it offline.",
        };
        Zeroizing::new(format!(
            "# pgkeep {} key, made {created}. {means}\n# public key: {recipient}\n{}\n",
            role.as_str(),
            secret.as_str(),
        ))
    }

    /// The comment that makes an identity file vouch for a repository.
    #[must_use]
    pub fn trust_line(trust: &Trust) -> String {
        format!("{TRUST}{} {}", trust.repository, trust.root)
    }

    /// Reads the content of an identity file; also one of `age-keygen`.
    ///
    /// # Errors
    /// `Key` where a line is neither a comment nor an identity, or where there
    /// is no identity. The line is not repeated.
    pub fn from_secret_text(text: &str) -> Result<Self, FormatError> {
        let mut file = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(trust) = line.strip_prefix(TRUST) {
                file.trust.push(parse_trust(trust)?);
            } else if !line.starts_with('#') {
                file.identities.push(line.parse()?);
            }
        }
        if file.identities.is_empty() {
            return Err(FormatError::Key {
                what: "age identity file: it holds no AGE-SECRET-KEY-1… line",
            });
        }
        Ok(file)
    }
}

fn parse_trust(text: &str) -> Result<Trust, FormatError> {
    let malformed = FormatError::Key {
        what: "'# pgkeep repository:' line of an identity file",
    };
    let Some((repository, root)) = text.split_once(' ') else {
        return Err(malformed);
    };
    Ok(Trust::in_root(
        RepositoryId::try_from(repository.to_owned()).map_err(|_| malformed)?,
        root.trim().to_owned().try_into()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Signer;

    #[test]
    fn a_recovery_key_file_reads_back_with_its_repository() {
        let identity = RecoveryIdentity::generate();
        let root = Signer::from_seed(&[5; 32]).verifying_key();
        let trust = Trust::in_root(RepositoryId::new([3; 16]), root);
        let text = RecoveryKeyFile::to_secret_text(&identity, &trust, "2026-11-20");
        let file = RecoveryKeyFile::from_secret_text(&text).unwrap();
        assert_eq!(file.identities[0].recipient(), identity.recipient());
        assert_eq!(file.trust, [trust]);
    }

    #[test]
    fn a_line_that_is_no_identity_is_refused_without_repeating_it() {
        let error = RecoveryKeyFile::from_secret_text("AGE-SECRET-KEY-1HUNTER2\n").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("HUNTER2"));
        assert!(RecoveryKeyFile::from_secret_text("# only a comment\n").is_err());
    }
}
