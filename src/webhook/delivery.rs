//! The bytes of a webhook request (PROTOCOL.md sections 6.1 to 6.4, DESIGN.md section 6).

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use crate::{
    domain::{AppKey, SERVER_TO_USER, UserId},
    ledger::{Event, EventBody, Key, Request, RequestId, Stateless},
    signature::{SigningKey, StandardKey, standard_webhooks, webhook},
};

/// What the requests of an endpoint are signed with. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The key of the app that requests name.
    pub key: AppKey,
    /// The secret of that key.
    pub signing: SigningKey,
    /// The secrets of Standard Webhooks that the endpoint shares with us; each signs.
    pub standard: Vec<StandardKey>,
}

/// A request ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its headers besides `Host` and `Content-Length`, with the names as they stand on the wire.
    pub headers: Vec<(&'static str, String)>,
    /// Its body: exactly the bytes that were signed.
    pub body: Bytes,
}

/// Names that no header of an endpoint's own may have, besides those of a delivery and those that
/// begin with `x-pusher-` or `x-vacancy-`: what HTTP frames a request with, and the signature that
/// not every delivery has.
const NOT_THEIRS: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-signature",
];

impl Delivery {
    /// Tells whether an endpoint's own header may go along. The configuration refuses those that
    /// may not.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        let is_ours = |(ours, _): &(&str, String)| ours.eq_ignore_ascii_case(name);
        let is_reserved = ["x-pusher-", "x-vacancy-"].iter().any(|begin| lower.starts_with(begin));
        !is_reserved && !NOT_THEIRS.contains(&lower.as_str()) && !self.headers.iter().any(is_ours)
    }
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
    channel: Option<Cow<'a, str>>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<u64>,
}

/// Makes the headers and the body of an attempt made at `now_s`, in seconds since 1970. With
/// `extras` each event has `id` and `at_ms`, and `seq` if it carries a state; without, exactly
/// Pusher's keys.
///
/// The body depends only on the request's time and events, so that it is the same at each attempt
/// that has the same time.
#[must_use]
pub fn build(signer: &Signer, extras: bool, request: &Request, now_s: u64) -> Delivery {
    let events = request.events.iter().map(|event| event_wire(event, extras));
    let mut delivery = signed(signer, request.time_ms, events.collect(), request.id, now_s);
    delivery
        .headers
        .push(("X-Vacancy-Attempt", request.attempt.to_string()));
    if request.replay {
        delivery.headers.push(("X-Vacancy-Replay", "1".to_owned()));
    }
    delivery
}

/// Makes a request without events that an operator asked for, to see that the endpoint is reached
/// and finds the signatures valid.
#[must_use]
pub fn build_test(signer: &Signer, id: RequestId, now_ms: u64) -> Delivery {
    let mut delivery = signed(signer, now_ms, Vec::new(), id, now_ms / 1_000);
    delivery.headers.push(("X-Vacancy-Test", "1".to_owned()));
    delivery
}

fn signed(signer: &Signer, time_ms: u64, events: Vec<EventWire<'_>>, id: RequestId, now_s: u64) -> Delivery {
    let wire = BodyWire { time_ms, events };
    let body = serde_json::to_vec(&wire).expect("texts and numbers are always serialisable");
    let id = id.to_string();
    let standard = standard_webhooks::sign(&signer.standard, &id, now_s, &body);
    let mut headers = vec![
        ("Content-Type", "application/json".to_owned()),
        ("User-Agent", "pusher-webhooks".to_owned()),
        ("X-Pusher-Key", signer.key.to_string()),
        ("X-Pusher-Signature", webhook::sign(&signer.signing, &body)),
        ("Webhook-Id", id),
        ("Webhook-Timestamp", now_s.to_string()),
    ];
    headers.extend(standard.map(|signatures| ("Webhook-Signature", signatures)));
    Delivery {
        headers,
        body: body.into(),
    }
}

fn event_wire(event: &Event, extras: bool) -> EventWire<'_> {
    let mut wire = EventWire {
        name: event.kind().as_str(),
        channel: event.channel().map(|channel| Cow::Borrowed(channel.as_str())),
        event: None,
        data: None,
        socket_id: None,
        user_id: None,
        subscription_count: None,
        seq: event.seq().filter(|_| extras),
        id: extras.then(|| event.id.to_string()),
        at_ms: extras.then_some(event.at_ms),
    };
    match &event.body {
        EventBody::State { key, .. } => match key {
            Key::Channel(_) => {}
            Key::Member(_, user_id) => wire.user_id = Some(user_id.as_str()),
            Key::User(user_id) => {
                // The helpers of some SDKs take no event without a channel: it is the user's own.
                wire.channel = Some(format!("{SERVER_TO_USER}{user_id}").into());
                wire.user_id = Some(user_id.as_str());
            }
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
mod tests;
