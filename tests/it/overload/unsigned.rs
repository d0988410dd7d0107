//! A body is read only of a request whose head is signed.

use super::{Rig, head, head_of, header, run};

const LARGE: usize = 900_000;

#[test]
fn an_unsigned_request_is_answered_before_its_body_is_sent() {
    run(async {
        let rig = Rig::start("", &[]);
        let body = " ".repeat(LARGE);
        let mut raw = rig.raw().await;
        raw.send(head_of("other-secret", &body).as_bytes()).await;
        let got = raw.response().await;
        assert_eq!(got.status, 401);
        assert!(got.body.starts_with("Invalid signature: "), "{}", got.body);
        assert_eq!(header(&got, "connection"), Some("close"));
        rig.expect_nothing_left().await;
    });
}

#[test]
fn a_client_that_writes_all_of_a_large_body_before_it_reads_gets_the_refusal() {
    run(async {
        let rig = Rig::start("", &[]);
        let body = " ".repeat(LARGE);
        for _ in 0..5 {
            let mut raw = rig.raw().await;
            raw.send((head_of("other-secret", &body) + &body).as_bytes()).await;
            let got = raw.response().await;
            assert_eq!(got.status, 401);
            assert!(got.body.starts_with("Invalid signature: "), "{}", got.body);
        }
        rig.expect_nothing_left().await;
    });
}

#[test]
fn a_client_that_writes_on_after_the_refusal_is_not_reset() {
    run(async {
        let rig = Rig::start("", &[]);
        let body = " ".repeat(LARGE);
        let mut raw = rig.raw().await;
        raw.send(head_of("other-secret", &body).as_bytes()).await;
        raw.socket.readable().await.expect("an answer");
        for part in body.as_bytes().chunks(10_000) {
            raw.send(part).await;
            // The pace of the client, slower than the server reads.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        assert_eq!(raw.response().await.status, 401);
        rig.expect_nothing_left().await;
    });
}

#[test]
fn a_signed_request_is_answered_when_its_body_is_there() {
    run(async {
        let rig = Rig::start("", &[]);
        let body = format!(r#"{{"name":"e","channel":"a","data":"x"{}}}"#, " ".repeat(LARGE));
        let mut raw = rig.raw().await;
        raw.send(head(&body).as_bytes()).await;
        raw.send(body.as_bytes()).await;
        let got = raw.response().await;
        assert_eq!((got.status, got.body.as_str()), (200, "{}"));
        // Nothing was left unread, so the connection goes on.
        raw.send((head(&body) + &body).as_bytes()).await;
        assert_eq!(raw.response().await.status, 200);
        rig.expect_nothing_left().await;
    });
}

#[test]
fn a_body_other_than_the_signed_one_is_refused_once_it_is_there() {
    run(async {
        let rig = Rig::start("", &[]);
        let mut raw = rig.raw().await;
        raw.send((head("{}") + "[]").as_bytes()).await;
        let got = raw.response().await;
        assert_eq!(
            (got.status, got.body.as_str()),
            (
                401,
                "Invalid body_md5: the body has the MD5 d751713988987e9331980363e24189ce, but you sent \"99914b932bd37a50b983c5e7c90ae93b\"\n"
            )
        );
        rig.expect_nothing_left().await;
    });
}
