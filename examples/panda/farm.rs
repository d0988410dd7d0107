//! The encoder farm: its jobs go on, and say so when somebody may be listening.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    audience::Audience,
    journal::{Journal, Note},
    publisher::Publisher,
    workload::{JOBS, Progress, channel, job_of},
};

pub(crate) struct Farm {
    /// The step of each job.
    steps: RefCell<Vec<u8>>,
    /// Who listens; without it, everything is published.
    audience: Option<Arc<Audience>>,
    publisher: Publisher,
    journal: Rc<Journal>,
}

impl Farm {
    pub(crate) fn new(audience: Option<Arc<Audience>>, publisher: Publisher, journal: Rc<Journal>) -> Self {
        Self {
            steps: RefCell::new(vec![0; JOBS]),
            audience,
            publisher,
            journal,
        }
    }

    /// Lives through all that the jobs do.
    pub(crate) async fn work(&self, progress: &[Progress], begin: Instant) {
        for progress in progress {
            let due = begin + progress.at;
            if Instant::now() < due {
                tokio::time::sleep_until(due.into()).await;
            }
            self.report(progress.job, progress.step);
        }
    }

    // region: farm
    /// A job has reached a step: this is published if somebody may be listening.
    fn report(&self, job: usize, step: u8) {
        self.steps.borrow_mut()[job] = step;
        let report = Note::report(step);
        let entry = self.journal.was_made(job, report);
        if self.somebody_listens(job) {
            self.publisher.send(job, report, entry);
        } else {
            self.journal.was_skipped(job, entry);
        }
    }

    fn somebody_listens(&self, job: usize) -> bool {
        let audience = self.audience.as_ref();
        audience.is_none_or(|audience| audience.is_there(&channel(job)))
    }

    /// A channel became occupied: what its first viewer has missed comes to it as one event.
    fn catch_up(&self, job: usize) {
        let present = Note::catch_up(self.steps.borrow()[job]);
        let entry = self.journal.was_made(job, present);
        self.publisher.send(job, present, entry);
    }
    // endregion: farm

    /// Sends the catch-up of every channel that becomes occupied.
    pub(crate) async fn catch_up_all(&self, mut became_occupied: UnboundedReceiver<String>) {
        while let Some(channel) = became_occupied.recv().await {
            if let Some(job) = job_of(&channel).filter(|job| *job < JOBS) {
                self.catch_up(job);
            }
        }
    }

    /// Waits until everything is published.
    pub(crate) async fn finish(&self) -> Result<(), crate::Failure> {
        self.publisher.finish().await
    }
}
