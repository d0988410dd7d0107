//! Messages of clients.

use std::fmt;

use proptest::{collection::vec, prelude::*, sample::select};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use vacancy::protocol::{ClientMessage, DecodeError, SubscribeError, SubscribeRequest};

use crate::{
    channel_name,
    runner::{CASES, mutated, noise, run, text},
};

pub const DICTIONARY: &[&str] = &[
    "\"",
    "\\",
    "\\\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "1e999",
    "-0",
    "\\ud800",
    "\\u0065",
    "\"event\":",
    "\"channel\":",
    "\"data\":",
    "\"auth\":",
    "\"channel_data\":",
    "\"user_data\":",
    "\"user_id\":",
    "\"pusher:subscribe\"",
    "\"pusher:unsubscribe\"",
    "\"pusher:signin\"",
    "\"client-x\"",
    "private-",
    "presence-",
    "cache-",
    "#server-to-user-",
    " ",
    "ż",
];

#[test]
fn a_message_is_read_for_what_it_says() {
    let inputs = prop_oneof![
        3 => message().prop_map(String::into_bytes),
        4 => mutated("client_message", DICTIONARY),
        1 => (nested(), message()).prop_map(|(nested, message)| message.replacen("null", &nested, 1).into_bytes()),
        1 => noise(40),
    ];
    run("client_message", CASES, inputs, |input| check(&text(input)));
}

/// Brackets about as deep as is allowed, closed or not.
fn nested() -> impl Strategy<Value = String> {
    (58..70_usize, select(vec!["[", "{\"a\":"]), any::<bool>()).prop_map(|(depth, open, closed)| {
        let close = if open == "[" { "]" } else { "}" };
        let close = if closed { close.repeat(depth) } else { String::new() };
        format!("{}1{close}", open.repeat(depth))
    })
}

/// A message with most of its parts, of most types.
fn message() -> impl Strategy<Value = String> {
    let event = prop_oneof![
        select(vec![
            "pusher:ping",
            "pusher:pong",
            "pusher:subscribe",
            "pusher:unsubscribe",
            "pusher:signin",
            "client-x",
            "client-",
            "x"
        ])
        .prop_map(|name| format!("{name:?}")),
        value(),
    ];
    let field = (
        select(vec!["channel", "auth", "channel_data", "user_data", "other"]),
        value(),
    );
    let object = vec(field, 0..5).prop_map(|fields| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
        format!("{{{}}}", fields.join(","))
    });
    let data = prop_oneof![
        object.clone(),
        object.prop_map(|object| serde_json::to_string(&object).unwrap()),
        value(),
    ];
    let parts = (event, data, value(), "[ \n]{0,2}", 0..40_u8);
    parts.prop_map(|(event, data, channel, space, form)| match form {
        0 => format!("[{event},{channel},{data}]"),
        1 => format!(r#"{{"event":{event},"event":{event},"data":{data}}}"#),
        2..10 => format!(r#"{{"event":{event},"data":{data}}}"#),
        10..20 => format!(r#"{space}{{"data":{data},{space}"event":{event}{space}}}"#),
        _ => format!(r#"{{"event":{event},"channel":{channel},"data":{data}}}"#),
    })
}

fn value() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        4 => "(private-|presence-|cache-|#server-to-user-)?[a-zA-Z0-9@-]{1,6}".prop_map(|text| format!("{text:?}")),
        2 => "\\PC{0,6}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        1 => select(vec!["null", "1", "-1.5e3", "true", "{}", "[]", "\"\"", "\"{}\""]).prop_map(str::to_owned),
    ]
}

/// The members of an object, in order, doubles too.
struct Object(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Object {
    /// The raw value of a member that stands once at most; null is none.
    fn raw(&self, name: &str) -> Result<Option<&str>, DecodeError> {
        let mut found = self
            .0
            .iter()
            .filter(|(other, _)| other == name)
            .map(|(_, value)| value.get());
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(DecodeError::InvalidJson),
            (value, None) => Ok(value.filter(|value| *value != "null")),
        }
    }

    fn string(&self, name: &str) -> Result<Option<String>, DecodeError> {
        let parse = |raw| serde_json::from_str(raw).map_err(|_| DecodeError::InvalidJson);
        self.raw(name)?.map(parse).transpose()
    }
}

