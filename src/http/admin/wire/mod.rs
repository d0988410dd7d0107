//! The JSON of the admin API: what is asked and answered, for the server and for the command line.

mod actions;
mod channel;
mod delivery_log;
mod endpoint;

pub use actions::{Deleted, Heard, Ledger, Lost, Posted, Problem, Replay, Replayed, ReplayedTo, Tested};
pub use channel::{
    App, Apps, Asking, Channel, ChannelList, Delivery, Happened, Members, Parked, State, StateName, User, Why, Worker,
};
pub use delivery_log::{Attempt, Dead, DeadLetters, Event, LogLine, LogLines, What};
pub(super) use endpoint::disabled_because;
pub use endpoint::{Aside, Breaker, Channels, Counts, Endpoint, EndpointMode, Endpoints, Failing, NameTests, Stuck};
