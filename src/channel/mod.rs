//! Who is subscribed to what, and how an event reaches all of them.
//!
//! A [`Channel`] actor owns the members of one channel, in a pure [`Roster`]; the
//! [`ChannelRegistry`] finds it, starts it and decides when it ends; a [`Relay`] per worker thread
//! writes to the sockets there (DESIGN.md sections 3 and 4). Nothing here knows a connection: a
//! socket is an [`Outlet`].

mod backlog;
mod cache;
#[expect(clippy::module_inception, reason = "the actor bears the name of its module")]
mod channel;
mod count;
mod messages;
mod registry;
mod relay;
mod roster;
mod workers;

pub use backlog::{Backlog, Charge};
pub use cache::{Cached, EventCache};
pub use channel::Channel;
pub use count::CountThrottle;
pub use messages::{ChannelId, ListUsers, ListWorkers, Publish, Subscribe, Unsubscribe, WorkerId};
pub use registry::{ChannelRegistry, ChannelRules, Counts, Published, UsersError};
pub use relay::{CloseSome, CountHolding, Holding, Outlet, Outlets, Relay, ToRelay};
pub use roster::{Effect, Roster};
pub use workers::Workers;
