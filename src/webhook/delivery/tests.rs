use std::sync::Arc;

use super::*;
use crate::ledger::{ClientEvent, EventId};

fn request(events: Vec<EventBody>) -> Request {
    Request {
        id: RequestId(0xab),
        app: "1".parse().expect("valid"),
        endpoint: "e".parse().expect("valid"),
        lane: 0,
        replay: false,
        time_ms: 1_327_078_148_132,
        attempt: 1,
        backoff: 1,
        events: events
            .into_iter()
            .map(|body| {
                Arc::new(Event {
                    id: EventId(3),
                    body,
                    at_ms: 5,
                })
            })
            .collect(),
    }
}

fn channel(name: &str, occupied: bool) -> EventBody {
    EventBody::State {
        key: Key::Channel(name.parse().expect("valid")),
        occupied,
        seq: 9,
    }
}

fn member(occupied: bool) -> EventBody {
    EventBody::State {
        key: Key::Member(
            "presence-room".parse().expect("valid"),
            "a_user_id".parse().expect("valid"),
        ),
        occupied,
        seq: 9,
    }
}

fn user(occupied: bool) -> EventBody {
    EventBody::State {
        key: Key::User("a_user_id".parse().expect("valid")),
        occupied,
        seq: 9,
    }
}

fn client(channel: &str, event: &str, data: &str, socket_id: &str, user: Option<&str>) -> EventBody {
    EventBody::Stateless(Stateless::Client(ClientEvent {
        channel: channel.parse().expect("valid"),
        event: event.into(),
        data: data.into(),
        socket_id: socket_id.parse().expect("valid"),
        user_id: user.map(|user| user.parse().expect("valid")),
    }))
}

fn signer(standard: &[&str]) -> Signer {
    let standard = standard.iter().map(|secret| StandardKey::parse(&(*secret).into()));
    Signer {
        key: "278d425bdf160c739803".parse().expect("valid"),
        signing: SigningKey::new(&"7ad3773142a6692b25b8".into()),
        standard: standard.map(|key| key.expect("a secret")).collect(),
    }
}

/// The value of a header, which stands there at most once.
#[track_caller]
fn value<'d>(delivery: &'d Delivery, name: &str) -> Option<&'d str> {
    let mut of_name = delivery.headers.iter().filter(|(header, _)| *header == name);
    let value = of_name.next().map(|(_, value)| value.as_str());
    assert!(of_name.next().is_none(), "{name} once");
    value
}

/// Checks that a cut counts the bytes that are sent.
#[track_caller]
fn check_length(request: &Request, extras: bool) {
    let delivery = build(&signer(&[]), extras, request, 1_327_078_149);
    let events: usize = request.events.iter().map(|event| event.json_bytes(extras)).sum();
    let frame = r#"{"time_ms":1327078148132,"events":[]}"#.len();
    let commas = request.events.len() - 1;
    assert_eq!(delivery.body.len(), frame + commas + events, "as the cut counts");
}

/// The vectors of PROTOCOL.md section 10.5: body and signature must both be the documented.
#[track_caller]
fn check(events: Vec<EventBody>, body: &str, signature: &str) {
    let request = request(events);
    let delivery = build(&signer(&[]), false, &request, 1_327_078_149);
    assert_eq!(String::from_utf8_lossy(&delivery.body), body);
    let value = |name| value(&delivery, name);
    assert_eq!(value("X-Pusher-Signature"), Some(signature));
    assert_eq!(value("X-Pusher-Key"), Some("278d425bdf160c739803"));
    assert_eq!(value("Content-Type"), Some("application/json"));
    assert_eq!(value("User-Agent"), Some("pusher-webhooks"));
    assert_eq!(value("Webhook-Id"), Some("msg_00000000000000ab"));
    assert_eq!(value("Webhook-Timestamp"), Some("1327078149"));
    assert_eq!(value("X-Vacancy-Attempt"), Some("1"));
    check_length(&request, false);
    check_length(&request, true);
}

