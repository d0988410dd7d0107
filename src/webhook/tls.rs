//! How TLS is spoken with an endpoint.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject},
    },
};
use secrecy::{ExposeSecret, SecretString};

use super::peer::Verifier;

/// What an endpoint needs of TLS besides what is usual.
#[derive(Debug, Clone, Default)]
pub struct TlsParts {
    /// The certificates, as PEM, that its certificate may come from or be. They replace Mozilla's.
    pub roots: Option<String>,
    /// What it knows us by.
    pub identity: Option<TlsIdentity>,
}

/// The certificate that we show, and its key.
#[derive(Debug, Clone)]
pub struct TlsIdentity {
    /// Our certificate and, after it, those that lead to a root, as PEM.
    pub cert: String,
    /// The key of the first of them, as PEM: PKCS #8, PKCS #1 or SEC 1, without a passphrase.
    pub key: SecretString,
}

/// How TLS is spoken with an endpoint: its certificate is always verified, and the request goes
/// by HTTP/1.1, in which the names of headers have a letter case. Cloning it copies a pointer.
#[derive(Debug, Clone)]
pub struct Tls(Arc<ClientConfig>);

/// Why TLS cannot be spoken so. It never holds a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of certificates cannot be read as PEM.
    #[error("{0} is no PEM file: {1}")]
    Pem(&'static str, PemError),
    /// A file of certificates holds none.
    #[error("{0} holds no certificate, look for -----BEGIN CERTIFICATE-----")]
    NoCertificate(&'static str),
    /// A certificate cannot be used as a root.
    #[error("certificate {number} of tls.roots cannot be used: {error}")]
    Root {
        /// Which of the file; the first is 1.
        number: usize,
        /// Why.
        error: rustls::Error,
    },
    /// The file of the key holds none that can be used.
    #[error("tls.key holds no private key: look for -----BEGIN PRIVATE KEY-----; one with a passphrase cannot be used")]
    NoKey,
    /// Certificate and key cannot be used.
    #[error("tls.cert and tls.key cannot be used together: {0}")]
    Identity(rustls::Error),
}

impl Tls {
    /// With Mozilla's roots and without a certificate of ours.
    ///
    /// # Panics
    /// Never: there is nothing to read.
    #[must_use]
    pub fn public() -> Self {
        Self::new(&TlsParts::default()).expect("the usual roots are valid")
    }

    /// Reads the files of an endpoint.
    ///
    /// # Errors
    /// When one does not hold what it should.
    pub fn new(parts: &TlsParts) -> Result<Self, TlsError> {
        let given = parts
            .roots
            .as_ref()
            .map(|pem| certificates("tls.roots", pem))
            .transpose()?;
        let roots = match &given {
            Some(given) => roots(given.clone())?,
            None => public_roots(),
        };
        Self::with(given.unwrap_or_default(), roots, parts.identity.as_ref())
    }

    /// With Mozilla's roots and the certificates of a PEM file.
    ///
    /// # Errors
    /// When the file is not valid.
    pub fn trusting_also(pem: &str) -> Result<Self, TlsError> {
        let given = certificates("tls.roots", pem)?;
        let mut all = roots(given.clone())?;
        all.extend(public_roots().roots);
        Self::with(given, all, None)
    }

    /// Trusts certificates that come from a root, and the given ones.
    fn with(
        given: Vec<CertificateDer<'static>>,
        roots: RootCertStore,
        identity: Option<&TlsIdentity>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has what the usual versions need");
        let verifier = Verifier::new(given, roots, provider);
        let verifier = verifier.map_err(|_| TlsError::NoCertificate("tls.roots"))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match identity {
            Some(identity) => {
                let chain = certificates("tls.cert", &identity.cert)?;
                let key = PrivateKeyDer::from_pem_slice(identity.key.expose_secret().as_bytes());
                let key = key.map_err(|_| TlsError::NoKey)?;
                builder.with_client_auth_cert(chain, key).map_err(TlsError::Identity)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// What a connection is made with.
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

/// The roots that browsers trust.
fn public_roots() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

fn roots(certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for (at, certificate) in certificates.into_iter().enumerate() {
        let number = at + 1;
        store
            .add(certificate)
            .map_err(|error| TlsError::Root { number, error })?;
    }
    Ok(store)
}

/// The certificates in a file, at least one.
fn certificates(file: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|error| TlsError::Pem(file, error))?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate(file));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A self-signed certificate, made for these tests alone, and its key in two forms.
    const CERT: &str = "-----BEGIN CERTIFICATE-----
MIIBhDCCASugAwIBAgIUYp79Bpx5Ss5ocGGnVqUnxtQjrK4wCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMdmFjYW5jeS10ZXN0MCAXDTI2MTEyNDE4MDIxNloYDzIxMjYx
MDMxMTgwMjE2WjAXMRUwEwYDVQQDDAx2YWNhbmN5LXRlc3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAASCsGIx64V4DxPTzUuPEF1NU/MViRwmz0X242ENQyzlVsVf
xzY/+gU+5z9tVqfXV4xh3x8ZQYCYhxrL6r+AH0iWo1MwUTAdBgNVHQ4EFgQUuQIU
uKgFpfz0yFRx67hV0ep9CiUwHwYDVR0jBBgwFoAUuQIUuKgFpfz0yFRx67hV0ep9
CiUwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiBYQK7Siub1dfp/
zxRHQ5uuadX4XaLQMCHryivqlLkk3wIgb3V+uRur2jq55U4BskLof8PRxbd5zbTu
3F5ociwtXjQ=
-----END CERTIFICATE-----";
    const KEY_SEC1: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIGvUBWB2IfsGstPzGuSSQscSdzQybKdKDkdeSxHIs/3coAoGCCqGSM49
AwEHoUQDQgAEgrBiMeuFeA8T081LjxBdTVPzFYkcJs9F9uNhDUMs5VbFX8c2P/oF
Puc/bVan11eMYd8fGUGAmIcay+q/gB9Ilg==
-----END EC PRIVATE KEY-----";
    const KEY_PKCS8: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQga9QFYHYh+way0/Ma
5JJCxxJ3NDJsp0oOR15LEciz/dyhRANCAASCsGIx64V4DxPTzUuPEF1NU/MViRwm
z0X242ENQyzlVsVfxzY/+gU+5z9tVqfXV4xh3x8ZQYCYhxrL6r+AH0iW
-----END PRIVATE KEY-----";
    const OTHER_KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLavJgR/Q9ya7uT8m
tIZqjTvT6LsVPlYKKH2+MQahjC2hRANCAAREND2AOT8XMu1rATpnJmOW0cdwklao
DHjW39VbjsnHoioYoKxH9or9XwKQNEYr5Mp7JqjEGxlfQCpoIVsucK4t
-----END PRIVATE KEY-----";
    const KEY_WITH_PASSPHRASE: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiEOTVjSvwXDAICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEKiW+NxF72CrcBi5mQcXU/AEgZBx
RdwGipTyaVCBhhpwU8MDp/+drFDagBrOz0ozVmHfNrH8DuSiGhW2i0om17qgnQcv
BCf4PY9KavRp6ZcFpyOn2GVbHf88jDul0aaSB5K1sbD2jzluHqh3uTaIub+4oVCs
n3sJCt66hZuZc3nz1rcpRe0uM32Pvm860SEtPPLLa7q0y4M/4aw1r7R9gjUiyE8=
-----END ENCRYPTED PRIVATE KEY-----";

    fn with_roots(pem: &str) -> TlsParts {
        TlsParts {
            roots: Some(pem.into()),
            identity: None,
        }
    }

    fn with_identity(cert: &str, key: &str) -> TlsParts {
        TlsParts {
            roots: None,
            identity: Some(TlsIdentity {
                cert: cert.into(),
                key: key.into(),
            }),
        }
    }

    /// Checks that parts are refused with a message that holds this text and nothing of a key.
    #[track_caller]
    fn check_refused(parts: &TlsParts, want: &str) {
        let refused = Tls::new(parts).map(|_| ()).expect_err("it is refused").to_string();
        assert!(refused.contains(want), "{refused}");
        assert!(!refused.contains("MHcC") && !refused.contains("MIG"), "{refused}");
    }

    #[test]
    fn roots_and_identity_are_read() {
        assert!(Tls::new(&with_roots(CERT)).is_ok());
        assert!(Tls::new(&with_roots(&format!("a comment\n{CERT}\n{CERT}\n"))).is_ok());
        for key in [KEY_SEC1, KEY_PKCS8] {
            let tls = Tls::new(&with_identity(CERT, key)).expect("both are there");
            assert!(tls.config().client_auth_cert_resolver.has_certs());
        }
    }

    #[test]
    fn without_parts_nothing_of_ours_is_shown_and_only_http_1_is_spoken() {
        let config = Tls::public().config();
        assert!(!config.client_auth_cert_resolver.has_certs());
        assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
    }

    #[test]
    fn roots_that_are_none_are_refused() {
        check_refused(&with_roots(""), "tls.roots holds no certificate");
        check_refused(&with_roots(KEY_SEC1), "tls.roots holds no certificate");
        check_refused(
            &with_roots("-----BEGIN CERTIFICATE-----\nMIIB"),
            "tls.roots is no PEM file",
        );
        let wrong = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        check_refused(&with_roots(&format!("{CERT}\n{wrong}")), "certificate 2 of tls.roots");
    }

    #[test]
    fn an_identity_that_is_none_is_refused() {
        check_refused(&with_identity("", KEY_SEC1), "tls.cert holds no certificate");
        check_refused(&with_identity(CERT, ""), "tls.key holds no private key");
        check_refused(&with_identity(CERT, CERT), "tls.key holds no private key");
        check_refused(&with_identity(CERT, KEY_WITH_PASSPHRASE), "passphrase");
        check_refused(&with_identity(CERT, OTHER_KEY), "tls.cert and tls.key");
    }

    #[test]
    fn debug_shows_nothing_of_the_key() {
        let shown = format!("{:?}", with_identity(CERT, KEY_SEC1));
        assert!(!shown.contains("MHcC"), "{shown}");
    }
}
