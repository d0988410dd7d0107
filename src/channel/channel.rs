//! One channel: the single writer of who is in it.

use std::sync::{Arc, atomic::Ordering};

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Recipient};
use bytes::{Bytes, BytesMut};

use crate::{
    clock,
    domain::{Attempt, ChannelKind, ChannelName, Member, Now, SocketId, UserId},
    ledger::{ClientEvent, Edge, Key, Observe, Observed, Stateless},
    protocol::{CloseCode, ServerMessage, SubscribeError},
};

use super::{
    count::CountThrottle,
    messages::{ChannelId, ListUsers, ListWorkers, Publish, Subscribe, Unsubscribe, WorkerId},
    registry::{ChannelRegistry, Tally},
    relay::{Relay, ToRelay},
    roster::{Effect, Roster},
    workers::Workers,
};

/// Most publishes that wait for one channel; past it a publish is answered 503.
const MAILBOX: usize = 4_096;

/// One live channel of an app. It counts its members, tells them of each other, and reports to the
/// app's webhooks when it is entered first and left last. It writes to no socket.
pub struct Channel {
    name: ChannelName,
    id: ChannelId,
    roster: Roster,
    count: CountThrottle,
    /// Whether a timer runs at whose end an owed count is told.
    awaits_count: bool,
    tally: Arc<Tally>,
    registry: Arc<ChannelRegistry>,
    workers: Arc<Workers>,
    /// The relays of the workers that have had subscribers, by the worker's place.
    relays: Vec<Option<Addr<Relay>>>,
    observer: Recipient<Observe>,
}

impl Channel {
    pub(super) fn new(
        name: ChannelName,
        id: ChannelId,
        tally: Arc<Tally>,
        registry: Arc<ChannelRegistry>,
        workers: Arc<Workers>,
        observer: Recipient<Observe>,
    ) -> Self {
        Self {
            name,
            id,
            roster: Roster::default(),
            count: CountThrottle::default(),
            awaits_count: false,
            tally,
            registry,
            workers,
            relays: Vec::new(),
            observer,
        }
    }

    /// Makes the counts what the roster says, before anyone is told.
    fn tally(&self) {
        let [subscriptions, users] = [self.roster.subscription_count(), self.roster.user_count()];
        self.tally.subscriptions.store(subscriptions, Ordering::Release);
        self.tally.users.store(users, Ordering::Release);
    }

    fn carry_out(&mut self, effects: Vec<Effect>, ctx: &mut Context<Self>) {
        if effects.is_empty() {
            return;
        }
        self.tally();
        let now = clock::now();
        let mut missed = false;
        for effect in effects {
            match effect {
                Effect::Confirm(socket_id, worker) => missed = self.confirm(socket_id, worker, now),
                // It stands alone, and is told where its number is known.
                Effect::Refuse(..) => {}
                Effect::Remove(socket_id, worker) => {
                    self.tell(worker, ToRelay::Leave(self.id, socket_id));
                }
                Effect::MemberAdded(member, socket_id) => {
                    let message = ServerMessage::MemberAdded {
                        channel: &self.name,
                        member: &member,
                    };
                    self.tell_all(message.to_frame(), Some(socket_id));
                }
                Effect::MemberRemoved(user_id) => {
                    let message = ServerMessage::MemberRemoved {
                        channel: &self.name,
                        user_id: &user_id,
                    };
                    self.tell_all(message.to_frame(), None);
                }
                Effect::ChannelEntered => self.report_edge(None, true, now),
                Effect::ChannelLeft => self.report_edge(None, false, now),
                Effect::UserEntered(user_id) => self.report_edge(Some(user_id), true, now),
                Effect::UserLeft(user_id) => self.report_edge(Some(user_id), false, now),
            }
        }
        if missed && self.registry.missed(&self.name, now.instant) {
            self.report_stateless(Stateless::CacheMiss(self.name.clone()), now);
        }
        self.tell_count(now);
        self.await_count(now, ctx);
    }

