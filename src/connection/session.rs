//! What a connection may do, and what follows from each message: the protocol's rules.

use std::{collections::HashMap, sync::Arc, time::Instant};

use ahash::RandomState;

use super::{
    member_data::{self, MemberDataError},
    rate::TokenBucket,
    refusal::{NOT_SIGNED, SubscriptionRefused},
    user_data::{self, SignedInUser},
};
use crate::{
    app::{Key, Keys, Mistake},
    domain::{AppLimits, Attempt, ChannelKind, ChannelName, EventName, Member, Now, SocketId, UserId},
    protocol::{
        ClientMessage, DecodeError, JsonKind, ObjectError, ProtocolError, ServerMessage, SubscribeError,
        SubscribeRequest,
    },
    signature::{
        sign_in::{self, SignInAuthError},
        subscription,
    },
};

/// What an app lets its connections do, shared by all of them.
#[derive(Debug)]
pub struct SessionRules {
    /// The app's keys.
    pub keys: Keys,
    /// What its clients may ask for.
    pub limits: AppLimits,
    /// Whether clients may send events.
    pub client_events: bool,
}

/// The state of one connection in the protocol.
#[derive(Debug)]
pub struct Session {
    socket_id: SocketId,
    rules: Arc<SessionRules>,
    /// What is subscribed.
    subscriptions: HashMap<ChannelName, Subscription, RandomState>,
    /// The number of the last subscription.
    last_number: u32,
    /// Who is signed in.
    user: Option<Box<SignedInUser>>,
    /// Whether it signed in, or joined a channel that needs a signature, at any time.
    is_authorized: bool,
    /// Subscribe and unsubscribe commands that may still come.
    commands: TokenBucket,
    /// Made when the first client event comes: few connections send any.
    client_events: Option<Box<TokenBucket>>,
}

/// A subscription that was asked for, and is there unless the channel refused it.
#[derive(Debug)]
struct Subscription {
    /// As whom; on presence channels.
    user_id: Option<UserId>,
    /// Its number.
    number: u32,
}

