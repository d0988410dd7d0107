//! What is signed with an app's secret: subscriptions, API requests and webhooks.
//!
//! Everything here is a function of its arguments; the time is one of them. A secret is read once,
//! into a [`SigningKey`] or a [`StandardKey`], and shown nowhere.

mod auth;
mod hmac;
pub mod http_request;
pub mod sign_in;
pub mod standard_webhooks;
pub mod subscription;
pub mod webhook;

pub use self::hmac::SigningKey;
pub use self::standard_webhooks::{StandardKey, StandardKeyError};
