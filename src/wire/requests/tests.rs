use super::*;

/// Follows a stream that comes in these parts. Gives the bytes that may be read, and the refusal.
fn follow(parts: &[&[u8]]) -> (Vec<u8>, Option<Refusal>) {
    let targets = Targets {
        may_upgrade: &|path| path.starts_with("/app/"),
        is_target: |target| target.starts_with('/') || target.starts_with("http"),
    };
    let mut follower = Follower::default();
    let (mut held, mut read) = (Vec::new(), Vec::new());
    for part in parts {
        held.extend_from_slice(part);
        let Followed { ready, refusal } = follower.follow(&mut held, &targets);
        read.extend(held.drain(..ready));
        if refusal.is_some() {
            return (read, refusal);
        }
    }
    (read, None)
}

/// Checks that a stream gives this, whole and in single bytes.
#[track_caller]
fn gives(stream: &str, want: &str) {
    let bytes: Vec<_> = stream.as_bytes().chunks(1).collect();
    for parts in [&[stream.as_bytes()][..], &bytes] {
        let (read, refusal) = follow(parts);
        assert_eq!((&*String::from_utf8_lossy(&read), refusal), (want, None), "{stream:?}");
    }
}

/// Checks that a stream is read unchanged.
#[track_caller]
fn passes(stream: &str) {
    gives(stream, stream);
}

#[track_caller]
fn refused(stream: &[u8], want: Refusal) {
    let begin = String::from_utf8_lossy(&stream[..stream.len().min(100)]);
    assert_eq!(follow(&[stream]), (Vec::new(), Some(want)), "{begin:?}");
}

#[test]
fn an_offer_of_an_ordinary_request_is_blanked_in_every_form() {
    for (offer, blanked) in [
        ("Connection: Upgrade", "Connection: -------"),
        ("connection:upgrade", "connection:-------"),
        ("Connection: keep-alive, UPGRADE", "Connection: keep-alive, -------"),
        (
            "Connection: Upgrade, HTTP2-Settings",
            "Connection: -------, HTTP2-Settings",
        ),
        ("Connection: upgrade,upgrade", "Connection: -------,-------"),
        ("Connection: close, upgrade", "Connection: close, -------"),
        (
            "Connection: keep-alive\r\nConnection: Upgrade",
            "Connection: keep-alive\r\nConnection: -------",
        ),
        (
            "Connection: Upgrade\r\nUpgrade: websocket",
            "Connection: -------\r\nUpgrade: ---------",
        ),
        (
            "Upgrade: h2c\r\nConnection: Upgrade",
            "Upgrade: h2c\r\nConnection: -------",
        ),
    ] {
        for (line, body) in [("GET /live", ""), ("POST /apps/1/events?a=b", "Content-Length: 2\r\n")] {
            let behind = if body.is_empty() { "" } else { "{}" };
            let stream = |header| format!("{line} HTTP/1.1\r\nHost: h\r\n{body}{header}\r\n\r\n{behind}");
            // The next one is followed too.
            gives(&stream(offer).repeat(2), &stream(blanked).repeat(2));
        }
    }
}

#[test]
fn a_get_of_a_client_path_that_asks_for_a_websocket_keeps_its_offer_and_is_the_last_request() {
    let head = "Host: h\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n";
    for target in ["/app/key", "/app/key?protocol=7", "http://h:80/app/key"] {
        passes(&format!(
            "GET {target} HTTP/1.1\r\n{head}POST / HTTP/1.1\r\nConnection: upgrade\r\n\r\n"
        ));
    }
    for other in ["GET /live", "GET /", "POST /app/key", "GET http://h"] {
        let (read, _) = follow(&[format!("{other} HTTP/1.1\r\n{head}").as_bytes()]);
        let read = String::from_utf8(read).expect("ASCII");
        assert!(
            read.ends_with("Upgrade: ---------\r\nConnection: keep-alive, -------\r\n\r\n"),
            "{read}"
        );
    }
}

#[test]
fn a_whole_handshake_is_answered_as_one_wherever_it_goes() {
    let head = |more: &str| format!("HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n{more}\r\n");
    for line in ["GET /live", "GET /apps/1/channels", "POST /app/key"] {
        passes(&format!("{line} {}", head("Connection: Upgrade\r\n")));
        let (read, _) = follow(&[format!("{line} {}{{}}", head("Content-Length: 2\r\n")).as_bytes()]);
        assert!(
            String::from_utf8(read)
                .expect("ASCII")
                .contains("Upgrade: ---------\r\n"),
            "{line}"
        );
    }
}

