//! A failing endpoint, as operators see it.

use crate::harness::{Answer, Receiver, eventually};

use super::{Admin, config};

#[tokio::test]
async fn an_endpoint_that_times_out_is_said_to_fail_at_every_look_until_it_answers() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Hang);
    let admin =
        Admin::start_on(&config(0, &receiver, "").replace("batch_window: 10ms", "batch_window: 0s, timeout: 500ms"));
    let mut client = admin.server.client().await;
    client.subscribe("first").await;
    eventually("a failure", || async {
        admin.json(&["webhooks", "list"]).await[0]["failing"].is_object()
    })
    .await;
    client.subscribe("behind").await;
    // Under way at some looks, waiting at others.
    let (mut under_way, mut waiting) = (0, 0);
    eventually("both looks", async || {
        let shown = admin.json(&["webhooks", "list"]).await;
        let failing = &shown[0]["failing"];
        assert_eq!(failing["error"], "no answer within 500ms", "{shown:?}");
        let stuck = &failing["requests"][0];
        assert_eq!(stuck["event"]["channel"], "first", "{shown:?}");
        let is_under_way = stuck["next_ms"].is_null();
        under_way += usize::from(is_under_way);
        waiting += usize::from(!is_under_way);
        let list = admin.says(&["webhooks", "list"]).await;
        assert!(list.contains("failing for "), "{list}");
        0 < under_way && 0 < waiting
    })
    .await;
    eventually("the other waits behind it", || async {
        admin.json(&["webhooks", "list"]).await[0]["failing"]["requests"][0]["waiting"] == 1
    })
    .await;
    let show = admin.says(&["webhooks", "show", "main"]).await;
    assert!(
        show.contains("last failure") && show.contains("no answer within 500ms"),
        "{show}"
    );
    assert!(show.contains("stuck on      channel_occupied first (msg_"), "{show}");
    assert!(show.contains("; 1 event behind it"), "{show}");
    let why = admin.says(&["why", "behind"]).await;
    assert!(
        why.contains("What main must be told about behind waits behind channel_occupied of first (msg_"),
        "{why}"
    );
    assert!(why.contains("(no answer within 500ms), the next is "), "{why}");
    receiver.answer(Answer::Status(200));
    receiver.expect(&["+first", "+behind"]).await;
    admin.server.logs("app 1 endpoint main answers again after ").await;
    let list = admin.says(&["webhooks", "list"]).await;
    assert!(list.contains("  enabled  "), "{list}");
}

#[tokio::test]
async fn why_names_the_request_that_is_aside_when_another_channel_waits_behind_it() {
    let receiver = Receiver::start().await;
    receiver.refuse(401, |body| body.contains("\"bad-"));
    let admin = Admin::start_on(&config(0, &receiver, ""));
    let mut client = admin.server.client().await;
    // Between the refusals an event is taken, so that each is set aside at once.
    for at in 0..9 {
        client.subscribe(&format!("bad-{at}")).await;
        client.subscribe(&format!("good-{at}")).await;
        let good = format!("+good-{at}");
        eventually("the other is told", || async { receiver.events().contains(&good) }).await;
    }
    eventually("the last waits behind another", || async {
        let why = admin.says(&["why", "bad-8"]).await;
        why.contains("What main must be told about bad-8 waits behind channel_occupied of bad-7 (msg_")
            && why.contains("which is aside: ")
    })
    .await;
}

#[tokio::test]
async fn retry_brings_back_an_endpoint_that_asked_for_patience_and_test_offers_it() {
    let receiver = Receiver::start().await;
    receiver.answer_next(&[Answer::Raw(
        "HTTP/1.1 503 X\r\nRetry-After: 300\r\nContent-Length: 0\r\n\r\n",
    )]);
    let admin = Admin::start(&receiver);
    let mut client = admin.server.client().await;
    client.subscribe("news").await;
    admin.server.logs("next in 300.0 s").await;
    let tested = admin.says(&["webhooks", "test", "main"]).await;
    assert!(
        tested.contains("1 event waits for its next attempt; `vacancy webhooks retry main` makes it now"),
        "{tested}"
    );
    let said = admin.says(&["webhooks", "retry", "main"]).await;
    assert_eq!(said, "main (app 1) is tried now; 1 event waited for it.\n");
    receiver.expect(&["+news"]).await;
    let said = admin.says(&["webhooks", "retry", "main"]).await;
    assert_eq!(said, "main (app 1) has nothing waiting.\n");
    admin.says(&["webhooks", "pause", "main"]).await;
    let ran = admin.run(&["webhooks", "retry", "main"]).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("is paused"), "{}", ran.stderr);
}
