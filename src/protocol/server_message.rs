//! What a client is sent: one JSON object a text frame, compact, `data` as a string except in
//! `pusher:error` (PROTOCOL.md sections 0 and 11).

use bytes::Bytes;

use super::{ProtocolError, frame};
use crate::domain::{ChannelName, Member, SocketId, UserId};

/// A message to a client.
#[derive(Debug)]
pub enum ServerMessage<'a> {
    /// The first message of every connection.
    ConnectionEstablished {
        /// The id of the connection.
        socket_id: SocketId,
        /// Silence after which the client is to ping, in seconds; never 0.
        activity_timeout_s: u64,
    },
    /// Asks for a sign of life, for clients whose transport has no control frames.
    Ping,
    /// The answer to a `pusher:ping`.
    Pong,
    /// Tells of something that was refused.
    Error {
        /// Its code; null while the connection stays open, except 4301.
        code: Option<u16>,
        /// What was wrong.
        message: &'a str,
    },
    /// Confirms a subscription.
    SubscriptionSucceeded {
        /// The channel.
        channel: &'a ChannelName,
        /// Who is there, the newcomer included; only on presence channels.
        members: Option<&'a [&'a Member]>,
    },
    /// Refuses a subscription, for client code that binds this event on the channel.
    SubscriptionError {
        /// The channel.
        channel: &'a ChannelName,
        /// The class of the refusal.
        kind: SubscriptionErrorType,
        /// What was wrong.
        error: &'a str,
    },
    /// A user joined a presence channel with a first connection.
    MemberAdded {
        /// The channel.
        channel: &'a ChannelName,
        /// Who joined.
        member: &'a Member,
    },
    /// The last connection of a user left a presence channel.
    MemberRemoved {
        /// The channel.
        channel: &'a ChannelName,
        /// Who left.
        user_id: &'a UserId,
    },
    /// An event of a publisher or of another client.
    Event {
        /// Its name.
        name: &'a str,
        /// The channel.
        channel: &'a ChannelName,
        /// Its data, as the publisher sent it.
        data: &'a str,
        /// The sender, for client events on presence channels.
        user_id: Option<&'a UserId>,
    },
}

/// The class of a refused subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionErrorType {
    /// The signature, or what was signed, does not hold: status 401.
    AuthError,
}

impl<'a> ServerMessage<'a> {
    /// The message that tells of a refusal; `text` is its [`ToString`] form.
    #[must_use]
    pub fn refusal(error: &ProtocolError, text: &'a str) -> Self {
        ServerMessage::Error {
            code: error.code(),
            message: text,
        }
    }

    /// The WebSocket frame of the message, ready to be written to any number of sockets.
    #[must_use]
    pub fn to_frame(&self) -> Bytes {
        frame::encode_text(self.encode().as_bytes())
    }

