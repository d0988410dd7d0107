//! Requests that are to take effect once, however often they are sent.

use std::{
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::domain::Expiring;

/// Longest idempotency key, in bytes; a longer one is refused.
pub(super) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
/// Most entries that one call takes out because they have ended.
const SWEPT_PER_CALL: usize = 4;

/// What a back end calls a request by, the same when it sends the request again: 1 to 128 bytes of
/// any text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

/// Why a text is no idempotency key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdempotencyKeyError {
    /// The text is empty.
    #[error("idempotency_key is empty")]
    Empty,
    /// The text is longer than 128 bytes.
    #[error("idempotency_key is {len} bytes, limit is {IDEMPOTENCY_KEY_BYTES_MAX}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
}

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(raw: &str) -> Result<Self, IdempotencyKeyError> {
        if raw.is_empty() {
            return Err(IdempotencyKeyError::Empty);
        }
        if IDEMPOTENCY_KEY_BYTES_MAX < raw.len() {
            return Err(IdempotencyKeyError::TooLong { len: raw.len() });
        }
        Ok(Self(raw.into()))
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({:?})", self.0)
    }
}

/// The answers to the requests of one app that bore an idempotency key, each for the time to live
/// from when it was given: a request that comes again within it changes nothing and gets the answer
/// of the first.
///
/// It holds at most the given number of keys; to take a new one in, the one that would be
/// forgotten first is, and its request would take effect again. What has ended is never given out;
/// it is taken out a few at a time by later calls.
#[derive(Debug)]
pub struct Idempotency<A> {
    requests: Expiring<IdempotencyKey, State<A>>,
    entries_max: usize,
    ttl: Duration,
}

/// What is to become of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Begin<A> {
    /// It is the first with its key: do it, then call [`Idempotency::finish`] or
    /// [`Idempotency::abandon`].
    First,
    /// It was done: answer this and do nothing.
    Same(A),
    /// It is being done at this moment, and the answer is not known yet: do nothing.
    UnderWay,
}

#[derive(Debug)]
enum State<A> {
    UnderWay,
    Answered(A),
}

impl<A: Clone> Idempotency<A> {
    /// Remembers at most `entries_max` keys, of which 0 counts as 1, each for `ttl`.
    #[must_use]
    pub fn new(ttl: Duration, entries_max: usize) -> Self {
        Self {
            requests: Expiring::default(),
            entries_max: entries_max.max(1),
            ttl,
        }
    }

    /// Takes in a request. One that is neither finished nor abandoned is forgotten after the time
    /// to live.
    pub fn begin(&mut self, key: &IdempotencyKey, now: Instant) -> Begin<A> {
        match self.requests.get(key, now) {
            Some((State::Answered(answer), _)) => Begin::Same(answer.clone()),
            Some((State::UnderWay, _)) => Begin::UnderWay,
            None => {
                self.insert(key, State::UnderWay, now);
                Begin::First
            }
        }
    }

    /// Keeps the answer to a request that took effect, even if its key was forgotten meanwhile.
    pub fn finish(&mut self, key: &IdempotencyKey, answer: A, now: Instant) {
        self.insert(key, State::Answered(answer), now);
    }

    /// Forgets a request that took no effect, so that the next with its key is the first. An
    /// answer that is kept stays.
    pub fn abandon(&mut self, key: &IdempotencyKey) {
        match self.requests.peek(key) {
            Some(State::UnderWay) => {
                self.requests.remove(key);
            }
            Some(State::Answered(_)) | None => {}
        }
    }