/// What the shell of a session is to do, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Send the client this text.
    Send(String),
    /// Log that something was refused to the client.
    Note(Mistake),
    /// Subscribe to a channel.
    Enter(Attempt, Option<Member>),
    /// End the subscription to a channel.
    Leave(ChannelName),
    /// Take in that the connection is signed in, and only then send it the confirmation, so that
    /// what its user does next finds it done; after that, who of its watchlist is online.
    SignIn {
        /// As whom.
        user_id: UserId,
        /// Whom it watches.
        watchlist: Vec<UserId>,
        /// The text to send.
        confirmation: String,
    },
    /// Read nothing more from the client until then: it has sent more commands than it may.
    PauseUntil(Instant),
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
    pub fn new(socket_id: SocketId, rules: Arc<SessionRules>, now: Instant) -> Self {
        let limits = &rules.limits;
        Self {
            socket_id,
            subscriptions: HashMap::default(),
            last_number: 0,
            user: None,
            is_authorized: false,
            commands: TokenBucket::new(limits.commands_burst, limits.commands_per_second, now),
            client_events: None,
            rules,
        }
    }

    /// Takes a message, or what was wrong with it, and appends what must be done.
    pub fn on_message(&mut self, message: Result<ClientMessage, DecodeError>, now: Now, commands: &mut Vec<Command>) {
        match message {
            Ok(ClientMessage::Ping) => commands.push(Command::Send(ServerMessage::Pong.encode())),
            Ok(ClientMessage::Pong) => {}
            Ok(ClientMessage::Subscribe(request)) => {
                self.subscribe(request, now, commands);
                self.count_command(now.instant, commands);
            }
            Ok(ClientMessage::Unsubscribe(channel)) => {
                self.unsubscribe(channel, commands);
                self.count_command(now.instant, commands);
            }
            Ok(ClientMessage::SignIn { auth, user_data }) => {
                self.sign_in(&auth, &user_data, now, commands);
                self.count_command(now.instant, commands);
            }
            Ok(ClientMessage::Event { name, channel, data }) => {
                match self.client_event(&channel, &name, &data, now.instant) {
                    Ok(user_id) => commands.push(Command::Broadcast {
                        channel,
                        name,
                        data,
                        user_id,
                    }),
                    Err(error) => refuse(&error, commands),
                }
            }
            Err(DecodeError::Subscribe { channel, error }) => {
                refuse_subscription(&channel, &error.into(), commands);
                self.count_command(now.instant, commands);
            }
            Err(error) => {
                let reason = error.to_string();
                commands.push(complaint(error.code(), &reason));
                let setting = error.setting();
                commands.push(Command::Note(Mistake { reason, setting }));
            }
        }
    }

    /// Ends all subscriptions and gives their channels.
    pub fn leave_all(&mut self) -> impl Iterator<Item = ChannelName> {
        self.subscriptions.drain().map(|(channel, _)| channel)
    }

    /// Takes in that a channel refused a subscription, which may have been ended since, and asked
    /// for again.
    pub fn on_refused(&mut self, attempt: &Attempt) {
        let Attempt { channel, number } = attempt;
        if self
            .subscriptions
            .get(channel)
            .is_some_and(|held| held.number == *number)
        {
            self.subscriptions.remove(channel);
        }
    }

    /// Whether the connection signed in, or joined a channel that needs a signature, at any time.
    #[must_use]
    pub const fn is_authorized(&self) -> bool {
        self.is_authorized
    }

    /// Whether the connection is signed in.
    #[must_use]
    pub const fn is_signed_in(&self) -> bool {
        self.user.is_some()
    }

    /// Counts a command that was carried out; past the rate nothing more is read for a while.
    fn count_command(&mut self, now: Instant, commands: &mut Vec<Command>) {
        self.commands.take(now);
        let ready_at = self.commands.ready_at(now);
        if now < ready_at {
            commands.push(Command::PauseUntil(ready_at));
        }
    }

    fn subscribe(&mut self, request: SubscribeRequest, now: Now, commands: &mut Vec<Command>) {
        // It is subscribed and stays so; an error on the channel would say that it is not.
        if self.subscriptions.contains_key(&request.channel) {
            return refuse(&ProtocolError::AlreadySubscribed(request.channel), commands);
        }
        match self.check_subscribe(&request, now) {
            Ok(member) => self.enter(request.channel, member, commands),
            Err(refused) => refuse_subscription(request.channel.as_str(), &refused, commands),
        }
    }

    /// Checks a subscription. Gives the member that it stands for on a presence channel.
    fn check_subscribe(&mut self, request: &SubscribeRequest, now: Now) -> Result<Option<Member>, SubscriptionRefused> {
        let (channel, limits) = (&request.channel, &self.rules.limits);
        limits
            .check_channel_name(channel)
            .map_err(SubscribeError::ChannelName)?;
        if limits.subscriptions_per_connection <= self.subscriptions.len() {
            return Err(SubscribeError::TooManySubscriptions(limits.subscriptions_per_connection).into());
        }
        let channel_data = request.channel_data.as_deref();
        let is_presence = match channel.kind() {
            ChannelKind::Public => return Ok(None),
            ChannelKind::ServerToUser => return Ok(self.check_own(channel).map(|()| None)?),
            ChannelKind::Private | ChannelKind::PrivateEncrypted => false,
            ChannelKind::Presence => true,
        };
        if is_presence && channel_data.is_none() && self.user.is_none() {
            return Err(SubscribeError::MissingChannelData(channel.clone()).into());
        }
        let auth = request.auth.as_deref().unwrap_or_default();
        let Key { key, signing, .. } = self.key_of(auth, now);
        subscription::verify(key, signing, self.socket_id, channel, channel_data, auth)?;
        self.is_authorized = true;
        Ok(is_presence.then(|| self.member(channel_data)).transpose()?)
    }

    /// Whom a presence subscription stands for: as its `channel_data` says, or who is signed in.
    fn member(&self, channel_data: Option<&str>) -> Result<Member, MemberDataError> {
        match (channel_data, &self.user) {
            (Some(data), _) => member_data::member(data, &self.rules.limits),
            (None, Some(user)) => Ok(Member::new(user.user_id.clone(), user.user_info.as_deref())),
            (None, None) => Err(ObjectError::Kind(JsonKind::Null).into()),
        }
    }

    /// Only a connection that is signed in as a user may subscribe to that user's channel.
    fn check_own(&self, channel: &ChannelName) -> Result<(), SubscribeError> {
        let user_id = self.user.as_ref().map(|user| user.user_id.as_str());
        if user_id == channel.server_to_user() {
            Ok(())
        } else {
            Err(SubscribeError::NotThatUser(channel.clone()))
        }
    }

    /// The live key that an `auth` names, or the oldest, which it then does not fit.
    fn key_of(&self, auth: &str, now: Now) -> &Key {
        let name = auth.split(':').next().unwrap_or_default();
        let keys = &self.rules.keys;
        keys.live(name, now.wall_ms).unwrap_or_else(|| keys.oldest())
    }

    fn sign_in(&mut self, auth: &str, user_data: &str, now: Now, commands: &mut Vec<Command>) {
        let Key { key, signing, .. } = self.key_of(auth, now);
        if let Err(error) = sign_in::verify(key, signing, self.socket_id, user_data, auth) {
            let reason = match &error {
                SignInAuthError::Signature { .. } => NOT_SIGNED.to_owned(),
                SignInAuthError::Format | SignInAuthError::Key { .. } => error.to_string(),
            };
            return refuse_sign_in(&error.to_string(), reason, None, commands);
        }
        let user = match user_data::user(user_data, &self.rules.limits) {
            Ok(user) => user,
            Err(error) => return refuse_sign_in(&error.to_string(), error.to_string(), error.setting(), commands),
        };
        if self.user.as_ref().is_some_and(|known| known.user_id != user.user_id) {
            return refuse(&ProtocolError::SignedInAsAnother, commands);
        }
        self.is_authorized = true;
        commands.push(Command::SignIn {
            user_id: user.user_id.clone(),
            watchlist: user.watchlist.clone(),
            confirmation: ServerMessage::SignInSucceeded { user_data }.encode(),
        });
        if user.watchlist_cut {
            let accepted: Vec<&str> = user.watchlist.iter().map(UserId::as_str).collect();
            let error = ProtocolError::WatchlistCut {
                limit: self.rules.limits.watchlist_users,
                accepted: accepted.join(", "),
            };
            refuse(&error, commands);
        }
        self.user = Some(Box::new(user));
    }

    fn enter(&mut self, channel: ChannelName, member: Option<Member>, commands: &mut Vec<Command>) {
        let user_id = member.as_ref().map(|member| member.user_id().clone());
        self.last_number = self.last_number.wrapping_add(1);
        let number = self.last_number;
        self.subscriptions
            .insert(channel.clone(), Subscription { user_id, number });
        commands.push(Command::Enter(Attempt { channel, number }, member));
    }

    fn unsubscribe(&mut self, channel: ChannelName, commands: &mut Vec<Command>) {
        match self.subscriptions.remove(&channel) {
            Some(_) => commands.push(Command::Leave(channel)),
            None => refuse(&ProtocolError::NotSubscribed(channel), commands),
        }
    }

    /// Tells as whom a client event may be sent.
    fn client_event(
        &mut self,
        channel: &ChannelName,
        name: &EventName,
        data: &str,
        now: Instant,
    ) -> Result<Option<UserId>, ProtocolError> {
        if !self.rules.client_events {
            return Err(ProtocolError::ClientEventsOff);
        }
        match channel.kind() {
            ChannelKind::Public | ChannelKind::ServerToUser => {
                return Err(ProtocolError::ClientEventOnPublicChannel(channel.clone()));
            }
            ChannelKind::Private | ChannelKind::PrivateEncrypted | ChannelKind::Presence => {}
        }
        let Some(Subscription { user_id, .. }) = self.subscriptions.get(channel) else {
            return Err(ProtocolError::ClientEventNotSubscribed(channel.clone()));
        };
        let limits = &self.rules.limits;
        limits.check_event_name(name).map_err(ProtocolError::EventName)?;
        let (len, limit) = (data.len(), limits.event_data_bytes);
        if limit < len {
            return Err(ProtocolError::ClientEventTooLarge { len, limit });
        }
        let per_second = limits.client_events_per_second;
        let bucket = self
            .client_events
            .get_or_insert_with(|| Box::new(TokenBucket::new(per_second, per_second, now)));
        if !bucket.take(now) {
            return Err(ProtocolError::ClientEventRate);
        }
        Ok(user_id.clone())
    }
}

