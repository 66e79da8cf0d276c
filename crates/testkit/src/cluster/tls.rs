//! Certificates, and servers that show them.
//!
//! Invariant: keys are made new for each test and are readable by their owner
//! alone.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use tempfile::TempDir;

use super::client::DEADLINE;
use super::{Cluster, Major};

/// An authority that signs certificates for one test.
#[derive(Debug)]
pub struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in files.
#[derive(Clone, Debug)]
pub struct PrivateFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new authority.
    ///
    /// # Panics
    ///
    /// Where its files cannot be written.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it writes files")]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut wanted = named("an authority for tests", &[]);
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = wanted.self_signed(&key).expect("a certificate");
        write(&directory.path().join("root.crt"), &certificate.pem());
        Self {
            directory,
            issuer: Issuer::new(wanted, key),
        }
    }

    /// Its certificate, for `sslrootcert`.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root.crt")
    }

    /// A certificate with that common name and those alternative names.
    ///
    /// # Panics
    ///
    /// Where its files cannot be written.
    #[must_use]
    pub fn issue(&self, common_name: &str, alternatives: &[&str]) -> PrivateFiles {
        let key = KeyPair::generate().expect("a key");
        let signed = named(common_name, alternatives).signed_by(&key, &self.issuer);
        let certificate = signed.expect("a certificate").pem();
        self.keep(common_name, &certificate, &key)
    }

    /// A certificate that nobody but itself has signed.
    ///
    /// # Panics
    ///
    /// Where its files cannot be written.
    #[must_use]
    pub fn self_signed(&self, common_name: &str, alternatives: &[&str]) -> PrivateFiles {
        let key = KeyPair::generate().expect("a key");
        let mut wanted = named(common_name, alternatives);
        // As `openssl req -x509` makes them.
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = wanted.self_signed(&key).expect("a certificate").pem();
        self.keep(common_name, &certificate, &key)
    }

    fn keep(&self, name: &str, certificate: &str, key: &KeyPair) -> PrivateFiles {
        let files = PrivateFiles {
            certificate: self.directory.path().join(format!("{name}.crt")),
            key: self.directory.path().join(format!("{name}.key")),
        };
        write(&files.certificate, certificate);
        write(&files.key, &key.serialize_pem());
        files
    }
}

fn named(common_name: &str, alternatives: &[&str]) -> CertificateParams {
    let alternatives: Vec<_> = alternatives.iter().map(|&name| name.to_owned()).collect();
    let mut wanted = CertificateParams::new(alternatives).expect("names");
    wanted.distinguished_name = DistinguishedName::new();
    wanted
        .distinguished_name
        .push(DnType::CommonName, common_name);
    wanted
}

fn write(path: &Path, contents: &str) {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(contents.as_bytes()));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

impl Cluster {
    /// Lets the server show that certificate, and accept those that the
    /// authority signed. Only 15 is built with TLS.
    ///
    /// # Panics
    ///
    /// Where the server refuses.
    pub async fn show_certificate(&self, files: &PrivateFiles, authority: &Authority) {
        assert_eq!(self.major(), Major::Fifteen, "this build has no TLS");
        let data = self.server().data_directory();
        for (from, name) in [
            (&files.certificate, "server.crt"),
            (&files.key, "server.key"),
            (&authority.root(), "root.crt"),
        ] {
            let contents = fs::read_to_string(from).expect("a file");
            write(&data.join(name), &contents);
            let server = data.metadata().expect("the data directory");
            let owned = chown(data.join(name), Some(server.uid()), Some(server.gid()));
            owned.expect("a file of the server's");
        }
        self.psql("postgres", "ALTER SYSTEM SET ssl_ca_file = 'root.crt'")
            .await;
        self.psql("postgres", "ALTER SYSTEM SET ssl = on").await;
        self.reload().await;
    }

    /// Lets these lines alone decide who is let in over TCP.
    ///
    /// # Panics
    ///
    /// Where the server refuses them.
    pub async fn set_pg_hba(&self, lines: &str) {
        let file = self.server().data_directory().join("pg_hba.conf");
        fs::write(&file, format!("local all all trust\n{lines}\n")).expect("pg_hba.conf");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("permissions");
        let wrong = "SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL";
        let wrong = self.psql("postgres", wrong).await;
        assert!(wrong.is_empty(), "{wrong}");
        self.reload().await;
    }

    /// Lets the server read its configuration again, and waits until it has: a
    /// new session sees it then.
    async fn reload(&self) {
        let before = self.load_time().await;
        self.psql("postgres", "SELECT pg_reload_conf()").await;
        let deadline = Instant::now() + DEADLINE;
        while self.load_time().await == before {
            assert!(Instant::now() < deadline, "the server reads nothing");
        }
    }

    async fn load_time(&self) -> String {
        self.psql("postgres", "SELECT pg_conf_load_time()").await
    }
}