    /// Sees to it that a count that was held back is told when it is due.
    fn await_count(&mut self, now: Now, ctx: &mut Context<Self>) {
        let Some(due_at) = self.count.due_at().filter(|_| !self.awaits_count) else {
            return;
        };
        self.awaits_count = true;
        ctx.run_later(due_at.saturating_duration_since(now.instant), |channel, ctx| {
            channel.awaits_count = false;
            let now = clock::now();
            if channel.count.due_at().is_some_and(|due_at| due_at <= now.instant) {
                channel.tell_count(now);
            }
            channel.await_count(now, ctx);
        });
    }

    /// Tells how many are subscribed, where the app wants it and it is time.
    fn tell_count(&mut self, now: Now) {
        let is_told = match self.name.kind() {
            ChannelKind::Public | ChannelKind::Private | ChannelKind::PrivateEncrypted => {
                self.registry.rules().subscription_count
            }
            ChannelKind::Presence | ChannelKind::ServerToUser => false,
        };
        let count = self.roster.subscription_count();
        if is_told && self.count.on_change(count, now.instant) {
            let message = ServerMessage::SubscriptionCount {
                channel: &self.name,
                count,
            };
            self.tell_all(message.to_frame(), None);
            self.report_stateless(Stateless::SubscriptionCount(self.name.clone(), count), now);
        }
    }

    /// Tells a newcomer that it is in, and what is cached; returns whether nothing was.
    fn confirm(&mut self, socket_id: SocketId, worker: WorkerId, now: Now) -> bool {
        let is_presence = self.name.kind() == ChannelKind::Presence;
        let members: Vec<&Member> = self.roster.members().collect();
        let message = ServerMessage::SubscriptionSucceeded {
            channel: &self.name,
            members: is_presence.then_some(members.as_slice()),
        };
        let mut frames = BytesMut::from(message.to_frame());
        let mut missed = false;
        if self.name.is_cache() {
            match self.registry.cached(&self.name, now.instant) {
                Some((cached, _)) => frames.extend_from_slice(&cached.frame),
                None => {
                    missed = true;
                    let miss = ServerMessage::CacheMiss { channel: &self.name };
                    frames.extend_from_slice(&miss.to_frame());
                }
            }
        }
        self.tell(worker, ToRelay::Join(self.id, socket_id, frames.freeze()));
        missed
    }

    /// Tells a connection that the channel is full.
    fn refuse(&mut self, socket_id: SocketId, worker: WorkerId, number: u32) {
        let error = SubscribeError::ChannelFull {
            channel: self.name.clone(),
            limit: self.registry.rules().presence_members,
        };
        let text = error.to_string();
        let [on_connection, on_channel] = ServerMessage::refused_subscription(self.name.as_str(), error.kind(), &text);
        let mut frames = BytesMut::from(on_connection.to_frame());
        frames.extend_from_slice(&on_channel.to_frame());
        let attempt = Attempt {
            channel: self.name.clone(),
            number,
        };
        self.tell(worker, ToRelay::Refuse(socket_id, attempt, frames.freeze()));
    }

    fn tell_all(&mut self, frame: Bytes, except: Option<SocketId>) {
        let workers: Vec<WorkerId> = self.roster.workers().collect();
        for worker in workers {
            let message = ToRelay::Publish {
                channel: self.id,
                frame: frame.clone(),
                except,
                charge: None,
            };
            self.tell(worker, message);
        }
    }

    fn tell(&mut self, worker: WorkerId, message: ToRelay) {
        let at = usize::from(worker.0);
        if self.relays.len() <= at {
            self.relays.resize(at + 1, None);
        }
        let relay = &mut self.relays[at];
        if relay.is_none() {
            *relay = self.workers.relay(worker);
        }
        if let Some(relay) = relay {
            relay.do_send(message);
        }
    }

    fn report_edge(&self, user_id: Option<UserId>, entered: bool, at: Now) {
        let key = match user_id {
            Some(user_id) => Key::Member(self.name.clone(), user_id),
            None => Key::Channel(self.name.clone()),
        };
        self.report(Observed::Edge(Edge { key, entered, at }));
    }

