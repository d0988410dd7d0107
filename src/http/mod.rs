//! The HTTP API for back ends (PROTOCOL.md section 5), and what tells whether the server is well.

pub mod admin;
mod channels;
mod error;
mod events;
mod fallbacks;
mod health;
mod idempotency;
mod info;
mod occupancy;
mod publish;
mod routes;
mod signed_request;
mod users;

pub use error::ApiError;
pub use health::Readiness;
pub use idempotency::{Begin, Idempotency, IdempotencyKey, IdempotencyKeyError};
pub use publish::{EventData, Publication, parse_batch, parse_trigger, publication_from_query, trigger_from_query};
pub use routes::{HttpState, fallback_routes, routes};
pub use signed_request::SignedRequest;
