//! The last events of an app's cache channels (PROTOCOL.md section 2.9).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::domain::{ChannelName, Expiring};

/// How long nothing more is told of the misses of a channel after one was told.
const MISS_QUIET: Duration = Duration::from_secs(10);
/// Most channels of which it is known that their miss was told. Beyond it the one told longest ago
/// is forgotten: a next miss of that channel is told though it may be within the quiet time.
const MISSES_MAX: usize = 10_000;
/// Most entries of each kind that one call takes out because they have ended.
const SWEPT_PER_CALL: usize = 4;
/// What an event is taken to cost beside its frame and its data, in bytes: the name of its channel
/// and its places in the maps, at their longest.
const ENTRY_BYTES: usize = 400;

/// The last event of each cache channel of an app, with or without subscribers.
///
/// An event is kept for the time to live from its publish. All events together take at most the
/// given bytes: to keep a new one, those that expire first are forgotten, and their channels are
/// empty. An event that is larger than that by itself is not kept. What has expired is never
/// given out; it is taken out a few at a time by later calls of [`put`](Self::put) and
/// [`missed`](Self::missed).
#[derive(Debug)]
pub struct EventCache {
    events: Expiring<ChannelName, Cached>,
    /// The bytes of all events, as [`Self::cost`] counts them.
    bytes: usize,
    bytes_max: usize,
    ttl: Duration,
    /// The channels of which a miss was told, until the next may be.
    misses: Expiring<ChannelName, ()>,
}

/// An event of a cache channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// The frame as the subscribers got it, ready to be written.
    pub frame: Bytes,
    /// The data of the event, byte for byte, for the HTTP API.
    pub data: Arc<str>,
}

impl EventCache {
    /// Makes an empty cache for at most `bytes_max` bytes, of events that live for `ttl`.
    #[must_use]
    pub fn new(bytes_max: usize, ttl: Duration) -> Self {
        Self {
            events: Expiring::default(),
            bytes: 0,
            bytes_max,
            ttl,
            misses: Expiring::default(),
        }
    }

    /// Keeps an event that was published, in place of the channel's last one.
    pub fn put(&mut self, channel: &ChannelName, cached: Cached, now: Instant) {
        self.sweep(now);
        if let Some(last) = self.events.remove(channel) {
            self.bytes -= Self::cost(&last);
        }
        let cost = Self::cost(&cached);
        if self.bytes_max < cost {
            return;
        }
        self.bytes += cost;
        self.events.insert(channel.clone(), cached, now + self.ttl);
        while self.bytes_max < self.bytes {
            let Some(forgotten) = self.events.pop_first() else {
                return;
            };
            self.bytes -= Self::cost(&forgotten);
        }
    }

    /// The last event of a channel and how long it is still kept, which is never nothing.
    #[must_use]
    pub fn get(&self, channel: &ChannelName, now: Instant) -> Option<(&Cached, Duration)> {
        self.events.get(channel, now)
    }

    /// Records that a subscriber found the channel empty, and tells whether the application is to
    /// be told: at most once in 10 s for a channel, however often it is missed and whatever is put
    /// meanwhile.
    pub fn missed(&mut self, channel: &ChannelName, now: Instant) -> bool {
        self.sweep(now);
        if self.misses.get(channel, now).is_some() {
            return false;
        }
        self.misses.insert(channel.clone(), (), now + MISS_QUIET);
        if MISSES_MAX < self.misses.len() {
            self.misses.pop_first();
        }
        true
    }

