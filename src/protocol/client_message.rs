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
        if nests_deeper_than(text, JSON_DEPTH_MAX) {
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
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<ClientMessage, DecodeError>) {
        assert_eq!(ClientMessage::decode(text), want, "{text}");
    }

    fn subscribe(channel: &str, auth: Option<&str>, channel_data: Option<&str>) -> ClientMessage {
        ClientMessage::Subscribe(SubscribeRequest {
            channel: channel.parse().expect("valid"),
            auth: auth.map(Into::into),
            channel_data: channel_data.map(Into::into),
        })
    }

    fn event(name: &str, channel: &str, data: &str) -> ClientMessage {
        ClientMessage::Event {
            name: name.parse().expect("valid"),
            channel: channel.parse().expect("valid"),
            data: data.into(),
        }
    }

    #[test]
    fn a_ping_is_read_in_every_form_that_clients_send() {
        check(r#"{"event":"pusher:ping","data":{}}"#, Ok(ClientMessage::Ping));
        check(r#"{"event": "pusher:ping"}"#, Ok(ClientMessage::Ping));
        check(r#"{"event":"pusher:ping","data":""}"#, Ok(ClientMessage::Ping));
        check(r#"{"event":"pusher:ping","data":null}"#, Ok(ClientMessage::Ping));
        check(r#"{"event":"pusher:pong","data":{}}"#, Ok(ClientMessage::Pong));
        check(r#"{"event":"pusher:pong","data":""}"#, Ok(ClientMessage::Pong));
    }

    #[test]
    fn absent_null_and_empty_auth_are_alike() {
        let plain = || Ok(subscribe("my-channel", None, None));
        check(
            r#"{"event":"pusher:subscribe","data":{"channel":"my-channel"}}"#,
            plain(),
        );
        check(
            r#"{"event":"pusher:subscribe","data":{"auth":"","channel":"my-channel"}}"#,
            plain(),
        );
        check(
            r#"{"event":"pusher:subscribe","data":{"auth":null,"channel_data":null,"channel":"my-channel"}}"#,
            plain(),
        );
        check(
            r#"{"event":"pusher:subscribe","data":{"auth":"","channel_data":"","channel":"my-channel"}}"#,
            plain(),
        );
    }

    #[test]
    fn channel_data_is_kept_byte_for_byte() {
        check(
            r#"{"event":"pusher:subscribe","data":{"auth":"KEY:SIG","channel_data":"{\"user_id\": \"7\"}","channel":"presence-x"}}"#,
            Ok(subscribe("presence-x", Some("KEY:SIG"), Some(r#"{"user_id": "7"}"#))),
        );
    }

    #[test]
    fn the_data_of_a_subscribe_may_be_a_string_that_holds_the_object() {
        check(
            r#"{"event":"pusher:subscribe","data":"{\"channel\":\"news\"}"}"#,
            Ok(subscribe("news", None, None)),
        );
        check(
            r#"{"event":"pusher:unsubscribe","data":"{\"channel\":\"news\"}"}"#,
            Ok(ClientMessage::Unsubscribe("news".parse().expect("valid"))),
        );
    }

    #[test]
    fn an_unsubscribe_names_its_channel() {
        check(
            r#"{"event":"pusher:unsubscribe","data":{"channel":"presence-x"}}"#,
            Ok(ClientMessage::Unsubscribe("presence-x".parse().expect("valid"))),
        );
        check(
            r#"{"event":"pusher:unsubscribe","data":{}}"#,
            Err(DecodeError::MissingChannel),
        );
        check(r#"{"event":"pusher:unsubscribe"}"#, Err(DecodeError::MissingChannel));
    }

    #[test]
    fn a_forbidden_channel_name_is_named() {
        check(
            r#"{"event":"pusher:subscribe","data":{"channel":"a b"}}"#,
            Err(DecodeError::ChannelName(ChannelNameError::Forbidden(' '))),
        );
        check(
            r#"{"event":"pusher:subscribe","data":{"channel":""}}"#,
            Err(DecodeError::ChannelName(ChannelNameError::Empty)),
        );
    }

    #[test]
    fn the_data_of_a_client_event_is_a_string_or_the_senders_own_json() {
        check(
            r#"{"event":"client-typing","data":{"on":true},"channel":"private-x"}"#,
            Ok(event("client-typing", "private-x", r#"{"on":true}"#)),
        );
        check(
            r#"{"event":"client-typing","data":"{\"on\":true}","channel":"private-x"}"#,
            Ok(event("client-typing", "private-x", r#"{"on":true}"#)),
        );
        check(
            r#"{"event":"client-n","data":[1, 2.0],"channel":"private-x","user_id":"forged"}"#,
            Ok(event("client-n", "private-x", "[1, 2.0]")),
        );
    }

    #[test]
    fn a_client_event_needs_channel_and_data() {
        for text in [
            r#"{"event":"client-x","data":{}}"#,
            r#"{"event":"client-x","channel":"private-x"}"#,
            r#"{"event":"client-x","channel":"private-x","data":null}"#,
        ] {
            check(text, Err(DecodeError::IncompleteClientEvent));
        }
        check(
            &format!(
                r#"{{"event":"client-{}","channel":"private-x","data":1}}"#,
                "x".repeat(200)
            ),
            Err(DecodeError::EventName(EventNameError::TooLong {
                len: 1_207,
                limit: 1_024,
            })),
        );
    }

    #[test]
    fn a_sign_in_keeps_its_user_data_byte_for_byte() {
        let sign_in = || {
            Ok(ClientMessage::SignIn {
                auth: "KEY:SIG".into(),
                user_data: r#"{"id": "7"}"#.into(),
            })
        };
        check(
            r#"{"event":"pusher:signin","data":{"auth":"KEY:SIG","user_data":"{\"id\": \"7\"}"}}"#,
            sign_in(),
        );
        check(
            r#"{"event":"pusher:signin","data":"{\"auth\":\"KEY:SIG\",\"user_data\":\"{\\\"id\\\": \\\"7\\\"}\"}"}"#,
            sign_in(),
        );
        check(r#"{"event":"pusher:signin"}"#, Err(DecodeError::IncompleteSignIn));
        check(
            r#"{"event":"pusher:signin","data":{"auth":"KEY:SIG"}}"#,
            Err(DecodeError::IncompleteSignIn),
        );
        check(
            r#"{"event":"pusher:signin","data":["a","b"]}"#,
            Err(DecodeError::InvalidJson),
        );
    }

    #[test]
    fn an_unknown_event_is_named_but_not_in_full_length() {
        check(
            r#"{"event":"example_event","data":{}}"#,
            Err(DecodeError::UnsupportedEvent("example_event".into())),
        );
        check(
            &format!(r#"{{"event":"{}"}}"#, "e".repeat(1_000)),
            Err(DecodeError::UnsupportedEvent("e".repeat(200))),
        );
        assert_eq!(
            DecodeError::UnsupportedEvent("x".into()).to_string(),
            "Unsupported event received on socket: 'x'"
        );
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        for text in [
            "",
            "hello",
            "[1]",
            "\"x\"",
            "{",
            r#"{"event":7}"#,
            r#"{"event":"pusher:subscribe","data":[]}x"#,
            r#"{"event":"pusher:subscribe","data":7}"#,
            r#"{"event":"pusher:subscribe","data":"no json"}"#,
            r#"{"event":"pusher:subscribe","data":{"channel":7}}"#,
            r#"{"event":"client-x","channel":"private-x","data":"\ud800"}"#,
        ] {
            check(text, Err(DecodeError::InvalidJson));
        }
        check("{}", Err(DecodeError::MissingEvent));
        check(r#"{"event":null}"#, Err(DecodeError::MissingEvent));
    }

    #[test]
    fn json_nested_deeper_than_64_levels_is_malformed() {
        let nested = |levels: usize| {
            format!(
                r#"{{"event":"client-x","channel":"private-x","data":{}{}}}"#,
                "[".repeat(levels),
                "]".repeat(levels)
            )
        };
        assert!(ClientMessage::decode(&nested(63)).is_ok());
        check(&nested(64), Err(DecodeError::InvalidJson));
        check(&"[".repeat(30_000), Err(DecodeError::InvalidJson));
    }

    #[test]
    fn brackets_in_strings_and_closed_ones_do_not_count_as_depth() {
        assert!(!nests_deeper_than(r#"["[[[\"[[[",[],[],{}]"#, 2));
        assert!(nests_deeper_than(r#"["\\",[[]]]"#, 2));
        assert!(!nests_deeper_than("]]][", 1));
        let inner = format!(
            r#"{{"event":"pusher:subscribe","data":"{{\"channel\":\"a\",\"x\":{}{}}}"}}"#,
            "[".repeat(64),
            "]".repeat(64)
        );
        check(&inner, Err(DecodeError::InvalidJson));
    }
}
