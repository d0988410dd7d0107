//! The ledger's types as actor messages.

use std::time::Instant;

use actix::Message;

use super::{edge::Observed, window::Request};

/// A channel reports something to its app's `Webhooks`.
///
/// Control: sent with `do_send`; their number is bounded by the commands of clients.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Observe(pub Observed);

/// The ledger tells an app's `Webhooks` what came of a step.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StepDone {
    /// How many windows of the app the step took.
    pub windows: usize,
    /// When the app's next pending key falls due; not known from a step without its windows.
    pub next_due: Option<Option<Instant>>,
    /// Requests to send now.
    pub requests: Vec<Request>,
}