/// Tells the client that a subscription is refused, on the connection and on the channel.
fn refuse_subscription(channel: &str, refused: &SubscriptionRefused, commands: &mut Vec<Command>) {
    commands.extend(refused.texts(channel).map(Command::Send));
    commands.push(Command::Note(refused.mistake(channel)));
}

fn refuse_sign_in(told: &str, reason: String, setting: Option<&'static str>, commands: &mut Vec<Command>) {
    commands.push(complaint(None, told));
    let reason = format!("sign-in: {reason}");
    commands.push(Command::Note(Mistake { reason, setting }));
}

fn refuse(error: &ProtocolError, commands: &mut Vec<Command>) {
    let text = error.to_string();
    commands.push(Command::Send(ServerMessage::refusal(error, &text).encode()));
    commands.push(Command::Note(mistake(error)));
}

/// The log entry for a refusal.
pub(super) fn mistake(error: &ProtocolError) -> Mistake {
    let reason = match error {
        // Without the user's id.
        ProtocolError::WatchlistCut { limit, .. } => format!("Watchlist has more than {limit} users"),
        ProtocolError::AlreadySubscribed(_)
        | ProtocolError::NotSubscribed(_)
        | ProtocolError::EventName(_)
        | ProtocolError::SignedInAsAnother
        | ProtocolError::ClientEventsOff
        | ProtocolError::ClientEventOnPublicChannel(_)
        | ProtocolError::ClientEventNotSubscribed(_)
        | ProtocolError::ClientEventRate
        | ProtocolError::OverCapacity
        | ProtocolError::ClientEventTooLarge { .. } => error.to_string(),
    };
    let setting = error.setting();
    Mistake { reason, setting }
}

fn complaint(code: Option<u16>, message: &str) -> Command {
    let error = ServerMessage::Error { code, message };
    Command::Send(error.encode())
}

#[cfg(test)]
mod tests;
