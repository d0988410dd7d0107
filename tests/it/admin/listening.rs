//! `vacancy listen`.

use crate::harness::{Answer, Receiver, free_port};

use super::{Admin, config};

/// The headers of a request that are ours, in their order and letter case.
fn ours(head: &str) -> Vec<&str> {
    let is_ours = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        ["x-pusher-", "webhook-", "x-vacancy-", "content-type"]
            .iter()
            .any(|ours| name.starts_with(ours))
    };
    let mut lines: Vec<&str> = head.lines().skip(1).filter(is_ours).collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn copies_come_to_the_developer_byte_for_byte() {
    let (receiver, local) = (Receiver::start().await, Receiver::start().await);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let admin = Admin::start_on(&config(
        0,
        &receiver,
        &format!(", secrets: [{secret}], headers: {{X-Own: hunter2}}"),
    ));
    let mut listen = admin.keep(&["listen", "--forward", &local.url()]);
    let told = listen.told().await;
    assert_eq!(
        told,
        format!("vacancy: listening at {}, posting to {}", admin.url, local.url())
    );
    let mut client = admin.server.client().await;
    client.subscribe("room").await;
    client.subscribe("grün".replace('ü', "u").as_str()).await;
    receiver.expect(&["+room", "+grun"]).await;
    local.expect(&["+room", "+grun"]).await;
    for (copy, original) in local.requests().iter().zip(&receiver.requests()) {
        assert_eq!(copy.body, original.body);
        assert_eq!(ours(&copy.head), ours(&original.head));
        assert!(copy.is_signed() && copy.header("webhook-signature").is_some());
        assert_eq!(
            copy.header("x-own"),
            None,
            "what the configuration adds may be a secret"
        );
    }
    let line = listen.line().await;
    assert!(
        line.contains("1/main") && line.contains("channel_occupied room") && line.contains("-> 200 in "),
        "{line}"
    );
}

#[tokio::test]
async fn a_copy_is_posted_once_whatever_is_answered() {
    let (receiver, local) = (Receiver::start().await, Receiver::start().await);
    local.answer(Answer::Status(500));
    let admin = Admin::start(&receiver);
    let mut listen = admin.keep(&["listen", "--forward", &local.url(), "--json"]);
    listen.told().await;
    let mut client = admin.server.client().await;
    client.subscribe("a").await;
    let line: serde_json::Value = serde_json::from_str(&listen.line().await).expect("JSON");
    assert_eq!(
        (&line["status"], &line["events"][0]),
        (&500.into(), &"channel_occupied a".into())
    );
    client.subscribe("b").await;
    listen.line().await;
    assert_eq!(local.requests().len(), 2);
    receiver.expect(&["+a", "+b"]).await;
}

#[tokio::test]
async fn listening_goes_on_when_the_server_is_back() {
    let (receiver, local) = (Receiver::start().await, Receiver::start().await);
    let port = free_port();
    let admin = Admin::start_on(&config(port, &receiver, ""));
    let mut listen = admin.keep(&["listen", "--forward", &local.url()]);
    listen.told().await;
    drop(admin);
    let told = listen.told().await;
    assert!(told.contains("is gone") && told.contains("trying again"), "{told}");
    let admin = Admin::start_on(&config(port, &receiver, ""));
    while !listen.told().await.contains("is back") {}
    let mut client = admin.server.client().await;
    client.subscribe("room").await;
    local.expect(&["+room"]).await;
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_told() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    let mut listen = admin.keep(&["listen", "--forward", &nobody]);
    listen.told().await;
    let mut client = admin.server.client().await;
    client.subscribe("room").await;
    let line = listen.line().await;
    assert!(
        line.contains("-> not posted: ") && line.contains("onnection refused"),
        "{line}"
    );
}
