//! The nouns of the protocol as types that cannot hold an invalid value.
//!
//! Everything here is a plain value: no actor, no wire format, no clock. A value that exists is
//! valid; the constructors return what was wrong instead.

mod app;
mod app_limits;
mod attempt;
mod channel_name;
mod channel_pattern;
mod counted;
mod endpoint_id;
mod event_name;
mod expiring;
pub mod guard;
pub mod limits;
mod member;
mod now;
mod repeats;
mod self_signed;
mod socket_id;
mod webhook_event;

pub use app::{AppId, AppIdError, AppKey, AppKeyError};
pub use app_limits::{AppLimits, Pace};
pub use attempt::Attempt;
pub use channel_name::{ChannelKind, ChannelName, ChannelNameError, SERVER_TO_USER};
pub use channel_pattern::{ChannelPattern, ChannelPatternError, ChannelPatternSource, NameTests};
pub use counted::counted;
pub use endpoint_id::{EndpointId, EndpointIdError};
pub use event_name::{EventName, EventNameError};
pub use expiring::Expiring;
pub use member::{Member, UserId, UserIdError};
pub use now::Now;
pub use repeats::Repeats;
pub use self_signed::openssl_line;
pub use socket_id::{SocketId, SocketIdError};
pub use webhook_event::{WebhookEvent, WebhookEventError};
