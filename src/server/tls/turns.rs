//! Turns for TLS handshakes.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_rt::time::sleep;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::clock;

/// How long a handshake keeps its turn undisturbed. A round trip or two take less, even while thousands come
/// at once.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// The turns of one worker. A handshake that finds none free waits. Once the oldest one has had its grace, a
/// waiting handshake ends it and takes its turn.
pub(super) struct Turns {
    free: Semaphore,
    grace: Duration,
    /// The handshakes under way by number; the lowest is the oldest.
    under_way: RefCell<BTreeMap<u64, (Instant, Rc<Notify>)>>,
    number: Cell<u64>,
}

/// A turn, until it is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    number: u64,
    wanted: Rc<Notify>,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Turns {
    pub(super) fn new(at_once: usize, grace: Duration) -> Self {
        Self {
            free: Semaphore::new(at_once),
            grace,
            under_way: RefCell::default(),
            number: Cell::default(),
        }
    }

    /// Waits for a turn.
    pub(super) async fn take(&self) -> Turn<'_> {
        let mut free = pin!(self.free.acquire());
        let permit = loop {
            let oldest = self.under_way.borrow().values().next().map(|(since, _)| *since);
            let left = oldest.map(|since| (since + self.grace).saturating_duration_since(clock::instant()));
            tokio::select! {
                biased;
                permit = &mut free => break permit,
                () = sleep(left.unwrap_or(self.grace)) => self.end_oldest(clock::instant()),
            }
        };
        let number = self.number.replace(self.number.get() + 1);
        let wanted = Rc::new(Notify::new());
        let place = (clock::instant(), Rc::clone(&wanted));
        self.under_way.borrow_mut().insert(number, place);
        Turn {
            turns: self,
            number,
            wanted,
            // The semaphore errs only when it is closed, which it never is.
            _permit: permit.ok(),
        }
    }

    /// Ends the oldest handshake if its grace is over, to make room for a waiting one. Each waiting handshake
    /// calls this.
    fn end_oldest(&self, now: Instant) {
        let mut under_way = self.under_way.borrow_mut();
        if let Some(oldest) = under_way.first_entry()
            && oldest.get().0 + self.grace <= now
        {
            let (_, wanted) = oldest.remove();
            wanted.notify_one();
        }
    }
}

impl Turn<'_> {
    /// Waits until another handshake takes the turn.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.under_way.borrow_mut().remove(&self.number);
    }
}
