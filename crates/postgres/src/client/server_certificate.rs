//! Whether a server's certificate is to be trusted.
//!
//! Source of the rules: `initialize_SSL` and `pgtls_verify_peer_name_matches…`
//! in src/interfaces/libpq/fe-secure-openssl.c, and fe-secure-common.c.
//!
//! Invariants: with roots, a chain to one of them is always asked for; without
//! any, nothing is verified but that the server holds its certificate's key,
//! which channel binding rests on.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::asn1::{PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The certificates that are trusted.
#[derive(Debug)]
pub(super) struct Roots {
    /// As issuers of others.
    pub(super) store: RootCertStore,
    /// As themselves: a server's own self-signed certificate is often named as
    /// the root, which OpenSSL accepts.
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

/// libpq's rules as a verifier.
#[derive(Debug)]
pub(super) struct ServerCertificate {
    roots: Option<Roots>,
    check_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertificate {
    pub(super) fn new(
        roots: Option<Roots>,
        check_name: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Self {
        Self {
            roots,
            check_name,
            algorithms: provider.signature_verification_algorithms,
        }
    }

    fn verify_chain(
        &self,
        roots: &Roots,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let chain = ParsedCertificate::try_from(certificate).and_then(|parsed| {
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &roots.store,
                intermediates,
                now,
                self.algorithms.all,
            )
        });
        match chain {
            Err(_) if roots.certificates.contains(certificate) => {
                verify_validity(&decode(certificate)?, now)
            }
            chain => chain,
        }
    }
}

impl ServerCertVerifier for ServerCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            self.verify_chain(roots, end_entity, intermediates, now)?;
        }
        if self.check_name {
            verify_name(end_entity, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if ParsedCertificate::try_from(certificate).is_ok() {
            return verify_tls13_signature(message, certificate, signature, &self.algorithms);
        }
        // A certificate of version 1, as older recipes make them, has a key all
        // the same.
        let key = decode(certificate)?.tbs_certificate.subject_public_key_info;
        let key = key.to_der().map_err(|_| CertificateError::BadEncoding)?;
        let key = SubjectPublicKeyInfoDer::from(key);
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn decode(certificate: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Ok(Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?)
}

fn verify_validity(certificate: &Certificate, now: UnixTime) -> Result<(), Error> {
    let validity = &certificate.tbs_certificate.validity;
    let now = now.as_secs();
    if now < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration().as_secs() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// Compares the alternative names, and where there are none of a host, the
/// common name (`pq_verify_peer_name_matches_certificate`).
fn verify_name(certificate: &CertificateDer<'_>, server: &ServerName<'_>) -> Result<(), Error> {
    let by_alternative_names = ParsedCertificate::try_from(certificate)
        .and_then(|parsed| verify_server_name(&parsed, server));
    let Err(error) = by_alternative_names else {
        return Ok(());
    };
    let decoded = decode(certificate)?;
    let fits = common_name(&decoded).is_some_and(|name| fits(&name, &server.to_str()));
    if fits { Ok(()) } else { Err(error) }
}

fn common_name(certificate: &Certificate) -> Option<String> {
    let content = &certificate.tbs_certificate;
    let (_, alternatives) = content.get::<SubjectAltName>().ok()?.unzip();
    let names_a_host =
        |name: &GeneralName| matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_));
    if alternatives.is_some_and(|names| names.0.iter().any(names_a_host)) {
        return None;
    }
    let mut attributes = content.subject.0.iter().flat_map(|part| part.0.iter());
    let value = &attributes.find(|a| a.oid == COMMON_NAME)?.value;
    let text = Utf8StringRef::try_from(value)
        .map(|text| text.to_string())
        .or_else(|_| PrintableStringRef::try_from(value).map(|text| text.to_string()))
        .or_else(|_| TeletexStringRef::try_from(value).map(|text| text.to_string()));
    text.ok()
}

/// Equal but for case, or `*.` for exactly one label in front
/// (`wildcard_certificate_match`).
fn fits(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let (Some(pattern), Some((label, rest))) = (pattern.strip_prefix("*."), host.split_once('.'))
    else {
        return false;
    };
    !label.is_empty() && !pattern.is_empty() && pattern.eq_ignore_ascii_case(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_exactly_one_label() {
        assert!(fits("*.example.org", "db.Example.org"));
        assert!(fits("DB.example.org", "db.example.org"));
        for (pattern, host) in [
            ("*.example.org", "example.org"),
            ("*.example.org", "a.b.example.org"),
            ("*.example.org", ".example.org"),
            ("d*.example.org", "db.example.org"),
            ("*", "db"),
            ("*.", "db."),
            ("", "db"),
        ] {
            assert!(!fits(pattern, host), "{pattern} {host}");
        }
    }
}
