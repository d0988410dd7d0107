//! What bounds the messages that clients have begun to send.

use std::sync::Arc;

use crate::channel::{Backlog, Charge};

/// Bytes of a client that are not counted: what has come of a short message.
const FREE: usize = 1_024;
/// Above them, bytes are counted in steps of this.
const STEP: usize = 4 * 1_024;

/// Counts what one client has sent of messages that are not whole, against a bound that all clients
/// have together. Nobody has shown a secret for these bytes.
#[derive(Debug)]
pub(super) struct Unfinished {
    all: Arc<Backlog>,
    charge: Option<Arc<Charge>>,
    counted: usize,
}

impl Unfinished {
    /// Begins with nothing held.
    pub(super) const fn new(all: Arc<Backlog>) -> Self {
        Self {
            all,
            charge: None,
            counted: 0,
        }
    }

    /// Counts that so many bytes are held now; false when all clients together would hold too many,
    /// and then this client is to be closed.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let count = if bytes <= FREE { 0 } else { bytes.next_multiple_of(STEP) };
        if count == self.counted {
            return true;
        }
        // What was counted goes first, so that it is not counted twice.
        self.charge = None;
        self.charge = if count == 0 { None } else { self.all.charge(count) };
        let is_counted = count == 0 || self.charge.is_some();
        self.counted = if is_counted { count } else { 0 };
        is_counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_message_counts_nothing_and_a_long_one_in_steps() {
        let all = Arc::new(Backlog::new(100_000));
        let mut unfinished = Unfinished::new(Arc::clone(&all));
        for (held, counted) in [
            (0, 0),
            (1_024, 0),
            (1_025, 4_096),
            (4_096, 4_096),
            (4_097, 8_192),
            (10, 0),
        ] {
            assert!(unfinished.hold(held), "{held}");
            assert_eq!(all.bytes(), counted, "{held}");
        }
    }

    #[test]
    fn clients_hold_no_more_than_the_bound_together() {
        let all = Arc::new(Backlog::new(12_288));
        let [mut first, mut second] = [(); 2].map(|()| Unfinished::new(Arc::clone(&all)));
        assert!(first.hold(8_000));
        assert!(second.hold(4_000));
        assert!(!second.hold(5_000));
        assert_eq!(all.bytes(), 8_192);
        assert!(!second.hold(5_000));
        drop(first);
        assert!(second.hold(5_000));
        assert_eq!(all.bytes(), 8_192);
        drop(second);
        assert_eq!(all.bytes(), 0);
    }
}
