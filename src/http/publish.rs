//! Reads what is to be published (PROTOCOL.md sections 5.3 and 5.4). Nothing is published here.

use std::{borrow::Cow, collections::HashSet, fmt, marker::PhantomData};

use ahash::RandomState;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;

use super::{error::ApiError, idempotency::IdempotencyKey, info::Info};
use crate::{
    domain::{AppLimits, ChannelName, EventName, SocketId},
    protocol::{JsonString, StringError},
    signature::http_request::Query,
};

/// An event to be published to one or more channels.
#[derive(Debug)]
pub struct Publication<'a> {
    /// Its name.
    pub name: EventName,
    /// Its data.
    pub data: EventData<'a>,
    /// Where it goes: each channel once, in the order given.
    pub channels: Vec<ChannelName>,
    /// The connection that does not get it.
    pub except: Option<SocketId>,
    /// What is to be told of the channels.
    pub(super) info: Info,
    /// The name under which it is published once.
    pub(super) idempotency_key: Option<IdempotencyKey>,
}

/// The data of an event, where it stands in the request.
#[derive(Debug, Clone, Copy)]
pub enum EventData<'a> {
    /// A string of the JSON of the body.
    Json(JsonString<'a>),
    /// Text: a parameter of the query, or the whole body.
    Text(&'a str),
}

impl<'a> EventData<'a> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        match self {
            Self::Json(string) => string.decode(),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }

    /// The bytes of the text.
    const fn len(&self) -> usize {
        match self {
            Self::Json(string) => string.decoded_len(),
            Self::Text(text) => text.len(),
        }
    }
}

#[derive(Deserialize)]
struct EventWire<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    channel: Option<&'a RawValue>,
    #[serde(borrow)]
    channels: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    socket_id: Option<&'a RawValue>,
    #[serde(borrow)]
    info: Option<&'a RawValue>,
    #[serde(borrow)]
    idempotency_key: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct BatchWire<'a> {
    #[serde(borrow)]
    batch: Option<Vec<Object<EventWire<'a>>>>,
}

/// An object of JSON, and not an array of its values in their order.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Reads the body of `POST /events`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_trigger<'a>(body: &'a [u8], limits: &AppLimits) -> Result<Publication<'a>, ApiError> {
    let wire: EventWire<'_> = parse_json(body)?;
    let channels = match (&wire.channels, wire.channel) {
        (Some(channels), _) => {
            let names = channels.iter().map(|channel| text(Some(channel), "channels"));
            distinct_channels(names.collect::<Result<Vec<_>, _>>()?, limits)?
        }
        (None, Some(channel)) => vec![channel_name(&text(Some(channel), "channel")?, limits)?],
        (None, None) => return Err(ApiError::Missing("channels")),
    };
    wire.publication(channels, limits)
}

/// Reads the parameters of `POST /events` from its query string, for a request without a body.
///
/// # Errors
/// What is wrong with them.
pub fn trigger_from_query<'a>(query: &'a Query<'_>, limits: &AppLimits) -> Result<Publication<'a>, ApiError> {
    let listed = query.pairs().filter(|(name, _)| *name == "channels[]");
    let mut names: Vec<Cow<'_, str>> = listed.map(|(_, value)| value.into()).collect();
    if names.is_empty() {
        names.extend(query.get("channel").map(Cow::from));
    }
    let channels = distinct_channels(names, limits)?;
    let data = query.get("data").ok_or(ApiError::NotAString("data"))?;
    publication_from_query(query, data, channels, limits)
}

/// Reads an event of which the body is the data and the query says the rest.
///
/// # Errors
/// What is wrong with it.
pub fn publication_from_query<'a>(
    query: &Query<'_>,
    data: &'a str,
    channels: Vec<ChannelName>,
    limits: &AppLimits,
) -> Result<Publication<'a>, ApiError> {
    let name = query.get("name").ok_or(ApiError::NotAString("name"))?;
    Ok(Publication {
        name: event_name(name, limits)?,
        data: checked_data(EventData::Text(data), limits)?,
        channels,
        except: query.get("socket_id").map(str::parse).transpose()?,
        info: Info::parse(query.get("info"))?,
        idempotency_key: query.get("idempotency_key").map(str::parse).transpose()?,
    })
}

