//! The HTTP API for back ends (PROTOCOL.md section 5), and what tells whether the server is well.

mod channels;
mod error;
mod events;
mod health;
mod info;
mod occupancy;
mod publish;
mod routes;
mod signed_request;

pub use error::ApiError;
pub use health::Readiness;
pub use publish::{Publication, parse_batch, parse_trigger};
pub use routes::{HttpState, routes};
pub use signed_request::SignedRequest;
