//! The JSON of the admin API: what is asked and answered, for the server and for the command line.

mod actions;
mod channel;
mod endpoint;
mod delivery_log;

pub use actions::{Ledger, Lost, Posted, Problem, Replay, Replayed, ReplayedTo, Tested};
pub use channel::{Asking, Channel, ChannelList, Delivery, Happened, Members, Parked, State, StateName, User, Why, Worker};
pub use endpoint::{Breaker, Channels, Counts, Endpoint, EndpointMode, Endpoints, NameTests};
pub use delivery_log::{Attempt, Dead, DeadLetters, Event, LogLine, LogLines, What};
