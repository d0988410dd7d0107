//! What a client sends: one JSON object a text frame (PROTOCOL.md sections 1.5, 2.3 and 3).

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    error::SubscribeError,
    json_value::{JsonKind, ObjectError, ValueError, members, string, string_or},
};
use crate::domain::{
    ChannelName, ChannelNameError, EventName, EventNameError,
    limits::{CHANNEL_NAME_BYTES_CEILING, CHANNEL_NAME_ECHO_BYTES_MAX, JSON_DEPTH_MAX},
};

/// How errors name what the data of a message must be.
const OBJECT: &str = "an object, or a string that holds one";
/// How errors name what its fields that hold JSON must be.
const JSON_TEXT: &str = "a string that holds JSON";

/// A message of a client.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// `pusher:ping`, to be answered with a pong.
    Ping,
    /// `pusher:pong`, the answer to our ping.
    Pong,
    /// `pusher:subscribe`.
    Subscribe(SubscribeRequest),
    /// `pusher:unsubscribe`.
    Unsubscribe(ChannelName),
    /// `pusher:signin`.
    SignIn {
        /// The `auth` string.
        auth: String,
        /// The `user_data` exactly as it came.
        user_data: String,
    },
    /// A `client-` event for the other subscribers of a channel.
    Event {
        /// Its name, with the prefix `client-`.
        name: EventName,
        /// Where it goes.
        channel: ChannelName,
        /// Its data: a string as it came, anything else as its JSON text.
        data: String,
    },
}

/// What a client asks for with `pusher:subscribe`.
#[derive(Debug, PartialEq, Eq)]
pub struct SubscribeRequest {
    /// The channel.
    pub channel: ChannelName,
    /// The `auth` string, when there is one and it is not empty.
    pub auth: Option<String>,
    /// The `channel_data` exactly as it came, when there is some and it is not empty.
    pub channel_data: Option<String>,
}

/// Why a text is no message. Its text is what the client is told; the connection stays open.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The text is not valid JSON.
    #[error("Received invalid JSON")]
    InvalidJson,
    /// The message is too long to be read.
    #[error("Message is {len} bytes, limit is {limit}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The longest message that is read.
        limit: usize,
    },
    /// The text is nested too deeply.
    #[error("Received invalid JSON: nested deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
    /// A field is not what it must be.
    #[error("{0}")]
    Value(#[from] ValueError),
    /// The message has no `event`.
    #[error("Message must contain an event")]
    MissingEvent,
    /// The event is none that clients may send.
    #[error("Unsupported event received on socket: '{0}'")]
    UnsupportedEvent(String),
    /// A subscribe or unsubscribe names no channel.
    #[error("Message must contain a channel")]
    MissingChannel,
    /// The name of a channel is not allowed.
    #[error("Invalid channel name: {0}")]
    ChannelName(#[from] ChannelNameError),
    /// A subscribe that names a channel is invalid.
    #[error("{error}")]
    Subscribe {
        /// The channel as the client wrote it.
        channel: String,
        /// What is wrong.
        error: SubscribeError,
    },
    /// A sign-in lacks its `auth` or its `user_data`.
    #[error("Invalid signin (must contain auth and user_data)")]
    IncompleteSignIn,
    /// A client event lacks its channel or its data.
    #[error("Invalid client event (must contain channel and data)")]
    IncompleteClientEvent,
    /// The name of a client event is not allowed.
    #[error("Invalid client event: {0}")]
    EventName(#[from] EventNameError),
}

impl DecodeError {
    /// The configuration key that sets the limit, if one does.
    #[must_use]
    pub const fn setting(&self) -> Option<&'static str> {
        match self {
            Self::TooLong { .. } => Some("limits.event_data"),
            Self::ChannelName(ChannelNameError::TooLong { .. }) => Some("limits.channel_name"),
            Self::EventName(EventNameError::TooLong { .. }) => Some("limits.event_name"),
            Self::Subscribe { error, .. } => error.setting(),
            Self::ChannelName(ChannelNameError::Empty | ChannelNameError::Forbidden(_))
            | Self::EventName(EventNameError::Empty)
            | Self::InvalidJson
            | Self::TooDeep
            | Self::Value(_)
            | Self::MissingEvent
            | Self::UnsupportedEvent(_)
            | Self::MissingChannel
            | Self::IncompleteSignIn
            | Self::IncompleteClientEvent => None,
        }
    }

    /// The code in the `pusher:error`. A message that is too long is most often a client event, and gets its
    /// code.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::TooLong { .. } => Some(4301),
            Self::InvalidJson
            | Self::TooDeep
            | Self::Value(_)
            | Self::MissingEvent
            | Self::UnsupportedEvent(_)
            | Self::MissingChannel
            | Self::ChannelName(_)
            | Self::Subscribe { .. }
            | Self::IncompleteSignIn
            | Self::IncompleteClientEvent
            | Self::EventName(_) => None,
        }
    }
}

/// The fields of every message, as they came.
struct Wire<'a> {
    channel: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
}