/// Reads the body of `POST /batch_events`: all of it, before anything is published.
///
/// # Errors
/// What is wrong with the first event that is wrong.
pub fn parse_batch<'a>(body: &'a [u8], limits: &AppLimits) -> Result<Vec<Publication<'a>>, ApiError> {
    let wire: BatchWire<'_> = parse_json(body)?;
    let batch = wire.batch.ok_or(ApiError::Missing("batch"))?;
    let (count, limit) = (batch.len(), limits.batch_events);
    if limit < count {
        return Err(ApiError::BatchTooLarge { count, limit });
    }
    batch
        .into_iter()
        .map(|Object(event)| {
            let channel = event.channel.ok_or(ApiError::Missing("channel"))?;
            let channels = vec![channel_name(&text(Some(channel), "channel")?, limits)?];
            event.publication(channels, limits)
        })
        .collect()
}

impl<'a> EventWire<'a> {
    fn publication(&self, channels: Vec<ChannelName>, limits: &AppLimits) -> Result<Publication<'a>, ApiError> {
        let optional = |raw: Option<&'a RawValue>, name| raw.map(|raw| text(Some(raw), name)).transpose();
        let name = event_name(&text(self.name, "name")?, limits)?;
        let data = string(self.data, "data")?;
        let data = checked_data(EventData::Json(data), limits)?;
        let except = optional(self.socket_id, "socket_id")?;
        let info = optional(self.info, "info")?;
        let idempotency_key = optional(self.idempotency_key, "idempotency_key")?;
        Ok(Publication {
            name,
            data,
            channels,
            except: except.as_deref().map(str::parse).transpose()?,
            info: Info::parse(info.as_deref())?,
            idempotency_key: idempotency_key.as_deref().map(str::parse).transpose()?,
        })
    }
}

fn distinct_channels(names: Vec<Cow<'_, str>>, limits: &AppLimits) -> Result<Vec<ChannelName>, ApiError> {
    if names.is_empty() {
        return Err(ApiError::Missing("channels"));
    }
    let (count, limit) = (names.len(), limits.trigger_channels);
    if limit < count {
        return Err(ApiError::TooManyChannels { count, limit });
    }
    let mut seen = HashSet::with_capacity_and_hasher(count, RandomState::new());
    let mut distinct = Vec::with_capacity(count);
    for name in names {
        let channel = channel_name(&name, limits)?;
        if seen.insert(channel.clone()) {
            distinct.push(channel);
        }
    }
    Ok(distinct)
}

fn checked_data<'a>(data: EventData<'a>, limits: &AppLimits) -> Result<EventData<'a>, ApiError> {
    if limits.event_data_bytes < data.len() {
        return Err(ApiError::DataTooLarge(limits.event_data_bytes));
    }
    Ok(data)
}

fn event_name(raw: &str, limits: &AppLimits) -> Result<EventName, ApiError> {
    let name = raw.parse()?;
    limits.check_event_name(&name)?;
    Ok(name)
}

/// Reads an object. An array, which would be read for the members in their order, is none.
fn parse_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    let parsed: Result<Object<T>, _> = serde_json::from_slice(body);
    parsed
        .map(|Object(value)| value)
        .map_err(|error| ApiError::InvalidJson(error.to_string()))
}

/// A parameter that is required and must be a JSON string.
fn string<'a>(raw: Option<&'a RawValue>, name: &'static str) -> Result<JsonString<'a>, ApiError> {
    let raw = raw.ok_or(ApiError::NotAString(name))?;
    JsonString::of_token(raw.get()).map_err(|error| match error {
        StringError::Kind(_) => ApiError::NotAString(name),
        StringError::HalfCharacter { .. } => ApiError::NoText { name, error },
    })
}

/// The text of such a parameter.
fn text<'a>(raw: Option<&'a RawValue>, name: &'static str) -> Result<Cow<'a, str>, ApiError> {
    Ok(string(raw, name)?.decode())
}

/// Reads the name of a channel, wherever it stands in a request.
pub(super) fn channel_name(raw: &str, limits: &AppLimits) -> Result<ChannelName, ApiError> {
    let checked = raw
        .parse()
        .and_then(|name| limits.check_channel_name(&name).map(|()| name));
    checked.map_err(|error| ApiError::ChannelName {
        name: raw.chars().take(200).collect(),
        error,
    })
}

#[cfg(test)]
mod tests;
