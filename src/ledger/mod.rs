//! What was told, and what must still be told.
//!
//! One trait; an engine behind it decides and stores in one atomic step, so that there is no
//! moment at which a channel's new state exists without the event that tells of it (DESIGN.md
//! section 5). The rules are pure: [`Occupancy`] decides, [`Outbox`] queues, [`cut()`] makes
//! requests. [`Memory`] is the engine that keeps nothing over a restart, [`spawn`] the thread that
//! an engine runs on.

mod cut;
mod edge;
mod event;
mod filter;
mod memory;
mod messages;
mod occupancy;
mod outbox;
mod thread;
mod view;
mod window;

use std::time::Instant;

pub use cut::{CutLimits, cut};
pub use edge::{Edge, Key, Observed};
pub use event::{ClientEvent, Event, EventBody, Stateless};
pub use filter::Filter;
pub use memory::Memory;
pub use messages::{Observe, StepDone};
pub use occupancy::{Numbers, Occupancy, Transition};
pub use outbox::{Outbox, OutboxLimits};
pub use thread::{LedgerHandle, LedgerThread, spawn};
pub use view::{Query, Told, ToldChannel, ToldPage, View};
pub use window::{Answer, AppRules, Control, Done, EndpointRules, Outcome, Request, RequestId, Step, Window};

use crate::domain::Now;

/// What an engine does. It owns its state alone and runs on one thread.
pub trait Ledger: Send {
    /// Carries out a step and stores all of it or, on an error, none of it (nor anything of it in
    /// memory).
    ///
    /// Controls come first, then answers, then windows in the order given. A step without
    /// contents hands out what became due by `now`.
    ///
    /// # Errors
    /// When the step could not be stored.
    fn step(&mut self, step: Step, now: Now) -> Result<Done, LedgerError>;

    /// Answers a question about what is stored.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn read(&self, query: &Query) -> Result<View, LedgerError>;
}

/// Why an engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The thread of the ledger has ended: the server is stopping.
    #[error("the ledger has stopped")]
    Stopped,
}

/// The earlier of two deadlines, where none is the latest.
fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}
