//! Servers and receivers that speak TLS.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::harness::{Receiver, certificate_files};

use super::{Admin, TOKEN, run};

/// Speaks TLS as `127.0.0.1` on its own port, in front of another port.
async fn front(of: u16) -> u16 {
    let [cert, key] = certificate_files("localhost");
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(cert).expect("a file").collect();
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("known")
        .with_no_client_auth()
        .with_single_cert(chain.expect("certificates"), key)
        .expect("they belong together");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut outside) = acceptor.accept(socket).await else {
                    return;
                };
                let mut inside = TcpStream::connect(("127.0.0.1", of)).await.expect("connects");
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn the_commands_reach_a_server_behind_tls() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    let url = format!("https://127.0.0.1:{}", front(admin.port()).await);
    let [root, _] = certificate_files("root");
    let ca = root.to_str().expect("UTF-8");
    let arguments = ["webhooks", "list", "--url", &url];
    let ran = run(&[&arguments[..], &["--ca", ca]].concat(), Some(TOKEN)).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(ran.stdout, admin.says(&["webhooks", "list"]).await);
    let ran = run(&arguments, Some(TOKEN)).await;
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("TLS failed (") && ran.stderr.contains("--ca FILE"),
        "{ran:?}"
    );
    let ran = run(&[&arguments[..], &["--ca", "/no/such/file"]].concat(), Some(TOKEN)).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("--ca /no/such/file: No such file"), "{ran:?}");
}

#[tokio::test]
async fn copies_are_forwarded_through_tls_from_a_server_behind_tls() {
    let (receiver, local) = (Receiver::start().await, Receiver::start().await);
    let admin = Admin::start(&receiver);
    let url = format!("https://127.0.0.1:{}", front(admin.port()).await);
    let port = local
        .url()
        .split(':')
        .nth(2)
        .and_then(|rest| rest.split('/').next()?.parse().ok());
    let to = format!("https://127.0.0.1:{}/webhooks", front(port.expect("a port")).await);
    let [root, _] = certificate_files("root");
    let ca = root.to_str().expect("UTF-8");
    let mut listen = super::keep(&["listen", "--url", &url, "--forward", &to, "--ca", ca]);
    assert_eq!(
        listen.told().await,
        format!("vacancy: listening at {url}, posting to {to}")
    );
    let mut client = admin.server.client().await;
    client.subscribe("room").await;
    local.expect(&["+room"]).await;
    assert!(local.requests()[0].is_signed());
    let line = listen.line().await;
    assert!(
        line.contains("channel_occupied room") && line.contains("-> 200 in "),
        "{line}"
    );
}
