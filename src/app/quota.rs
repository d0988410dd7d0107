//! Counts what there is of something against a limit: connections, sockets, API calls under way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// How many there are, and how many there may be.
#[derive(Debug)]
pub struct Quota {
    count: AtomicUsize,
    max: Option<usize>,
}

/// Counts one while it exists.
#[derive(Debug)]
pub struct QuotaGuard(Arc<Quota>);

impl Quota {
    /// A quota that nothing was taken of; without `max` there is no limit.
    #[must_use]
    pub const fn new(max: Option<usize>) -> Self {
        Self {
            count: AtomicUsize::new(0),
            max,
        }
    }

    /// Counts one until the guard is dropped; none when that would be over the limit.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Option<QuotaGuard> {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        // Made before the comparison, so that a refusal takes its count back.
        let guard = QuotaGuard(Arc::clone(self));
        self.max.is_none_or(|max| before < max).then_some(guard)
    }

    /// Counts one until the guard is dropped, even over the limit.
    #[must_use]
    pub fn add(self: &Arc<Self>) -> QuotaGuard {
        self.count.fetch_add(1, Ordering::Relaxed);
        QuotaGuard(Arc::clone(self))
    }

    /// How many there may be; none when there is no limit.
    #[must_use]
    pub const fn max(&self) -> Option<usize> {
        self.max
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for QuotaGuard {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_let_in_as_the_limit_says_and_more_when_some_have_gone() {
        let quota = Arc::new(Quota::new(Some(2)));
        let first = quota.take().expect("one");
        let second = quota.take().expect("two");
        assert!(quota.take().is_none());
        assert_eq!(quota.count(), 2);
        drop(first);
        assert!(quota.take().is_some());
        drop(second);
        assert_eq!(quota.count(), 0);
    }

    #[test]
    fn what_is_added_counts_against_the_limit_and_is_never_refused() {
        let quota = Arc::new(Quota::new(Some(1)));
        let added = [quota.add(), quota.add()];
        assert_eq!(quota.count(), 2);
        assert!(quota.take().is_none());
        drop(added);
        assert!(quota.take().is_some());
    }

    #[test]
    fn without_a_limit_everyone_is_let_in() {
        let quota = Arc::new(Quota::new(None));
        let guards: Vec<_> = (0..1_000).map(|_| quota.take()).collect();
        assert!(guards.iter().all(Option::is_some));
        assert_eq!(quota.count(), 1_000);
    }
}
