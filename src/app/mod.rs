//! An app as the running server knows it: its settings, its channels and its connections.
//!
//! Plain shared values, no actors: a lookup is a read.

#[expect(clippy::module_inception, reason = "the type bears the name of its module")]
mod app;
mod apps;

pub use app::{App, AppParts, Busy, ConnectionGuard, Sender};
pub use apps::Apps;
