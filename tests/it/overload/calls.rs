//! API calls under way, and in a second.

use super::{Rig, head, head_of, header, run};
use crate::harness::{Api, Raw, Response, eventually};

const BODY: &str = r#"{"name":"e","channel":"a","data":"x"}"#;
const FULL: &str = "The server has as many API calls under way as it may (1), try again\n";

/// Sends the head of a publish on a new connection, and not its body, until that is refused because
/// there are as many under way as may be.
async fn refused(rig: &Rig) -> Response {
    loop {
        let mut raw = rig.raw().await;
        raw.send(head(BODY).as_bytes()).await;
        let answered = tokio::time::timeout(std::time::Duration::from_millis(100), raw.response());
        if let Ok(response) = answered.await {
            return response;
        }
    }
}

async fn publish_again(api: Api) {
    eventually("a publish to be taken again", || async {
        api.post("/events", BODY).await.status == 200
    })
    .await;
}

#[test]
fn one_call_more_than_may_be_under_way_is_503_before_its_body_is_sent() {
    run(async {
        let rig = Rig::start(", api_calls: 1", &[]);
        let mut first = rig.raw().await;
        first.send(head(BODY).as_bytes()).await;
        let got = refused(&rig).await;
        assert_eq!((got.status, got.body.as_str()), (503, FULL));
        assert_eq!(header(&got, "retry-after"), Some("1"));
        assert_eq!(header(&got, "connection"), Some("close"));
        // Who is not signed is told that, and takes nobody's place.
        let mut unsigned = rig.raw().await;
        unsigned.send(head_of("other-secret", BODY).as_bytes()).await;
        assert_eq!(unsigned.response().await.status, 401);
        rig.expect_calls_to_end(vec![first]).await;
    });
}

#[test]
fn a_call_that_is_refused_with_503_uses_nothing_of_the_apps_rate() {
    run(async {
        let rig = Rig::start(", api_calls: 1", &["limits: {api_calls_per_second: 3}"]);
        let mut first = rig.raw().await;
        first.send(head(BODY).as_bytes()).await;
        refused(&rig).await;
        for _ in 0..10 {
            assert_eq!(rig.api().post("/events", BODY).await.status, 503);
        }
        rig.expect_calls_to_end(vec![first]).await;
    });
}

#[test]
fn a_call_that_is_given_up_frees_its_place() {
    run(async {
        let rig = Rig::start(", api_calls: 1", &[]);
        for _ in 0..3 {
            let mut first = rig.raw().await;
            first.send(head(BODY).as_bytes()).await;
            assert_eq!(refused(&rig).await.body, FULL);
            first.reset();
            publish_again(rig.api()).await;
        }
        rig.expect_nothing_left().await;
    });
}

impl Rig {
    /// Drops calls whose bodies are not sent, and waits until another is taken and nothing is left.
    async fn expect_calls_to_end(self, calls: Vec<Raw>) {
        drop(calls);
        publish_again(self.api()).await;
        self.expect_nothing_left().await;
    }
}

#[test]
fn an_app_that_calls_more_often_than_it_may_is_told_429_and_when_to_come_again() {
    run(async {
        let rig = Rig::start("", &["limits: {api_calls_per_second: 1}"]);
        let mut answers = Vec::new();
        for _ in 0..20 {
            answers.push(rig.api().post("/events", BODY).await);
        }
        assert_eq!((answers[0].status, answers[0].body.as_str()), (200, "{}"));
        let refused: Vec<&Response> = answers.iter().filter(|answer| answer.status == 429).collect();
        assert!(!refused.is_empty() && answers.iter().all(|answer| [200, 429].contains(&answer.status)));
        for got in refused {
            assert_eq!(got.body, "Too many API calls: the app may make 1 a second, try again\n");
            assert_eq!(header(got, "retry-after"), Some("1"));
        }
        publish_again(rig.api()).await;
        rig.expect_nothing_left().await;
    });
}

#[test]
fn who_is_not_signed_uses_up_no_call_of_the_app() {
    run(async {
        let rig = Rig::start("", &["limits: {api_calls_per_second: 1}"]);
        for _ in 0..20 {
            let mut raw = rig.raw().await;
            raw.send((head_of("other-secret", BODY) + BODY).as_bytes()).await;
            assert_eq!(raw.response().await.status, 401);
        }
        assert_eq!(rig.api().post("/events", BODY).await.status, 200);
        rig.expect_nothing_left().await;
    });
}
