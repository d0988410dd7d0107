//! When a silent connection is pinged, and when it is closed (PROTOCOL.md section 1.5).
//!
//! Proxies cut connections that are idle for a while, most of them even when only one direction is. So a
//! client is pinged after it was silent, and also after nothing was written to it.

use std::time::{Duration, Instant};

/// The longest tick: with 15,000 silent clients and a ping every 25 s, some 150 are due in each.
const TICK_MAX: Duration = Duration::from_millis(250);
/// A tick is no more than one of so many parts of a silence, or of the time to answer.
const TICKS_MIN: u32 = 60;

/// The moments at which silent clients are looked at, the same for all, so that one wake-up of a
/// worker serves many of them.
#[derive(Debug, Clone, Copy)]
pub struct Ticks {
    epoch: Instant,
    length: Duration,
}

impl Ticks {
    /// Ticks that are counted from `epoch`: 250 ms long, or a sixtieth of the shorter of the two
    /// spans when that is less.
    #[must_use]
    pub fn new(ping_after: Duration, pong_timeout: Duration, epoch: Instant) -> Self {
        let length = ping_after.min(pong_timeout) / TICKS_MIN;
        Self {
            epoch,
            length: length.min(TICK_MAX),
        }
    }

    /// The first tick that is not before `moment`, and less than a tick after it.
    #[must_use]
    pub fn not_before(&self, moment: Instant) -> Instant {
        let since = moment.saturating_duration_since(self.epoch).as_nanos();
        let length = self.length.as_nanos().max(1);
        let missing = since.next_multiple_of(length) - since;
        moment + Duration::from_nanos(u64::try_from(missing).unwrap_or_default())
    }
}

/// The silence of one connection, in 32 bytes.
///
/// The shell calls [`Heartbeat::on_activity`] for every frame that came in and
/// [`Heartbeat::poll`] when the moment it was given is there; earlier or later does no harm.
#[derive(Debug)]
pub struct Heartbeat {
    /// When the client's silence is too long: before a ping, for that ping; after it, for the connection.
    deadline: Instant,
    ping_after_ms: u32,
    pong_timeout_ms: u32,
    pinged: bool,
}

/// What a silence calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// Nothing before this moment.
    SleepUntil(Instant),
    /// A ping is to be sent now; told once in a silence.
    Ping,
    /// The ping got no answer: the connection is to be closed with 4201.
    Expired,
}

impl Heartbeat {
    /// Starts with a client that was active at `now`.
    ///
    /// It is pinged after `ping_after` of silence in either direction, and then has `pong_timeout` to answer.
    /// Both count in milliseconds, up to 49 days.
    #[must_use]
    pub fn new(ping_after: Duration, pong_timeout: Duration, now: Instant) -> Self {
        let ping_after_ms = milliseconds(ping_after);
        Self {
            deadline: after(now, ping_after_ms),
            ping_after_ms,
            pong_timeout_ms: milliseconds(pong_timeout),
            pinged: false,
        }
    }

    /// Records that a frame of any kind came from the client; an unanswered ping is answered.
    pub fn on_activity(&mut self, now: Instant) {
        self.deadline = after(now, self.ping_after_ms);
        self.pinged = false;
    }

    /// Tells what is due at `now`, when the last write was at `written_at`. A ping that is due counts as
    /// sent.
    pub fn poll(&mut self, now: Instant, written_at: Instant) -> Pulse {
        if self.pinged {
            if self.deadline <= now {
                return Pulse::Expired;
            }
            // If the answer comes at once, the next ping is due before the time to answer is over.
            return Pulse::SleepUntil(self.deadline.min(after(now, self.ping_after_ms)));
        }
        let due = self.deadline.min(after(written_at, self.ping_after_ms));
        if now < due {
            return Pulse::SleepUntil(due);
        }
        self.deadline = after(now, self.pong_timeout_ms);
        self.pinged = true;
        Pulse::Ping
    }
}

fn after(now: Instant, span_ms: u32) -> Instant {
    now + Duration::from_millis(span_ms.into())
}

