//! Random changes of records.

use std::sync::Arc;

use proptest::prelude::*;

use crate::{
    domain::{AppId, ChannelPattern, EndpointId, WebhookEvent},
    ledger::{
        AnnouncingRecord, AsideRecord, Changes, ClientEvent, Counters, DisabledBecause, EndpointRecord, Event,
        EventBody, EventId, Filter, Key, KeyRecord, Mode, QueuedRecord, RequestId, RequestRecord, Stateless,
    },
};

fn app() -> impl Strategy<Value = AppId> {
    prop::sample::select(vec!["a", "ab", "b"]).prop_map(|id| id.parse().expect("valid"))
}

fn endpoint() -> impl Strategy<Value = EndpointId> {
    prop::sample::select(vec!["e", "ef", "f"]).prop_map(|id| id.parse().expect("valid"))
}

fn key() -> impl Strategy<Value = Key> {
    let channel = || prop::sample::select(vec!["presence-x", "presence-xy", "z"]);
    let user = || prop::sample::select(vec!["1", "\0", "ü\"\u{10ffff}"]);
    prop_oneof![
        channel().prop_map(|channel| Key::Channel(channel.parse().expect("valid"))),
        (channel(), user())
            .prop_map(|(channel, user)| Key::Member(channel.parse().expect("valid"), user.parse().expect("valid"))),
        user().prop_map(|user| Key::User(user.parse().expect("valid"))),
    ]
}

fn event() -> impl Strategy<Value = Arc<Event>> {
    let channel = || "private-x".parse().expect("valid");
    let body = prop_oneof![
        (key(), any::<bool>(), any::<u64>()).prop_map(|(key, occupied, seq)| EventBody::State { key, occupied, seq }),
        (any::<String>(), prop::option::of(Just("u"))).prop_map(move |(data, user)| {
            EventBody::Stateless(Stateless::Client(ClientEvent {
                channel: channel(),
                event: "client-\n".into(),
                data,
                socket_id: "12.34".parse().expect("valid"),
                user_id: user.map(|user| user.parse().expect("valid")),
            }))
        }),
        any::<usize>().prop_map(move |count| EventBody::Stateless(Stateless::SubscriptionCount(channel(), count))),
        Just(()).prop_map(move |()| EventBody::Stateless(Stateless::CacheMiss(channel()))),
    ];
    (body, 0..8_u64, any::<u64>()).prop_map(|(body, id, at_ms)| {
        let id = EventId(id);
        Arc::new(Event { id, body, at_ms })
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    (
        prop::sample::subsequence(WebhookEvent::ALL.to_vec(), 0..9),
        "[a-z-]{0,4}",
    )
        .prop_map(|(events, prefix)| Filter {
            events,
            channels: ChannelPattern::affixes(&prefix, "-eu"),
        })
}

fn endpoint_record() -> impl Strategy<Value = EndpointRecord> {
    let modes = vec![
        Mode::Enabled,
        Mode::Paused,
        Mode::Disabled(DisabledBecause::Gone),
        Mode::Disabled(DisabledBecause::Operator),
    ];
    let announcing = (prop::option::of(filter()), prop::option::of(key()));
    let announcing = announcing.prop_map(|(before, after)| AnnouncingRecord { before, after });
    (
        filter(),
        any::<u32>(),
        prop::sample::select(modes),
        any::<bool>(),
        prop::option::of(announcing),
    )
        .prop_map(|(filter, lanes, mode, is_removed, announcing)| EndpointRecord {
            filter,
            lanes,
            mode,
            is_removed,
            announcing,
        })
}

fn queued() -> impl Strategy<Value = QueuedRecord> {
    (0..8_u64, any::<u64>(), any::<bool>()).prop_map(|(event, committed_ms, attempted)| QueuedRecord {
        event: EventId(event),
        committed_ms,
        attempted,
    })
}

fn request() -> impl Strategy<Value = RequestRecord> {
    (
        any::<(u32, u64, u32, bool)>(),
        any::<Option<u64>>(),
        any::<Option<(u64, u16)>>(),
        prop::collection::vec((any::<u64>(), queued()), 0..4),
    )
        .prop_map(
            |((lane, time_ms, attempt, replay), retry_ms, aside, entries)| RequestRecord {
                lane,
                time_ms,
                attempt,
                retry_ms,
                replay,
                aside: aside.map(|(since_ms, status)| AsideRecord { since_ms, status }),
                entries,
            },
        )
}

fn counters() -> impl Strategy<Value = Counters> {
    any::<[u64; 7]>().prop_map(|[seq, event, request, log, dead, time_ms, lived_ms]| Counters {
        seq,
        event,
        request,
        log,
        dead,
        time_ms,
        lived_ms,
    })
}

/// Changes of a few records; nothing is written down or trimmed.
pub(super) fn changes() -> impl Strategy<Value = Box<Changes>> {
    use prop::{collection::btree_map, option::of};
    let key_record = (any::<bool>(), any::<u64>(), any::<u64>(), any::<u64>());
    let key_record = key_record.prop_map(|(occupied, seq, since_ms, event)| KeyRecord {
        occupied,
        seq,
        since_ms,
        event: EventId(event),
    });
    let requests = btree_map((app(), endpoint(), (0..4_u64).prop_map(RequestId)), of(request()), 0..3);
    let events = prop::collection::vec((event(), any::<bool>()), 0..4);
    (
        of(counters()),
        btree_map((app(), endpoint()), of(endpoint_record()), 0..3),
        btree_map((app(), key()), of(key_record), 0..4),
        events,
        btree_map((app(), endpoint(), 0..4_u64), of(queued()), 0..4),
        requests,
    )
        .prop_map(|(counters, endpoints, keys, events, queued, requests)| {
            let events = events
                .into_iter()
                .map(|(event, is_kept)| (event.id, is_kept.then_some(event)));
            Box::new(Changes {
                counters,
                endpoints,
                keys,
                events: events.collect(),
                queued,
                requests,
                ..Changes::default()
            })
        })
}
