//! The certificates that an endpoint is met with, and the one that the server shows to clients.

use std::path::PathBuf;

use rustls::{
    InconsistentKeys, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::openssl_line;

use super::{
    files::Files,
    reader::Section,
    settings::{ServerTls, TlsIdentity, TlsSettings},
    source::Value,
    values,
};

/// Why what is in a file cannot be used. It never holds any of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum TlsError {
    #[error("holds no certificate in PEM form")]
    NoCertificate,
    #[error("holds no private key in PEM form without a passphrase")]
    NoKey,
    #[error("is not PEM")]
    NotPem,
    #[error("cannot be used, because of certificate {nth} in it: {what}")]
    Root { nth: usize, what: String },
    #[error("does not belong to the first certificate of `cert`")]
    Mismatch,
    #[error("cannot be used with `cert`: {0}")]
    Identity(String),
}

/// Reads `tls`.
pub(super) fn tls(endpoint: &mut Section<'_>, files: &Files<'_>, url: Option<&str>) -> TlsSettings {
    if endpoint.gives("tls") && url.is_some_and(|url| !is_https(url)) {
        endpoint.problem("tls", "is for a URL with https://, remove it");
    }
    endpoint.section("tls", |tls| {
        let roots = file(tls, "roots", files).map(|(_, pem)| pem);
        let roots = roots.filter(|pem| usable(tls, "roots", check_roots(pem.expose_secret())));
        for doubt in roots.iter().flat_map(|pem| doubts(pem.expose_secret())) {
            tls.warning("roots", doubt);
        }
        TlsSettings {
            roots: roots.map(|pem| pem.expose_secret().to_owned()),
            identity: identity(tls, files).map(|(identity, _)| identity),
        }
    })
}

/// The object identifier of the curve P-521, as it stands in a certificate.
const P_521: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];

/// Warns about certificates in `roots` that cannot be used if the receiver shows them itself.
fn doubts(pem: &str) -> Vec<String> {
    let found = certificates(pem).unwrap_or_default();
    let doubt = |(at, certificate): (usize, &CertificateDer<'_>)| {
        let what = if certificate.as_ref().windows(P_521.len()).any(|part| part == P_521) {
            "has a key on P-521, which is not supported"
        } else if ParsedCertificate::try_from(certificate).is_err() {
            "has version 1, which is supported only for an authority's"
        } else {
            return None;
        };
        let (nth, line) = (at + 1, openssl_line("HOST"));
        Some(format!(
            "certificate {nth} in it {what}: a receiver that shows it cannot be reached; make one by: {line}"
        ))
    };
    found.iter().enumerate().filter_map(doubt).collect()
}

/// Reads `cert` and `key`, which go together; also gives their paths.
fn identity(tls: &mut Section<'_>, files: &Files<'_>) -> Option<(TlsIdentity, [PathBuf; 2])> {
    let given = [tls.has("cert"), tls.has("key")];
    let cert = file(tls, "cert", files);
    let key = file(tls, "key", files);
    match given {
        [true, false] => tls.problem("key", "is missing, `cert` and `key` go together"),
        [false, true] => tls.problem("cert", "is missing, `cert` and `key` go together"),
        [true, true] | [false, false] => {}
    }
    let ((cert_file, cert), (key_file, key)) = (cert?, key?);
    let problems = identity_problems(cert.expose_secret(), key.expose_secret());
    for (key, problem) in &problems {
        tls.problem(key, problem);
    }
    let identity = TlsIdentity {
        cert: cert.expose_secret().to_owned(),
        key,
    };
    problems.is_empty().then_some((identity, [cert_file, key_file]))
}

/// Reads `server.tls`: without it, or without what is in it, the server speaks in clear.
pub(super) fn server_tls(server: &mut Section<'_>, files: &Files<'_>) -> Option<ServerTls> {
    server.section("tls", |tls| {
        let (identity, [cert_file, key_file]) = identity(tls, files)?;
        Some(ServerTls {
            cert_file,
            key_file,
            identity,
        })
    })
}

/// What is wrong with the texts of a certificate and its key, each with its key of the
/// configuration, `cert` or `key`; empty when they can be used. It holds nothing of the texts.
#[must_use]
pub fn identity_problems(cert: &str, key: &str) -> Vec<(&'static str, String)> {
    match (certificates(cert), private_key(key)) {
        (Ok(chain), Ok(private)) => match check_pair(chain, private) {
            Ok(()) => Vec::new(),
            Err(error) => vec![("key", error.to_string())],
        },
        (chain, private) => {
            let of = |key, error: Option<TlsError>| error.map(|error| (key, error.to_string()));
            [of("cert", chain.err()), of("key", private.err())]
                .into_iter()
                .flatten()
                .collect()
        }
    }
}

/// Reads the file that a key names; also gives its path.
fn file(tls: &mut Section<'_>, key: &'static str, files: &Files<'_>) -> Option<(PathBuf, SecretString)> {
    let typed = tls.optional(key, |value| values::filled(value).map(str::to_owned), Value::shown)?;
    Some((files.path(&typed), files.text(tls, key, &typed)?))
}

/// Reports what is wrong with the file of a key, and tells whether nothing is.
fn usable(tls: &mut Section<'_>, key: &str, checked: Result<(), TlsError>) -> bool {
    match checked {
        Ok(()) => true,
        Err(error) => {
            tls.problem(key, error);
            false
        }
    }
}

fn is_https(url: &str) -> bool {
    url.split_once("://")
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"))
}

fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|_| TlsError::NotPem)?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    Ok(certificates)
}

fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| {
        if matches!(error, pem::Error::NoItemsFound) {
            TlsError::NoKey
        } else {
            TlsError::NotPem
        }
    })
}

fn check_roots(text: &str) -> Result<(), TlsError> {
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates(text)?.into_iter().enumerate() {
        store.add(certificate).map_err(|error| TlsError::Root {
            nth: index + 1,
            what: error.to_string(),
        })?;
    }
    Ok(())
}

fn check_pair(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<(), TlsError> {
    match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(TlsError::Mismatch),
        Err(error) => Err(TlsError::Identity(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
