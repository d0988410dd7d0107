//! The bytes of a request: items 1 to 4 of the checklist.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::harness::{Answer, KEY, Process, Receiver, SECRET, config, hmac_hex, webhook};

use super::id;

#[tokio::test]
async fn item_1_the_bytes_signed_are_the_bytes_sent_at_every_attempt() {
    let receiver = Receiver::start().await;
    receiver.answer_next(&[Answer::Status(500), Answer::Status(500)]);
    let server = Process::start(&config("", &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        let signature = hmac_hex(SECRET, &request.body);
        assert_eq!(
            request.lines("X-Pusher-Signature"),
            [format!("X-Pusher-Signature: {signature}")]
        );
        assert_eq!(request.body, requests[0].body);
        assert_eq!(id(request), id(&requests[0]));
        let length = format!("Content-Length: {}", request.body.len());
        assert_eq!(request.lines("Content-Length"), [length]);
    }
}

/// What `JSON.stringify(JSON.parse(…))` makes of a body.
fn reprinted(body: &str) -> String {
    let program = "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0, 'utf8'))))";
    let mut node = Command::new("node")
        .args(["-e", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is installed");
    node.stdin
        .take()
        .expect("piped")
        .write_all(body.as_bytes())
        .expect("writes");
    let output = node.wait_with_output().expect("runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test]
async fn item_2_a_parse_and_a_print_in_javascript_keep_every_byte() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("", &webhook(&receiver.url())));
    let mut client = server.client().await;
    let user = r#"7\"\\é"#;
    let channel_data = format!(r#"{{"user_id":"{user}"}}"#);
    let auth = hmac_hex(SECRET, &format!("{}:presence-room:{channel_data}", client.socket_id));
    let data = serde_json::json!({
        "channel": "presence-room", "auth": format!("{KEY}:{auth}"), "channel_data": channel_data,
    });
    client
        .send(&serde_json::json!({"event": "pusher:subscribe", "data": data}).to_string())
        .await;
    assert_eq!(
        client.next_json().await["event"],
        "pusher_internal:subscription_succeeded"
    );
    let texts = [
        "zażółć 😀 \u{2028}\u{2029}\u{7f}/",
        "\u{1}\u{8}\u{c}\n\r\t\u{1f}\"\\",
        r#"{"a": [1, 2.50], "b":"\u00e9\/"}"#,
        "",
    ];
    for text in texts {
        let event = serde_json::json!({"event": "client-x", "channel": "presence-room", "data": text});
        client.send(&event.to_string()).await;
    }
    // An object is told as its own text.
    client
        .send(r#"{"event":"client-x","channel":"presence-room","data":{"b": 1.0, "a":"\u00e9"}}"#)
        .await;
    crate::harness::eventually("all events", || async { 7 <= receiver.events().len() }).await;
    let bodies: Vec<String> = receiver.requests().into_iter().map(|request| request.body).collect();
    for body in &bodies {
        assert_eq!(reprinted(body), *body);
    }
    let events: Vec<serde_json::Value> = bodies
        .iter()
        .map(|body| serde_json::from_str::<serde_json::Value>(body).expect("JSON"))
        .flat_map(|body| body["events"].as_array().expect("an array").clone())
        .collect();
    assert_eq!(events[1]["user_id"], "7\"\\é");
    let data: Vec<&str> = events[2..]
        .iter()
        .map(|event| event["data"].as_str().expect("a string"))
        .collect();
    assert_eq!(data[..4], texts);
    let object: serde_json::Value = serde_json::from_str(data[4]).expect("JSON");
    assert_eq!(object, serde_json::json!({"b": 1.0, "a": "é"}));
}

#[tokio::test]
async fn item_3_a_client_event_names_its_sender_and_a_user_only_on_presence_channels() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("", &webhook(&receiver.url())));
    let mut client = server.client().await;
    let socket_id = client.socket_id.clone();
    client.subscribe("private-room").await;
    client
        .send(r#"{"event":"client-x","channel":"private-room","data":"a"}"#)
        .await;
    receiver.expect(&["+private-room", "!private-room client-x a"]).await;
    client.subscribe_as("presence-room", Some("7")).await;
    client
        .send(r#"{"event":"client-x","channel":"presence-room","data":"b"}"#)
        .await;
    crate::harness::eventually("all events", || async { 5 <= receiver.events().len() }).await;
    let bodies: String = receiver.requests().into_iter().map(|request| request.body).collect();
    for event in [
        format!(
            r#"{{"name":"client_event","channel":"private-room","event":"client-x","data":"a","socket_id":"{socket_id}"}}"#
        ),
        format!(
            r#"{{"name":"client_event","channel":"presence-room","event":"client-x","data":"b","socket_id":"{socket_id}","user_id":"7"}}"#
        ),
    ] {
        assert!(bodies.contains(&event), "{event} in {bodies}");
    }
}

#[tokio::test]
async fn item_4_every_header_stands_once_in_its_documented_letter_case() {
    let receiver = Receiver::start().await;
    let webhooks = format!(
        "[{{url: \"{}?a=b\", events: [channel_occupied], headers: {{Authorization: \"Bearer abc\", X-Custom: \"1\"}}}}]",
        receiver.url()
    );
    let server = Process::start(&config("", &webhooks));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect(&["+news"]).await;
    let request = &receiver.requests()[0];
    let head = &request.head;
    assert_eq!(head.lines().next(), Some("POST /webhooks?a=b HTTP/1.1"));
    let signature = hmac_hex(SECRET, &request.body);
    let ours = [
        format!("Host: 127.0.0.1:{}", receiver.port),
        "Content-Type: application/json".into(),
        format!("Content-Length: {}", request.body.len()),
        "User-Agent: pusher-webhooks".into(),
        format!("X-Pusher-Key: {KEY}"),
        format!("X-Pusher-Signature: {signature}"),
        "X-Vacancy-Attempt: 1".into(),
        "Authorization: Bearer abc".into(),
        "X-Custom: 1".into(),
    ];
    for line in ours {
        let (name, _) = line.split_once(':').expect("a header");
        assert_eq!(request.lines(name), [line.as_str()], "{head}");
    }
    let mut names: Vec<String> = head
        .lines()
        .skip(1)
        .filter_map(|line| Some(line.split_once(':')?.0.to_lowercase()))
        .collect();
    names.sort();
    let unique = names.len();
    names.dedup();
    assert_eq!(names.len(), unique, "{head}");
    assert!(id(request).starts_with("msg_"), "{head}");
    for absent in ["webhook-signature", "x-vacancy-replay", "x-vacancy-test"] {
        assert_eq!(request.header(absent), None, "{head}");
    }
    let sent_s: u64 = request
        .header("webhook-timestamp")
        .and_then(|text| text.parse().ok())
        .expect("a number");
    let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
    let made_ms = body["time_ms"].as_u64().expect("a number");
    assert!(sent_s.abs_diff(made_ms / 1_000) <= 5, "{head}");
}

#[tokio::test]
async fn item_15_a_client_event_that_is_refused_is_not_told() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("", &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("private-room").await;
    client.subscribe("news").await;
    let event = |channel: &str, at: usize| format!(r#"{{"event":"client-{at}","channel":"{channel}","data":"x"}}"#);
    // Not subscribed; public; then more than the rate allows.
    client.send(&event("private-other", 0)).await;
    client.send(&event("news", 0)).await;
    for at in 1..=40 {
        client.send(&event("private-room", at)).await;
    }
    let mut refused = 0;
    client.send(r#"{"event":"pusher:ping","data":{}}"#).await;
    loop {
        let frame = client.next_json().await;
        match frame["event"].as_str() {
            Some("pusher:error") => refused += 1,
            Some("pusher:pong") => break,
            _ => panic!("{frame}"),
        }
    }
    assert!(12 <= refused, "{refused} of 42 were refused");
    client.unsubscribe("news").await;
    client.subscribe("marker").await;
    let told = 42 - refused + 3;
    crate::harness::eventually("all events", || async { told <= receiver.events().len() }).await;
    let events = receiver.events();
    let sent: Vec<&String> = events.iter().filter(|event| event.starts_with('!')).collect();
    assert_eq!(
        (sent.len(), sent[0].as_str()),
        (42 - refused, "!private-room client-1 x")
    );
    assert!(sent.iter().all(|event| event.starts_with("!private-room client-")));
}
