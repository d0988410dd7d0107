//! What lies under HTTP and WebSockets: the socket of a client, in clear or through TLS.
//!
//! [`Wire`] is both. TLS is a pure `Session` of records in and records out;
//! [`accept()`] makes the handshake, with the certificate that [`Identity`] holds at that moment. HTTP reads
//! it through [`Paced`], which tells requests about their connection by its [`Link`].

mod accept;
mod identity;
mod paced;
mod requests;
mod session;
mod stream;

pub use accept::{accept, whole_record};
pub use identity::{Identity, IdentityError, server_config};
pub use paced::{Link, MayUpgrade, Paced, REQUEST_HEAD_TIMEOUT};
pub use requests::Refusal;
pub use stream::{Tls, Wire, end};