/// How many brackets are open at once at most: counts what is left when strings are taken out.
fn depth(json: &str) -> usize {
    let without_escapes = json.replace("\\\\", "").replace("\\\"", "");
    let outside = without_escapes.split('"').step_by(2);
    let mut depth = 0_usize;
    let mut most = 0;
    for c in outside.flat_map(str::chars) {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        most = most.max(depth);
    }
    most
}

/// Reads a message in two steps: its members, then their types. JSON of the wrong form counts as invalid
/// here.
fn reference(json: &str) -> Result<ClientMessage, DecodeError> {
    let object = |json: &str, names: &[&str]| {
        let is_json = serde_json::from_str::<IgnoredAny>(json).is_ok();
        let object = serde_json::from_str::<Object>(json).ok();
        let object = object.filter(|_| is_json && depth(json) <= 64);
        let object = object.ok_or(DecodeError::InvalidJson)?;
        for name in names {
            object.raw(name)?;
        }
        Ok::<_, DecodeError>(object)
    };
    let message = object(json, &["event", "channel", "data"])?;
    let event = message.string("event")?.ok_or(DecodeError::MissingEvent)?;
    let data = message.raw("data")?;
    let inner = |names| match data {
        None => object("{}", names),
        Some(raw) if raw.starts_with('"') => object(&message.string("data")?.unwrap(), names),
        Some(raw) => object(raw, names),
    };
    match &*event {
        "pusher:ping" => Ok(ClientMessage::Ping),
        "pusher:pong" => Ok(ClientMessage::Pong),
        "pusher:subscribe" => {
            let inner = inner(&["channel", "auth", "channel_data"])?;
            let channel = inner.string("channel")?.ok_or(DecodeError::MissingChannel)?.parse()?;
            let filled = |name| Ok::<_, DecodeError>(inner.string(name)?.filter(|text| !text.is_empty()));
            Ok(ClientMessage::Subscribe(SubscribeRequest {
                channel,
                auth: filled("auth")?,
                channel_data: filled("channel_data")?,
            }))
        }
        "pusher:unsubscribe" => {
            let channel = inner(&["channel"])?.string("channel")?;
            Ok(ClientMessage::Unsubscribe(
                channel.ok_or(DecodeError::MissingChannel)?.parse()?,
            ))
        }
        "pusher:signin" => {
            let inner = inner(&["auth", "user_data"])?;
            if inner.raw("auth")?.is_none() || inner.raw("user_data")?.is_none() {
                return Err(DecodeError::IncompleteSignIn);
            }
            Ok(ClientMessage::SignIn {
                auth: inner.string("auth")?.unwrap(),
                user_data: inner.string("user_data")?.unwrap(),
            })
        }
        name if name.starts_with("client-") => {
            let (Some(_), Some(raw)) = (message.raw("channel")?, data) else {
                return Err(DecodeError::IncompleteClientEvent);
            };
            let data = if raw.starts_with('"') {
                message.string("data")?.unwrap()
            } else {
                raw.to_owned()
            };
            Ok(ClientMessage::Event {
                name: name.parse()?,
                channel: message.string("channel")?.unwrap().parse()?,
                data,
            })
        }
        other => Err(DecodeError::UnsupportedEvent(other.chars().take(200).collect())),
    }
}

/// The kind of the error, without its place and channel.
fn class(error: &DecodeError) -> String {
    let is_form = matches!(
        error,
        DecodeError::InvalidJson
            | DecodeError::TooDeep
            | DecodeError::Value(_)
            | DecodeError::Subscribe {
                error: SubscribeError::Value(_),
                ..
            }
    );
    if is_form {
        "the wrong form".to_owned()
    } else {
        error.to_string()
    }
}

fn check(json: &str) {
    let got = ClientMessage::decode(json);
    let want = reference(json);
    let classes = [&got, &want].map(|read| read.as_ref().map_err(class));
    assert_eq!(classes[0], classes[1], "{json}");
    let channel = match &got {
        Ok(ClientMessage::Subscribe(request)) => &request.channel,
        Ok(ClientMessage::Unsubscribe(channel)) => channel,
        Ok(ClientMessage::Event { name, channel, .. }) => {
            assert!(name.as_str().starts_with("client-") && name.as_str().chars().count() <= 1_024);
            channel
        }
        Ok(ClientMessage::Ping | ClientMessage::Pong | ClientMessage::SignIn { .. }) => return,
        Err(error) => {
            assert!(error.to_string().len() < 1_000, "what a client is told is bounded");
            return;
        }
    };
    assert!(channel_name::is_valid(channel.as_str()));
}
