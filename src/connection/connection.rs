//! One client: reads its messages and carries out what its session decides.

use std::{pin::Pin, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, ActorContext, AsyncContext, Context, StreamHandler};
use futures_core::Stream;

use super::{
    heartbeat::{Heartbeat, Pulse, Ticks},
    line::{Input, Line},
    reassembly::Assembled,
    refusal::SubscriptionRefused,
    session::{self, Command, Session, SessionRules},
    socket::SocketLimits,
};
use crate::{
    app::{App, ClientEvent, Mistake, Online, QuotaGuard},
    channel::{Outlet, Outlets, Subscribe, Unsubscribe, WorkerId},
    clock,
    domain::{Attempt, ChannelName, EventName, Member, Now, SocketId, UserId},
    protocol::{ClientMessage, CloseCode, DecodeError, ProtocolError, ServerMessage, SubscribeError, frame},
};

/// How connections are kept.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionSettings {
    /// Silence after which a client pings us, as told to it.
    pub activity_timeout: Duration,
    /// Silence in either direction after which we ping a client.
    pub ping_after: Duration,
    /// How long it has to answer.
    pub pong_timeout: Duration,
    /// When the two are looked at.
    pub ticks: Ticks,
    /// What bounds its socket.
    pub socket: SocketLimits,
}

/// One client of an app, on the worker thread that accepted it.
pub struct Connection {
    socket_id: SocketId,
    app: Arc<App>,
    session: Session,
    heartbeat: Heartbeat,
    ticks: Ticks,
    line: Rc<dyn Line>,
    outlets: Rc<Outlets>,
    worker: WorkerId,
    activity_timeout: Duration,
    /// What comes in; taken when the actor starts.
    inputs: Option<Inputs>,
    _counted: [QuotaGuard; 2],
}

/// What comes in from a client.
pub(super) type Inputs = Pin<Box<dyn Stream<Item = Result<Input, CloseCode>>>>;

/// What a connection is made of.
pub(super) struct Opened {
    /// The app of the key that it named.
    pub(super) app: Arc<App>,
    /// The rules of that app.
    pub(super) rules: Arc<SessionRules>,
    /// Its outgoing half.
    pub(super) line: Rc<dyn Line>,
    /// Its incoming half.
    pub(super) inputs: Inputs,
    /// The sockets of this thread.
    pub(super) outlets: Rc<Outlets>,
    /// This thread.
    pub(super) worker: WorkerId,
    /// What counts it, in its app and in the server.
    pub(super) counted: [QuotaGuard; 2],
}

impl Connection {
    pub(super) fn new(opened: Opened, settings: &ConnectionSettings) -> Self {
        let socket_id = SocketId::from_random(clock::random_bits());
        let now = clock::now().instant;
        Self {
            socket_id,
            session: Session::new(socket_id, opened.rules, now),
            heartbeat: Heartbeat::new(settings.ping_after, settings.pong_timeout, now),
            ticks: settings.ticks,
            line: opened.line,
            outlets: opened.outlets,
            worker: opened.worker,
            activity_timeout: settings.activity_timeout,
            inputs: Some(opened.inputs),
            _counted: opened.counted,
            app: opened.app,
        }
    }

    fn take_in(&mut self, message: Result<ClientMessage, DecodeError>, now: Now, ctx: &mut Context<Self>) {
        let mut commands = Vec::new();
        self.session.on_message(message, now, &mut commands);
        self.carry_out(commands, now, ctx);
    }

    fn carry_out(&mut self, commands: Vec<Command>, now: Now, ctx: &mut Context<Self>) {
        for command in commands {
            match command {
                Command::Send(text) => self.line.write(&frame::encode_text(text.as_bytes())),
                Command::Note(mistake) => self.app.note(&mistake, now.instant),
                Command::Enter(attempt, member) => self.enter(&attempt, member, now),
                Command::Leave(channel) => self.leave(&channel),
                Command::SignIn {
                    user_id,
                    watchlist,
                    confirmation,
                } => self.sign_in(user_id, watchlist, &confirmation, now),
                Command::PauseUntil(at) => {
                    self.line.gate().pause();
                    ctx.run_later(at.saturating_duration_since(now.instant), |connection, _| {
                        connection.line.gate().resume();
                    });
                }
                Command::Broadcast {
                    channel,
                    name,
                    data,
                    user_id,
                } => self.broadcast(channel, &name, data, user_id, now),
            }
        }
    }

    fn enter(&mut self, attempt: &Attempt, member: Option<Member>, now: Now) {
        let Attempt { channel, number } = attempt;
        let subscribe = Subscribe {
            socket_id: self.socket_id,
            worker: self.worker,
            member,
            number: *number,
        };
        if let Err(error) = self.app.subscribe(channel, subscribe, now.instant) {
            self.session.on_refused(attempt);
            let refused = SubscriptionRefused::from(error);
            for text in refused.texts(channel.as_str()) {
                self.line.write(&frame::encode_text(text.as_bytes()));
            }
            self.app.note(&refused.mistake(channel.as_str()), now.instant);
        }
    }

    fn leave(&self, channel: &ChannelName) {
        let unsubscribe = Unsubscribe {
            socket_id: self.socket_id,
        };
        self.app.channels().leave(channel, unsubscribe);
    }

