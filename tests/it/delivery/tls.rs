//! Endpoints behind TLS: theirs is verified, ours is shown where it is asked for.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Addr};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use vacancy::{
    domain::{Now, guard::LinkLocal},
    ledger::{AttemptReport, Done, Ledger, LedgerError, LedgerThread, Query, Step, View},
    signature::SigningKey,
    webhook::{Endpoint, EndpointSettings, Lookups, Signer, Tap, Test, Tls, TlsIdentity, TlsParts},
};

use crate::harness::{Process, config, eventually};

use super::channels_webhook;

/// What the other certificates come from; nobody else trusts it.
const ROOT: &str = include_str!("certificates/root.pem");
/// The certificate of `localhost`, of 127.0.0.1 and of `::1`.
const LOCALHOST: (&str, &str) = (
    include_str!("certificates/localhost.pem"),
    include_str!("certificates/localhost-key.pem"),
);
/// The certificate of `other.example`.
const OTHER: (&str, &str) = (
    include_str!("certificates/other.pem"),
    include_str!("certificates/other-key.pem"),
);
/// What we are known by.
const CLIENT: (&str, &str) = (
    include_str!("certificates/client.pem"),
    include_str!("certificates/client-key.pem"),
);

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A server behind TLS that answers 200 to what it got through the handshake.
struct TlsReceiver {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl TlsReceiver {
    /// One with a certificate and its key; it may ask for a certificate of the client.
    async fn start(address: &str, identity: (&str, &str), asks_for_ours: bool) -> Self {
        let acceptor = acceptor(identity, asks_for_ours);
        let address: SocketAddr = format!("{address}:0").parse().expect("an address");
        let listener = TcpListener::bind(address).await.expect("a port");
        let receiver = Self {
            port: listener.local_addr().expect("bound").port(),
            requests: Arc::default(),
        };
        let requests = Arc::clone(&receiver.requests);
        actix_rt::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(socket).await else {
                    continue;
                };
                assert!(read_request(&mut stream).await, "there is one");
                requests.fetch_add(1, Ordering::Relaxed);
                stream.write_all(OK).await.expect("it waits for it");
                let _ = stream.shutdown().await;
            }
        });
        receiver
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/webhooks?a=b", self.port)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Accepts TLS with a certificate and its key; it may ask for a certificate of the client.
fn acceptor((certificate, key): (&str, &str), asks_for_ours: bool) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has them");
    let builder = if asks_for_ours {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(ROOT.as_bytes()).expect("a certificate");
        roots.add(root).expect("a root");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().expect("roots"))
    } else {
        builder.with_no_client_auth()
    };
    let config = builder.with_single_cert(vec![certificate], key).expect("they match");
    TlsAcceptor::from(Arc::new(config))
}

/// Reads a request, unless the connection ends before.
async fn read_request(stream: &mut TlsStream<TcpStream>) -> bool {
    let mut request = Vec::new();
    while !request.ends_with(b"]}") && stream.read_buf(&mut request).await.is_ok_and(|read| 0 < read) {}
    assert!(request.is_empty() || request.starts_with(b"POST /webhooks?a=b HTTP/1.1\r\n"));
    !request.is_empty()
}

/// A ledger that has nothing to do.
struct Idle;

impl Ledger for Idle {
    fn portion(&mut self, _: &Step, _: usize, _: Now) -> Result<Done, LedgerError> {
        Ok(Done::default())
    }

    fn read(&self, _: &Query, _: Now) -> Result<View, LedgerError> {
        Ok(View::Unanswered(0))
    }
}

/// An endpoint with these parts of TLS, and the ledger that it answers to.
fn endpoint(url: String, parts: &TlsParts) -> (Addr<Endpoint>, LedgerThread) {
    let ledger = vacancy::ledger::spawn(Box::new(Idle)).expect("a thread");
    let settings = EndpointSettings {
        app: "1".parse().expect("valid"),
        id: "e".parse().expect("valid"),
        url,
        headers: Vec::new(),
        timeout: Duration::from_secs(4),
        retry_after_max: Duration::from_secs(600),
        signer: Signer {
            key: "key".parse().expect("valid"),
            signing: SigningKey::new(&"secret".into()),
            standard: Vec::new(),
        },
        extras: false,
        tls: Tls::new(parts).expect("usable"),
        link_local: LinkLocal::Refused,
    };
    let endpoint = Endpoint::new(settings, ledger.handle(), Tap::new(), &Lookups::new()).start();
    (endpoint, ledger)
}

