//! What was said in a run, and what became of it: the truth that [`check`](crate::check) compares
//! with what the viewers saw.

use std::{
    cell::{Ref, RefCell},
    time::Instant,
};

use crate::workload::JOBS;

/// What an event says of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) kind: Kind,
    pub(crate) step: u8,
}

impl Note {
    pub(crate) const fn report(step: u8) -> Self {
        let kind = Kind::Report;
        Self { kind, step }
    }

    pub(crate) const fn catch_up(step: u8) -> Self {
        let kind = Kind::CatchUp;
        Self { kind, step }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The job has reached a step.
    Report,
    /// The step at which it is, for somebody who just came.
    CatchUp,
}

impl Kind {
    /// The name of the event.
    pub(crate) const fn event(self) -> &'static str {
        match self {
            Self::Report => "progress",
            Self::CatchUp => "catch-up",
        }
    }

    pub(crate) fn of_event(name: &str) -> Option<Self> {
        [Self::Report, Self::CatchUp]
            .into_iter()
            .find(|kind| kind.event() == name)
    }
}

/// Something that was made to be said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) note: Note,
    /// Before it was decided whether to publish it.
    pub(crate) made: Instant,
    pub(crate) fate: Fate,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// It waits to be published.
    Waits,
    /// Nobody was thought to listen.
    Skipped,
    /// The call began at a moment and was answered with 200 at another.
    Published { sent: Instant, answered: Instant },
}

/// The entries of each job, in their order.
pub(crate) struct Journal {
    jobs: RefCell<Vec<Vec<Entry>>>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self {
            jobs: RefCell::new(vec![Vec::new(); JOBS]),
        }
    }

    /// Notes that something was made, before it is decided what becomes of it; gives the number of the
    /// entry within its job.
    pub(crate) fn was_made(&self, job: usize, note: Note) -> usize {
        let entries = &mut self.jobs.borrow_mut()[job];
        entries.push(Entry {
            note,
            made: Instant::now(),
            fate: Fate::Waits,
        });
        entries.len() - 1
    }

    pub(crate) fn was_skipped(&self, job: usize, entry: usize) {
        self.jobs.borrow_mut()[job][entry].fate = Fate::Skipped;
    }

    pub(crate) fn was_published(&self, job: usize, entry: usize, sent: Instant, answered: Instant) {
        self.jobs.borrow_mut()[job][entry].fate = Fate::Published { sent, answered };
    }

    /// An entry with its fate, for tests of what reads the journal.
    #[cfg(test)]
    pub(crate) fn put(&self, job: usize, note: Note, made: Instant, fate: Fate) {
        self.jobs.borrow_mut()[job].push(Entry { note, made, fate });
    }

    pub(crate) fn of(&self, job: usize) -> Ref<'_, [Entry]> {
        Ref::map(self.jobs.borrow(), |jobs| jobs[job].as_slice())
    }
}