impl ClientMessage {
    /// Reads a message from the text of a frame.
    ///
    /// # Errors
    /// What was wrong, as the client is told.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        if nests_deeper_than(text, JSON_DEPTH_MAX) {
            return Err(DecodeError::TooDeep);
        }
        let [event, channel, data] = members(text, ["event", "channel", "data"]).map_err(message_error)?;
        let event = string("event", event.ok_or(DecodeError::MissingEvent)?)?;
        let wire = Wire { channel, data };
        match &*event {
            "pusher:ping" => Ok(Self::Ping),
            "pusher:pong" => Ok(Self::Pong),
            "pusher:subscribe" => wire.subscribe().map(Self::Subscribe),
            "pusher:unsubscribe" => wire.unsubscribe(),
            "pusher:signin" => wire.sign_in(),
            name if name.starts_with("client-") => wire.client_event(name),
            other => Err(DecodeError::UnsupportedEvent(clipped(other))),
        }
    }
}

impl Wire<'_> {
    /// The text of the object in `data`, which may stand in a string.
    fn object(&self) -> Result<Cow<'_, str>, DecodeError> {
        let Some(data) = self.data else {
            return Ok(Cow::Borrowed("{}"));
        };
        let unquoted = match JsonKind::of(data.get()) {
            JsonKind::Object => return Ok(Cow::Borrowed(data.get())),
            JsonKind::String => string("data", data)?,
            got @ (JsonKind::Array | JsonKind::Number | JsonKind::Boolean | JsonKind::Null) => {
                return Err(kind("data", OBJECT, got).into());
            }
        };
        if nests_deeper_than(&unquoted, JSON_DEPTH_MAX) {
            return Err(DecodeError::TooDeep);
        }
        Ok(unquoted)
    }

    fn sign_in(&self) -> Result<ClientMessage, DecodeError> {
        let object = self.object()?;
        let [auth, user_data] = data_members(&object, ["auth", "user_data"])?;
        let (Some(auth), Some(user_data)) = (auth, user_data) else {
            return Err(DecodeError::IncompleteSignIn);
        };
        Ok(ClientMessage::SignIn {
            auth: string("data.auth", auth)?.into_owned(),
            user_data: string_or("data.user_data", JSON_TEXT, user_data)?.into_owned(),
        })
    }

    fn subscribe(&self) -> Result<SubscribeRequest, DecodeError> {
        let object = self.object()?;
        let [channel, auth, channel_data] = data_members(&object, ["channel", "auth", "channel_data"])?;
        let name = string("data.channel", channel.ok_or(DecodeError::MissingChannel)?)?;
        if CHANNEL_NAME_ECHO_BYTES_MAX < name.len() {
            let (len, limit) = (name.len(), CHANNEL_NAME_BYTES_CEILING);
            return Err(ChannelNameError::TooLong { len, limit }.into());
        }
        let request = || {
            Ok(SubscribeRequest {
                channel: name.parse()?,
                auth: filled(auth, |raw| string("data.auth", raw))?,
                channel_data: filled(channel_data, |raw| string_or("data.channel_data", JSON_TEXT, raw))?,
            })
        };
        request().map_err(|error| DecodeError::Subscribe {
            channel: name.clone().into_owned(),
            error,
        })
    }

    fn unsubscribe(&self) -> Result<ClientMessage, DecodeError> {
        let object = self.object()?;
        let [channel] = data_members(&object, ["channel"])?;
        let name = string("data.channel", channel.ok_or(DecodeError::MissingChannel)?)?;
        Ok(ClientMessage::Unsubscribe(name.parse()?))
    }

    fn client_event(&self, name: &str) -> Result<ClientMessage, DecodeError> {
        let (Some(channel), Some(data)) = (self.channel, self.data) else {
            return Err(DecodeError::IncompleteClientEvent);
        };
        let raw = data.get();
        let data = if raw.starts_with('"') {
            string("data", data)?.into_owned()
        } else {
            raw.to_owned()
        };
        Ok(ClientMessage::Event {
            name: name.parse()?,
            channel: string("channel", channel)?.parse()?,
            data,
        })
    }
}

const fn kind(field: &'static str, must: &'static str, got: JsonKind) -> ValueError {
    ValueError::Kind { field, must, got }
}

/// The error for a text whose fields could not be read.
fn message_error(error: ObjectError) -> DecodeError {
    match error {
        ObjectError::NoJson(_) => DecodeError::InvalidJson,
        ObjectError::Kind(got) => kind("Message", "an object", got).into(),
        ObjectError::Twice(name) => ValueError::Twice(name).into(),
    }
}

/// The fields of `data`.
fn data_members<'a, const N: usize>(
    object: &'a str,
    names: [&'static str; N],
) -> Result<[Option<&'a RawValue>; N], ValueError> {
    members(object, names).map_err(|error| ValueError::Object {
        field: "data",
        must: OBJECT,
        error,
    })
}

/// The text of a field, unless it is absent or empty.
fn filled<'a>(
    raw: Option<&'a RawValue>,
    read: impl FnOnce(&'a RawValue) -> Result<Cow<'a, str>, ValueError>,
) -> Result<Option<String>, ValueError> {
    let text = raw.map(read).transpose()?;
    Ok(text.filter(|text| !text.is_empty()).map(Cow::into_owned))
}

/// Tells whether a JSON text opens more than `depth_max` brackets at once.
///
/// Raw values are skipped without recursion, so this is what bounds the depth of what is passed on.
fn nests_deeper_than(json: &str, depth_max: usize) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in json.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth_max < depth {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The first 200 characters of what a client sent: enough to recognise it, too little to abuse.
fn clipped(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