    fn sign_in(&self, user_id: UserId, watchlist: Vec<UserId>, confirmation: &str, now: Now) {
        let Online { online, offline } = self.app.sign_in(self.socket_id, self.worker, user_id, watchlist, now);
        self.line.write(&frame::encode_text(confirmation.as_bytes()));
        if !online.is_empty() || !offline.is_empty() {
            let events = ServerMessage::WatchlistEvents {
                online: &online,
                offline: &offline,
            };
            self.line.write(&events.to_frame());
        }
    }

    fn broadcast(&self, channel: ChannelName, name: &EventName, data: String, user_id: Option<UserId>, now: Now) {
        let message = ServerMessage::Event {
            name: name.as_str(),
            channel: &channel,
            data: &data,
            user_id: user_id.as_ref(),
        };
        let frame = message.to_frame();
        let event = ClientEvent {
            channel,
            event: name.to_string(),
            data,
            socket_id: self.socket_id,
            user_id,
        };
        if self.app.send_client_event(event, frame, now).is_err() {
            let error = ProtocolError::OverCapacity;
            self.app.note(&session::mistake(&error), now.instant);
            let text = error.to_string();
            let refusal = ServerMessage::refusal(&error, &text);
            self.line.write(&refusal.to_frame());
        }
    }

    /// Closes the connection if it is not authorized by now.
    fn check_authorized(&mut self, ctx: &mut Context<Self>) {
        if !self.session.is_authorized() {
            self.app.note(&closed(CloseCode::NotAuthorized), clock::now().instant);
            self.line.close(CloseCode::NotAuthorized);
            ctx.stop();
        }
    }

    /// Pings or closes a silent client, and sets the next wake-up.
    fn watch(&mut self, ctx: &mut Context<Self>) {
        let now = clock::now().instant;
        match self.heartbeat.poll(now, self.line.written_at()) {
            Pulse::SleepUntil(at) => {
                let tick = self.ticks.not_before(at);
                ctx.run_later(tick.saturating_duration_since(now), Self::watch);
            }
            Pulse::Ping => {
                self.line.write(&frame::encode_ping());
                self.watch(ctx);
            }
            Pulse::Expired => {
                self.line.close(CloseCode::PongTimeout);
                ctx.stop();
            }
        }
    }
}

/// The log entry for a client that is closed or refused.
pub(super) fn closed(code: CloseCode) -> Mistake {
    Mistake {
        reason: format!("closed with {code}"),
        setting: code.setting(),
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let outlet: Rc<dyn Outlet> = Rc::clone(&self.line) as Rc<dyn Outlet>;
        self.outlets.add(self.socket_id, outlet);
        if let Some(timeout) = self.app.switches().authorized_within {
            ctx.run_later(timeout, Self::check_authorized);
        }
        let established = ServerMessage::ConnectionEstablished {
            socket_id: self.socket_id,
            activity_timeout_s: self.activity_timeout.as_secs().max(1),
        };
        self.line.write(&established.to_frame());
        if let Some(inputs) = self.inputs.take() {
            ctx.add_stream(inputs);
        }
        self.watch(ctx);
    }

    /// The one exit: it runs on stop, on the loss of the socket, and while a panic unwinds.
    fn stopped(&mut self, _: &mut Context<Self>) {
        self.outlets.remove(self.socket_id);
        let channels: Vec<ChannelName> = self.session.leave_all().collect();
        for channel in channels {
            self.leave(&channel);
        }
        if self.session.is_signed_in() {
            self.app.sign_out(self.socket_id, clock::now());
        }
        if !self.line.gate().is_shut() {
            self.line.abandon();
        }
    }
}

impl StreamHandler<Result<Input, CloseCode>> for Connection {
    fn handle(&mut self, input: Result<Input, CloseCode>, ctx: &mut Context<Self>) {
        let message = match input {
            Ok(Input::Message(message)) => message,
            Ok(Input::Refused(attempt)) => {
                // The channel has told the client.
                let full = SubscriptionRefused::from(SubscribeError::ChannelFull {
                    channel: attempt.channel.clone(),
                    limit: self.app.limits().presence_members,
                });
                self.app
                    .note(&full.mistake(attempt.channel.as_str()), clock::now().instant);
                return self.session.on_refused(&attempt);
            }
            Err(code) => {
                self.app.note(&closed(code), clock::now().instant);
                self.line.close(code);
                return ctx.stop();
            }
        };
        let now = clock::now();
        self.heartbeat.on_activity(now.instant);
        let close = match message {
            Assembled::Text(text) => return self.take_in(ClientMessage::decode(&text), now, ctx),
            Assembled::TooLong { len, limit } => {
                return self.take_in(Err(DecodeError::TooLong { len, limit }), now, ctx);
            }
            Assembled::Ping(payload) => return self.line.write(&frame::encode_pong(&payload)),
            Assembled::Pong | Assembled::Nothing => return,
            Assembled::Binary => CloseCode::BinaryUnsupported,
            Assembled::Close(code) => code.map_or(CloseCode::Normal, CloseCode::Echo),
        };
        self.line.close(close);
        ctx.stop();
    }

    fn finished(&mut self, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
