//! What a client is sent: one JSON object a text frame, compact, `data` as a string except in
//! `pusher:error` (PROTOCOL.md sections 0 and 11).

use bytes::Bytes;

use super::{JsonString, ProtocolError, frame};
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
        /// The channel as the client wrote it, which may not be a valid name.
        channel: &'a str,
        /// The class of the refusal.
        kind: SubscriptionErrorType,
        /// What was wrong.
        error: &'a str,
    },
    /// Confirms a sign-in. Its data is an object.
    SignInSucceeded {
        /// The `user_data` as it came.
        user_data: &'a str,
    },
    /// Nothing is cached in a cache channel.
    CacheMiss {
        /// The channel.
        channel: &'a ChannelName,
    },
    /// How many are subscribed to a channel.
    SubscriptionCount {
        /// The channel.
        channel: &'a ChannelName,
        /// How many.
        count: usize,
    },
    /// Who of those whom a user watches is online and who is not; never with both empty.
    WatchlistEvents {
        /// Who is online.
        online: &'a [UserId],
        /// Who is offline.
        offline: &'a [UserId],
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
    /// The request could never be granted: status 400.
    InvalidRequest,
    /// A limit is reached: status 4100.
    LimitReached,
    /// The channel's name is too long: a limit with status 4009, as in soketi.
    NameTooLong,
    /// The member's data is too long: a limit with status 4301, as in soketi.
    MemberTooLarge,
}

impl SubscriptionErrorType {
    const fn name_and_status(self) -> (&'static str, u16) {
        match self {
            Self::AuthError => ("AuthError", 401),
            Self::InvalidRequest => ("InvalidRequest", 400),
            Self::LimitReached => ("LimitReached", 4100),
            Self::NameTooLong => ("LimitReached", 4009),
            Self::MemberTooLarge => ("LimitReached", 4301),
        }
    }
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

    /// The messages about a refused subscription, in order: one for the connection, as the hosted service
    /// sends it, and one for the channel.
    #[must_use]
    pub const fn refused_subscription(channel: &'a str, kind: SubscriptionErrorType, text: &'a str) -> [Self; 2] {
        let on_connection = ServerMessage::Error {
            code: None,
            message: text,
        };
        let on_channel = ServerMessage::SubscriptionError {
            channel,
            kind,
            error: text,
        };
        [on_connection, on_channel]
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
                Some(channel.as_str()),
                None,
            ),
            Self::SignInSucceeded { user_data } => {
                let mut json = r#"{"event":"pusher:signin_success","data":{"user_data":"#.to_owned();
                push_string(&mut json, user_data);
                json.push_str("}}");
                json
            }
            Self::CacheMiss { channel } => envelope("pusher:cache_miss", "{}", Some(channel.as_str()), None),
            Self::SubscriptionCount { channel, count } => envelope(
                "pusher_internal:subscription_count",
                &format!(r#"{{"subscription_count":{count}}}"#),
                Some(channel.as_str()),
                None,
            ),
            Self::WatchlistEvents { online, offline } => envelope(
                "pusher_internal:watchlist_events",
                &watchlist_events(online, offline),
                None,
                None,
            ),
            Self::SubscriptionError { channel, kind, error } => {
                let (name, status) = kind.name_and_status();
                let mut data = format!(r#"{{"type":"{name}","error":"#);
                push_string(&mut data, error);
                data.push_str(&format!(r#","status":{status}}}"#));
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
                envelope("pusher_internal:member_added", &data, Some(channel.as_str()), None)
            }
            Self::MemberRemoved { channel, user_id } => {
                let mut data = r#"{"user_id":"#.to_owned();
                push_string(&mut data, user_id.as_str());
                data.push('}');
                envelope("pusher_internal:member_removed", &data, Some(channel.as_str()), None)
            }
            Self::Event {
                name,
                channel,
                data,
                user_id,
            } => envelope(name, data, Some(channel.as_str()), *user_id),
        }
    }
}

/// The frame of a publisher's event, as that of [`ServerMessage::Event`], with its data as it was
/// written: however long it is, it is copied once, into the frame.
#[must_use]
pub fn published_frame(name: &str, channel: &ChannelName, data: JsonString<'_>) -> Bytes {
    let name = quoted(name);
    frame::encode_text_of(&[
        br#"{"event":"#,
        name.as_bytes(),
        br#","data":"#,
        data.token().as_bytes(),
        br#","channel":""#,
        channel.as_str().as_bytes(),
        br#""}"#,
    ])
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a str is always serialisable")
}

/// `{"event":…,"data":"…","channel":…,"user_id":…}`, the last two where they are given.
fn envelope(event: &str, data: &str, channel: Option<&str>, user_id: Option<&UserId>) -> String {
    let mut json = String::with_capacity(64 + event.len() + data.len() + data.len() / 8);
    json.push_str(r#"{"event":"#);
    push_string(&mut json, event);
    json.push_str(r#","data":"#);
    push_string(&mut json, data);
    if let Some(channel) = channel {
        json.push_str(r#","channel":"#);
        push_string(&mut json, channel);
    }
    if let Some(user_id) = user_id {
        json.push_str(r#","user_id":"#);
        push_string(&mut json, user_id.as_str());
    }
    json.push('}');
    json
}

/// The `data` of a watchlist's events; a group without users is left out.
fn watchlist_events(online: &[UserId], offline: &[UserId]) -> String {
    let mut json = r#"{"events":["#.to_owned();
    let groups = [("online", online), ("offline", offline)];
    for (at, (name, users)) in groups.into_iter().filter(|(_, users)| !users.is_empty()).enumerate() {
        if 0 < at {
            json.push(',');
        }
        json.push_str(&format!(r#"{{"name":"{name}","user_ids":["#));
        for (at, user_id) in users.iter().enumerate() {
            if 0 < at {
                json.push(',');
            }
            push_string(&mut json, user_id.as_str());
        }
        json.push_str("]}");
    }
    json.push_str("]}");
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
    json.push_str(&quoted(text));
}

#[cfg(test)]
mod tests;
