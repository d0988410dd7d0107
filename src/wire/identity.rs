//! The certificate that clients are shown, which can be replaced while the server runs.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// Why a certificate and its key cannot be used. It never holds the key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A text is not PEM, or does not hold what it should.
    #[error("the {0} is not PEM")]
    Pem(&'static str),
    /// They do not belong together, or are of a kind that is not known.
    #[error("{0}")]
    Pair(rustls::Error),
}

/// The certificate that new clients are shown, and its key.
pub struct Identity(RwLock<Arc<CertifiedKey>>);

impl Identity {
    /// Reads both from PEM: the certificate with those that lead to a root after it, and the key of
    /// the first.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn new(cert: &str, key: &str) -> Result<Self, IdentityError> {
        Ok(Self(RwLock::new(read(cert, key)?)))
    }

    /// Replaces them for handshakes from here on. Connections that are there go on.
    ///
    /// # Errors
    /// When the new ones cannot be used; then the old ones stay.
    pub fn replace(&self, cert: &str, key: &str) -> Result<(), IdentityError> {
        let new = read(cert, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

fn read(cert: &str, key: &str) -> Result<Arc<CertifiedKey>, IdentityError> {
    let chain = CertificateDer::pem_slice_iter(cert.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| IdentityError::Pem("certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| IdentityError::Pem("key"))?;
    let pair = CertifiedKey::from_der(chain, key, &ring::default_provider());
    pair.map(Arc::new).map_err(IdentityError::Pair)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// How TLS is spoken: 1.3 and 1.2, HTTP/1.1 within it, no certificate of the client. A client that
/// comes back within 12 hours spares the costly part of the handshake, by a ticket that no memory
/// is kept for.
///
/// # Errors
/// When the system gives no random bytes.
pub fn server_config(identity: Arc<Identity>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(identity);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}