async fn report(url: String, parts: &TlsParts) -> AttemptReport {
    let (endpoint, _ledger) = endpoint(url, parts);
    endpoint.send(Test).await.expect("runs")
}

/// A receiver behind TLS that answers the first request on its first connection, and closes that when
/// it has read the second, with or without an alert; on the others it answers each request. It gives
/// its port and the number of the connection of each request.
async fn closing(with_alert: bool) -> (u16, Arc<Mutex<Vec<usize>>>) {
    let acceptor = acceptor(LOCALHOST, false);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let requests = Arc::<Mutex<Vec<usize>>>::default();
    let kept = Arc::clone(&requests);
    actix_rt::spawn(async move {
        for connection in 0.. {
            let (socket, _) = listener.accept().await.expect("accepts");
            let mut stream = acceptor.accept(socket).await.expect("a handshake");
            let mut count = 0;
            while read_request(&mut stream).await {
                kept.lock().expect("not poisoned").push(connection);
                count += 1;
                if (connection, count) == (0, 2) {
                    if with_alert {
                        stream.shutdown().await.expect("it is open");
                    }
                    break;
                }
                stream.write_all(OK).await.expect("it waits for it");
            }
        }
    });
    (port, requests)
}

#[actix_rt::test]
async fn a_kept_connection_that_is_closed_is_replaced_by_a_fresh_one_with_tls_too() {
    for with_alert in [true, false] {
        let (port, requests) = closing(with_alert).await;
        let url = format!("https://localhost:{port}/webhooks?a=b");
        let (endpoint, _ledger) = endpoint(url, &trusting());
        for _ in 0..2 {
            let report = endpoint.send(Test).await.expect("runs");
            assert_eq!((report.status, report.error), (Some(200), None));
        }
        let requests = requests.lock().expect("not poisoned").clone();
        assert_eq!(requests, [0, 0, 1], "closed with an alert: {with_alert}");
    }
}

fn trusting() -> TlsParts {
    TlsParts {
        roots: Some(ROOT.to_owned()),
        identity: None,
    }
}

#[actix_rt::test]
async fn item_9_a_certificate_that_nobody_trusts_is_a_failure_with_its_cause_in_the_log() {
    let untrusted = TlsReceiver::start("127.0.0.1", LOCALHOST, false).await;
    let webhooks = format!("[{}]", channels_webhook(&untrusted.url("localhost"), ""));
    let server = Process::start(&config("", &webhooks));
    let mut client = server.client().await;
    client.subscribe("news").await;
    server.logs("attempt 2 of msg_").await;
    let log = server.log();
    let mut lines = log.lines();
    let line = lines.find(|line| line.contains("attempt 1 of msg_")).expect("a line");
    assert!(
        line.contains("TLS failed: its certificate comes from an unknown root: "),
        "{line}"
    );
    assert_eq!(untrusted.requests(), 0);
}

#[actix_rt::test]
async fn a_certificate_of_another_name_is_a_failure_that_says_so() {
    let other = TlsReceiver::start("127.0.0.1", OTHER, false).await;
    let report = report(other.url("localhost"), &trusting()).await;
    assert_eq!(report.status, None);
    let error = report.error.expect("a cause");
    assert!(
        error.contains("its certificate is for other.example, not for localhost; make one by: openssl "),
        "{error}"
    );
    assert_eq!(other.requests(), 0);
}

