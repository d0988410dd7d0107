//! Writes to the sockets of one worker thread.

use std::{cell::RefCell, collections::HashMap, collections::VecDeque, rc::Rc, sync::Arc};

use actix::{Actor, Context, Handler, Message};
use ahash::RandomState;
use bytes::Bytes;
use indexmap::IndexMap;

use crate::{
    domain::{Attempt, SocketId},
    protocol::CloseCode,
};

use super::{backlog::Charge, messages::ChannelId};

/// Most sockets that are written to in one turn, so that a large channel does not starve the
/// other tasks of the thread.
const WRITES_PER_TURN: usize = 256;

/// A socket as the relay sees it. It bounds what waits in it, and closes itself past the bound.
pub trait Outlet {
    /// Writes a frame, or queues it behind what waits.
    fn write(&self, frame: &Bytes);
    /// Ends the connection with a code, after what waits was written.
    fn close(&self, code: CloseCode);
    /// Writes frames that tell of a refused subscription, and has the connection forget it.
    fn refuse(&self, attempt: &Attempt, frames: &Bytes);
}

/// Tells a relay something, in the order of one channel. Control: joins and leaves are bounded by
/// the commands of clients, frames by the [`Backlog`](super::Backlog).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum ToRelay {
    /// The socket gets this frame and then what the channel publishes.
    Join(ChannelId, SocketId, Bytes),
    /// The socket gets nothing of the channel from here on.
    Leave(ChannelId, SocketId),
    /// Everyone in the channel gets a frame.
    Publish {
        /// The channel.
        channel: ChannelId,
        /// The frame.
        frame: Bytes,
        /// The one who does not get it.
        except: Option<SocketId>,
        /// What counts its bytes until they are written; none for what is not published.
        charge: Option<Arc<Charge>>,
    },
    /// The channel broke: its sockets are closed with a code.
    Evict(ChannelId, CloseCode),
    /// One socket gets a frame.
    Send(SocketId, Bytes),
    /// One socket is closed with a code.
    Close(SocketId, CloseCode),
    /// The socket is not let into the channel and gets these frames.
    Refuse(SocketId, Attempt, Bytes),
}

/// Closes some of the thread's sockets with a code, and tells how many are left open.
#[derive(Debug, Message)]
#[rtype(result = "usize")]
pub struct CloseSome {
    /// Most sockets to close.
    pub count: usize,
    /// The code.
    pub code: CloseCode,
}

/// Asks what a relay holds.
#[derive(Debug, Message)]
#[rtype(result = "Holding")]
pub struct CountHolding;

/// What a relay holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, actix::MessageResponse)]
pub struct Holding {
    /// Sockets of open connections.
    pub sockets: usize,
    /// Channels with a subscriber on this thread.
    pub channels: usize,
}

/// The sockets of one thread, shared by its relay and its connections.
#[derive(Default)]
pub struct Outlets {
    table: RefCell<Table>,
}

#[derive(Default)]
struct Table {
    sockets: HashMap<SocketId, Rc<dyn Outlet>, RandomState>,
    channels: HashMap<ChannelId, Subscribers, RandomState>,
}

type Subscribers = IndexMap<SocketId, Rc<dyn Outlet>, RandomState>;

impl Outlets {
    /// Adds the socket of a connection that was opened on this thread.
    pub fn add(&self, socket_id: SocketId, outlet: Rc<dyn Outlet>) {
        self.table.borrow_mut().sockets.insert(socket_id, outlet);
    }

    /// Removes the socket of a connection that ended.
    pub fn remove(&self, socket_id: SocketId) {
        self.table.borrow_mut().sockets.remove(&socket_id);
    }

    /// How many sockets there are, and how many channels have subscribers here.
    #[must_use]
    pub fn holding(&self) -> Holding {
        let table = self.table.borrow();
        Holding {
            sockets: table.sockets.len(),
            channels: table.channels.len(),
        }
    }

    fn close_some(&self, count: usize, code: CloseCode) -> usize {
        let mut table = self.table.borrow_mut();
        let some: Vec<SocketId> = table.sockets.keys().copied().take(count).collect();
        for socket_id in some {
            if let Some(outlet) = table.sockets.remove(&socket_id) {
                outlet.close(code);
            }
        }
        table.sockets.len()
    }
}

/// Writes what channels send to the sockets of its thread. It decides nothing.
pub struct Relay {
    delivery: Rc<RefCell<Delivery>>,
}

/// What was sent and is not written yet, in order.
struct Delivery {
    outlets: Rc<Outlets>,
    waiting: VecDeque<ToRelay>,
    /// How many of the front publish's sockets were written to.
    written: usize,
    has_task: bool,
}

impl Relay {
    /// The relay of this thread's sockets.
    #[must_use]
    pub fn new(outlets: Rc<Outlets>) -> Self {
        Self {
            delivery: Rc::new(RefCell::new(Delivery {
                outlets,
                waiting: VecDeque::new(),
                written: 0,
                has_task: false,
            })),
        }
    }
}

