//! What was told, and what must still be told.
//!
//! One trait; an engine behind it decides and stores in one atomic step, so that there is no
//! moment at which a channel's new state exists without the event that tells of it (DESIGN.md
//! section 5). The rules are pure: [`Occupancy`] decides, [`Outbox`] queues, [`cut()`] makes
//! requests. [`Engine`] joins them and keeps each step in a [`Store`]; [`spawn`] starts the thread that
//! it runs on.

mod breaker;
mod counters;
mod cut;
mod edge;
mod embedded;
mod engine;
mod event;
mod exit_on_panic;
mod filter;
mod handle;
#[cfg(test)]
mod keeping;
#[cfg(test)]
pub(crate) mod law;
mod lived;
mod log;
mod memory_store;
mod messages;
mod net;
mod occupancy;
mod outbox;
mod paging;
mod row_times;
mod store;
mod thread;
mod unsaved;
mod view;
mod window;

use std::time::Instant;

#[cfg(test)]
pub(crate) use unsaved::{Delays, Unsaved};

pub use breaker::{Breaker, BreakerLimits, BreakerState};
pub use counters::Counters;
pub use cut::{CutLimits, body_bytes, cut};
pub use edge::{Edge, Key, Observed};
pub use embedded::{BackupError, CheckReport, Compacted, Embedded, EmbeddedSettings, NewBackup, OpenError, Snapshot};
pub use engine::{Engine, EngineLimits};
pub use event::{ClientEvent, Event, EventBody, EventId, Stateless};
pub use exit_on_panic::exit_on_panic;
pub use filter::{Filter, FilterSource};
pub use handle::LedgerHandle;
pub use log::{
    Attempted, DeadLetter, DeadMark, DeadPage, DeadQuery, EventRef, From, LogEntry, LogPage, LogQuery, LogStatus,
    Logged, Page, ParkedBecause,
};
pub use memory_store::MemoryStore;
pub use messages::{Observe, StepDone};
pub use net::NetEdges;
pub use occupancy::{Occupancy, Occupied, Transition};
pub use outbox::{Answered, Attempt, Became, Effects, Kept, Outbox};
pub use row_times::RowTimes;
pub use store::{
    AnnouncingRecord, AsideRecord, Changes, CommitTimes, EndpointRecord, KeyRecord, Loaded, QueuedRecord,
    RequestRecord, Store, Trim, Usage,
};
pub use thread::{LedgerThread, spawn};
pub use view::{
    AsideView, ChannelView, Counts, EndpointView, FailingView, KeyState, KeyView, LedgerStatus, Query, Told,
    ToldChannel, ToldPage, View, WaitView,
};
pub use window::{
    Answer, AppRules, AttemptReport, Control, DisabledBecause, Done, EndpointRules, IdError, Left, Mode, Outcome,
    Request, RequestId, Step, Window,
};

use crate::domain::Now;

/// What an engine does. It owns its state alone and runs on one thread.
pub trait Ledger: Send {
    /// Carries out a step and stores all of it or, on an error, none of it (nor anything of it in
    /// memory).
    ///
    /// Controls come first, then answers, then windows in the order given. A step without
    /// contents hands out what became due by `now`.
    ///
    /// It carries out at most `work_max` of each app's windows, counted as observations and due keys; 1 or
    /// more. The rest is in [`Done::left`], and carrying it out in later steps has the same effect.
    ///
    /// # Errors
    /// When the step could not be stored.
    fn portion(&mut self, step: &Step, work_max: usize, now: Now) -> Result<Done, LedgerError>;

    /// Carries out a step with all of its windows, as [`Ledger::portion`] does.
    ///
    /// # Errors
    /// When the step could not be stored.
    fn step(&mut self, step: &Step, now: Now) -> Result<Done, LedgerError> {
        self.portion(step, usize::MAX, now)
    }

    /// Looks whether what was stored would be found by a later start.
    ///
    /// # Errors
    /// When it would not, so that nothing more should be stored. Later calls may succeed.
    fn look(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }

    /// Answers a question about what is stored.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn read(&self, query: &Query, now: Now) -> Result<View, LedgerError>;

    /// All that is stored at this moment, to be copied while steps go on; none where nothing survives a
    /// restart.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn snapshot(&self) -> Result<Option<Snapshot>, LedgerError> {
        Ok(None)
    }
}

/// Why an engine could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The thread of the ledger has ended: the server is stopping.
    #[error("the ledger has stopped")]
    Stopped,
    /// What was to be kept could not be written; nothing of it was kept.
    #[error("cannot write to the ledger {path}: {reason}")]
    Write {
        /// The file.
        path: String,
        /// Why, and what to do.
        reason: String,
    },
    /// What is kept could not be read.
    #[error("cannot read the ledger {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// Why, and what to do.
        reason: String,
    },
}

/// The earlier of two deadlines, where none is the latest.
fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}
