//! One client: reads its messages and carries out what its session decides.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, ActorContext, AsyncContext, Context, StreamHandler};
use bytes::BytesMut;

use super::{
    frames::Frames,
    heartbeat::{Heartbeat, Pulse},
    reassembly::Assembled,
    session::{Command, Session, SessionRules},
    socket::{Socket, SocketLimits},
};
use crate::{
    app::{App, ConnectionGuard, Sender},
    channel::{Outlet, Outlets, Subscribe, Unsubscribe, WorkerId},
    clock,
    domain::{ChannelName, EventName, SocketId, UserId},
    protocol::{ClientMessage, CloseCode, ProtocolError, ServerMessage, frame},
};

/// How connections are kept.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionSettings {
    /// Silence after which a client pings us, as told to it.
    pub activity_timeout: Duration,
    /// Silence of a client after which we ping it.
    pub ping_after: Duration,
    /// How long it has to answer.
    pub pong_timeout: Duration,
    /// What bounds its socket.
    pub socket: SocketLimits,
}

/// One client of an app, on the worker thread that accepted it.
pub struct Connection {
    socket_id: SocketId,
    app: Arc<App>,
    session: Session,
    heartbeat: Heartbeat,
    socket: Rc<Socket>,
    outlets: Rc<Outlets>,
    worker: WorkerId,
    activity_timeout: Duration,
    first_bytes: BytesMut,
    _counted: ConnectionGuard,
}

/// What a connection is made of.
pub(super) struct Opened {
    /// The app of the key that it named.
    pub(super) app: Arc<App>,
    /// The rules of that app.
    pub(super) rules: Arc<SessionRules>,
    /// Its socket.
    pub(super) socket: Rc<Socket>,
    /// What came right after the upgrade request.
    pub(super) first_bytes: BytesMut,
    /// The sockets of this thread.
    pub(super) outlets: Rc<Outlets>,
    /// This thread.
    pub(super) worker: WorkerId,
}

impl Connection {
    pub(super) fn new(opened: Opened, settings: &ConnectionSettings) -> Self {
        let socket_id = SocketId::from_random(clock::random_bits());
        let now = clock::now().instant;
        Self {
            socket_id,
            session: Session::new(socket_id, opened.rules),
            heartbeat: Heartbeat::new(settings.ping_after, settings.pong_timeout, now),
            socket: opened.socket,
            outlets: opened.outlets,
            worker: opened.worker,
            activity_timeout: settings.activity_timeout,
            first_bytes: opened.first_bytes,
            _counted: opened.app.connect(),
            app: opened.app,
        }
    }

    fn carry_out(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Send(text) => self.socket.write(&frame::encode_text(text.as_bytes())),
                Command::Enter(channel, member) => {
                    let subscribe = Subscribe {
                        socket_id: self.socket_id,
                        worker: self.worker,
                        member,
                    };
                    self.app.channels().enter(&channel, subscribe);
                }
                Command::Leave(channel) => self.leave(&channel),
                Command::Broadcast {
                    channel,
                    name,
                    data,
                    user_id,
                } => self.broadcast(channel, &name, data, user_id),
            }
        }
    }

    fn leave(&self, channel: &ChannelName) {
        let unsubscribe = Unsubscribe {
            socket_id: self.socket_id,
        };
        self.app.channels().leave(channel, unsubscribe);
    }

    fn broadcast(&self, channel: ChannelName, name: &EventName, data: String, user_id: Option<UserId>) {
        let message = ServerMessage::Event {
            name: name.as_str(),
            channel: &channel,
            data: &data,
            user_id: user_id.as_ref(),
        };
        let sent = self.app.publish(&channel, message.to_frame(), Some(self.socket_id));
        if sent.is_err() {
            let error = ProtocolError::OverCapacity;
            let text = error.to_string();
            let refusal = ServerMessage::refusal(&error, &text);
            return self.socket.write(&refusal.to_frame());
        }
        let sender = Sender {
            socket_id: self.socket_id,
            user_id,
        };
        self.app.report_client_event(channel, name, data, sender, clock::now());
    }

    /// Pings or closes a silent client, and sees to being woken again.
    fn watch(&mut self, ctx: &mut Context<Self>) {
        let now = clock::now().instant;
        match self.heartbeat.poll(now) {
            Pulse::SleepUntil(at) => {
                ctx.run_later(at.saturating_duration_since(now), Self::watch);
            }
            Pulse::Ping => {
                self.socket.write(&frame::encode_ping());
                self.watch(ctx);
            }
            Pulse::Expired => {
                self.socket.close(CloseCode::PongTimeout);
                ctx.stop();
            }
        }
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let outlet: Rc<dyn Outlet> = Rc::clone(&self.socket) as Rc<dyn Outlet>;
        self.outlets.add(self.socket_id, outlet);
        let established = ServerMessage::ConnectionEstablished {
            socket_id: self.socket_id,
            activity_timeout_s: self.activity_timeout.as_secs().max(1),
        };
        self.socket.write(&established.to_frame());
        let first_bytes = std::mem::take(&mut self.first_bytes);
        ctx.add_stream(Frames::new(Rc::clone(&self.socket), first_bytes));
        self.watch(ctx);
    }

    /// The one exit: it runs on stop, on the loss of the socket, and while a panic unwinds.
    fn stopped(&mut self, _: &mut Context<Self>) {
        self.outlets.remove(self.socket_id);
        let channels: Vec<ChannelName> = self.session.leave_all().collect();
        for channel in channels {
            self.leave(&channel);
        }
        if self.socket.is_open() {
            self.socket.abandon();
        }
    }
}

impl StreamHandler<Result<Assembled, CloseCode>> for Connection {
    fn handle(&mut self, message: Result<Assembled, CloseCode>, ctx: &mut Context<Self>) {
        let now = clock::now().instant;
        self.heartbeat.on_activity(now);
        let close = match message {
            Ok(Assembled::Text(text)) => {
                let mut commands = Vec::new();
                let message = ClientMessage::decode(&text);
                self.session.on_message(message, now, &mut commands);
                self.carry_out(commands);
                return;
            }
            Ok(Assembled::Ping(payload)) => {
                self.socket.write(&frame::encode_pong(&payload));
                return;
            }
            Ok(Assembled::Pong | Assembled::Nothing) => return,
            Ok(Assembled::Binary) => CloseCode::BinaryUnsupported,
            Ok(Assembled::Close(code)) => code.map_or(CloseCode::Normal, CloseCode::Echo),
            Err(code) => code,
        };
        self.socket.close(close);
        ctx.stop();
    }

    fn finished(&mut self, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