fn milliseconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Now;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A heartbeat that pings after 60 s and waits 15 s, and the moment at which it starts.
    fn start() -> (Heartbeat, Instant) {
        let now = Now::of_test().instant;
        (Heartbeat::new(ms(60_000), ms(15_000), now), now)
    }

    /// Polls a connection that was written to just now.
    fn poll(heartbeat: &mut Heartbeat, now: Instant) -> Pulse {
        heartbeat.poll(now, now)
    }

    #[test]
    fn a_client_is_pinged_after_the_silence_and_not_before() {
        let (mut heartbeat, t0) = start();
        assert_eq!(poll(&mut heartbeat, t0), Pulse::SleepUntil(t0 + ms(60_000)));
        assert_eq!(
            poll(&mut heartbeat, t0 + ms(59_999)),
            Pulse::SleepUntil(t0 + ms(60_000))
        );
        assert_eq!(poll(&mut heartbeat, t0 + ms(60_000)), Pulse::Ping);
    }

    #[test]
    fn activity_puts_the_ping_off() {
        let (mut heartbeat, t0) = start();
        heartbeat.on_activity(t0 + ms(30_000));
        assert_eq!(
            poll(&mut heartbeat, t0 + ms(60_000)),
            Pulse::SleepUntil(t0 + ms(90_000))
        );
        assert_eq!(poll(&mut heartbeat, t0 + ms(90_000)), Pulse::Ping);
    }

    #[test]
    fn a_ping_is_told_once_and_expires_after_the_timeout() {
        let (mut heartbeat, t0) = start();
        assert_eq!(poll(&mut heartbeat, t0 + ms(60_000)), Pulse::Ping);
        assert_eq!(
            poll(&mut heartbeat, t0 + ms(60_000)),
            Pulse::SleepUntil(t0 + ms(75_000))
        );
        assert_eq!(
            poll(&mut heartbeat, t0 + ms(74_999)),
            Pulse::SleepUntil(t0 + ms(75_000))
        );
        assert_eq!(poll(&mut heartbeat, t0 + ms(75_000)), Pulse::Expired);
        assert_eq!(poll(&mut heartbeat, t0 + ms(80_000)), Pulse::Expired);
    }

    #[test]
    fn activity_answers_a_ping() {
        let (mut heartbeat, t0) = start();
        assert_eq!(poll(&mut heartbeat, t0 + ms(60_000)), Pulse::Ping);
        heartbeat.on_activity(t0 + ms(61_000));
        assert_eq!(
            poll(&mut heartbeat, t0 + ms(80_000)),
            Pulse::SleepUntil(t0 + ms(121_000))
        );
        assert_eq!(poll(&mut heartbeat, t0 + ms(121_000)), Pulse::Ping);
        assert_eq!(poll(&mut heartbeat, t0 + ms(136_000)), Pulse::Expired);
    }

    #[test]
    fn an_active_client_to_which_nothing_was_written_is_pinged_too() {
        let (mut heartbeat, t0) = start();
        heartbeat.on_activity(t0 + ms(59_000));
        assert_eq!(heartbeat.poll(t0 + ms(59_999), t0), Pulse::SleepUntil(t0 + ms(60_000)));
        assert_eq!(heartbeat.poll(t0 + ms(60_000), t0), Pulse::Ping);
        // It has the same time to answer as any other client, and anything it sends is an answer.
        assert_eq!(heartbeat.poll(t0 + ms(60_000), t0), Pulse::SleepUntil(t0 + ms(75_000)));
        heartbeat.on_activity(t0 + ms(61_000));
        let written_at = t0 + ms(60_000);
        assert_eq!(
            heartbeat.poll(t0 + ms(75_000), written_at),
            Pulse::SleepUntil(t0 + ms(120_000))
        );
    }

    #[test]
    fn the_shorter_of_the_two_silences_decides() {
        let (mut heartbeat, t0) = start();
        heartbeat.on_activity(t0 + ms(30_000));
        for (written_ms, due_ms) in [(0, 60_000), (10_000, 70_000), (30_000, 90_000), (50_000, 90_000)] {
            let pulse = heartbeat.poll(t0 + ms(50_000), t0 + ms(written_ms));
            assert_eq!(
                pulse,
                Pulse::SleepUntil(t0 + ms(due_ms)),
                "written after {written_ms} ms"
            );
        }
    }

    #[test]
    fn pings_go_on_while_there_is_much_time_to_answer() {
        let t0 = Now::of_test().instant;
        let mut heartbeat = Heartbeat::new(ms(1_000), ms(30_000), t0);
        assert_eq!(poll(&mut heartbeat, t0 + ms(1_000)), Pulse::Ping);
        assert_eq!(poll(&mut heartbeat, t0 + ms(1_000)), Pulse::SleepUntil(t0 + ms(2_000)));
        heartbeat.on_activity(t0 + ms(1_100));
        assert_eq!(poll(&mut heartbeat, t0 + ms(2_000)), Pulse::SleepUntil(t0 + ms(2_100)));
        assert_eq!(poll(&mut heartbeat, t0 + ms(2_100)), Pulse::Ping);
        // Without an answer, the ping is reported once.
        assert_eq!(
            poll(&mut heartbeat, t0 + ms(31_500)),
            Pulse::SleepUntil(t0 + ms(32_100))
        );
        assert_eq!(poll(&mut heartbeat, t0 + ms(32_100)), Pulse::Expired);
    }

    #[test]
    fn a_late_poll_still_gives_the_client_its_time_to_answer() {
        let (mut heartbeat, t0) = start();
        assert_eq!(poll(&mut heartbeat, t0 + ms(500_000)), Pulse::Ping);
        assert_eq!(
            poll(&mut heartbeat, t0 + ms(500_001)),
            Pulse::SleepUntil(t0 + ms(515_000))
        );
    }

    #[test]
    fn spans_count_in_milliseconds_up_to_49_days() {
        let t0 = Now::of_test().instant;
        let mut heartbeat = Heartbeat::new(Duration::MAX, ms(1), t0);
        let ping_at = t0 + ms(4_294_967_295);
        assert_eq!(poll(&mut heartbeat, t0), Pulse::SleepUntil(ping_at));
        assert_eq!(poll(&mut heartbeat, ping_at), Pulse::Ping);
        assert_eq!(poll(&mut heartbeat, ping_at), Pulse::SleepUntil(ping_at + ms(1)));
    }

    #[test]
    fn ticks_are_the_same_for_all_and_never_early() {
        let t0 = Now::of_test().instant;
        let ticks = Ticks::new(ms(60_000), ms(15_000), t0);
        for (moment, tick) in [(0, 0), (1, 250), (249, 250), (250, 250), (251, 500), (75_000, 75_000)] {
            assert_eq!(ticks.not_before(t0 + ms(moment)), t0 + ms(tick), "{moment}");
        }
        let moment = Duration::from_nanos(1);
        assert_eq!(ticks.not_before(t0 + moment), t0 + ms(250));
        assert_eq!(ticks.not_before(t0 + ms(250) + moment), t0 + ms(500));
    }

    #[test]
    fn a_tick_is_a_sixtieth_of_the_shorter_span_at_most() {
        let t0 = Now::of_test().instant;
        for (ping_after, pong_timeout, tick) in [(60_000, 15_000, 250), (600, 15_000, 10), (60_000, 1_200, 20)] {
            let ticks = Ticks::new(ms(ping_after), ms(pong_timeout), t0);
            assert_eq!(
                ticks.not_before(t0 + ms(1)),
                t0 + ms(tick),
                "{ping_after}, {pong_timeout}"
            );
        }
    }

    #[test]
    fn without_a_span_or_before_their_beginning_ticks_change_nothing() {
        let t0 = Now::of_test().instant;
        let none = Ticks::new(Duration::ZERO, ms(15_000), t0);
        assert_eq!(none.not_before(t0 + ms(7)), t0 + ms(7));
        let later = Ticks::new(ms(60_000), ms(15_000), t0 + ms(5_000));
        assert_eq!(later.not_before(t0 + ms(7)), t0 + ms(7));
    }

    #[test]
    fn a_heartbeat_is_small() {
        assert_eq!(size_of::<Heartbeat>(), 32);
    }
}
