//! What a client sends: one JSON object a text frame (PROTOCOL.md sections 1.5, 2.3 and 3).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::{ChannelName, ChannelNameError, EventName, EventNameError, limits::JSON_DEPTH_MAX};

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
    /// The text is no JSON object of the expected form, or is nested too deep.
    #[error("Received invalid JSON")]
    InvalidJson,
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

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct SubscribeWire<'a> {
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow)]
    auth: Option<Cow<'a, str>>,
    #[serde(borrow)]
    channel_data: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct SignInWire<'a> {
    #[serde(borrow)]
    auth: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_data: Option<Cow<'a, str>>,
}

impl ClientMessage {
    /// Reads a message from the text of a frame.
    ///
    /// # Errors
    /// What was wrong, as the client is told.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        // An array would be read for the members of the object, in their order.
        if nests_deeper_than(text, JSON_DEPTH_MAX) || !text.trim_start().starts_with('{') {
            return Err(DecodeError::InvalidJson);
        }
        let wire: Wire<'_> = serde_json::from_str(text).map_err(|_| DecodeError::InvalidJson)?;
        let event = wire.event.as_deref().ok_or(DecodeError::MissingEvent)?;
        match event {
            "pusher:ping" => Ok(Self::Ping),
            "pusher:pong" => Ok(Self::Pong),
            "pusher:subscribe" => wire.subscribe().map(Self::Subscribe),
            "pusher:unsubscribe" => wire.subscribe().map(|request| Self::Unsubscribe(request.channel)),
            "pusher:signin" => wire.sign_in(),
            name if name.starts_with("client-") => wire.client_event(name),
            other => Err(DecodeError::UnsupportedEvent(clipped(other))),
        }
    }
}

impl Wire<'_> {
    /// The text of the object in `data`, which may stand in a string.
    fn object(&self) -> Result<Cow<'_, str>, DecodeError> {
        let raw = self.data.map_or("{}", RawValue::get);
        let object = if raw.starts_with('"') {
            let unquoted: String = serde_json::from_str(raw).map_err(|_| DecodeError::InvalidJson)?;
            if nests_deeper_than(&unquoted, JSON_DEPTH_MAX) {
                return Err(DecodeError::InvalidJson);
            }
            Cow::Owned(unquoted)
        } else {
            Cow::Borrowed(raw)
        };
        if object.trim_start().starts_with('{') {
            Ok(object)
        } else {
            Err(DecodeError::InvalidJson)
        }
    }

    fn sign_in(&self) -> Result<ClientMessage, DecodeError> {
        let object = self.object()?;
        let data: SignInWire<'_> = serde_json::from_str(&object).map_err(|_| DecodeError::InvalidJson)?;
        match (data.auth, data.user_data) {
            (Some(auth), Some(user_data)) => Ok(ClientMessage::SignIn {
                auth: auth.into_owned(),
                user_data: user_data.into_owned(),
            }),
            (None, _) | (_, None) => Err(DecodeError::IncompleteSignIn),
        }
    }

    /// Reads the `data` of a (un)subscribe.
    fn subscribe(&self) -> Result<SubscribeRequest, DecodeError> {
        let object = self.object()?;
        let data: SubscribeWire<'_> = serde_json::from_str(&object).map_err(|_| DecodeError::InvalidJson)?;
        let channel = data.channel.ok_or(DecodeError::MissingChannel)?;
        let filled = |text: Option<Cow<'_, str>>| text.filter(|text| !text.is_empty()).map(Cow::into_owned);
        Ok(SubscribeRequest {
            channel: channel.parse()?,
            auth: filled(data.auth),
            channel_data: filled(data.channel_data),
        })
    }

    fn client_event(&self, name: &str) -> Result<ClientMessage, DecodeError> {
        let (Some(channel), Some(data)) = (&self.channel, self.data) else {
            return Err(DecodeError::IncompleteClientEvent);
        };
        let raw = data.get();
        let data = if raw.starts_with('"') {
            serde_json::from_str(raw).map_err(|_| DecodeError::InvalidJson)?
        } else {
            raw.to_owned()
        };
        Ok(ClientMessage::Event {
            name: name.parse()?,
            channel: channel.parse()?,
            data,
        })
    }
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
