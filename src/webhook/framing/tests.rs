use super::*;

/// What the client reads when these bytes come in parts of this length, and then the end.
fn read(bytes: &str, part: usize) -> String {
    let mut framing = Framing::default();
    framing.asked();
    let mut got = Vec::new();
    for part in bytes.as_bytes().chunks(part) {
        if framing.awaits_head() {
            framing.add(part).expect("it is short");
        } else {
            got.extend_from_slice(part);
        }
        while !framing.awaits_head() && framing.hand_out(7, |bytes| got.extend_from_slice(bytes)) {}
    }
    framing.end();
    while framing.hand_out(7, |bytes| got.extend_from_slice(bytes)) {}
    String::from_utf8(got).expect("UTF-8")
}

#[track_caller]
fn check(bytes: &str, want: &str) {
    for part in [1, 2, 3, 5, 1_000] {
        assert_eq!(read(bytes, part), want, "in parts of {part}");
    }
}

/// The head that the client reads for an answer with this framing of its body.
fn head(status: &str, framing: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{framing}\r\n\r\n")
}

const KEPT_EMPTY: &str = "content-length: 0\r\nconnection: keep-alive";
const CLOSED_EMPTY: &str = "content-length: 0\r\nconnection: close";

#[test]
fn an_answer_says_one_length_and_whether_the_connection_stays() {
    let ten = "content-length: 10\r\nconnection: ";
    for (answer, want) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", head("200", KEPT_EMPTY)),
        ("HTTP/1.1 200\r\ncontent-length : 0\r\n\r\n", head("200", KEPT_EMPTY)),
        (
            "HTTP/1.1 200 \u{fc}\r\nContent-Length: 0\r\n\r\n",
            head("200", KEPT_EMPTY),
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", head("204", KEPT_EMPTY)),
        ("HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", head("304", CLOSED_EMPTY)),
        ("HTTP/1.1 101 Switching\r\n\r\n", head("101", KEPT_EMPTY)),
        (
            "HTTP/1.1 201 X\r\nConnection: a, Close\r\nContent-Length: 10\r\n\r\n",
            head("201", &format!("{ten}close")),
        ),
        (
            "HTTP/1.1 201 X\r\nContent-Length: 10, 10\r\n\r\n",
            head("201", &format!("{ten}keep-alive")),
        ),
        (
            "HTTP/1.1 201 X\r\nContent-Length: 10\r\nContent-Length: 10\r\n\r\n",
            head("201", &format!("{ten}keep-alive")),
        ),
        // An HTTP/1.0 connection ends unless the answer says that it stays.
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            head("200", CLOSED_EMPTY),
        ),
        ("HTTP/1.0 204 OK\r\n\r\n", head("204", CLOSED_EMPTY)),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            head("200", KEPT_EMPTY),
        ),
        (
            "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            head("200", "transfer-encoding: chunked\r\nconnection: keep-alive") + "0\r\n\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            head("200", "transfer-encoding: chunked\r\nconnection: close") + "0\r\n\r\n",
        ),
    ] {
        check(answer, &want);
    }
}

#[test]
fn of_other_headers_only_what_is_looked_at_is_left() {
    check(
        "HTTP/1.1 503 X\r\n\0: x\r\nno colon\r\nRetry-After: 3\r\nRETRY-AFTER: 4\r\nLocation: \u{fc}\r\nLocation:/a\r\n\
         Content-Length: 0\r\n\r\n",
        &head("503", &format!("{KEPT_EMPTY}\r\nretry-after: 3\r\nlocation: /a")),
    );
}

#[test]
fn an_answer_without_a_length_lasts_until_the_end() {
    check(
        "HTTP/1.1 200 OK\r\nA: content-length\r\n\r\nbody: x\r\n\r\n",
        "HTTP/1.0 200\r\nconnection: close\r\n\r\nbody: x\r\n\r\n",
    );
    check(
        "HTTP/1.0 200 OK\r\n\r\nbody",
        "HTTP/1.0 200\r\nconnection: close\r\n\r\nbody",
    );
    check("HTTP/1.1 500\n\nbody", "HTTP/1.0 500\r\nconnection: close\r\n\r\nbody");
}

#[test]
fn lengths_that_contradict_each_other_or_are_no_numbers_tell_of_no_body() {
    for length in [
        "1\r\nContent-Length: 2",
        "1, 2",
        "ten",
        "",
        "+1",
        "99999999999999999999",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        check(&answer, &head("200", CLOSED_EMPTY));
        let mut framing = Framing::default();
        framing.asked();
        framing.add(answer.as_bytes()).expect("it is short");
        let status = Some(200);
        assert_eq!(
            framing.heard(),
            Heard {
                status,
                is_unclear: true
            }
        );
    }
}

