use std::io::{Read, Write};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use super::{
    super::identity::{Identity, server_config},
    *,
};

/// A certificate for 127.0.0.1, its key, and what signed it; made for the tests of endpoints.
const CERT: &str = include_str!("../../../tests/it/delivery/certificates/localhost.pem");
const KEY: &str = include_str!("../../../tests/it/delivery/certificates/localhost-key.pem");
const ROOT: &str = include_str!("../../../tests/it/delivery/certificates/root.pem");

fn server() -> Session {
    let identity = Identity::new(CERT, KEY).expect("a pair");
    let config = server_config(Arc::new(identity)).expect("random bytes");
    Session::new(config).expect("a session")
}

fn client() -> ClientConnection {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(ROOT.as_bytes()).expect("a certificate");
    roots.add(root).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("known");
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("a client")
}

/// What the client has to say, as bytes on the wire.
fn said(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).expect("memory");
    }
    bytes
}

/// Has the client take in what the server says; gives what it deciphers.
fn hear(client: &mut ClientConnection, mut bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).expect("memory");
        client.process_new_packets().expect("proper records");
        let mut piece = [0; 1 << 16];
        while let Ok(read @ 1..) = client.reader().read(&mut piece) {
            plain.extend_from_slice(&piece[..read]);
        }
    }
    plain
}

/// Brings bytes to the server in pieces of a length.
fn receive(server: &mut Session, bytes: &[u8], piece: usize) -> Result<(), SessionError> {
    for bytes in bytes.chunks(piece) {
        let mut all = [server.partial(), bytes].concat();
        server.receive(&mut all)?;
    }
    Ok(())
}

/// Makes the handshake, with what the client says cut into pieces.
fn established(piece: usize) -> (Session, ClientConnection) {
    let (mut server, mut client) = (server(), client());
    while !server.is_established() || client.is_handshaking() {
        let bytes = said(&mut client);
        receive(&mut server, &bytes, piece).expect("a handshake");
        let answer = std::mem::take(server.outgoing());
        assert!(!bytes.is_empty() || !answer.is_empty(), "nobody says anything");
        hear(&mut client, &answer);
    }
    (server, client)
}

#[test]
fn a_handshake_succeeds_however_it_is_cut() {
    for piece in [1, 2, 3, 5, 7, 100, 1_000, 100_000] {
        let (mut server, mut client) = established(piece);
        assert!(server.partial().is_empty() && server.plain().is_empty(), "{piece}");
        client.writer().write_all(b"hello").expect("room");
        let bytes = said(&mut client);
        receive(&mut server, &bytes, piece).expect("records");
        assert_eq!(server.plain()[..], b"hello"[..]);
    }
}

#[test]
fn what_is_sealed_is_deciphered_by_the_client() {
    let (mut server, mut client) = established(1_000);
    let mut sealed = Vec::new();
    for length in [0, 1, 125, 16_383, 16_384, 16_385, 65_536, 70_000] {
        let plain: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).expect("small")).collect();
        let end = server.seal(&plain, &mut sealed).expect("sealed");
        assert!(hear(&mut client, &sealed[..end]) == plain, "{length}");
    }
    assert!(server.outgoing().is_empty());
}

#[test]
fn nothing_is_kept_between_records() {
    let (mut server, mut client) = established(1_000);
    for _ in 0..3 {
        client.writer().write_all(&[7; 40_000]).expect("room");
        let bytes = said(&mut client);
        receive(&mut server, &bytes, 10_000).expect("records");
        assert_eq!(std::mem::take(server.plain()).len(), 40_000);
        assert_eq!((server.partial.capacity(), server.outgoing.capacity()), (0, 0));
    }
}

#[test]
fn the_end_of_each_side_is_told_once() {
    let (mut server, mut client) = established(1_000);
    server.close().expect("open");
    server.close().expect("told");
    let end = std::mem::take(server.outgoing());
    assert!((20..40).contains(&end.len()), "{end:?}");
    let mut bytes = &end[..];
    client.read_tls(&mut bytes).expect("memory");
    let state = client.process_new_packets().expect("a record");
    assert!(state.peer_has_closed());
    assert!(!server.is_peer_closed());
    client.send_close_notify();
    let bytes = said(&mut client);
    receive(&mut server, &bytes, 10).expect("a record");
    assert!(server.is_peer_closed());
}

#[test]
fn new_keys_are_answered_with_new_keys_before_the_next_bytes() {
    let (mut server, mut client) = established(1_000);
    let mut sealed = Vec::new();
    for _ in 0..3 {
        client.refresh_traffic_keys().expect("TLS 1.3");
        client.writer().write_all(b"after").expect("room");
        let bytes = said(&mut client);
        receive(&mut server, &bytes, 9).expect("records");
        assert_eq!(std::mem::take(server.plain())[..], b"after"[..]);
        let end = server.seal(b"answer", &mut sealed).expect("sealed");
        let bytes = [&std::mem::take(server.outgoing())[..], &sealed[..end]].concat();
        assert_eq!(hear(&mut client, &bytes), b"answer");
    }
}

#[test]
fn what_is_no_tls_is_an_error_and_never_more() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x17\x03\x03\x00\x05hello",
        &[0xFF; 300],
    ] {
        assert!(receive(&mut server(), bytes, 1_000).is_err(), "{bytes:?}");
    }
    let mut server = server();
    assert!(server.seal(b"early", &mut Vec::new()).is_err());
    assert!(server.close().is_err());
}

/// Every byte of a handshake and of records changed in turn, which must give an error or be of no
/// consequence, and no panic.
#[test]
fn bytes_that_are_changed_on_the_way_do_no_harm() {
    let hello = said(&mut client());
    for at in 0..hello.len() {
        for change in [1, 0x80, 0xFF] {
            let mut changed = hello.clone();
            changed[at] ^= change;
            let mut server = server();
            let _ = receive(&mut server, &changed, 64);
            let _ = server.close();
            let _ = server.seal(b"x", &mut Vec::new());
        }
    }
    for at in 0..60 {
        let (mut server, mut client) = established(1_000);
        client.writer().write_all(b"twenty bytes or more").expect("room");
        client.refresh_traffic_keys().expect("TLS 1.3");
        let mut changed = said(&mut client);
        changed[at] ^= 0x41;
        let result = receive(&mut server, &changed, 7);
        let is_whole = server.plain()[..] == b"twenty bytes or more"[..];
        // A version that nobody reads may change, and a longer length has more waited for.
        let waits = !server.partial().is_empty();
        assert!(result.is_err() || waits || is_whole, "{at}");
        assert!(is_whole || server.plain().is_empty(), "{at}");
        let _ = server.seal(b"x", &mut Vec::new());
        let _ = server.close();
    }
}
