//! TLS as a connection asks for it.
//!
//! Source: "SSL Support" in the manual's chapter on libpq, and `initialize_SSL`
//! in src/interfaces/libpq/fe-secure-openssl.c.
//!
//! Invariant: a mode that promises verification never falls back to less.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::parameters::ConnectionParameters;
use super::server_certificate::{Roots, ServerCertificate};
use super::tls_choice::{SslMode, TlsVersions};

/// libpq's name for the roots that the operating system trusts.
pub(super) const SYSTEM: &str = "system";

/// Where Debian, Red Hat, SUSE and Alpine keep them.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Why TLS cannot be set up as the connection asks for it.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// A certificate is to be verified, and nothing says against what.
    #[error("sslmode={} needs a root certificate, and there is none", .mode.as_str())]
    NoRoots {
        /// The mode that asks for it.
        mode: SslMode,
    },
    /// The operating system's roots are asked for with a mode that would not
    /// look at the server's name.
    #[error("sslrootcert=system needs sslmode=verify-full, not {}", .mode.as_str())]
    WeakMode {
        /// The mode.
        mode: SslMode,
    },
    /// A file cannot be read.
    #[error("cannot read {key}={}", .path.display())]
    File {
        /// `sslrootcert`, `sslcert` or `sslkey`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// A file holds nothing that can be used.
    #[error("there is no certificate in {key}={}", .path.display())]
    NoCertificate {
        /// `sslrootcert` or `sslcert`.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A certificate of our own without its key.
    #[error("sslcert={} has no sslkey beside it", .path.display())]
    NoKey {
        /// The certificate.
        path: PathBuf,
    },
    /// The key can be read by others.
    #[error("sslkey={} can be read by others", .path.display())]
    ExposedKey {
        /// The key.
        path: PathBuf,
    },
    /// There is a list of revoked certificates, which libpq would use.
    #[error(
        "there is a list of revoked certificates, {}, and pgkeep does not read it",
        .path.display()
    )]
    RevocationList {
        /// The list.
        path: PathBuf,
    },
    /// The library refuses the combination.
    #[error("TLS cannot be set up")]
    Library {
        /// What it says.
        #[source]
        source: rustls::Error,
    },
}

impl TlsSetupError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoRoots { .. } => Some(
                "set sslrootcert to the file of the authority's certificate, or to system"
                    .to_owned(),
            ),
            Self::File { key: "sslkey", .. } => {
                Some("an encrypted key cannot be used: remove its passphrase".to_owned())
            }
            Self::ExposedKey { .. } => {
                Some("give it the mode 0600; where it belongs to root, 0640 will do".to_owned())
            }
            Self::RevocationList { .. } => {
                Some("move it away, where you can do without".to_owned())
            }
            _ => None,
        }
    }
}

/// The driver's half of TLS for this connection.
pub(super) fn connector(
    parameters: &ConnectionParameters,
) -> Result<MakeRustlsConnect, TlsSetupError> {
    let library = |source| TlsSetupError::Library { source };
    let provider: Arc<CryptoProvider> = aws_lc_rs::default_provider().into();
    let mode = parameters.ssl_mode();
    let check_name = mode == SslMode::VerifyFull;
    let verifier = ServerCertificate::new(roots(parameters)?, check_name, &provider);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(parameters.ssl_versions))
        .map_err(library)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match own_certificate(parameters)? {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(library)?,
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = !parameters.ssl_no_sni;
    Ok(MakeRustlsConnect::new(config))
}

fn versions(wanted: TlsVersions) -> Vec<&'static SupportedProtocolVersion> {
    let both = [(&TLS12, wanted.no_1_2), (&TLS13, wanted.no_1_3)];
    let wanted = both.into_iter().filter(|(_, without)| !without);
    wanted.map(|(version, _)| version).collect()
}

impl ConnectionParameters {
    /// The file of the certificates to trust, also where the operating system's are
    /// meant: libpq knows that word since 16 only.
    pub(super) fn root_certificate_file(&self) -> Option<String> {
        match self.ssl_root_certificate.as_deref() {
            Some(SYSTEM) => system_roots().map(|path| path.display().to_string()),
            other => other.map(str::to_owned),
        }
    }
}

fn system_roots() -> Option<&'static Path> {
    SYSTEM_ROOTS.into_iter().map(Path::new).find(|p| p.exists())
}

fn roots(parameters: &ConnectionParameters) -> Result<Option<Roots>, TlsSetupError> {
    let key = "sslrootcert";
    let mode = parameters.ssl_mode();
    let verify = matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull);
    let named = parameters.ssl_root_certificate.as_deref();
    let path = match named {
        Some(SYSTEM) if mode != SslMode::VerifyFull => {
            return Err(TlsSetupError::WeakMode { mode });
        }
        Some(SYSTEM) => system_roots(),
        // libpq does without where the file is missing and nothing is promised.
        Some(path) => Some(Path::new(path)).filter(|path| verify || path.exists()),
        None => None,
    };
    let Some(path) = path else {
        return if verify {
            Err(TlsSetupError::NoRoots { mode })
        } else {
            Ok(None)
        };
    };
    if let Some(list) = &parameters.ssl_revocation_list {
        let path = list.clone();
        return Err(TlsSetupError::RevocationList { path });
    }
    let certificates = certificates(key, path)?;
    let mut store = RootCertStore::empty();
    let (usable, _) = store.add_parsable_certificates(certificates.iter().cloned());
    if usable == 0 {
        return Err(TlsSetupError::NoCertificate {
            key,
            path: path.to_owned(),
        });
    }
    Ok(Some(Roots {
        store,
        certificates,
    }))
}

type OwnCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn own_certificate(
    parameters: &ConnectionParameters,
) -> Result<Option<OwnCertificate>, TlsSetupError> {
    let certificate = parameters.ssl_certificate.as_deref().map(Path::new);
    let Some(path) = certificate.filter(|_| !parameters.ssl_no_certificate) else {
        return Ok(None);
    };
    let Some(key) = parameters.ssl_key.as_deref().map(Path::new) else {
        return Err(TlsSetupError::NoKey {
            path: path.to_owned(),
        });
    };
    let chain = certificates("sslcert", path)?;
    if is_exposed(key) {
        return Err(TlsSetupError::ExposedKey {
            path: key.to_owned(),
        });
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsSetupError::File {
        key: "sslkey",
        path: key.to_owned(),
        source,
    })?;
    Ok(Some((chain, key)))
}

/// Whether others may read a key, by libpq's rule: root's may be read by a group.
fn is_exposed(key: &Path) -> bool {
    // One that is not there is told when it is read.
    std::fs::metadata(key).is_ok_and(|metadata| {
        let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
        metadata.mode() & forbidden != 0
    })
}

fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|source| TlsSetupError::File {
        key,
        path: path.to_owned(),
        source,
    })?;
    if certificates.is_empty() {
        return Err(TlsSetupError::NoCertificate {
            key,
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}
