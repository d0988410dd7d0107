//! What a connection may do, and what follows from each message: the protocol's rules.

use std::{collections::HashMap, sync::Arc, time::Instant};

use ahash::RandomState;

use super::{member_data, rate::TokenBucket};
use crate::{
    domain::{
        AppKey, ChannelKind, ChannelName, EventName, Member, SocketId, UserId,
        limits::{CLIENT_EVENTS_PER_SECOND, EVENT_DATA_BYTES_MAX, SUBSCRIPTIONS_PER_CONNECTION_MAX},
    },
    protocol::{ClientMessage, DecodeError, ProtocolError, ServerMessage, SubscribeRequest, SubscriptionErrorType},
    signature::{SigningKey, subscription},
};

/// What an app lets its connections do, shared by all of them.
#[derive(Debug)]
pub struct SessionRules {
    /// The app's key.
    pub key: AppKey,
    /// The app's secret, prepared to verify.
    pub signing: SigningKey,
    /// Whether clients may send events.
    pub client_events: bool,
}

/// The state of one connection in the protocol.
#[derive(Debug)]
pub struct Session {
    socket_id: SocketId,
    rules: Arc<SessionRules>,
    /// What is subscribed, and as whom.
    subscriptions: HashMap<ChannelName, Option<UserId>, RandomState>,
    /// Made when the first client event comes: few connections send any.
    client_events: Option<Box<TokenBucket>>,
}

/// What the shell of a session is to do, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Send the client this text.
    Send(String),
    /// Subscribe to a channel.
    Enter(ChannelName, Option<Member>),
    /// End the subscription to a channel.
    Leave(ChannelName),
    /// Send an event to the other subscribers of a channel.
    Broadcast {
        /// The channel.
        channel: ChannelName,
        /// The name of the event.
        name: EventName,
        /// Its data.
        data: String,
        /// Who sends it; on presence channels.
        user_id: Option<UserId>,
    },
}

impl Session {
    /// A session that is subscribed to nothing.
    #[must_use]
    pub fn new(socket_id: SocketId, rules: Arc<SessionRules>) -> Self {
        Self {
            socket_id,
            rules,
            subscriptions: HashMap::default(),
            client_events: None,
        }
    }

    /// Takes a message, or what was wrong with it, and appends what must be done.
    pub fn on_message(
        &mut self,
        message: Result<ClientMessage, DecodeError>,
        now: Instant,
        commands: &mut Vec<Command>,
    ) {
        match message {
            Ok(ClientMessage::Ping) => commands.push(Command::Send(ServerMessage::Pong.encode())),
            Ok(ClientMessage::Pong) => {}
            Ok(ClientMessage::Subscribe(request)) => self.subscribe(request, commands),
            Ok(ClientMessage::Unsubscribe(channel)) => self.unsubscribe(channel, commands),
            Ok(ClientMessage::Event { name, channel, data }) => match self.client_event(&channel, &data, now) {
                Ok(user_id) => commands.push(Command::Broadcast {
                    channel,
                    name,
                    data,
                    user_id,
                }),
                Err(error) => commands.push(refusal(&error)),
            },
            Err(error) => commands.push(complaint(&error.to_string())),
        }
    }

    /// Ends all subscriptions and gives their channels.
    pub fn leave_all(&mut self) -> impl Iterator<Item = ChannelName> {
        self.subscriptions.drain().map(|(channel, _)| channel)
    }

    fn subscribe(&mut self, request: SubscribeRequest, commands: &mut Vec<Command>) {
        let SubscribeRequest {
            channel,
            auth,
            channel_data,
        } = request;
        if self.subscriptions.contains_key(&channel) {
            return commands.push(refusal(&ProtocolError::AlreadySubscribed(channel)));
        }
        if SUBSCRIPTIONS_PER_CONNECTION_MAX <= self.subscriptions.len() {
            let error = ProtocolError::TooManySubscriptions(SUBSCRIPTIONS_PER_CONNECTION_MAX);
            return commands.push(refusal(&error));
        }
        let is_presence = match channel.kind() {
            ChannelKind::Public => return self.enter(channel, None, commands),
            ChannelKind::Private | ChannelKind::PrivateEncrypted => false,
            ChannelKind::Presence => true,
        };
        let channel_data = channel_data.as_deref();
        if is_presence && channel_data.is_none() {
            return commands.push(refusal(&ProtocolError::MissingChannelData(channel)));
        }
        let verified = subscription::verify(
            &self.rules.key,
            &self.rules.signing,
            self.socket_id,
            &channel,
            channel_data,
            auth.as_deref().unwrap_or_default(),
        );
        if let Err(error) = verified {
            let error = error.to_string();
            let on_channel = ServerMessage::SubscriptionError {
                channel: &channel,
                kind: SubscriptionErrorType::AuthError,
                error: &error,
            };
            commands.push(complaint(&error));
            commands.push(Command::Send(on_channel.encode()));
            return;
        }
        match channel_data.filter(|_| is_presence).map(member_data::member) {
            None => self.enter(channel, None, commands),
            Some(Ok(member)) => self.enter(channel, Some(member), commands),
            Some(Err(error)) => commands.push(complaint(&error.to_string())),
        }
    }

    fn enter(&mut self, channel: ChannelName, member: Option<Member>, commands: &mut Vec<Command>) {
        let user_id = member.as_ref().map(|member| member.user_id().clone());
        self.subscriptions.insert(channel.clone(), user_id);
        commands.push(Command::Enter(channel, member));
    }

    fn unsubscribe(&mut self, channel: ChannelName, commands: &mut Vec<Command>) {
        commands.push(match self.subscriptions.remove(&channel) {
            Some(_) => Command::Leave(channel),
            None => refusal(&ProtocolError::NotSubscribed(channel)),
        });
    }

    /// Tells as whom a client event may be sent.
    fn client_event(
        &mut self,
        channel: &ChannelName,
        data: &str,
        now: Instant,
    ) -> Result<Option<UserId>, ProtocolError> {
        if !self.rules.client_events {
            return Err(ProtocolError::ClientEventsOff);
        }
        match channel.kind() {
            ChannelKind::Public => {
                return Err(ProtocolError::ClientEventOnPublicChannel(channel.clone()));
            }
            ChannelKind::Private | ChannelKind::PrivateEncrypted | ChannelKind::Presence => {}
        }
        let Some(user_id) = self.subscriptions.get(channel) else {
            return Err(ProtocolError::ClientEventNotSubscribed(channel.clone()));
        };
        if EVENT_DATA_BYTES_MAX < data.len() {
            return Err(ProtocolError::ClientEventTooLarge {
                len: data.len(),
                limit: EVENT_DATA_BYTES_MAX,
            });
        }
        let per_second = CLIENT_EVENTS_PER_SECOND;
        let bucket = self
            .client_events
            .get_or_insert_with(|| Box::new(TokenBucket::new(per_second, per_second, now)));
        if !bucket.take(now) {
            return Err(ProtocolError::ClientEventRate);
        }
        Ok(user_id.clone())
    }
}

fn refusal(error: &ProtocolError) -> Command {
    let text = error.to_string();
    Command::Send(ServerMessage::refusal(error, &text).encode())
}

/// Tells of something that has no code.
fn complaint(message: &str) -> Command {
    let error = ServerMessage::Error { code: None, message };
    Command::Send(error.encode())
}

#[cfg(test)]
mod tests;