    /// The bytes that the events take, with those that have expired and are not taken out yet.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Tells whether nothing is held: no event, not even an expired one, and no miss.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.misses.is_empty()
    }

    fn sweep(&mut self, now: Instant) {
        for _ in 0..SWEPT_PER_CALL {
            if let Some(expired) = self.events.pop_expired(now) {
                self.bytes -= Self::cost(&expired);
            }
            self.misses.pop_expired(now);
        }
    }

    /// What an event is counted as.
    fn cost(cached: &Cached) -> usize {
        ENTRY_BYTES + cached.frame.len() + cached.data.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Now;

    /// A cache whose events live for 60 s. An event is told by its data; the frame has one byte
    /// more.
    struct Check {
        cache: EventCache,
        now: Now,
    }

    impl Check {
        fn new(bytes_max: usize) -> Self {
            Self {
                cache: EventCache::new(bytes_max, Duration::from_secs(60)),
                now: Now::of_test(),
            }
        }

        fn at_ms(&self, ms: u64) -> Instant {
            self.now.ms(ms).instant
        }

        fn puts(&mut self, ms: u64, channel: &str, data: &str) -> &mut Self {
            let cached = Cached {
                frame: format!("f{data}").into(),
                data: data.into(),
            };
            let now = self.at_ms(ms);
            self.cache.put(&name(channel), cached, now);
            self
        }

        #[track_caller]
        fn has(&mut self, ms: u64, channel: &str, want: Option<(&str, u64)>) -> &mut Self {
            let got = self.cache.get(&name(channel), self.at_ms(ms));
            if let Some((cached, _)) = got {
                assert_eq!(cached.frame, format!("f{}", cached.data));
            }
            let want = want.map(|(data, left_ms)| (data, Duration::from_millis(left_ms)));
            assert_eq!(got.map(|(cached, left)| (&*cached.data, left)), want, "{channel}");
            self
        }

        #[track_caller]
        fn holds(&mut self, bytes: usize) -> &mut Self {
            assert_eq!(self.cache.bytes(), bytes);
            self
        }

        #[track_caller]
        fn misses(&mut self, ms: u64, channel: &str, want: bool) -> &mut Self {
            let now = self.at_ms(ms);
            assert_eq!(self.cache.missed(&name(channel), now), want, "{channel}");
            self
        }
    }

    fn name(channel: &str) -> ChannelName {
        channel.parse().expect(channel)
    }

    #[test]
    fn the_last_event_of_a_channel_is_kept_for_its_time_to_live() {
        Check::new(10_000)
            .has(0, "cache-a", None)
            .puts(0, "cache-a", "one")
            .puts(0, "cache-b", "two")
            .has(0, "cache-a", Some(("one", 60_000)))
            .has(59_999, "cache-a", Some(("one", 1)))
            .has(60_000, "cache-a", None)
            .puts(30_000, "cache-a", "three")
            .has(60_000, "cache-a", Some(("three", 30_000)))
            .has(0, "cache-b", Some(("two", 60_000)));
    }

    #[test]
    fn an_event_is_counted_with_its_frame_and_its_place() {
        Check::new(10_000)
            .holds(0)
            .puts(0, "cache-a", "12345")
            .holds(400 + 6 + 5)
            .puts(0, "cache-a", "1")
            .holds(400 + 2 + 1)
            .puts(0, "cache-b", "")
            .holds(400 + 2 + 1 + 400 + 1);
    }

    #[test]
    fn beyond_the_bytes_the_event_that_expires_first_is_forgotten() {
        // An event of 5 bytes counts as 411: three are 1,233.
        Check::new(1_233)
            .puts(0, "cache-a", "aaaaa")
            .puts(1, "cache-b", "bbbbb")
            .puts(2, "cache-c", "ccccc")
            .has(3, "cache-a", Some(("aaaaa", 59_997)))
            .puts(3, "cache-a", "AAAAA")
            .holds(1_233)
            .puts(4, "cache-d", "ddddd")
            .has(5, "cache-b", None)
            .has(5, "cache-c", Some(("ccccc", 59_997)))
            .has(5, "cache-a", Some(("AAAAA", 59_998)))
            .has(5, "cache-d", Some(("ddddd", 59_999)))
            .holds(1_233)
            .puts(5, "cache-e", &"e".repeat(400))
            .has(6, "cache-c", None)
            .has(6, "cache-a", None)
            .has(6, "cache-d", None)
            .holds(1_201);
    }

    #[test]
    fn an_event_that_alone_is_too_large_only_ends_the_last_one() {
        Check::new(411)
            .puts(0, "cache-a", "aaaaa")
            .has(0, "cache-a", Some(("aaaaa", 60_000)))
            .puts(1, "cache-b", "bbbbbb")
            .has(1, "cache-b", None)
            .has(1, "cache-a", Some(("aaaaa", 59_999)))
            .puts(2, "cache-a", "aaaaaa")
            .has(2, "cache-a", None)
            .holds(0);
        Check::new(0).puts(0, "cache-a", "").has(0, "cache-a", None).holds(0);
    }

    #[test]
    fn a_miss_is_told_once_in_10_s_for_each_channel() {
        Check::new(10_000)
            .misses(0, "cache-a", true)
            .misses(0, "cache-a", false)
            .misses(1, "cache-b", true)
            .misses(9_999, "cache-a", false)
            .misses(10_000, "cache-a", true)
            .misses(10_000, "cache-b", false)
            .misses(19_999, "cache-a", false)
            .misses(20_000, "cache-a", true);
    }

    #[test]
    fn an_event_that_came_meanwhile_does_not_shorten_the_quiet_time() {
        Check::new(10_000)
            .misses(0, "cache-a", true)
            .puts(1, "cache-a", "one")
            .misses(2, "cache-a", false);
    }

    #[test]
    fn of_more_than_10_000_misses_the_first_is_forgotten() {
        let mut check = Check::new(10_000);
        for n in 0..10_000 {
            check.misses(1, &format!("cache-{n}"), true);
        }
        check.misses(2, "cache-0", false).misses(2, "cache-10000", true);
        assert_eq!(check.cache.misses.len(), 10_000);
        check.misses(3, "cache-1", false).misses(3, "cache-0", true);
    }

    #[test]
    fn each_call_takes_out_at_most_four_expired_entries_of_each_kind() {
        let mut check = Check::new(100_000);
        for n in 0..9 {
            check
                .puts(0, &format!("cache-{n}"), "")
                .misses(0, &format!("cache-{n}"), true);
        }
        check.holds(9 * 401).misses(60_000, "cache-x", true).holds(5 * 401);
        assert_eq!(check.cache.misses.len(), 6);
        check.puts(60_000, "cache-y", "").holds(2 * 401);
        assert_eq!(check.cache.misses.len(), 2);
        check.misses(60_000, "cache-x", false).holds(401);
        assert!(!check.cache.is_empty());
    }

    #[test]
    fn nothing_is_left_when_all_has_expired() {
        let mut check = Check::new(10_000);
        assert!(check.cache.is_empty());
        check.puts(0, "cache-a", "one");
        assert!(!check.cache.is_empty());
        check.misses(70_000, "cache-a", true).holds(0);
        assert!(!check.cache.is_empty());
        check.puts(80_000, "cache-b", &"x".repeat(10_000));
        assert!(check.cache.is_empty());
    }
}
