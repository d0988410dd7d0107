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
    protocol::JsonString,
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
        let data = self.data.and_then(|raw| JsonString::of_token(raw.get()));
        let data = data.ok_or(ApiError::NotAString("data"))?;
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

/// The text of a JSON string.
fn text<'a>(raw: Option<&'a RawValue>, name: &'static str) -> Result<Cow<'a, str>, ApiError> {
    let string = raw.and_then(|raw| JsonString::of_token(raw.get()));
    Ok(string.ok_or(ApiError::NotAString(name))?.decode())
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
mod tests {
    use super::*;

    fn print(publication: &Publication) -> String {
        let channels: Vec<&str> = publication.channels.iter().map(ChannelName::as_str).collect();
        let except = publication.except.map(|id| format!(" !{id}")).unwrap_or_default();
        format!(
            "{} {} {}{except}",
            publication.name,
            publication.data.text(),
            channels.join(",")
        )
    }

    #[track_caller]
    fn check(body: &str, want: Result<&str, &str>) {
        let got = parse_trigger(body.as_bytes(), &AppLimits::default());
        let got = got.as_ref().map(print).map_err(ToString::to_string);
        assert_eq!(got, want.map(Into::into).map_err(Into::into), "{body}");
    }

    #[track_caller]
    fn check_batch(body: &str, want: Result<&[&str], &str>) {
        let got = parse_batch(body.as_bytes(), &AppLimits::default());
        let got = got.map(|all| all.iter().map(print).collect::<Vec<_>>());
        let got = got.map_err(|error| error.to_string());
        let want = want.map(|all| all.iter().map(|&text| text.to_owned()).collect());
        assert_eq!(got, want.map_err(Into::into), "{body}");
    }

    #[test]
    fn a_trigger_names_its_channels_in_either_form() {
        check(
            r#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#,
            Ok(r#"foo {"some":"data"} project-3"#),
        );
        check(r#"{"name":"foo","channel":"a","data":"x"}"#, Ok("foo x a"));
        check(r#"{"name":"foo","channels":["a","b","a"],"data":"x"}"#, Ok("foo x a,b"));
        check(
            r#"{"name":"foo","channel":"a","data":"x","socket_id":"1.2","info":"user_count"}"#,
            Ok("foo x a !1.2"),
        );
    }

    #[test]
    fn what_is_missing_or_of_the_wrong_type_is_named() {
        check(
            r#"{"channel":"a","data":"x"}"#,
            Err("Expected name parameter to be a string"),
        );
        check(
            r#"{"name":7,"channel":"a","data":"x"}"#,
            Err("Expected name parameter to be a string"),
        );
        check(
            r#"{"name":"e","channel":"a"}"#,
            Err("Expected data parameter to be a string"),
        );
        check(
            r#"{"name":"e","channel":"a","data":{}}"#,
            Err("Expected data parameter to be a string"),
        );
        check(
            r#"{"name":"e","data":"x"}"#,
            Err("Missing required parameter: channels"),
        );
        check(
            r#"{"name":"e","data":"x","channels":[]}"#,
            Err("Missing required parameter: channels"),
        );
        check(
            r#"{"name":"e","data":"x","channels":[7]}"#,
            Err("Expected channels parameter to be a string"),
        );
        check(
            r#"{"name":"","data":"x","channel":"a"}"#,
            Err("Invalid event name: event name is empty"),
        );
        check(
            r#"{"name":"e","data":"x","channel":"a b"}"#,
            Err(
                "Invalid channel name \"a b\": channel name has forbidden character ' ', allowed are A-Z a-z 0-9 _ - = @ , . and ;",
            ),
        );
        check(
            r#"{"name":"e","data":"x","channel":"a","socket_id":"x"}"#,
            Err("Invalid socket_id: socket id must be two numbers joined by a dot, like 3363.1846347"),
        );
        check(
            r#"{"name":"e","data":"x","channel":"a","info":"cake"}"#,
            Err("info should be a comma separated list of attributes, unknown: cake"),
        );
        assert!(
            parse_trigger(b"{", &AppLimits::default()).is_err_and(|error| matches!(error, ApiError::InvalidJson(_)))
        );
    }

    #[test]
    fn data_of_over_10_kb_and_more_than_100_channels_are_refused() {
        let data = |len: usize| {
            let body = format!(r#"{{"name":"e","channel":"a","data":"{}"}}"#, "x".repeat(len));
            parse_trigger(body.as_bytes(), &AppLimits::default()).map(|publication| publication.data.len())
        };
        assert_eq!(data(10_240).ok(), Some(10_240));
        assert!(matches!(data(10_241), Err(ApiError::DataTooLarge(10_240))));
        let channels = |count: usize| {
            let names: Vec<String> = (0..count).map(|at| format!("\"c{at}\"")).collect();
            let body = format!(r#"{{"name":"e","data":"x","channels":[{}]}}"#, names.join(","));
            parse_trigger(body.as_bytes(), &AppLimits::default()).map(|publication| publication.channels.len())
        };
        assert_eq!(channels(100).ok(), Some(100));
        assert!(matches!(
            channels(101),
            Err(ApiError::TooManyChannels { count: 101, limit: 100 })
        ));
    }

    #[test]
    fn an_array_of_what_an_object_would_have_is_none() {
        let refused = |column: usize| {
            format!(
                "Invalid JSON in the request body: invalid type: sequence, expected an object at line 1 column {column}"
            )
        };
        check(r#"["foo","x","a",null,null,null,null]"#, Err(&refused(0)));
        check_batch(r#"{"batch":[["foo","x","a",null,null,null,null]]}"#, Err(&refused(10)));
        check_batch(r#"[[{"name":"foo","data":"x","channel":"a"}]]"#, Err(&refused(0)));
    }

    #[test]
    fn a_batch_is_read_whole_or_not_at_all() {
        check_batch(
            r#"{"batch":[{"channel":"my-channel","name":"a","data":"{}"},{"channel":"private-x","name":"b","data":"hi","socket_id":"1.2"}]}"#,
            Ok(&["a {} my-channel", "b hi private-x !1.2"]),
        );
        check_batch(r#"{"batch":[]}"#, Ok(&[]));
        check_batch("{}", Err("Missing required parameter: batch"));
        check_batch(
            r#"{"batch":[{"channel":"a","name":"a","data":"x"},{"channels":["a"],"name":"a","data":"x"}]}"#,
            Err("Missing required parameter: channel"),
        );
        let event = r#"{"channel":"a","name":"a","data":"x"}"#;
        let batch = |count: usize| format!(r#"{{"batch":[{}]}}"#, vec![event; count].join(","));
        check_batch(&batch(10), Ok(&["a x a"; 10]));
        check_batch(&batch(11), Err("Batch too large (11 > 10)"));
    }

    #[test]
    fn the_limits_are_the_apps_own() {
        let limits = AppLimits {
            event_data_bytes: 2,
            event_name_chars: 3,
            channel_name_bytes: 4,
            trigger_channels: 1,
            batch_events: 1,
            ..AppLimits::default()
        };
        let refused = |body: &str| match parse_trigger(body.as_bytes(), &limits) {
            Ok(publication) => print(&publication),
            Err(error) => error.to_string(),
        };
        assert_eq!(refused(r#"{"name":"abc","channel":"abcd","data":"xy"}"#), "abc xy abcd");
        assert_eq!(
            refused(r#"{"name":"abcd","channel":"a","data":"x"}"#),
            "Invalid event name: event name is 4 characters, limit is 3"
        );
        assert_eq!(
            refused(r#"{"name":"a","channel":"abcde","data":"x"}"#),
            "Invalid channel name \"abcde\": channel name is 5 bytes, limit is 4"
        );
        assert_eq!(
            refused(r#"{"name":"a","channels":["a","b"],"data":"x"}"#),
            "Too many channels (2 > 1)"
        );
        assert!(refused(r#"{"name":"a","channel":"a","data":"xyz"}"#).contains("(2 bytes)"));
        let batch = r#"{"batch":[{"channel":"a","name":"a","data":"x"},{"channel":"a","name":"a","data":"x"}]}"#;
        let error = parse_batch(batch.as_bytes(), &limits).expect_err("too large");
        assert_eq!(error.to_string(), "Batch too large (2 > 1)");
    }

    #[test]
    fn a_trigger_may_stand_in_the_query() {
        let limits = AppLimits::default();
        let read = |raw: &str| {
            let query = Query::parse(raw).expect("UTF-8");
            match trigger_from_query(&query, &limits) {
                Ok(publication) => print(&publication),
                Err(error) => error.to_string(),
            }
        };
        assert_eq!(
            read("name=foo&data=%7B%7D&channels[]=a&channels[]=b&socket_id=1.2"),
            "foo {} a,b !1.2"
        );
        assert_eq!(read("name=foo&data=x&channel=a"), "foo x a");
        assert_eq!(read("name=foo&channel=a"), "Expected data parameter to be a string");
        assert_eq!(read("data=x&channel=a"), "Expected name parameter to be a string");
        assert_eq!(read("name=foo&data=x"), "Missing required parameter: channels");
    }

    #[test]
    fn an_idempotency_key_is_kept_with_its_event() {
        let body = r#"{"name":"a","channel":"a","data":"x","idempotency_key":"order-7"}"#;
        let publication = parse_trigger(body.as_bytes(), &AppLimits::default()).expect("valid");
        assert_eq!(publication.idempotency_key, "order-7".parse().ok());
        check(
            r#"{"name":"a","channel":"a","data":"x","idempotency_key":7}"#,
            Err("Expected idempotency_key parameter to be a string"),
        );
    }
}