/// What one event is told as with extras.
#[track_caller]
fn check_extras(event: EventBody, want: &str) {
    let request = request(vec![event]);
    let delivery = build(&signer(&[]), true, &request, 1_327_078_149);
    let body = String::from_utf8(delivery.body.into()).expect("UTF-8");
    assert_eq!(body, format!(r#"{{"time_ms":1327078148132,"events":[{want}]}}"#));
    check_length(&request, true);
}

#[test]
fn an_occupied_channel_is_told_as_documented() {
    check(
        vec![channel("my-channel", true)],
        r#"{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}"#,
        "c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf",
    );
}

#[test]
fn a_vacated_channel_is_told_as_documented() {
    check(
        vec![channel("my-channel", false)],
        r#"{"time_ms":1327078148132,"events":[{"name":"channel_vacated","channel":"my-channel"}]}"#,
        "977e904304ad3104e7d0ee32f280598c74a1171aadd4721564611c4aca72b3b6",
    );
}

#[test]
fn members_are_told_as_documented() {
    check(
        vec![member(true)],
        r#"{"time_ms":1327078148132,"events":[{"name":"member_added","channel":"presence-room","user_id":"a_user_id"}]}"#,
        "0bf6c31c4188784d9a37996ee65db798075883d30f6cd329214d516d3c2fbcaf",
    );
    check(
        vec![member(false)],
        r#"{"time_ms":1327078148132,"events":[{"name":"member_removed","channel":"presence-room","user_id":"a_user_id"}]}"#,
        "74a3c3550d13e6af9a0bf0087437edc2c428bad57fe085a249ed3fb50efb7ead",
    );
}

#[test]
fn a_client_event_is_told_as_documented_and_names_a_user_only_on_presence_channels() {
    check(
        vec![client(
            "private-room",
            "client-typing",
            r#"{"on":true}"#,
            "123.456",
            None,
        )],
        r#"{"time_ms":1327078148132,"events":[{"name":"client_event","channel":"private-room","event":"client-typing","data":"{\"on\":true}","socket_id":"123.456"}]}"#,
        "6dbc294e8a887677bad6edac5e9d387ab6de5feb1e2c6c0aa1c609f78f4ad226",
    );
    check(
        vec![client(
            "presence-room",
            "client-typing",
            r#"{"on":true}"#,
            "123.456",
            Some("a_user_id"),
        )],
        r#"{"time_ms":1327078148132,"events":[{"name":"client_event","channel":"presence-room","event":"client-typing","data":"{\"on\":true}","socket_id":"123.456","user_id":"a_user_id"}]}"#,
        "e9da59b81a6071ad364c8ae62a6a5d39cb8e71adf94c937f368b0cd353b54938",
    );
}

#[test]
fn a_cache_miss_and_a_subscription_count_are_told_as_documented() {
    check(
        vec![EventBody::Stateless(Stateless::CacheMiss(
            "cache-prices".parse().expect("valid"),
        ))],
        r#"{"time_ms":1327078148132,"events":[{"name":"cache_miss","channel":"cache-prices"}]}"#,
        "6fc652044277a9c5670e4a78dff6b4c044953e386ef62bada6f36637503e7d28",
    );
    check(
        vec![EventBody::Stateless(Stateless::SubscriptionCount(
            "my-channel".parse().expect("valid"),
            3,
        ))],
        r#"{"time_ms":1327078148132,"events":[{"name":"subscription_count","channel":"my-channel","subscription_count":3}]}"#,
        "0e560897a86a9a1bf35624396eb077e8516a80de72376b1e177d8eda5fd656ba",
    );
}

#[test]
fn a_batch_holds_its_events_in_order() {
    check(
        vec![channel("my-channel", true), channel("my-channel", false), member(true)],
        r#"{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"},{"name":"channel_vacated","channel":"my-channel"},{"name":"member_added","channel":"presence-room","user_id":"a_user_id"}]}"#,
        "62bf138cbfbbae5372df4b670bb4a04e124c3f6a672a9f0ac99cbcfd3bcaf3d4",
    );
}

#[test]
fn the_body_survives_a_parse_and_a_print_in_javascript() {
    check(
        vec![client(
            "private-room",
            "client-msg",
            r#"{"t":"zażółć 😀 \u2028/"}"#,
            "1.1",
            None,
        )],
        r#"{"time_ms":1327078148132,"events":[{"name":"client_event","channel":"private-room","event":"client-msg","data":"{\"t\":\"zażółć 😀 \\u2028/\"}","socket_id":"1.1"}]}"#,
        "e3b6e31541c780dd449920dd743cfe755af92be760830cf0f52c4f0c75a063d7",
    );
}

#[test]
fn the_id_is_the_same_at_each_attempt_and_so_is_the_body() {
    let first = request(vec![channel("a", true)]);
    let second = Request {
        attempt: 2,
        ..first.clone()
    };
    let [a, b] = [(first, 1), (second, 9)].map(|(request, now)| build(&signer(&[]), false, &request, now));
    assert_eq!(a.body, b.body);
    assert_eq!(a.headers[..5], b.headers[..5]);
    assert_eq!(value(&a, "X-Vacancy-Attempt"), Some("1"));
    assert_eq!(value(&b, "X-Vacancy-Attempt"), Some("2"));
}

#[test]
fn with_extras_an_event_that_carries_a_state_has_seq_id_and_at_ms() {
    check_extras(
        channel("my-channel", true),
        r#"{"name":"channel_occupied","channel":"my-channel","seq":9,"id":"evt_0000000000000003","at_ms":5}"#,
    );
    check_extras(
        channel("my-channel", false),
        r#"{"name":"channel_vacated","channel":"my-channel","seq":9,"id":"evt_0000000000000003","at_ms":5}"#,
    );
    check_extras(
        member(true),
        r#"{"name":"member_added","channel":"presence-room","user_id":"a_user_id","seq":9,"id":"evt_0000000000000003","at_ms":5}"#,
    );
    check_extras(
        user(false),
        r##"{"name":"user_offline","channel":"#server-to-user-a_user_id","user_id":"a_user_id","seq":9,"id":"evt_0000000000000003","at_ms":5}"##,
    );
}

#[test]
fn with_extras_an_event_without_state_has_no_seq() {
    check_extras(
        client("presence-room", "client-x", "y", "1.1", Some("a_user_id")),
        r#"{"name":"client_event","channel":"presence-room","event":"client-x","data":"y","socket_id":"1.1","user_id":"a_user_id","id":"evt_0000000000000003","at_ms":5}"#,
    );
    check_extras(
        EventBody::Stateless(Stateless::CacheMiss("cache-prices".parse().expect("valid"))),
        r#"{"name":"cache_miss","channel":"cache-prices","id":"evt_0000000000000003","at_ms":5}"#,
    );
    check_extras(
        EventBody::Stateless(Stateless::SubscriptionCount("news".parse().expect("valid"), 3)),
        r#"{"name":"subscription_count","channel":"news","subscription_count":3,"id":"evt_0000000000000003","at_ms":5}"#,
    );
}

#[test]
fn the_cut_counts_the_bytes_of_users_and_of_what_is_escaped_too() {
    let escaped = client("private-room", "client-\"", "\u{1}\n\"zażółć 😀\u{2028}\\", "1.1", None);
    let request = request(vec![user(true), escaped, user(false)]);
    check_length(&request, false);
    check_length(&request, true);
}

#[test]
fn each_secret_of_standard_webhooks_signs_and_without_one_there_is_no_header() {
    let secrets = [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_YSBzZWNyZXQgZm9yIHRoZSByb3RhdGlvbiwgb2YgNDAgYnl0ZXMhIQ==",
    ];
    let request = request(vec![channel("my-channel", true)]);
    let delivery = build(&signer(&secrets), false, &request, 1_327_078_149);
    assert_eq!(
        value(&delivery, "Webhook-Signature"),
        Some("v1,cilwwBs3AQty16ixMNDYZLcaiJ1r/DM9ZF1wqwvrC+c= v1,8iHRTbbIRVvunuhTgy+dbIFp4tl0kPfia4k+AKNc6Z8=")
    );
    let delivery = build(&signer(&[]), false, &request, 1_327_078_149);
    assert_eq!(value(&delivery, "Webhook-Signature"), None);
}

#[test]
fn a_replay_says_so_and_nothing_else_does() {
    let once = request(vec![channel("a", true)]);
    let replay = Request {
        replay: true,
        ..once.clone()
    };
    let [once, replay] = [once, replay].map(|request| build(&signer(&[]), false, &request, 1));
    assert_eq!(value(&once, "X-Vacancy-Replay"), None);
    assert_eq!(value(&replay, "X-Vacancy-Replay"), Some("1"));
    assert_eq!(once.body, replay.body);
}

#[test]
fn a_test_has_no_events_and_is_signed_and_says_what_it_is() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let test = build_test(&signer(&[secret]), RequestId(1), 1_327_078_148_132);
    assert_eq!(
        String::from_utf8_lossy(&test.body),
        r#"{"time_ms":1327078148132,"events":[]}"#
    );
    let signature = signer(&[]).signing.sign_hex(&[&test.body]);
    assert_eq!(value(&test, "X-Pusher-Signature"), Some(signature.as_str()));
    assert!(value(&test, "Webhook-Signature").is_some());
    assert_eq!(value(&test, "Webhook-Timestamp"), Some("1327078148"));
    assert_eq!(value(&test, "X-Vacancy-Test"), Some("1"));
    assert_eq!(value(&test, "X-Vacancy-Attempt"), None);
}

#[test]
fn no_header_of_an_endpoint_replaces_one_of_ours_or_frames_the_request() {
    let delivery = build(&signer(&[]), false, &request(vec![channel("a", true)]), 1);
    for name in [
        "content-type",
        "USER-AGENT",
        "x-pusher-key",
        "X-Pusher-Other",
        "Webhook-ID",
        "webhook-signature",
        "X-Vacancy-Replay",
        "Content-Length",
        "host",
        "Transfer-Encoding",
        "connection",
        "expect",
    ] {
        assert!(!delivery.allows(name), "{name}");
    }
    for name in ["Authorization", "X-Custom", "Accept", "webhook-x", "x-pusher"] {
        assert!(delivery.allows(name), "{name}");
    }
}