impl Actor for Relay {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(1_024);
    }
}

impl Handler<ToRelay> for Relay {
    type Result = ();

    fn handle(&mut self, message: ToRelay, _: &mut Context<Self>) {
        let mut delivery = self.delivery.borrow_mut();
        delivery.waiting.push_back(message);
        if delivery.has_task {
            return;
        }
        delivery.turn();
        if !delivery.waiting.is_empty() {
            delivery.has_task = true;
            drop(delivery);
            actix_rt::spawn(go_on(Rc::clone(&self.delivery)));
        }
    }
}

impl Handler<CloseSome> for Relay {
    type Result = usize;

    fn handle(&mut self, CloseSome { count, code }: CloseSome, _: &mut Context<Self>) -> usize {
        self.delivery.borrow().outlets.close_some(count, code)
    }
}

impl Handler<CountHolding> for Relay {
    type Result = Holding;

    fn handle(&mut self, CountHolding: CountHolding, _: &mut Context<Self>) -> Holding {
        self.delivery.borrow().outlets.holding()
    }
}

/// Takes turns until nothing waits, letting the thread's other tasks run between them.
async fn go_on(delivery: Rc<RefCell<Delivery>>) {
    loop {
        tokio::task::yield_now().await;
        let mut delivery = delivery.borrow_mut();
        delivery.turn();
        if delivery.waiting.is_empty() {
            delivery.has_task = false;
            return;
        }
    }
}

impl Delivery {
    /// Carries out what waits, up to a turn's share of writes.
    fn turn(&mut self) {
        let mut writes_left = WRITES_PER_TURN;
        while 0 < writes_left
            && let Some(message) = self.waiting.front()
        {
            let table = &mut *self.outlets.table.borrow_mut();
            let goes_on = match message {
                ToRelay::Publish {
                    channel,
                    frame,
                    except,
                    charge: _,
                } => {
                    let (from, to) = (self.written, self.written + writes_left);
                    let subscribers = table.channels.get(channel);
                    let count = subscribers.map_or(0, IndexMap::len);
                    for (socket_id, outlet) in subscribers
                        .and_then(|subscribers| subscribers.get_range(from..to.min(count)))
                        .into_iter()
                        .flatten()
                    {
                        if Some(*socket_id) != *except {
                            outlet.write(frame);
                        }
                    }
                    self.written = to;
                    writes_left -= writes_left.min(count.saturating_sub(from).max(1));
                    to < count
                }
                ToRelay::Join(channel, socket_id, frame) => {
                    if let Some(outlet) = table.sockets.get(socket_id) {
                        outlet.write(frame);
                        let subscribers = table.channels.entry(*channel).or_default();
                        subscribers.insert(*socket_id, Rc::clone(outlet));
                    }
                    writes_left -= 1;
                    false
                }
                ToRelay::Leave(channel, socket_id) => {
                    leave(table, *channel, *socket_id);
                    false
                }
                ToRelay::Send(socket_id, frame) => {
                    if let Some(outlet) = table.sockets.get(socket_id) {
                        outlet.write(frame);
                    }
                    writes_left -= 1;
                    false
                }
                ToRelay::Close(socket_id, code) => {
                    if let Some(outlet) = table.sockets.get(socket_id) {
                        outlet.close(*code);
                    }
                    false
                }
                ToRelay::Refuse(socket_id, attempt, frames) => {
                    if let Some(outlet) = table.sockets.get(socket_id) {
                        outlet.refuse(attempt, frames);
                    }
                    writes_left -= 1;
                    false
                }
                ToRelay::Evict(channel, code) => {
                    for outlet in table.channels.remove(channel).unwrap_or_default().values() {
                        outlet.close(*code);
                    }
                    false
                }
            };
            if !goes_on {
                self.written = 0;
                self.waiting.pop_front();
            }
        }
    }
}

