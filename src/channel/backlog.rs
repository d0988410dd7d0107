//! Bounds what is published but not yet written out.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts published bytes that no socket has been given yet, against a bound.
#[derive(Debug)]
pub struct Backlog {
    bytes: AtomicUsize,
    bytes_max: usize,
}

/// The bytes of one publish, counted until its last part was written and this is dropped.
#[derive(Debug)]
pub struct Charge {
    backlog: Arc<Backlog>,
    bytes: usize,
}

impl Backlog {
    /// Begins with nothing waiting.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            bytes_max,
        }
    }

    /// Counts `bytes` until the charge is dropped; none when that would be over the bound. A publish
    /// that is larger than the bound goes when nothing else waits.
    #[must_use]
    pub fn charge(self: &Arc<Self>, bytes: usize) -> Option<Arc<Charge>> {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        // Made before the comparison, so that a refusal takes its bytes back.
        let charge = Charge {
            backlog: Arc::clone(self),
            bytes,
        };
        let fits = before == 0 || before.saturating_add(bytes) <= self.bytes_max;
        fits.then(|| Arc::new(charge))
    }

    /// Bytes that wait now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.backlog.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_counts_until_its_last_copy_is_dropped() {
        let backlog = Arc::new(Backlog::new(10));
        let first = backlog.charge(6).expect("fits");
        let copy = Arc::clone(&first);
        drop(first);
        assert_eq!(backlog.bytes(), 6);
        assert!(backlog.charge(5).is_none());
        assert_eq!(backlog.bytes(), 6);
        assert!(backlog.charge(4).is_some());
        drop(copy);
        assert_eq!(backlog.bytes(), 0);
    }

    #[test]
    fn what_is_larger_than_the_bound_goes_when_nothing_else_waits() {
        let backlog = Arc::new(Backlog::new(10));
        let large = backlog.charge(100).expect("alone");
        assert!(backlog.charge(1).is_none());
        drop(large);
        assert!(backlog.charge(1).is_some());
    }
}
