//! Items 12 and 13 of the checklist: who gets what.

use crate::harness::{Client, Process, Receiver, config, eventually, webhook};

use super::channels_webhook;

#[tokio::test]
async fn only_channels_that_begin_and_end_as_asked_are_told() {
    let receiver = Receiver::start().await;
    let filter = ", channels: {prefix: job-, suffix: -eu}";
    let webhooks = format!("[{}]", channels_webhook(&receiver.url(), filter));
    let server = Process::start(&config("", &webhooks));
    let mut client = server.client().await;
    for channel in ["job-1-us", "my-job-1-eu", "job-1-eu-x", "job-1-eu", "news"] {
        client.subscribe(channel).await;
    }
    client.subscribe("job-2-eu").await;
    receiver.expect(&["+job-1-eu", "+job-2-eu"]).await;
}

#[tokio::test]
async fn only_events_that_are_asked_for_are_told() {
    let receiver = Receiver::start().await;
    let webhooks = format!(
        "[{{url: \"{}\", events: [channel_vacated, member_added]}}]",
        receiver.url()
    );
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhooks));
    let mut client = server.client().await;
    client.subscribe_as("presence-room", Some("7")).await;
    client.unsubscribe("presence-room").await;
    receiver.expect(&["+presence-room/7", "-presence-room"]).await;
}

#[tokio::test]
async fn item_12_two_endpoints_with_one_url_each_get_their_own_request() {
    let receiver = Receiver::start().await;
    let [first, second] = ["a", "b"].map(|letter| {
        let more = format!(", id: {letter}, channels: {{prefix: {letter}-}}, headers: {{X-For: {letter}}}");
        channels_webhook(&receiver.url(), &more)
    });
    let server = Process::start(&config("", &format!("[{first}, {second}]")));
    let mut client = server.client().await;
    for channel in ["a-1", "b-1", "a-2", "b-2", "c-1"] {
        client.subscribe(channel).await;
    }
    eventually("all events", || async { 4 <= receiver.events().len() }).await;
    let mut told = [Vec::new(), Vec::new()];
    for request in receiver.requests() {
        let events = request.events();
        let letter = request.header("X-For").expect("a header").to_owned();
        assert!(request.is_signed());
        assert!(
            events.iter().all(|event| event.starts_with(&format!("+{letter}-"))),
            "{events:?}"
        );
        told[usize::from(letter == "b")].extend(events);
    }
    assert_eq!(told, [["+a-1", "+a-2"], ["+b-1", "+b-2"]]);
}

#[tokio::test]
async fn item_13_two_apps_are_never_mixed() {
    let receiver = Receiver::start().await;
    let second = format!(
        "  - {{id: \"2\", key: second-key, secret: second-secret, webhooks: {}}}\n",
        webhook(&receiver.url())
    );
    let server = Process::start(&(config("webhooks: {batch_window: 100ms}", &webhook(&receiver.url())) + &second));
    let mut ours = server.client().await;
    let mut theirs = Client::open(server.port, "/app/second-key?protocol=7").await;
    theirs.next().await;
    for at in 0..30 {
        ours.send_subscribe(&format!("ours-{at}")).await;
        theirs.send_subscribe(&format!("theirs-{at}")).await;
    }
    // One name in both apps is two channels.
    ours.send_subscribe("both").await;
    theirs.send_subscribe("both").await;
    eventually("all events", || async { 62 <= receiver.events().len() }).await;
    assert_eq!(receiver.events().len(), 62);
    for request in receiver.requests() {
        let (key, secret, prefix) = match request.header("X-Pusher-Key") {
            Some("app-key") => ("app-key", "app-secret", "+ours-"),
            _ => ("second-key", "second-secret", "+theirs-"),
        };
        assert_eq!(request.header("X-Pusher-Key"), Some(key));
        assert!(request.is_signed_by(secret));
        let is_own = |event: &String| event.starts_with(prefix) || event == "+both";
        assert!(request.events().iter().all(is_own), "{:?}", request.events());
    }
}

#[tokio::test]
async fn channels_are_asked_for_by_glob_and_regex_and_left_out_by_not() {
    let receiver = Receiver::start().await;
    let filter = ", channels: {glob: ['job-*', 'task-{a,b}'], regex: '[0-9]$|b$', not: {prefix: job-x, glob: '*9'}}";
    let webhooks = format!("[{}]", channels_webhook(&receiver.url(), filter));
    let server = Process::start(&config("", &webhooks));
    let mut client = server.client().await;
    for channel in ["job-a", "my-job-1", "task-a", "task-c1", "job-x9", "job-x1", "task-b"] {
        client.subscribe(channel).await;
    }
    client.subscribe("job-9").await;
    client.subscribe("job-2").await;
    receiver.expect(&["+job-x1", "+task-b", "+job-9", "+job-2"]).await;
}
