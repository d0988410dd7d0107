//! One request is accepted by the receivers of both kinds: Pusher's SDKs and the libraries of
//! Standard Webhooks, for Node and Python.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use vacancy::{
    ledger::{ClientEvent, Event, EventBody, EventId, Key, Request, RequestId, Stateless},
    signature::{SigningKey, StandardKey},
    webhook::{Delivery, Signer, build, build_test},
};

use crate::{
    conformance::clients::{clients, node_modules, python},
    harness::{Answer, Delivered, KEY, Process, Receiver, SECRET, config, now_s},
};

use super::channels_webhook;

/// A secret that an endpoint shares with us.
const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The one that is to take its place.
const NEXT: &str = "whsec_YSBzZWNyZXQgZm9yIHRoZSByb3RhdGlvbiwgb2YgNDAgYnl0ZXMhIQ==";

fn signer(standard: &[&str]) -> Signer {
    let key = |secret: &&str| StandardKey::parse(&(*secret).into()).expect("a secret");
    Signer {
        key: KEY.parse().expect("valid"),
        signing: SigningKey::new(&SECRET.into()),
        standard: standard.iter().map(key).collect(),
    }
}

/// A request of this attempt, whose body was made at this time.
fn request(time_s: u64, attempt: u32) -> Request {
    let occupied = EventBody::State {
        key: Key::Channel("news".parse().expect("valid")),
        occupied: true,
        seq: 1_700_000_000_000,
    };
    let client = EventBody::Stateless(Stateless::Client(ClientEvent {
        channel: "private-room".parse().expect("valid"),
        event: "client-x".into(),
        data: r#"{"t":"zażółć 😀 \u2028/"}"#.into(),
        socket_id: "1.1".parse().expect("valid"),
        user_id: None,
    }));
    let event = |body| Event {
        id: EventId(5),
        body,
        at_ms: time_s * 1_000,
    };
    Request {
        id: RequestId(0xab),
        app: "1".parse().expect("valid"),
        endpoint: "e".parse().expect("valid"),
        lane: 0,
        time_ms: time_s * 1_000,
        attempt,
        backoff: attempt,
        replay: false,
        events: [occupied, client].map(|body| Arc::new(event(body))).into(),
    }
}

/// What a program is told of a request.
fn told<'h>(name: &str, headers: impl Iterator<Item = (&'h str, &'h str)>, body: &str) -> serde_json::Value {
    let headers = headers.map(|(name, value)| (name.to_owned(), value.into()));
    let headers: serde_json::Map<String, serde_json::Value> = headers.collect();
    serde_json::json!({"name": name, "headers": headers, "body": body})
}

fn told_of(name: &str, delivery: &Delivery) -> serde_json::Value {
    let headers = delivery.headers.iter().map(|(name, value)| (*name, value.as_str()));
    told(name, headers, std::str::from_utf8(&delivery.body).expect("UTF-8"))
}

/// Checks that Node's and Python's libraries accept these requests, and refuse them tampered with.
#[track_caller]
fn check(standard: &str, requests: &[serde_json::Value]) {
    node_modules();
    let input = serde_json::json!({"key": KEY, "secret": SECRET, "standard": standard, "requests": requests});
    run(Path::new("node"), "node/verify_webhook.mjs", &input, 5 * requests.len());
    run(&python(), "python/verify_webhook.py", &input, 4 * requests.len());
}

#[track_caller]
fn run(interpreter: &Path, program: &str, input: &serde_json::Value, checks: usize) {
    let mut child = Command::new(interpreter)
        .arg(clients(program))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.to_string().as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it runs");
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let passed = stdout.lines().filter(|line| line.starts_with("ok - ")).count();
    assert!(
        output.status.success() && passed == checks,
        "{program}: {passed} of {checks} ok\n{stdout}{stderr}"
    );
}

