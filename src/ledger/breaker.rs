//! Leaves an endpoint alone that fails again and again (DESIGN.md section 6).

use std::time::{Duration, Instant};

use super::window::RequestId;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerLimits {
    /// How many failures in a row open it; 1 or more.
    pub after: u32,
    /// How long it stays open before a request is let through, unless the request that failed last
    /// would be tried again before that.
    pub open_for: Duration,
}

/// What a breaker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BreakerState {
    /// Everything goes through.
    #[default]
    Closed,
    /// Nothing goes through.
    Open,
    /// One request is under way, to see whether the endpoint answers again.
    HalfOpen,
}

/// Counts an endpoint's failures in a row. Past the limit it holds all lanes but for one request
/// at a time.
#[derive(Debug, Clone)]
pub struct Breaker {
    limits: BreakerLimits,
    failures: u32,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Closed,
    OpenUntil(Instant),
    Probing(RequestId),
}

impl Breaker {
    /// Begins closed.
    #[must_use]
    pub const fn new(limits: BreakerLimits) -> Self {
        Self {
            limits,
            failures: 0,
            state: State::Closed,
        }
    }

    /// Takes other limits; what it is doing stays.
    pub const fn limit(&mut self, limits: BreakerLimits) {
        self.limits = limits;
    }

    /// Tells whether a request may be sent now. One that is sent must be told to
    /// [`sent`](Self::sent).
    #[must_use]
    pub fn may_try(&self, now: Instant) -> bool {
        match self.state {
            State::Closed => true,
            State::OpenUntil(until) => until <= now,
            State::Probing(_) => false,
        }
    }

    /// Tells whether a request that failed before and whose own time has come may be sent now: it
    /// waits for a request that is under way to see whether the endpoint answers, and for nothing
    /// else.
    #[must_use]
    pub const fn may_retry(&self) -> bool {
        !matches!(self.state, State::Probing(_))
    }

    /// Lets a request through now, to test whether the endpoint answers.
    pub fn try_at(&mut self, now: Instant) {
        if let State::OpenUntil(until) = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// Learns that a request was sent.
    pub const fn sent(&mut self, id: RequestId) {
        if let State::OpenUntil(_) = self.state {
            self.state = State::Probing(id);
        }
    }

    /// Learns how a request ended; a failure with how long it waits before it is tried again.
    pub fn on_outcome(&mut self, id: RequestId, failed: Option<Duration>, now: Instant) {
        let Some(retry_in) = failed else {
            self.failures = 0;
            self.state = State::Closed;
            return;
        };
        self.failures = self.failures.saturating_add(1);
        let opens = match self.state {
            State::Closed => self.limits.after <= self.failures,
            // What was under way when it opened says nothing new.
            State::OpenUntil(_) => false,
            State::Probing(probe) => probe == id,
        };
        if opens {
            self.state = State::OpenUntil(now + self.limits.open_for.min(retry_in));
        }
    }

    /// Learns that a request was refused whose refusal says nothing of others: it counts only when it
    /// was sent to find out.
    pub fn on_refusal_of_one(&mut self, id: RequestId, retry_in: Duration, now: Instant) {
        if let State::Probing(probe) = self.state
            && probe == id
        {
            self.on_outcome(id, Some(retry_in), now);
        }
    }

    /// When the next new request may be sent; none when that is now or after an answer.
    #[must_use]
    pub const fn opens_at(&self) -> Option<Instant> {
        match self.state {
            State::OpenUntil(until) => Some(until),
            State::Closed | State::Probing(_) => None,
        }
    }

    /// What it is doing.
    #[must_use]
    pub const fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::OpenUntil(_) => BreakerState::Open,
            State::Probing(_) => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Now;

    /// Drives a breaker that opens after 3 failures for 30 s.
    struct Check {
        breaker: Breaker,
        start: Now,
    }

    impl Check {
        fn new() -> Self {
            let limits = BreakerLimits {
                after: 3,
                open_for: Duration::from_secs(30),
            };
            Self {
                breaker: Breaker::new(limits),
                start: Now::of_test(),
            }
        }

        fn fails(&mut self, id: u64, at_s: u64, retry_s: u64) -> &mut Self {
            let at = self.start.ms(at_s * 1_000).instant;
            self.breaker
                .on_outcome(RequestId(id), Some(Duration::from_secs(retry_s)), at);
            self
        }

        fn succeeds(&mut self, id: u64) -> &mut Self {
            self.breaker.on_outcome(RequestId(id), None, self.start.instant);
            self
        }

        fn sends(&mut self, id: u64) -> &mut Self {
            self.breaker.sent(RequestId(id));
            self
        }

        #[track_caller]
        fn is(&mut self, state: BreakerState, at_s: u64, may_try: bool) -> &mut Self {
            assert_eq!(self.breaker.state(), state);
            let at = self.start.ms(at_s * 1_000).instant;
            assert_eq!(self.breaker.may_try(at), may_try);
            self
        }
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_a_success_begins_the_count_anew() {
        Check::new()
            .fails(1, 0, 60)
            .fails(1, 0, 60)
            .succeeds(1)
            .fails(2, 0, 60)
            .fails(2, 0, 60)
            .is(BreakerState::Closed, 0, true)
            .fails(2, 0, 60)
            .is(BreakerState::Open, 0, false)
            .is(BreakerState::Open, 29, false)
            .is(BreakerState::Open, 30, true);
    }

    #[test]
    fn one_request_at_a_time_is_let_through_until_one_succeeds() {
        let mut check = Check::new();
        check.fails(1, 0, 60).fails(2, 0, 60).fails(3, 0, 60);
        check
            .is(BreakerState::Open, 31, true)
            .sends(7)
            .is(BreakerState::HalfOpen, 31, false)
            .fails(7, 31, 60)
            .is(BreakerState::Open, 60, false)
            .is(BreakerState::Open, 61, true)
            .sends(8)
            .succeeds(8)
            .is(BreakerState::Closed, 61, true);
        assert_eq!(check.breaker.opens_at(), None);
    }

    #[test]
    fn what_was_under_way_when_it_opened_does_not_keep_it_open_longer() {
        let mut check = Check::new();
        check.fails(1, 0, 60).fails(2, 0, 60).fails(3, 0, 60).fails(4, 20, 60);
        check.is(BreakerState::Open, 30, true).sends(5).fails(6, 30, 60);
        check.is(BreakerState::HalfOpen, 30, false);
        check.succeeds(6).is(BreakerState::Closed, 30, true);
    }

    #[test]
    fn it_never_waits_longer_than_the_request_that_failed() {
        let mut check = Check::new();
        check.fails(1, 0, 4).fails(1, 0, 4).fails(1, 0, 4);
        check.is(BreakerState::Open, 3, false).is(BreakerState::Open, 4, true);
        let at = check.start.ms(4_000).instant;
        assert_eq!(check.breaker.opens_at(), Some(at));
        check.breaker.limit(BreakerLimits {
            after: 1,
            open_for: Duration::from_secs(1),
        });
        check.sends(2).fails(2, 4, 60).is(BreakerState::Open, 5, true);
        check
            .sends(3)
            .succeeds(3)
            .fails(4, 5, 60)
            .is(BreakerState::Open, 5, false);
    }
}
