//! What an engine begins with: counters, endpoints, keys, queues and requests.

use serde::{Deserialize, Serialize};

use super::{RecordError, decode, encode, is_false, parse_some};
use crate::ledger::{
    counters::Counters,
    edge::Key,
    event::EventId,
    filter::{Filter, FilterSource},
    store::{AnnouncingRecord, AsideRecord, EndpointRecord, KeyRecord, QueuedRecord, RequestRecord},
    window::{DisabledBecause, Mode},
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct CountersWire {
    seq: u64,
    event: u64,
    request: u64,
    log: u64,
    dead: u64,
    time_ms: u64,
    lived_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct EndpointWire {
    filter: FilterSource,
    lanes: u32,
    mode: ModeWire,
    #[serde(default, skip_serializing_if = "is_false")]
    removed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    announcing: Option<AnnouncingWire>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModeWire {
    Enabled,
    Paused,
    Gone,
    Disabled,
}

#[derive(Debug, Serialize, Deserialize)]
struct AnnouncingWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<FilterSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<KeyWire>,
}

/// A key: a channel, a user in a channel, or a user.
#[derive(Debug, Serialize, Deserialize)]
struct KeyWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeyRecordWire {
    occupied: bool,
    seq: u64,
    since_ms: u64,
    event: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct QueuedWire {
    event: u64,
    committed_ms: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    attempted: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct RequestWire {
    lane: u32,
    time_ms: u64,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    replay: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aside: Option<AsideWire>,
    entries: Vec<(u64, QueuedWire)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AsideWire {
    since_ms: u64,
    status: u16,
}

/// Writes the counters.
pub(in crate::ledger::embedded) fn encode_counters(counters: &Counters) -> Vec<u8> {
    let Counters {
        seq,
        event,
        request,
        log,
        dead,
        time_ms,
        lived_ms,
    } = *counters;
    encode(&CountersWire {
        seq,
        event,
        request,
        log,
        dead,
        time_ms,
        lived_ms,
    })
}

/// Reads the counters.
pub(in crate::ledger::embedded) fn decode_counters(bytes: &[u8]) -> Result<Counters, RecordError> {
    let wire: CountersWire = decode(bytes)?;
    Ok(Counters {
        seq: wire.seq,
        event: wire.event,
        request: wire.request,
        log: wire.log,
        dead: wire.dead,
        time_ms: wire.time_ms,
        lived_ms: wire.lived_ms,
    })
}

/// Writes an endpoint.
pub(in crate::ledger::embedded) fn encode_endpoint(endpoint: &EndpointRecord) -> Vec<u8> {
    let announcing = endpoint.announcing.as_ref().map(|announcing| AnnouncingWire {
        before: announcing.before.as_ref().map(Filter::source),
        after: announcing.after.as_ref().map(KeyWire::new),
    });
    encode(&EndpointWire {
        filter: endpoint.filter.source(),
        lanes: endpoint.lanes,
        mode: ModeWire::new(endpoint.mode),
        removed: endpoint.is_removed,
        announcing,
    })
}

/// Reads an endpoint.
pub(in crate::ledger::embedded) fn decode_endpoint(bytes: &[u8]) -> Result<EndpointRecord, RecordError> {
    let wire: EndpointWire = decode(bytes)?;
    Ok(EndpointRecord {
        filter: filter(wire.filter)?,
        lanes: wire.lanes,
        mode: wire.mode.read(),
        is_removed: wire.removed,
        announcing: wire.announcing.map(AnnouncingWire::read).transpose()?,
    })
}

/// Writes what is kept of a key.
pub(in crate::ledger::embedded) fn encode_key(key: &KeyRecord) -> Vec<u8> {
    encode(&KeyRecordWire {
        occupied: key.occupied,
        seq: key.seq,
        since_ms: key.since_ms,
        event: key.event.0,
    })
}

/// Reads what is kept of a key.
pub(in crate::ledger::embedded) fn decode_key(bytes: &[u8]) -> Result<KeyRecord, RecordError> {
    let wire: KeyRecordWire = decode(bytes)?;
    Ok(KeyRecord {
        occupied: wire.occupied,
        seq: wire.seq,
        since_ms: wire.since_ms,
        event: EventId(wire.event),
    })
}

/// Writes an event's place in a queue.
pub(in crate::ledger::embedded) fn encode_queued(queued: &QueuedRecord) -> Vec<u8> {
    encode(&QueuedWire::new(queued))
}

/// Reads an event's place in a queue.
pub(in crate::ledger::embedded) fn decode_queued(bytes: &[u8]) -> Result<QueuedRecord, RecordError> {
    Ok(decode::<QueuedWire>(bytes)?.read())
}

/// Writes a request.
pub(in crate::ledger::embedded) fn encode_request(request: &RequestRecord) -> Vec<u8> {
    let entries = request.entries.iter();
    encode(&RequestWire {
        lane: request.lane,
        time_ms: request.time_ms,
        attempt: request.attempt,
        retry_ms: request.retry_ms,
        replay: request.replay,
        aside: request.aside.map(|aside| AsideWire {
            since_ms: aside.since_ms,
            status: aside.status,
        }),
        entries: entries
            .map(|(place, queued)| (*place, QueuedWire::new(queued)))
            .collect(),
    })
}

/// Reads a request.
pub(in crate::ledger::embedded) fn decode_request(bytes: &[u8]) -> Result<RequestRecord, RecordError> {
    let wire: RequestWire = decode(bytes)?;
    let entries = wire.entries.iter();
    Ok(RequestRecord {
        lane: wire.lane,
        time_ms: wire.time_ms,
        attempt: wire.attempt,
        retry_ms: wire.retry_ms,
        replay: wire.replay,
        aside: wire.aside.map(|aside| AsideRecord {
            since_ms: aside.since_ms,
            status: aside.status,
        }),
        entries: entries.map(|(place, queued)| (*place, queued.read())).collect(),
    })
}

fn filter(source: FilterSource) -> Result<Filter, RecordError> {
    Filter::new(source).map_err(|error| RecordError::new(&error.to_string()))
}

impl ModeWire {
    const fn new(mode: Mode) -> Self {
        match mode {
            Mode::Enabled => Self::Enabled,
            Mode::Paused => Self::Paused,
            Mode::Disabled(DisabledBecause::Gone) => Self::Gone,
            Mode::Disabled(DisabledBecause::Operator) => Self::Disabled,
        }
    }

    const fn read(self) -> Mode {
        match self {
            Self::Enabled => Mode::Enabled,
            Self::Paused => Mode::Paused,
            Self::Gone => Mode::Disabled(DisabledBecause::Gone),
            Self::Disabled => Mode::Disabled(DisabledBecause::Operator),
        }
    }
}

impl AnnouncingWire {
    fn read(self) -> Result<AnnouncingRecord, RecordError> {
        Ok(AnnouncingRecord {
            before: self.before.map(filter).transpose()?,
            after: self.after.map(|key| key.read()).transpose()?,
        })
    }
}

impl KeyWire {
    fn new(key: &Key) -> Self {
        let (channel, user_id) = match key {
            Key::Channel(channel) => (Some(channel), None),
            Key::Member(channel, user_id) => (Some(channel), Some(user_id)),
            Key::User(user_id) => (None, Some(user_id)),
        };
        Self {
            channel: channel.map(|channel| channel.as_str().to_owned()),
            user_id: user_id.map(|user_id| user_id.as_str().to_owned()),
        }
    }

    fn read(&self) -> Result<Key, RecordError> {
        let channel = parse_some(self.channel.as_deref())?;
        let user_id = parse_some(self.user_id.as_deref())?;
        match (channel, user_id) {
            (Some(channel), None) => Ok(Key::Channel(channel)),
            (Some(channel), Some(user_id)) => Ok(Key::Member(channel, user_id)),
            (None, Some(user_id)) => Ok(Key::User(user_id)),
            (None, None) => Err(RecordError("a key is a channel, a user or both".into())),
        }
    }
}

impl QueuedWire {
    const fn new(queued: &QueuedRecord) -> Self {
        Self {
            event: queued.event.0,
            committed_ms: queued.committed_ms,
            attempted: queued.attempted,
        }
    }

    const fn read(&self) -> QueuedRecord {
        QueuedRecord {
            event: EventId(self.event),
            committed_ms: self.committed_ms,
            attempted: self.attempted,
        }
    }
}