    fn report_stateless(&self, stateless: Stateless, at: Now) {
        self.report(Observed::Stateless(stateless, at));
    }

    /// Reports to the app's webhooks; the channels of users make none.
    fn report(&self, observed: Observed) {
        if self.name.kind() != ChannelKind::ServerToUser {
            self.observer.do_send(Observe(observed));
        }
    }

    fn retire_if_empty(&self, ctx: &mut Context<Self>) {
        if self.roster.is_empty() && self.registry.retire(&self.name, self.id) {
            ctx.stop();
        }
    }
}

impl Actor for Channel {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
    }

    /// A channel that ends with members broke: they are closed to come back, and it was left.
    fn stopped(&mut self, _: &mut Context<Self>) {
        self.registry.forget(&self.name, self.id);
        if self.roster.is_empty() {
            return;
        }
        log::error!("channel {} broke, its members are sent to reconnect", self.name);
        let workers: Vec<WorkerId> = self.roster.workers().collect();
        for worker in workers {
            self.tell(worker, ToRelay::Evict(self.id, CloseCode::GoingAway));
        }
        let now = clock::now();
        let users: Vec<UserId> = self.roster.members().map(|member| member.user_id().clone()).collect();
        for user_id in users {
            self.report_edge(Some(user_id), false, now);
        }
        self.report_edge(None, false, now);
    }
}

impl Handler<Subscribe> for Channel {
    type Result = ();

    fn handle(&mut self, subscribe: Subscribe, ctx: &mut Context<Self>) {
        self.tally.pending.fetch_sub(1, Ordering::SeqCst);
        let Subscribe {
            socket_id,
            worker,
            member,
            number,
        } = subscribe;
        let users_max = self.registry.rules().presence_members;
        let effects = self.roster.join(socket_id, worker, member, users_max);
        if let [Effect::Refuse(..)] = effects.as_slice() {
            self.refuse(socket_id, worker, number);
        } else {
            self.carry_out(effects, ctx);
        }
        self.retire_if_empty(ctx);
    }
}

impl Handler<Unsubscribe> for Channel {
    type Result = ();

    fn handle(&mut self, Unsubscribe { socket_id }: Unsubscribe, ctx: &mut Context<Self>) {
        let effects = self.roster.leave(socket_id);
        self.carry_out(effects, ctx);
        self.retire_if_empty(ctx);
    }
}

impl Handler<Publish> for Channel {
    type Result = ();

    fn handle(&mut self, publish: Publish, ctx: &mut Context<Self>) {
        if publish.cached.is_some() {
            self.tally.pending.fetch_sub(1, Ordering::SeqCst);
            self.registry.keep(&self.name, &publish);
        }
        // Sent in one packet with a subscribe that was refused here.
        let is_member = |(event, _): &(ClientEvent, Now)| self.roster.contains(event.socket_id);
        if !publish.report.as_ref().is_none_or(is_member) {
            return;
        }
        let Publish {
            frame,
            except,
            charge,
            cached: _,
            report,
        } = publish;
        if let Some((event, at)) = report {
            self.report_stateless(Stateless::Client(event), at);
        }
        let workers: Vec<WorkerId> = self.roster.workers().collect();
        for worker in workers {
            let message = ToRelay::Publish {
                channel: self.id,
                frame: frame.clone(),
                except,
                charge: Some(Arc::clone(&charge)),
            };
            self.tell(worker, message);
        }
        self.retire_if_empty(ctx);
    }
}

impl Handler<ListUsers> for Channel {
    type Result = Vec<UserId>;

    fn handle(&mut self, ListUsers: ListUsers, _: &mut Context<Self>) -> Vec<UserId> {
        self.roster.members().map(|member| member.user_id().clone()).collect()
    }
}

impl Handler<ListWorkers> for Channel {
    type Result = Vec<(WorkerId, usize)>;

    fn handle(&mut self, ListWorkers: ListWorkers, _: &mut Context<Self>) -> Vec<(WorkerId, usize)> {
        self.roster.per_worker().collect()
    }
}
