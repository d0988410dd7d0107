//! Events, whole and by reference.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::WebhookEvent;

use super::{RecordError, decode, encode, parse_some, required};
use crate::ledger::{
    edge::Key,
    event::{ClientEvent, Event, EventBody, EventId, Stateless},
    log::EventRef,
};

/// An event. What its kind does not have is absent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventWire<'a> {
    id: u64,
    at_ms: u64,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    user_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    event: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    data: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
}

/// A reference to an event.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RefWire<'a> {
    id: u64,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    user_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

/// Writes an event.
pub(in crate::ledger::embedded) fn encode_event(event: &Event) -> Vec<u8> {
    encode(&EventWire::new(event))
}

/// Reads an event.
pub(in crate::ledger::embedded) fn decode_event(bytes: &[u8]) -> Result<Event, RecordError> {
    decode::<EventWire<'_>>(bytes)?.read()
}

impl<'a> EventWire<'a> {
    pub(super) fn new(event: &'a Event) -> Self {
        let mut wire = Self {
            id: event.id.0,
            at_ms: event.at_ms,
            kind: event.kind().as_str().into(),
            channel: event.channel().map(|channel| channel.as_str().into()),
            user_id: event.user_id().map(|user_id| user_id.as_str().into()),
            seq: event.seq(),
            event: None,
            data: None,
            socket_id: None,
            count: None,
        };
        match &event.body {
            EventBody::State { .. } | EventBody::Stateless(Stateless::CacheMiss(_)) => {}
            EventBody::Stateless(Stateless::Client(client)) => {
                wire.event = Some(client.event.as_str().into());
                wire.data = Some(client.data.as_str().into());
                wire.socket_id = Some(client.socket_id.to_string());
            }
            EventBody::Stateless(Stateless::SubscriptionCount(_, count)) => wire.count = Some(*count),
        }
        wire
    }

    pub(super) fn read(self) -> Result<Event, RecordError> {
        Ok(Event {
            id: EventId(self.id),
            at_ms: self.at_ms,
            body: self.body()?,
        })
    }

    fn body(self) -> Result<EventBody, RecordError> {
        let (channel, user) = (self.channel.as_deref(), self.user_id.as_deref());
        let channel = || RecordError::parse(required(channel, "channel")?);
        let user = || RecordError::parse(required(user, "user_id")?);
        let seq = || required(self.seq, "seq");
        let state = |key, occupied| {
            Ok(EventBody::State {
                key,
                occupied,
                seq: seq()?,
            })
        };
        match RecordError::parse(&self.kind)? {
            WebhookEvent::ChannelOccupied => state(Key::Channel(channel()?), true),
            WebhookEvent::ChannelVacated => state(Key::Channel(channel()?), false),
            WebhookEvent::MemberAdded => state(Key::Member(channel()?, user()?), true),
            WebhookEvent::MemberRemoved => state(Key::Member(channel()?, user()?), false),
            WebhookEvent::UserOnline => state(Key::User(user()?), true),
            WebhookEvent::UserOffline => state(Key::User(user()?), false),
            WebhookEvent::CacheMiss => Ok(EventBody::Stateless(Stateless::CacheMiss(channel()?))),
            WebhookEvent::SubscriptionCount => {
                let count = required(self.count, "count")?;
                Ok(EventBody::Stateless(Stateless::SubscriptionCount(channel()?, count)))
            }
            WebhookEvent::ClientEvent => Ok(EventBody::Stateless(Stateless::Client(ClientEvent {
                channel: channel()?,
                user_id: parse_some(self.user_id.as_deref())?,
                socket_id: RecordError::parse(&required(self.socket_id, "socket_id")?)?,
                event: required(self.event, "event")?.into_owned(),
                data: required(self.data, "data")?.into_owned(),
            }))),
        }
    }
}

impl<'a> RefWire<'a> {
    pub(super) fn new(event: &'a EventRef) -> Self {
        Self {
            id: event.id.0,
            kind: event.kind.as_str().into(),
            channel: event.channel.as_ref().map(|channel| channel.as_str().into()),
            user_id: event.user_id.as_ref().map(|user_id| user_id.as_str().into()),
            seq: event.seq,
        }
    }

    pub(super) fn read(&self) -> Result<EventRef, RecordError> {
        Ok(EventRef {
            id: EventId(self.id),
            kind: RecordError::parse(&self.kind)?,
            channel: parse_some(self.channel.as_deref())?,
            user_id: parse_some(self.user_id.as_deref())?,
            seq: self.seq,
        })
    }
}