/// A self-signed certificate of an authority (CA:TRUE), for no name, as `openssl req -x509` makes it.
fn of_openssl(arguments: &[&str]) -> (String, String) {
    let [cert, key] = ["self.pem", "self-key.pem"].map(|name| file(&format!("{}-{name}", arguments.len()), ""));
    let ran = std::process::Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=hooks", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .args(arguments)
        .output()
        .expect("openssl runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let read = |path: &std::path::Path| std::fs::read_to_string(path).expect("it was written");
    let pair = (read(&cert), read(&key));
    for path in [cert, key] {
        let _ = std::fs::remove_file(path);
    }
    pair
}

#[actix_rt::test]
async fn a_certificate_that_stands_in_the_roots_is_trusted_as_the_one_that_is_shown() {
    let (cert, key) = of_openssl(&["-newkey", "rsa:2048"]);
    let receiver = TlsReceiver::start("127.0.0.1", (&cert, &key), false).await;
    let itself = TlsParts {
        roots: Some(cert.clone()),
        identity: None,
    };
    let trusted = report(receiver.url("localhost"), &itself).await;
    assert_eq!((trusted.status, trusted.error), (Some(200), None));
    // The same authority and subject, but not the same bytes.
    let (other, _) = of_openssl(&["-newkey", "rsa:2048"]);
    let another = TlsParts {
        roots: Some(other),
        identity: None,
    };
    let refused = report(receiver.url("localhost"), &another).await;
    let error = refused.error.expect("a cause");
    assert!(error.starts_with("TLS failed: its certificate "), "{error}");
    assert_eq!(receiver.requests(), 1);
}

#[actix_rt::test]
async fn roots_of_an_endpoint_count_instead_of_the_usual_ones() {
    for (address, host) in [
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
    ] {
        let receiver = TlsReceiver::start(address, LOCALHOST, false).await;
        let trusted = report(receiver.url(host), &trusting()).await;
        assert_eq!((trusted.status, trusted.error), (Some(200), None), "{host}");
        let usual = report(receiver.url(host), &TlsParts::default()).await;
        assert!(
            usual
                .error
                .is_some_and(|error| error.contains("comes from an unknown root")),
            "{host}"
        );
        assert_eq!(receiver.requests(), 1);
    }
}

#[actix_rt::test]
async fn the_certificate_of_an_endpoint_is_shown_to_a_receiver_that_asks_for_one() {
    let receiver = TlsReceiver::start("127.0.0.1", LOCALHOST, true).await;
    let (cert, key) = CLIENT;
    let parts = TlsParts {
        identity: Some(TlsIdentity {
            cert: cert.into(),
            key: key.into(),
        }),
        ..trusting()
    };
    let known = report(receiver.url("localhost"), &parts).await;
    assert_eq!((known.status, known.error), (Some(200), None));
    let unknown = report(receiver.url("localhost"), &trusting()).await;
    let error = unknown.error.expect("a cause");
    assert!(
        error.contains("it ended the handshake (certificate required)"),
        "{error}"
    );
    assert_eq!(receiver.requests(), 1);
}

#[actix_rt::test]
async fn a_receiver_that_never_ends_the_handshake_fails_the_attempt_within_the_timeout() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = silent.local_addr().expect("bound").port();
    let url = format!("https://localhost:{port}/webhooks");
    let webhooks = format!("[{}]", channels_webhook(&url, ""));
    let server = Process::start(&config("webhooks: {timeout: 300ms}", &webhooks));
    let mut client = server.client().await;
    client.subscribe("news").await;
    server.logs("attempt 1 of msg_").await;
    server.logs("no connection within 300ms").await;
}

/// A file of these contents with a name of its own.
fn file(name: &str, contents: &str) -> std::path::PathBuf {
    let name = format!("vacancy-tls-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, contents).expect("a temporary file");
    path
}

#[actix_rt::test]
async fn the_files_of_the_configuration_are_used() {
    let receiver = TlsReceiver::start("127.0.0.1", LOCALHOST, true).await;
    let other = TlsReceiver::start("127.0.0.1", OTHER, false).await;
    let root = file("root.pem", ROOT);
    let [cert, key] = [("cert.pem", CLIENT.0), ("key.pem", CLIENT.1)].map(|(name, pem)| file(name, pem));
    let roots = format!("roots: \"{}\"", root.display());
    let tls = format!(
        ", tls: {{{roots}, cert: \"{}\", key: \"{}\"}}",
        cert.display(),
        key.display()
    );
    let webhooks = format!(
        "[{}, {}]",
        channels_webhook(&receiver.url("localhost"), &tls),
        channels_webhook(&other.url("localhost"), &format!(", tls: {{{roots}}}")),
    );
    let server = Process::start(&config("", &webhooks));
    let mut client = server.client().await;
    client.subscribe("news").await;
    eventually("a request", || async { receiver.requests() == 1 }).await;
    let mismatch =
        "TLS failed: its certificate is for other.example, not for localhost; make one by: openssl req -x509 ";
    server.logs(mismatch).await;
    assert_eq!(other.requests(), 0);
    for path in [root, cert, key] {
        let _ = std::fs::remove_file(path);
    }
}
