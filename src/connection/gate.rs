//! What a connection's reader must know besides what comes in.

use std::{
    cell::{Cell, RefCell},
    task::Waker,
};

use crate::domain::Attempt;

/// Whether more is read from a client, and what the channels have to say to its session.
///
/// The outgoing half of a connection has one; the stream of what comes in asks it first.
#[derive(Default)]
pub(super) struct Gate {
    is_shut: Cell<bool>,
    is_paused: Cell<bool>,
    refused: RefCell<Vec<Attempt>>,
    reader: RefCell<Option<Waker>>,
}

/// What the reader is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Read on.
    Read,
    /// Wait to be woken.
    Wait,
    /// Tell the session that the channel refused this subscription.
    Refused(Attempt),
    /// Read nothing more: the connection has ended.
    End,
}

impl Gate {
    /// Tells what to do next, and has the reader woken when that changes.
    pub(super) fn pass(&self, waker: &Waker) -> Pass {
        if let Some(attempt) = self.refused.borrow_mut().pop() {
            return Pass::Refused(attempt);
        }
        if self.is_shut.get() {
            return Pass::End;
        }
        let mut reader = self.reader.borrow_mut();
        if !reader.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *reader = Some(waker.clone());
        }
        if self.is_paused.get() { Pass::Wait } else { Pass::Read }
    }

    /// Ends the reading for good.
    pub(super) fn shut(&self) {
        self.is_shut.set(true);
        self.wake();
    }

    /// Whether the reading has ended.
    pub(super) fn is_shut(&self) -> bool {
        self.is_shut.get()
    }

    /// Has nothing read until [`resume`](Self::resume).
    pub(super) fn pause(&self) {
        self.is_paused.set(true);
    }

    /// Has the reading go on.
    pub(super) fn resume(&self) {
        self.is_paused.set(false);
        self.wake();
    }

    /// Has the session told that a channel did not let it in.
    pub(super) fn refuse(&self, attempt: Attempt) {
        self.refused.borrow_mut().push(attempt);
        self.wake();
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.borrow_mut().take() {
            reader.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_reader_reads_until_the_gate_is_paused_or_shut() {
        let gate = Gate::default();
        let waker = Waker::noop();
        assert_eq!(gate.pass(waker), Pass::Read);
        gate.pause();
        assert_eq!(gate.pass(waker), Pass::Wait);
        gate.resume();
        assert_eq!(gate.pass(waker), Pass::Read);
        assert!(!gate.is_shut());
        gate.shut();
        assert!(gate.is_shut());
        assert_eq!(gate.pass(waker), Pass::End);
    }

    #[test]
    fn a_refusal_is_told_once_even_when_the_gate_is_shut() {
        let gate = Gate::default();
        let attempt = || Attempt {
            channel: "presence-x".parse().expect("valid"),
            number: 3,
        };
        gate.refuse(attempt());
        gate.shut();
        assert_eq!(gate.pass(Waker::noop()), Pass::Refused(attempt()));
        assert_eq!(gate.pass(Waker::noop()), Pass::End);
    }

    #[test]
    fn the_reader_that_asked_last_is_woken_once_for_each_time_it_asked() {
        let gate = Gate::default();
        let [first, last] = [Arc::new(Woken::default()), Arc::new(Woken::default())];
        let woken = || [&first, &last].map(|woken| woken.0.load(Ordering::Relaxed));
        let pass = |reader: &Arc<Woken>| gate.pass(&Arc::clone(reader).into());
        pass(&first);
        pass(&last);
        pass(&last);
        gate.pause();
        assert_eq!(woken(), [0, 0]);
        gate.resume();
        assert_eq!(woken(), [0, 1]);
        gate.shut();
        assert_eq!(woken(), [0, 1]);
        pass(&first);
        assert_eq!(woken(), [0, 1]);
        let gate = Gate::default();
        gate.pass(&Arc::clone(&first).into());
        gate.refuse(Attempt {
            channel: "presence-x".parse().expect("valid"),
            number: 3,
        });
        assert_eq!(woken(), [1, 1]);
        gate.pass(&Arc::clone(&first).into());
        gate.pass(&Arc::clone(&first).into());
        gate.shut();
        assert_eq!(woken(), [2, 1]);
    }
}
