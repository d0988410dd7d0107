//! One client, from the upgrade of its socket to the end.
//!
//! [`Upgrader`] checks the handshake and takes the socket over; a [`Connection`] actor reads frames
//! and carries out what the pure [`Session`] decides; [`Socket`] bounds what waits to be written.

mod admission;
mod answering;
#[expect(clippy::module_inception, reason = "the actor bears the name of its module")]
mod connection;
mod fallback;
mod frames;
mod gate;
mod heartbeat;
mod line;
mod member_data;
mod rate;
mod reassembly;
mod refusal;
mod session;
mod socket;
mod unfinished;
mod upgrade;
mod user_data;
mod waiting;

pub use admission::{Admission, SocketRoom};
pub use connection::{Connection, ConnectionSettings};
pub use fallback::{FallbackHub, ReceiveStream, SendRefused};
pub use heartbeat::{Heartbeat, Pulse, Ticks};
pub use member_data::MemberDataError;
pub use rate::TokenBucket;
pub use reassembly::{Assembled, Reassembly, ReassemblyError};
pub use session::{Command, Session, SessionRules};
pub use socket::{Socket, SocketLimits};
pub use upgrade::{Upgrader, UpgraderParts, is_secure};
pub use user_data::{SignInIdError, SignedInUser, UserDataError};
