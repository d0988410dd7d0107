//! The API for operators, on a listener of its own: what the endpoints, the log and the ledger
//! hold, and what may be done about it.
//!
//! Every path is below `/admin/v1` and wants the bearer token of the configuration. The paths and
//! their OpenAPI description are one declaration ([`admin_routes`]).

mod auth;
mod channels;
mod delivery_log;
mod endpoints;
mod error;
mod ledger;
mod listen;
mod log_stream;
mod pages;
mod query;
mod replay;
mod routes;
mod state;
mod stream;
mod why;
mod words;

pub mod wire;

pub use auth::{Token, authenticate};
pub use error::AdminError;
pub use query::QueryError;
pub use routes::{admin_routes, is_stream, openapi};
pub use state::{AdminParts, AdminState, EndpointInfo, STREAMS_MAX};
pub use words::span;

#[cfg(test)]
mod tests;