    /// Tells whether no key is held, not even one that has ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    fn insert(&mut self, key: &IdempotencyKey, state: State<A>, now: Instant) {
        for _ in 0..SWEPT_PER_CALL {
            self.requests.pop_expired(now);
        }
        self.requests.insert(key.clone(), state, now + self.ttl);
        if self.entries_max < self.requests.len() {
            self.requests.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Now;

    /// Keeps answers, which are numbers, for 120 s.
    struct Check {
        idempotency: Idempotency<u32>,
        now: Now,
    }

    impl Check {
        fn new(entries_max: usize) -> Self {
            Self {
                idempotency: Idempotency::new(Duration::from_secs(120), entries_max),
                now: Now::of_test(),
            }
        }

        #[track_caller]
        fn begins(&mut self, ms: u64, key: &str, want: Begin<u32>) -> &mut Self {
            let got = self.idempotency.begin(&of(key), self.now.ms(ms).instant);
            assert_eq!(got, want, "{key} at {ms} ms");
            self
        }

        fn finishes(&mut self, ms: u64, key: &str, answer: u32) -> &mut Self {
            self.idempotency.finish(&of(key), answer, self.now.ms(ms).instant);
            self
        }

        fn abandons(&mut self, key: &str) -> &mut Self {
            self.idempotency.abandon(&of(key));
            self
        }

        #[track_caller]
        fn holds(&mut self, keys: usize) -> &mut Self {
            assert_eq!(self.idempotency.requests.len(), keys);
            assert_eq!(self.idempotency.is_empty(), keys == 0);
            self
        }
    }

    fn of(key: &str) -> IdempotencyKey {
        key.parse().expect(key)
    }

    #[test]
    fn a_key_has_1_to_128_bytes() {
        let parse = |raw: &str| raw.parse::<IdempotencyKey>();
        assert_eq!(parse(""), Err(IdempotencyKeyError::Empty));
        assert!(parse(&"é".repeat(64)).is_ok());
        let error = parse(&"x".repeat(129)).expect_err("too long");
        assert_eq!(error, IdempotencyKeyError::TooLong { len: 129 });
        assert_eq!(error.to_string(), "idempotency_key is 129 bytes, limit is 128");
        assert_eq!(format!("{:?}", of("a\n")), "IdempotencyKey(\"a\\n\")");
    }

    #[test]
    fn the_same_key_gets_the_same_answer_until_two_minutes_after_it() {
        Check::new(10)
            .begins(0, "a", Begin::First)
            .begins(1, "a", Begin::UnderWay)
            .begins(1, "b", Begin::First)
            .finishes(10, "a", 7)
            .begins(11, "a", Begin::Same(7))
            .begins(120_009, "a", Begin::Same(7))
            .begins(120_010, "a", Begin::First);
    }

    #[test]
    fn a_request_without_effect_is_forgotten_and_one_with_an_answer_is_not() {
        Check::new(10)
            .begins(0, "a", Begin::First)
            .abandons("a")
            .holds(0)
            .begins(1, "a", Begin::First)
            .finishes(2, "a", 7)
            .abandons("a")
            .abandons("b")
            .begins(3, "a", Begin::Same(7));
    }

    #[test]
    fn a_request_that_never_ends_is_forgotten_after_two_minutes() {
        Check::new(10)
            .begins(0, "a", Begin::First)
            .begins(119_999, "a", Begin::UnderWay)
            .begins(120_000, "a", Begin::First);
    }

    #[test]
    fn an_answer_is_kept_even_when_its_key_was_forgotten() {
        Check::new(10)
            .begins(0, "a", Begin::First)
            .finishes(130_000, "a", 7)
            .begins(130_001, "a", Begin::Same(7));
    }

    #[test]
    fn beyond_the_number_of_keys_the_one_that_ends_first_is_forgotten() {
        Check::new(2)
            .begins(0, "a", Begin::First)
            .begins(1, "b", Begin::First)
            .finishes(2, "a", 7)
            .begins(3, "c", Begin::First)
            .holds(2)
            .begins(4, "a", Begin::Same(7))
            .begins(4, "b", Begin::First)
            .begins(5, "c", Begin::UnderWay)
            .finishes(6, "d", 8)
            .begins(7, "d", Begin::Same(8))
            .holds(2);
        Check::new(0)
            .begins(0, "a", Begin::First)
            .begins(0, "a", Begin::UnderWay)
            .holds(1);
    }

    #[test]
    fn each_new_key_takes_out_at_most_four_that_have_ended() {
        let mut check = Check::new(100);
        for n in 0..9 {
            check.begins(0, &format!("key-{n}"), Begin::First);
        }
        check
            .holds(9)
            .begins(120_000, "x", Begin::First)
            .holds(6)
            .finishes(120_000, "x", 1)
            .holds(2)
            .begins(120_000, "x", Begin::Same(1))
            .abandons("key-8")
            .holds(1);
    }
}
