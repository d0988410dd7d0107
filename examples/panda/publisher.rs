//! Publishes what the farm says: on several lanes at once, and for each job in order.

use std::{cell::RefCell, rc::Rc, time::Instant};

use actix_web::rt::{self, task::JoinHandle};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    Failure,
    api::Api,
    journal::{Journal, Note},
    workload::{STEPS, channel},
};

/// Calls that are under way at once.
const LANES: usize = 16;

/// What is to be published: the job, what to say, and where the journal has it.
struct Item {
    job: usize,
    note: Note,
    entry: usize,
}

/// The lanes. A job has one lane, so that an older state of it never overtakes a newer one.
pub(crate) struct Publisher {
    lanes: RefCell<Vec<UnboundedSender<Item>>>,
    running: RefCell<Vec<JoinHandle<Result<(), Failure>>>>,
}

impl Publisher {
    pub(crate) fn start(api: &Rc<Api>, journal: &Rc<Journal>) -> Self {
        let (mut lanes, mut running) = (Vec::new(), Vec::new());
        for _ in 0..LANES {
            let (lane, items) = unbounded_channel();
            lanes.push(lane);
            running.push(rt::spawn(publish(items, Rc::clone(api), Rc::clone(journal))));
        }
        Self {
            lanes: RefCell::new(lanes),
            running: RefCell::new(running),
        }
    }

    /// Has something published. That a lane has ended by an error is told by [`Self::finish`].
    pub(crate) fn send(&self, job: usize, note: Note, entry: usize) {
        if let Some(lane) = self.lanes.borrow().get(job % LANES) {
            let _ = lane.send(Item { job, note, entry });
        }
    }

    /// Waits until all is published.
    pub(crate) async fn finish(&self) -> Result<(), Failure> {
        self.lanes.take();
        for lane in self.running.take() {
            lane.await??;
        }
        Ok(())
    }
}

async fn publish(mut items: UnboundedReceiver<Item>, api: Rc<Api>, journal: Rc<Journal>) -> Result<(), Failure> {
    while let Some(Item { job, note, entry }) = items.recv().await {
        let data = json!({ "step": note.step, "of": STEPS });
        let sent = Instant::now();
        api.trigger(&channel(job), note.kind.event(), &data).await?;
        journal.was_published(job, entry, sent, Instant::now());
    }
    Ok(())
}