fn leave(table: &mut Table, channel: ChannelId, socket_id: SocketId) {
    let Some(subscribers) = table.channels.get_mut(&channel) else {
        return;
    };
    subscribers.swap_remove(&socket_id);
    if subscribers.is_empty() {
        table.channels.remove(&channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sink {
        frames: RefCell<Vec<Bytes>>,
        closed: RefCell<Option<CloseCode>>,
    }

    impl Outlet for Sink {
        fn write(&self, frame: &Bytes) {
            self.frames.borrow_mut().push(frame.clone());
        }

        fn close(&self, code: CloseCode) {
            *self.closed.borrow_mut() = Some(code);
        }

        fn refuse(&self, attempt: &Attempt, frames: &Bytes) {
            let text = format!("refused {} {}: ", attempt.channel, attempt.number);
            self.frames.borrow_mut().push([text.as_bytes(), frames].concat().into());
        }
    }

    fn sockets(outlets: &Outlets, count: u128) -> Vec<Rc<Sink>> {
        (0..count)
            .map(|at| {
                let sink = Rc::new(Sink {
                    frames: RefCell::default(),
                    closed: RefCell::default(),
                });
                outlets.add(SocketId::from_random(at), Rc::clone(&sink) as Rc<dyn Outlet>);
                sink
            })
            .collect()
    }

    fn publish(frame: &'static str, except: Option<SocketId>) -> ToRelay {
        ToRelay::Publish {
            channel: ChannelId(1),
            frame: Bytes::from_static(frame.as_bytes()),
            except,
            charge: None,
        }
    }

    fn join(at: u128) -> ToRelay {
        ToRelay::Join(ChannelId(1), SocketId::from_random(at), Bytes::from_static(b"ok"))
    }

    #[actix_rt::test]
    async fn every_subscriber_gets_every_frame_in_order_in_several_turns() {
        let outlets = Rc::new(Outlets::default());
        let sinks = sockets(&outlets, 1_000);
        let relay = Relay::new(Rc::clone(&outlets)).start();
        for at in 0..1_000 {
            relay.do_send(join(at));
        }
        relay.do_send(publish("a", None));
        relay.do_send(publish("b", Some(SocketId::from_random(3))));
        relay.do_send(ToRelay::Leave(ChannelId(1), SocketId::from_random(5)));
        relay.do_send(publish("c", None));
        let written = || sinks.iter().map(|sink| sink.frames.borrow().len()).sum::<usize>();
        while written() < 4_000 - 2 {
            tokio::task::yield_now().await;
        }
        for (at, sink) in sinks.iter().enumerate() {
            let want: &[&str] = match at {
                3 => &["ok", "a", "c"],
                5 => &["ok", "a", "b"],
                _ => &["ok", "a", "b", "c"],
            };
            assert_eq!(*sink.frames.borrow(), want, "{at}");
        }
    }

    #[actix_rt::test]
    async fn a_socket_that_is_gone_joins_nothing_and_an_empty_channel_leaves_no_entry() {
        let outlets = Rc::new(Outlets::default());
        let sinks = sockets(&outlets, 2);
        let relay = Relay::new(Rc::clone(&outlets)).start();
        outlets.remove(SocketId::from_random(1));
        relay.do_send(join(0));
        relay.do_send(join(1));
        relay.do_send(publish("a", None));
        relay.do_send(ToRelay::Leave(ChannelId(1), SocketId::from_random(0)));
        relay.do_send(ToRelay::Leave(ChannelId(1), SocketId::from_random(0)));
        let none = CloseSome {
            count: 0,
            code: CloseCode::GoingAway,
        };
        assert_eq!(relay.send(none).await.ok(), Some(1));
        assert_eq!(*sinks[0].frames.borrow(), ["ok", "a"]);
        assert!(sinks[1].frames.borrow().is_empty());
        let holding = relay.send(CountHolding).await.expect("runs");
        assert_eq!((holding.sockets, holding.channels), (1, 0));
    }

    #[actix_rt::test]
    async fn one_socket_is_sent_to_refused_or_closed_alone() {
        let outlets = Rc::new(Outlets::default());
        let sinks = sockets(&outlets, 2);
        let relay = Relay::new(Rc::clone(&outlets)).start();
        let id = SocketId::from_random(0);
        let gone = SocketId::from_random(9);
        for id in [id, gone] {
            relay.do_send(ToRelay::Send(id, Bytes::from_static(b"a")));
            relay.do_send(ToRelay::Refuse(
                id,
                Attempt {
                    channel: "presence-x".parse().expect("valid"),
                    number: 3,
                },
                Bytes::from_static(b"no"),
            ));
            relay.do_send(ToRelay::Close(id, CloseCode::Terminated));
        }
        relay.send(CountHolding).await.expect("runs");
        assert_eq!(*sinks[0].frames.borrow(), ["a", "refused presence-x 3: no"]);
        assert_eq!(*sinks[0].closed.borrow(), Some(CloseCode::Terminated));
        assert!(sinks[1].frames.borrow().is_empty() && sinks[1].closed.borrow().is_none());
    }

    #[actix_rt::test]
    async fn a_broken_channel_closes_its_sockets_and_a_drain_closes_some_at_a_time() {
        let outlets = Rc::new(Outlets::default());
        let sinks = sockets(&outlets, 5);
        let relay = Relay::new(Rc::clone(&outlets)).start();
        relay.do_send(join(0));
        relay.do_send(ToRelay::Evict(ChannelId(1), CloseCode::GoingAway));
        let two = || CloseSome {
            count: 2,
            code: CloseCode::GoingAway,
        };
        assert_eq!(relay.send(two()).await.ok(), Some(3));
        assert_eq!(*sinks[0].closed.borrow(), Some(CloseCode::GoingAway));
        assert_eq!(relay.send(two()).await.ok(), Some(1));
        assert_eq!(relay.send(two()).await.ok(), Some(0));
        assert!(sinks.iter().all(|sink| sink.closed.borrow().is_some()));
    }
}