#[test]
fn what_does_not_begin_like_http_1_or_does_not_end_stays_as_it_came() {
    for answer in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno end",
        "HTTP/1.1 2000\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "",
    ] {
        check(answer, answer);
    }
}

#[test]
fn a_status_is_heard_once_its_line_is_complete_and_an_interim_one_never() {
    let mut framing = Framing::default();
    framing.asked();
    for (part, want) in [
        ("HTTP/1.1 103 Early", None),
        ("\r\nLink: a\r\n\r\nHTTP/1.1 200", None),
        (" OK\r", None),
        ("\n", Some(200)),
        ("Content-Length: 0\r\n", Some(200)),
        ("\r\n", Some(200)),
    ] {
        assert!(framing.awaits_head());
        framing.add(part.as_bytes()).expect("it is short");
        assert_eq!(framing.heard().status, want, "after {part:?}");
    }
    assert!(!framing.awaits_head());
    framing.asked();
    assert_eq!(framing.heard().status, None, "the next request's");
}

#[test]
fn empty_lines_before_an_answer_hide_nothing() {
    check(
        "\r\n\n\r\nHTTP/1.1 200 OK\r\n\r\nx\r\n",
        "HTTP/1.0 200\r\nconnection: close\r\n\r\nx\r\n",
    );
    check(
        "HTTP/1.1 103 X\r\n\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        &head("200", KEPT_EMPTY),
    );
}

#[test]
fn a_head_is_awaited_from_the_request_to_its_end_or_the_connections() {
    let mut framing = Framing::default();
    assert!(!framing.awaits_head());
    framing.asked();
    framing.add(b"HTTP/1.1 200").expect("it is short");
    assert!(framing.awaits_head());
    framing.add(b" OK\r\n\r\n").expect("it is short");
    assert!(!framing.awaits_head());
    framing.asked();
    assert!(framing.awaits_head());
    framing.end();
    assert!(!framing.awaits_head());
}

#[test]
fn only_a_request_after_the_first_may_be_on_a_stale_connection_and_only_until_a_byte_comes() {
    let mut framing = Framing::default();
    assert!(!framing.may_be_stale());
    framing.asked();
    assert!(!framing.may_be_stale(), "the first request");
    framing.add(b"HTTP/1.1 204 X\r\n\r\n").expect("it is short");
    assert!(!framing.may_be_stale(), "no request is under way");
    for heard in ["H", "\r\n", "HTTP/1.1 103 X\r\n\r\n"] {
        framing.asked();
        assert!(framing.may_be_stale());
        framing.asked();
        assert!(framing.may_be_stale(), "more of the same request");
        framing.add(heard.as_bytes()).expect("it is short");
        assert!(!framing.may_be_stale(), "{heard:?} came");
        framing.end();
    }
}

#[test]
fn interim_answers_are_left_out() {
    check(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        &head("200", KEPT_EMPTY),
    );
}

#[test]
fn each_answer_on_a_connection_is_looked_at() {
    let mut framing = Framing::default();
    let mut got = Vec::new();
    for _ in 0..2 {
        framing.asked();
        framing.asked();
        framing.add(b"HTTP/1.1 200 OK\r\n\r\n").expect("it is short");
        assert!(framing.hand_out(100, |bytes| got.extend_from_slice(bytes)));
        assert!(!framing.hand_out(100, |_| panic!("nothing is left")));
    }
    assert_eq!(got, b"HTTP/1.0 200\r\nconnection: close\r\n\r\n".repeat(2));
}

#[test]
fn what_was_searched_for_the_end_is_not_searched_again() {
    let mut framing = Framing::default();
    framing.asked();
    for part in ["\r\n", "HTTP/1.1 200", " OK\r\nA:", " b\r", "\n\r"] {
        framing.add(part.as_bytes()).expect("it is short");
        assert_eq!(framing.searched, framing.head.len());
    }
    assert!(framing.awaits_head());
    framing.add(b"\nx").expect("it is short");
    assert!(!framing.awaits_head());
    let want = b"HTTP/1.0 200\r\nconnection: close\r\n\r\nx";
    assert!(framing.hand_out(100, |bytes| assert_eq!(bytes, want)));
}

#[test]
fn a_head_of_more_than_64_kib_is_refused() {
    let mut framing = Framing::default();
    framing.asked();
    let line = [b'x'; 1_024];
    assert!((0..64).all(|_| framing.add(&line).is_ok()));
    assert_eq!(framing.add(b"x"), Err(HeadTooLong));
}
