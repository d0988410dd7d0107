//! Clients of a server that speaks TLS itself.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::Connector;

use super::within;

/// A connection through TLS.
pub type TlsSocket = tokio_rustls::client::TlsStream<TcpStream>;

/// The files of a certificate that the clients here trust, and of its key. `localhost` is for
/// 127.0.0.1, `other` for other.example; `root` has no key.
pub fn certificate_files(name: &str) -> [PathBuf; 2] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/delivery/certificates");
    [
        folder.join(format!("{name}.pem")),
        folder.join(format!("{name}-key.pem")),
    ]
}

/// Trusts what the root of the tests has signed, and nothing else. It keeps no tickets.
pub fn trust() -> ClientConfig {
    let [root, _] = certificate_files("root");
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(root).expect("a certificate");
    roots.add(root).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("known");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config
}

/// The same for a WebSocket.
pub fn tls_connector() -> Connector {
    Connector::Rustls(Arc::new(trust()))
}

/// Connects to 127.0.0.1.
pub async fn tls_connect(port: u16) -> TlsSocket {
    tls_try_connect(port).await.expect("TLS")
}

/// The same, if the server makes the handshake.
pub async fn tls_try_connect(port: u16) -> io::Result<TlsSocket> {
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
    tcp.set_nodelay(true).expect("a socket");
    let connecting = TlsConnector::from(Arc::new(trust())).connect(name, tcp);
    within("a TLS handshake", connecting).await
}

/// Whether a new client is shown the certificate of this name.
pub async fn tls_shown(port: u16, name: &str) -> bool {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let tcp = TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
    let connecting = TlsConnector::from(Arc::new(trust())).connect(name, tcp);
    within("a TLS handshake", connecting).await.is_ok()
}