    /// The JSON text of the message.
    #[must_use]
    pub fn encode(&self) -> String {
        match self {
            Self::ConnectionEstablished {
                socket_id,
                activity_timeout_s,
            } => envelope(
                "pusher:connection_established",
                &format!(r#"{{"socket_id":"{socket_id}","activity_timeout":{activity_timeout_s}}}"#),
                None,
                None,
            ),
            Self::Ping => envelope("pusher:ping", "{}", None, None),
            Self::Pong => envelope("pusher:pong", "{}", None, None),
            Self::Error { code, message } => {
                let code = code.map_or_else(|| "null".to_owned(), |code| code.to_string());
                let mut json = format!(r#"{{"event":"pusher:error","data":{{"code":{code},"message":"#);
                push_string(&mut json, message);
                json.push_str("}}");
                json
            }
            Self::SubscriptionSucceeded { channel, members } => envelope(
                "pusher_internal:subscription_succeeded",
                &members.map_or_else(|| "{}".to_owned(), presence),
                Some(channel),
                None,
            ),
            Self::SubscriptionError {
                channel,
                kind: SubscriptionErrorType::AuthError,
                error,
            } => {
                let mut data = r#"{"type":"AuthError","error":"#.to_owned();
                push_string(&mut data, error);
                data.push_str(r#","status":401}"#);
                envelope("pusher:subscription_error", &data, Some(channel), None)
            }
            Self::MemberAdded { channel, member } => {
                let mut data = r#"{"user_id":"#.to_owned();
                push_string(&mut data, member.user_id().as_str());
                if let Some(info) = member.user_info() {
                    data.push_str(r#","user_info":"#);
                    data.push_str(info);
                }
                data.push('}');
                envelope("pusher_internal:member_added", &data, Some(channel), None)
            }
            Self::MemberRemoved { channel, user_id } => {
                let mut data = r#"{"user_id":"#.to_owned();
                push_string(&mut data, user_id.as_str());
                data.push('}');
                envelope("pusher_internal:member_removed", &data, Some(channel), None)
            }
            Self::Event {
                name,
                channel,
                data,
                user_id,
            } => envelope(name, data, Some(channel), *user_id),
        }
    }
}

/// `{"event":…,"data":"…","channel":…,"user_id":…}`, the last two where they are given.
fn envelope(event: &str, data: &str, channel: Option<&ChannelName>, user_id: Option<&UserId>) -> String {
    let mut json = String::with_capacity(64 + event.len() + data.len() + data.len() / 8);
    json.push_str(r#"{"event":"#);
    push_string(&mut json, event);
    json.push_str(r#","data":"#);
    push_string(&mut json, data);
    if let Some(channel) = channel {
        json.push_str(r#","channel":"#);
        push_string(&mut json, channel.as_str());
    }
    if let Some(user_id) = user_id {
        json.push_str(r#","user_id":"#);
        push_string(&mut json, user_id.as_str());
    }
    json.push('}');
    json
}

/// The `data` of a presence confirmation: `{"presence":{"count":…,"ids":[…],"hash":{…}}}`.
fn presence(members: &[&Member]) -> String {
    let mut json = format!(r#"{{"presence":{{"count":{},"ids":["#, members.len());
    for (at, member) in members.iter().enumerate() {
        if 0 < at {
            json.push(',');
        }
        push_string(&mut json, member.user_id().as_str());
    }
    json.push_str(r#"],"hash":{"#);
    for (at, member) in members.iter().enumerate() {
        if 0 < at {
            json.push(',');
        }
        push_string(&mut json, member.user_id().as_str());
        json.push(':');
        json.push_str(member.user_info().unwrap_or("null"));
    }
    json.push_str("}}}");
    json
}

/// Appends `text` as a JSON string.
fn push_string(json: &mut String, text: &str) {
    let quoted = serde_json::to_string(text).expect("a str is always serialisable");
    json.push_str(&quoted);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &ServerMessage<'_>, want: &str) {
        assert_eq!(message.encode(), want);
        let value: serde_json::Value = serde_json::from_str(want).expect("valid JSON");
        assert!(value.is_object());
        assert!(message.to_frame().ends_with(want.as_bytes()));
    }

    fn channel(raw: &str) -> ChannelName {
        raw.parse().expect("valid")
    }

    fn member(id: &str, info: Option<&str>) -> Member {
        Member::new(id.parse().expect("valid"), info).expect("valid")
    }

    #[test]
    fn the_handshake_is_the_documented_frame() {
        check(
            &ServerMessage::ConnectionEstablished {
                socket_id: "3363.1846347".parse().expect("valid"),
                activity_timeout_s: 120,
            },
            r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"3363.1846347\",\"activity_timeout\":120}"}"#,
        );
    }

    #[test]
    fn pings_and_pongs_carry_an_empty_object_as_string() {
        check(&ServerMessage::Pong, r#"{"event":"pusher:pong","data":"{}"}"#);
        check(&ServerMessage::Ping, r#"{"event":"pusher:ping","data":"{}"}"#);
    }

    #[test]
    fn the_data_of_an_error_is_an_object() {
        let name = channel("my-channel");
        let error = ProtocolError::AlreadySubscribed(name);
        check(
            &ServerMessage::refusal(&error, &error.to_string()),
            r#"{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel my-channel"}}"#,
        );
        check(
            &ServerMessage::Error {
                code: Some(4301),
                message: "a \"quoted\" text",
            },
            r#"{"event":"pusher:error","data":{"code":4301,"message":"a \"quoted\" text"}}"#,
        );
    }

    #[test]
    fn a_confirmation_without_presence_carries_exactly_two_braces() {
        check(
            &ServerMessage::SubscriptionSucceeded {
                channel: &channel("my-channel"),
                members: None,
            },
            r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"my-channel"}"#,
        );
    }

    #[test]
    fn a_presence_confirmation_lists_every_member_with_its_info_or_null() {
        let [a, b] = [member("1", Some(r#"{"name":"A"}"#)), member("2", None)];
        check(
            &ServerMessage::SubscriptionSucceeded {
                channel: &channel("presence-x"),
                members: Some(&[&a, &b]),
            },
            r#"{"event":"pusher_internal:subscription_succeeded","data":"{\"presence\":{\"count\":2,\"ids\":[\"1\",\"2\"],\"hash\":{\"1\":{\"name\":\"A\"},\"2\":null}}}","channel":"presence-x"}"#,
        );
    }

    #[test]
    fn a_refused_subscription_is_told_on_its_channel() {
        check(
            &ServerMessage::SubscriptionError {
                channel: &channel("private-x"),
                kind: SubscriptionErrorType::AuthError,
                error: "no",
            },
            r#"{"event":"pusher:subscription_error","data":"{\"type\":\"AuthError\",\"error\":\"no\",\"status\":401}","channel":"private-x"}"#,
        );
    }

    #[test]
    fn member_events_name_the_user_and_leave_out_what_is_not_known() {
        let x = channel("presence-x");
        check(
            &ServerMessage::MemberAdded {
                channel: &x,
                member: &member("8", Some(r#"{"name":"B"}"#)),
            },
            r#"{"event":"pusher_internal:member_added","data":"{\"user_id\":\"8\",\"user_info\":{\"name\":\"B\"}}","channel":"presence-x"}"#,
        );
        check(
            &ServerMessage::MemberAdded {
                channel: &x,
                member: &member("8", None),
            },
            r#"{"event":"pusher_internal:member_added","data":"{\"user_id\":\"8\"}","channel":"presence-x"}"#,
        );
        check(
            &ServerMessage::MemberRemoved {
                channel: &x,
                user_id: &"8".parse().expect("valid"),
            },
            r#"{"event":"pusher_internal:member_removed","data":"{\"user_id\":\"8\"}","channel":"presence-x"}"#,
        );
    }

    #[test]
    fn an_event_keeps_its_data_and_names_a_sender_only_if_there_is_one() {
        let x = channel("presence-x");
        check(
            &ServerMessage::Event {
                name: "my-event",
                channel: &x,
                data: r#"{"hello":"world"}"#,
                user_id: None,
            },
            r#"{"event":"my-event","data":"{\"hello\":\"world\"}","channel":"presence-x"}"#,
        );
        check(
            &ServerMessage::Event {
                name: "client-typing",
                channel: &x,
                data: "line\nbreak",
                user_id: Some(&"7".parse().expect("valid")),
            },
            r#"{"event":"client-typing","data":"line\nbreak","channel":"presence-x","user_id":"7"}"#,
        );
    }
}
