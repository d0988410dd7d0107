//! How an answer is judged, whatever follows its status.

use super::*;

#[actix_rt::test]
async fn a_redirect_is_reported_with_nothing_but_its_host() {
    let (port, _requests) = receiver(&[
        "HTTP/1.1 302 X\r\nLocation: http://user:hunter2@169.254.169.254/latest?token=hunter3\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 308 X\r\nLocation: /elsewhere?token=hunter3\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 304 X\r\nContent-Length: 0\r\n\r\n",
    ]);
    let rig = Rig::start(&format!("http://e.example:{port}/"), &[&["127.0.0.1"]]);
    assert_eq!(
        rig.cause().await,
        "answered 302 redirect to 169.254.169.254, redirects are not followed"
    );
    assert_eq!(
        rig.cause().await,
        "answered 308 redirect to another path, redirects are not followed"
    );
    assert_eq!(rig.cause().await, "answered 304, only 2xx counts as received");
}

#[actix_rt::test]
async fn a_status_of_2xx_is_success_whatever_follows_it() {
    let long = format!("HTTP/1.1 200 X\r\nConnection: close\r\n\r\n{}", "x".repeat(65_537));
    let wordy = format!("HTTP/1.1 200 X\r\nA: {}", "x".repeat(65_537));
    let answers = vec![
        &*Box::leak(long.into_boxed_str()),
        Box::leak(wordy.into_boxed_str()),
        "HTTP/1.1 200\r\n",
        "HTTP/1.1 201 X\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 202 X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 203 X\r\nno header\r\n\x01: y\r\nTransfer-Encoding: chunked\r\n\r\nno chunk",
        "HTTP/1.1 500 X\r\nContent-Length: ten\r\n\r\n",
        "HTTP/1.1 500 X\r\n",
        "HTTP/1.1 20",
        "",
    ];
    let (port, _requests) = receiver(answers.leak());
    let rig = Rig::start(&format!("http://e.example:{port}/"), &[&["127.0.0.1"]]);
    for status in [200, 200, 200, 201, 202, 203] {
        let answer = rig.deliver().await;
        assert_eq!(answer.outcome, Outcome::Delivered, "{status}");
        assert_eq!((answer.report.status, answer.report.error), (Some(status), None));
    }
    for _ in 0..2 {
        assert_eq!(rig.cause().await, "answered 500, only 2xx counts as received");
    }
    rig.cause().await;
    assert_eq!(rig.cause().await, "closed the connection without an answer");
}