#[test]
fn what_looks_like_a_head_in_a_body_is_left_as_it_is() {
    let inner = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n\r\n";
    let length = inner.len();
    let next = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    passes(&format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{inner}{next}"
    ));
    let chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in [
        format!("{length:x}\r\n{inner}\r\n0\r\n\r\n"),
        format!("{length:X} \t;name=\"value\"\r\n{inner}\r\n1;x\r\na\r\n00\r\nTrailer: {length}\r\nOther: x\r\n\r\n"),
    ] {
        passes(&format!("{chunked}{body}{next}"));
        gives(
            &format!("{chunked}{body}{inner}"),
            &format!("{chunked}{body}{}", inner.replace("Upgrade", "-------")),
        );
    }
    // A body that actix-http refuses ends the requests.
    for broken in ["g", "1\r\nab", "1x", "\r\n", "fffffffffffffffff\r\n", "0\r\n\rx"] {
        passes(&format!("{chunked}{broken}{inner}"));
    }
}

#[test]
fn a_head_is_handed_on_when_it_is_whole_and_a_body_as_it_comes() {
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n";
    for cut in 0..head.len() {
        assert_eq!(follow(&[&head[..cut]]), (Vec::new(), None), "{cut}");
        let (read, refusal) = follow(&[&head[..cut], &head[cut..], b"bo"]);
        assert_eq!((read.len(), refusal), (head.len() + 2, None), "{cut}");
    }
}

#[test]
fn what_is_no_request_is_refused_by_what_it_is() {
    refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Refusal::Tls);
    refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::Http2);
    refused(
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\n",
        Refusal::ProxyProtocol,
    );
    refused(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", Refusal::ProxyProtocol);
    for garbage in [
        &b"\0"[..],
        b"\xff\xff",
        b"hello\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\rx",
    ] {
        refused(garbage, Refusal::NotHttp);
    }
}

#[test]
fn a_request_that_cannot_be_served_is_refused_by_what_is_wrong() {
    for (head, want) in [
        ("GET / HTTP/1.1\r\n", "it has no Host"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", "it has two Hosts"),
        (
            "GET a:b HTTP/1.1\r\nHost: a\r\n",
            "its target is neither a path nor a URL",
        ),
        (
            "POST / HTTP/1.0\r\nHost: a\r\n",
            "a POST by HTTP/1.0 needs a Content-Length",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n",
            "its Content-Length is not a number",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n",
            "its Content-Length is not a number",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
            "it has two Content-Lengths",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "it has both a Content-Length and a Transfer-Encoding",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n",
            "its Transfer-Encoding is not `chunked`, once, by HTTP/1.1",
        ),
        (
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
            "its Transfer-Encoding is not `chunked`, once, by HTTP/1.1",
        ),
        (
            "GET / HTTP/1.1\r\nHo st: a\r\n",
            "the name of a header has a character that none may have",
        ),
        (
            "GET / HTTP/1.1\r\nHost: \x01\r\n",
            "the value of a header has a character that none may have",
        ),
    ] {
        refused(format!("{head}\r\n").as_bytes(), Refusal::Malformed(want));
    }
}

#[test]
fn a_head_has_a_bound() {
    let head = |length: usize| {
        let mut head = format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}", "x".repeat(length)).into_bytes();
        head.truncate(length - 4);
        head.extend_from_slice(b"\r\n\r\n");
        head
    };
    let most = head(HEAD_BYTES_MAX);
    assert!(follow(&[&most[..100], &most[100..]]) == (most.clone(), None));
    refused(&head(HEAD_BYTES_MAX + 1), Refusal::HeadTooLarge);
    refused(
        &[&most[..HEAD_BYTES_MAX - 8], b"xxxxxxxx"].concat(),
        Refusal::HeadTooLarge,
    );
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX));
    refused(many.as_bytes(), Refusal::HeadTooLarge);
}

#[test]
fn the_request_that_stands_for_what_is_refused_is_one() {
    let stand_in = String::from_utf8(Refusal::STAND_IN.to_vec()).expect("ASCII");
    assert!(stand_in.starts_with(&format!("{} / ", Refusal::METHOD)));
    passes(&stand_in);
}
