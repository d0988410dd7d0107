//! The bytes of a webhook request (PROTOCOL.md sections 6.1 to 6.4).

use serde::Serialize;

use crate::{
    domain::{AppKey, ChannelName, UserId},
    ledger::{Event, EventBody, Key, Request, Stateless},
    signature::{SigningKey, webhook},
};

/// A request ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its headers besides `Host` and `Content-Length`, with the names as they stand on the wire.
    pub headers: Vec<(&'static str, String)>,
    /// Its body: exactly the bytes that were signed.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct BodyWire<'a> {
    time_ms: u64,
    events: Vec<EventWire<'a>>,
}

#[derive(Serialize)]
struct EventWire<'a> {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_count: Option<usize>,
}

/// Makes the headers and the body of an attempt made at `now_s`, in seconds since 1970.
///
/// The body depends only on the request's time and events, so that it is the same at each attempt
/// that has the same time.
#[must_use]
pub fn build(key: &AppKey, signing: &SigningKey, request: &Request, now_s: u64) -> Delivery {
    let wire = BodyWire {
        time_ms: request.time_ms,
        events: request.events.iter().map(|event| event_wire(event)).collect(),
    };
    let body = serde_json::to_vec(&wire).expect("texts and numbers are always serialisable");
    let headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("User-Agent", "pusher-webhooks".to_owned()),
        ("X-Pusher-Key", key.to_string()),
        ("X-Pusher-Signature", webhook::sign(signing, &body)),
        ("Webhook-Id", request.id.to_string()),
        ("Webhook-Timestamp", now_s.to_string()),
    ];
    Delivery { headers, body }
}

fn event_wire(event: &Event) -> EventWire<'_> {
    let mut wire = EventWire {
        name: event.kind().as_str(),
        channel: event.channel().map(ChannelName::as_str),
        event: None,
        data: None,
        socket_id: None,
        user_id: None,
        subscription_count: None,
    };
    match &event.body {
        EventBody::State { key, .. } => match key {
            Key::Channel(_) => {}
            Key::Member(_, user_id) | Key::User(user_id) => wire.user_id = Some(user_id.as_str()),
        },
        EventBody::Stateless(Stateless::Client(client)) => {
            wire.event = Some(&client.event);
            wire.data = Some(&client.data);
            wire.socket_id = Some(client.socket_id.to_string());
            wire.user_id = client.user_id.as_ref().map(UserId::as_str);
        }
        EventBody::Stateless(Stateless::CacheMiss(_)) => {}
        EventBody::Stateless(Stateless::SubscriptionCount(_, count)) => {
            wire.subscription_count = Some(*count);
        }
    }
    wire
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ledger::{ClientEvent, EventId, RequestId};

    fn request(events: Vec<EventBody>) -> Request {
        Request {
            id: RequestId(0xab),
            app: "1".parse().expect("valid"),
            endpoint: "e".parse().expect("valid"),
            lane: 0,
            replay: false,
            time_ms: 1_327_078_148_132,
            attempt: 1,
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

    fn client(channel: &str, event: &str, data: &str, socket_id: &str, user: Option<&str>) -> EventBody {
        EventBody::Stateless(Stateless::Client(ClientEvent {
            channel: channel.parse().expect("valid"),
            event: event.into(),
            data: data.into(),
            socket_id: socket_id.parse().expect("valid"),
            user_id: user.map(|user| user.parse().expect("valid")),
        }))
    }

    /// The vectors of PROTOCOL.md section 10.5: body and signature must both be the documented.
    #[track_caller]
    fn check(events: Vec<EventBody>, body: &str, signature: &str) {
        let key = "278d425bdf160c739803".parse().expect("valid");
        let signing = SigningKey::new(&"7ad3773142a6692b25b8".into());
        let request = request(events);
        let delivery = build(&key, &signing, &request, 1_327_078_149);
        assert_eq!(String::from_utf8_lossy(&delivery.body), body);
        let value = |name: &str| {
            let mut of_name = delivery.headers.iter().filter(|(header, _)| *header == name);
            let value = of_name.next().map(|(_, value)| value.as_str());
            assert!(of_name.next().is_none(), "{name} once");
            value
        };
        assert_eq!(value("X-Pusher-Signature"), Some(signature));
        assert_eq!(value("X-Pusher-Key"), Some("278d425bdf160c739803"));
        assert_eq!(value("Content-Type"), Some("application/json"));
        assert_eq!(value("User-Agent"), Some("pusher-webhooks"));
        assert_eq!(value("Webhook-Id"), Some("msg_00000000000000ab"));
        assert_eq!(value("Webhook-Timestamp"), Some("1327078149"));
        let events: usize = request.events.iter().map(|event| event.json_bytes(false)).sum();
        let frame = r#"{"time_ms":1327078148132,"events":[]}"#.len();
        let commas = request.events.len() - 1;
        assert_eq!(delivery.body.len(), frame + commas + events, "as the cut counts");
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
        let key = "k".parse().expect("valid");
        let signing = SigningKey::new(&"s".into());
        let first = request(vec![channel("a", true)]);
        let second = Request {
            attempt: 2,
            ..first.clone()
        };
        let [a, b] = [(first, 1), (second, 9)].map(|(r, now)| build(&key, &signing, &r, now));
        assert_eq!(a.body, b.body);
        assert_eq!(a.headers[..5], b.headers[..5]);
    }
}