#[test]
fn a_request_is_accepted_by_both_kinds_of_libraries_at_its_first_and_its_last_attempt_with_the_same_bytes() {
    let now = now_s();
    let first = build(&signer(&[STANDARD]), true, &request(now, 1), now);
    let plain = build(&signer(&[STANDARD]), false, &request(now, 1), now);
    // Bytes stay for 240 s; then the ledger gives the request another time.
    let last = build(&signer(&[STANDARD]), true, &request(now - 240, 8), now);
    let renewed = build(&signer(&[STANDARD]), true, &request(now, 9), now);
    let id = |delivery: &Delivery| delivery.headers.iter().find(|(name, _)| *name == "Webhook-Id").cloned();
    assert_eq!(id(&last), id(&renewed));
    check(
        STANDARD,
        &[
            told_of("first", &first),
            told_of("without extras", &plain),
            told_of("after 240 s", &last),
            told_of("with another time", &renewed),
        ],
    );
}

#[test]
fn while_secrets_rotate_the_holder_of_either_accepts_a_request() {
    let now = now_s();
    let delivery = build(&signer(&[STANDARD, NEXT]), false, &request(now, 1), now);
    for secret in [STANDARD, NEXT] {
        check(secret, &[told_of("rotating", &delivery)]);
    }
}

#[test]
fn a_test_and_a_replay_are_accepted_too() {
    let now = now_s();
    let test = build_test(&signer(&[STANDARD]), RequestId(1), now * 1_000);
    let replay = Request {
        replay: true,
        ..request(now, 1)
    };
    let replay = build(&signer(&[STANDARD]), true, &replay, now);
    check(STANDARD, &[told_of("test", &test), told_of("replay", &replay)]);
}

/// What a program is told of a request as it came.
fn told_as_received(name: &str, request: &Delivered) -> serde_json::Value {
    let headers = request.head.lines().skip(1).filter_map(|line| line.split_once(": "));
    told(name, headers, &request.body)
}

#[tokio::test]
async fn what_the_server_sends_is_accepted_by_both_kinds_of_libraries_at_every_attempt_with_or_without_extras() {
    let [plain, extras] = [Receiver::start().await, Receiver::start().await];
    plain.answer_next(&[Answer::Status(500), Answer::Status(200)]);
    let more = format!(", secrets: [{STANDARD}, {NEXT}]");
    let webhooks = format!(
        "[{}, {}]",
        channels_webhook(&plain.url(), &more),
        channels_webhook(&extras.url(), &format!("{more}, extras: true")),
    );
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhooks));
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.unsubscribe("news").await;
    for receiver in [&plain, &extras] {
        receiver.expect(&["+news", "-news"]).await;
    }
    let attempts = plain.requests();
    assert_eq!(attempts[0].header("x-vacancy-attempt"), Some("1"));
    assert_eq!(attempts[1].header("x-vacancy-attempt"), Some("2"));
    let first = &extras.requests()[0];
    let event = &serde_json::from_str::<serde_json::Value>(&first.body).expect("JSON")["events"][0];
    assert!(event["seq"].is_u64() && event["at_ms"].is_u64(), "{event}");
    assert!(event["id"].as_str().is_some_and(|id| id.starts_with("evt_")), "{event}");
    let requests = [
        told_as_received("first attempt", &attempts[0]),
        told_as_received("second attempt", &attempts[1]),
        told_as_received("with extras", first),
    ];
    for secret in [STANDARD, NEXT] {
        check(secret, &requests);
    }
}

#[tokio::test]
async fn a_request_that_comes_again_after_a_crash_is_accepted_with_the_same_id_and_bytes() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Hang);
    let name = format!("vacancy-verified-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let ledger = format!("ledger: {{path: \"{}\"}}", folder.join("ledger.redb").display());
    let webhooks = format!(
        "[{}]",
        channels_webhook(&receiver.url(), &format!(", secrets: [{STANDARD}]"))
    );
    let server = Process::start_alone(&config(&ledger, &webhooks));
    server.client().await.subscribe("news").await;
    receiver.expect_requests(1).await;
    server.signal("KILL");
    drop(server);
    receiver.answer(Answer::Status(200));
    let server = Process::start_alone(&config(&ledger, &webhooks));
    receiver.expect(&["+news"]).await;
    drop(server);
    let _ = std::fs::remove_dir_all(folder);
    let requests = receiver.requests();
    let [before, after] = &requests[..] else {
        panic!("{} requests", requests.len());
    };
    assert_eq!(before.header("webhook-id"), after.header("webhook-id"));
    assert_eq!(before.body, after.body);
    check(
        STANDARD,
        &[told_as_received("before", before), told_as_received("after", after)],
    );
}
