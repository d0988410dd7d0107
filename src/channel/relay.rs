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
mod tests;
