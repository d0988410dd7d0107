use std::path::Path;

use actix_rt::net::TcpListener;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::LocalSet,
};

use super::*;
use crate::config::TlsIdentity;

const CERT: &str = include_str!("../../config/tls/cert.pem");
const KEY: &str = include_str!("../../config/tls/key.pem");

fn listener() -> TlsListener {
    let settings = ServerTls {
        cert_file: "cert.pem".into(),
        key_file: "key.pem".into(),
        identity: TlsIdentity {
            cert: CERT.into(),
            key: KEY.into(),
        },
    };
    TlsListener::new(&settings).expect("a pair")
}

fn acceptor(at_once: usize, timeout: Duration) -> Acceptor {
    Acceptor {
        turns: Rc::new(Turns::new(at_once, timeout)),
        timeout,
        ..listener().acceptor()
    }
}

/// A socket of a client and the server's end of it.
async fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let address = listener.local_addr().expect("bound");
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.expect("connects"), server.expect("accepts").0)
}

#[actix_rt::test]
async fn a_handshake_that_never_ends_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let acceptor = acceptor(8, Duration::from_millis(20));
    // Nothing is said, or the first bytes of a handshake.
    for said in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let (mut client, server) = pair(&listener).await;
        client.write_all(said).await.expect("sends");
        let error = acceptor.accept(server).await.err().expect("given up");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(client.read(&mut [0]).await.expect("it ends in order"), 0);
    }
    let (client, server) = pair(&listener).await;
    drop(client);
    let error = acceptor.accept(server).await.err().expect("gone");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

/// A complete first record, after which the handshake waits for more.
const BEGUN: &[u8] = b"\x16\x03\x01\x00\x05\x01\x00\x02\x00\x03";

#[actix_rt::test]
async fn handshakes_wait_for_their_turn_and_the_oldest_gives_its_own_up_after_its_grace() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let acceptor = Acceptor {
        turns: Rc::new(Turns::new(1, Duration::from_millis(20))),
        timeout: Duration::from_secs(30),
        ..acceptor(1, Duration::ZERO)
    };
    let tasks = LocalSet::new();
    let mut clients = Vec::new();
    let mut ended = Vec::new();
    for _ in 0..3 {
        let (mut client, server) = pair(&listener).await;
        client.write_all(BEGUN).await.expect("sends");
        clients.push(client);
        let acceptor = acceptor.clone();
        ended.push(tasks.spawn_local(async move { acceptor.accept(server).await.err().map(|error| error.kind()) }));
    }
    let last = clients.pop().expect("three");
    tasks
        .run_until(async move {
            let last_one = ended.pop().expect("three");
            for earlier in ended {
                assert_eq!(earlier.await.expect("no panic"), Some(io::ErrorKind::TimedOut));
            }
            // No handshake waits for its turn, so it may take all its time.
            assert!(!last_one.is_finished());
            drop(last);
            assert_eq!(last_one.await.expect("no panic"), Some(io::ErrorKind::UnexpectedEof));
        })
        .await;
}

#[actix_rt::test]
async fn half_a_record_takes_no_turn_and_keeps_the_thread_free() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let acceptor = acceptor(1, Duration::from_secs(30));
    let tasks = LocalSet::new();
    let mut clients = Vec::new();
    for length in 1..BEGUN.len() {
        let (mut client, server) = pair(&listener).await;
        client.write_all(&BEGUN[..length]).await.expect("sends");
        let acceptor = acceptor.clone();
        let waiting = tasks.spawn_local(async move { acceptor.accept(server).await.err().map(|error| error.kind()) });
        clients.push((client, waiting));
    }
    tasks
        .run_until(async move {
            let (mut in_clear, server) = pair(&listener).await;
            in_clear.write_all(b"GET ").await.expect("sends");
            let refused = acceptor.accept(server).await.err().map(|error| error.kind());
            assert_eq!(refused, Some(io::ErrorKind::InvalidData));
            for (client, waiting) in clients {
                assert!(!waiting.is_finished());
                drop(client);
                assert_eq!(waiting.await.expect("no panic"), Some(io::ErrorKind::UnexpectedEof));
            }
        })
        .await;
}

#[actix_rt::test]
async fn who_says_nothing_takes_no_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let acceptor = acceptor(1, Duration::from_secs(30));
    let (_silent, server) = pair(&listener).await;
    let waiting = acceptor.accept(server);
    let (mut in_clear, server) = pair(&listener).await;
    in_clear.write_all(b"GET ").await.expect("sends");
    let turn = acceptor.accept(server);
    tokio::pin!(waiting, turn);
    let first = futures_util::future::select(waiting, turn).await;
    let futures_util::future::Either::Right((Err(error), _)) = first else {
        panic!("the silent one is not to end, the other to be refused");
    };
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_change_is_given_once_and_when_it_has_lasted() {
    let texts = |cert: &str, key: &str| -> Contents { Ok(Arc::new([cert.into(), key.into()])) };
    let gone = || -> Contents { Err("gone".into()) };
    let mut changes = Changes::new(texts("a", "1"));
    let mut next = |contents: Contents| {
        changes.next(contents).map(|contents| match contents {
            Ok(texts) => format!("{}{}", texts[0].expose_secret(), texts[1].expose_secret()),
            Err(error) => error.clone(),
        })
    };
    assert_eq!(next(texts("a", "1")), None);
    // The certificate is written, then the key.
    assert_eq!(next(texts("b", "1")), None);
    assert_eq!(next(texts("b", "2")), None);
    assert_eq!(next(texts("b", "2")).as_deref(), Some("b2"));
    assert_eq!(next(texts("b", "2")), None);
    // A file that is away for a moment.
    assert_eq!(next(gone()), None);
    assert_eq!(next(texts("b", "2")), None);
    assert_eq!(next(texts("b", "2")), None);
    assert_eq!(next(gone()), None);
    assert_eq!(next(gone()).as_deref(), Some("gone"));
    assert_eq!(next(gone()), None);
    assert_eq!(next(texts("b", "2")), None);
    assert_eq!(next(texts("b", "2")).as_deref(), Some("b2"));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing = [Path::new("none/cert.pem"), Path::new("none/key.pem")].map(Path::to_owned);
    let error = read(&missing).expect_err("not there");
    assert!(
        error.starts_with("server.tls.cert: none/cert.pem cannot be read: "),
        "{error}"
    );
}
