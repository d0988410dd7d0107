//! What the pure parts cost, one call at a time: `cargo bench --bench micro`, with a word after it
//! to run only what has it in its name.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    reason = "a bench reads clocks, and is documented by its name"
)]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use divan::Bencher;
use vacancy::{
    channel::{Roster, WorkerId},
    domain::{AppKey, ChannelName, Member, Now, SocketId},
    ledger::{Counters, CutLimits, Edge, Event, EventBody, Key, Occupancy, Request, RequestId, cut},
    protocol::{ClientMessage, ServerMessage, frame},
    signature::{
        SigningKey,
        http_request::{self, HttpRequestParts, Query},
        subscription, webhook as webhook_signature,
    },
    webhook,
};

const SUBSCRIBE: &str = r#"{"event":"pusher:subscribe","data":{"channel":"private-orders","auth":"app-key:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}}"#;
const CLIENT_EVENT: &str = r#"{"event":"client-typing","channel":"private-orders","data":{"text":"hello, world"}}"#;
const LEN: [usize; 2] = [64, 1_024];

fn main() {
    divan::main();
}

fn signing() -> SigningKey {
    SigningKey::new(&"app-secret".to_owned().into())
}

fn key() -> AppKey {
    "app-key".parse().expect("a key")
}

fn channel(name: &str) -> ChannelName {
    name.parse().expect("a name")
}

fn event(name: &str) -> Event {
    let key = Key::Channel(channel(name));
    let body = EventBody::State {
        key,
        occupied: true,
        seq: 1,
    };
    Event {
        id: vacancy::ledger::EventId(1),
        body,
        at_ms: 1,
    }
}

/// A text frame of a client.
fn masked(text: &[u8]) -> BytesMut {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = BytesMut::from(&[0x81, 0x80 | 126][..]);
    frame.extend_from_slice(&u16::try_from(text.len()).expect("short").to_be_bytes());
    frame.extend_from_slice(&mask);
    frame.extend(text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[divan::bench]
fn decode_subscribe() -> ClientMessage {
    ClientMessage::decode(black_box(SUBSCRIBE)).expect("a message")
}

#[divan::bench]
fn decode_client_event() -> ClientMessage {
    ClientMessage::decode(black_box(CLIENT_EVENT)).expect("a message")
}

#[divan::bench(args = LEN)]
fn encode(bencher: Bencher<'_, '_>, len: usize) {
    let (channel, data) = (channel("private-orders"), "x".repeat(len));
    let message = ServerMessage::Event {
        name: "order-created",
        channel: &channel,
        data: &data,
        user_id: None,
    };
    bencher.bench(|| black_box(&message).to_frame());
}

#[divan::bench(args = [128, 1_024])]
fn frame_decode(bencher: Bencher<'_, '_>, len: usize) {
    let sent = masked(&vec![b'x'; len]);
    bencher
        .with_inputs(|| sent.clone())
        .bench_values(|mut buffer| frame::decode(&mut buffer, 10_240));
}

#[divan::bench(args = LEN)]
fn frame_encode(bencher: Bencher<'_, '_>, len: usize) {
    let text = vec![b'x'; len];
    bencher.bench(|| frame::encode_text(black_box(&text)));
}

#[divan::bench(args = LEN)]
fn sign(bencher: Bencher<'_, '_>, len: usize) {
    let (signing, body) = (signing(), vec![b'x'; len]);
    bencher.bench(|| webhook_signature::sign(&signing, black_box(&body)));
}

#[divan::bench]
fn verify_subscription(bencher: Bencher<'_, '_>) {
    let (signing, key, channel) = (signing(), key(), channel("private-orders"));
    let socket_id = SocketId::from_random(7);
    let signed = format!("{socket_id}:{channel}");
    let auth = format!("{key}:{}", signing.sign_hex(&[signed.as_bytes()]));
    bencher.bench(|| {
        subscription::verify(&key, &signing, socket_id, &channel, None, black_box(&auth)).expect("it is signed");
    });
}

#[divan::bench(args = LEN)]
fn verify_request(bencher: Bencher<'_, '_>, len: usize) {
    use md5::Digest;
    let (signing, key, body) = (signing(), key(), vec![b'x'; len]);
    let md5 = hex::encode(md5::Md5::digest(&body));
    let query = format!("auth_key={key}&auth_timestamp=1000&auth_version=1.0&body_md5={md5}");
    let signature = signing.sign_hex(&[format!("POST\n/apps/1/events\n{query}").as_bytes()]);
    let query = format!("{query}&auth_signature={signature}");
    bencher.bench(|| {
        let query = Query::parse(black_box(&query)).expect("a query");
        let parts = HttpRequestParts {
            method: "POST",
            path: "/apps/1/events",
            query: &query,
        };
        http_request::verify(&parts, &key, &signing, 1_000).expect("it is signed");
        http_request::verify_body(&query, black_box(&body)).expect("it is that body");
    });
}

/// A join and a leave beside a thousand others.
#[divan::bench(args = [false, true])]
fn roster_join_and_leave(bencher: Bencher<'_, '_>, with_users: bool) {
    let member = |at: u128| with_users.then(|| Member::new(format!("user-{at}").parse().expect("an id"), None));
    let mut roster = Roster::default();
    for at in 0..1_000 {
        roster.join(SocketId::from_random(at), WorkerId(0), member(at), usize::MAX);
    }
    let (socket_id, new) = (SocketId::from_random(5_000), member(5_000));
    bencher.bench_local(move || {
        let joined = roster.join(socket_id, WorkerId(1), new.clone(), usize::MAX);
        (joined, roster.leave(socket_id))
    });
}

/// A channel that is entered and left, without a delay: two transitions.
#[divan::bench]
fn occupancy_enter_and_leave(bencher: Bencher<'_, '_>) {
    let mut occupancy = Occupancy::new(Duration::ZERO);
    let mut numbers = Counters::default();
    let at = Now {
        instant: Instant::now(),
        wall_ms: 1_700_000_000_000,
    };
    let edge = |entered| Edge {
        key: Key::Channel(channel("orders")),
        entered,
        at,
    };
    let [enter, leave] = [true, false].map(edge);
    let mut told = Vec::new();
    bencher.bench_local(move || {
        told.clear();
        occupancy.apply(&enter, &mut numbers, &mut told);
        occupancy.apply(&leave, &mut numbers, &mut told);
        occupancy.due(at.instant, &mut numbers, &mut told);
        told.len()
    });
}

#[divan::bench(args = [1, 100])]
fn cut_queue(bencher: Bencher<'_, '_>, events: usize) {
    let queue: Vec<Event> = (0..events).map(|at| event(&format!("orders-{at}"))).collect();
    let limits = CutLimits {
        events_max: 100,
        body_bytes_max: 1_048_576,
        extras: false,
    };
    bencher.bench(|| cut(black_box(&queue), limits));
}

#[divan::bench(args = [1, 100])]
fn delivery_build(bencher: Bencher<'_, '_>, events: usize) {
    let request = Request {
        lane: 0,
        replay: false,
        id: RequestId(1),
        app: "1".parse().expect("an id"),
        endpoint: "billing".parse().expect("an id"),
        time_ms: 1_700_000_000_000,
        attempt: 1,
        backoff: 1,
        events: (0..events).map(|at| Arc::new(event(&format!("orders-{at}")))).collect(),
    };
    let signer = webhook::Signer {
        key: key(),
        signing: signing(),
        standard: Vec::new(),
    };
    bencher.bench(|| webhook::build(&signer, false, black_box(&request), 1_700_000_000));
}
