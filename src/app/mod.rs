//! An app as the running server knows it: its settings, its channels, connections and users.
//!
//! Plain shared values, no actors: a lookup is a read.

#[expect(clippy::module_inception, reason = "the type bears the name of its module")]
mod app;
mod apps;
mod keys;
mod mistakes;
mod quota;
mod rate;
mod users;

pub use app::{App, AppParts, Busy, Online, Outgoing, Switches};
pub use apps::Apps;
pub use keys::{Key, Keys};
pub use mistakes::{Mistake, Mistakes};
pub use quota::{Quota, QuotaGuard};
pub use rate::Rate;
pub use users::{SignIn, SignOut, Users};

/// What [`App::send_client_event`] takes.
pub use crate::ledger::ClientEvent;
