//! The time that was lived: by it goes whatever goes by age.
//!
//! A wall clock may be wrong for a moment, and what is deleted then does not come back. So the age of
//! what is kept is not counted by that clock, but by the earliest that it has shown within the last
//! day of running: a jump ahead counts when it has held for a day. The time in which no server ran is
//! such a jump too, since nobody can tell how long that was.

use std::time::{Duration, Instant};

use crate::domain::Now;

/// So long a jump ahead has to hold before it counts; up to twice as long.
const HOLDS_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// A smaller jump is not worth a word.
const JUMP_MS: u128 = 60_000;

/// Compares both clocks, from a start on.
#[derive(Debug, Clone)]
pub(super) struct Lived {
    start: Instant,
    last: Now,
    /// When the present period began.
    period: Instant,
    /// The least that the wall clock was ahead of the start, by the time that had passed since: in the
    /// present period, and in the one before it, in milliseconds.
    least: u64,
    least_before: u64,
}

/// The wall clock went on by more or less than time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jump {
    /// By so much more.
    Ahead(Duration),
    /// By so much less.
    Back(Duration),
}

impl Lived {
    /// Begins at a start. `kept_ms` is what was lived when the ledger was last written, if that is
    /// known.
    pub(super) fn new(now: Now, kept_ms: Option<u64>) -> Self {
        Self {
            start: now.instant,
            last: now,
            period: now.instant,
            least: now.wall_ms,
            least_before: now.wall_ms.min(kept_ms.unwrap_or(now.wall_ms)),
        }
    }

    /// Looks at both clocks; gives whether the wall clock has jumped since the last look.
    pub(super) fn look(&mut self, now: Now) -> Option<Jump> {
        // Behind the start at the least, where a clock that went far back would be.
        let offset = now.wall_ms.saturating_sub(self.passed_ms(now));
        if HOLDS_FOR <= now.instant.saturating_duration_since(self.period) {
            self.period = now.instant;
            self.least_before = std::mem::replace(&mut self.least, offset);
        }
        self.least = self.least.min(offset);
        let passed = now.instant.saturating_duration_since(self.last.instant);
        let expected = u128::from(self.last.wall_ms) + passed.as_millis();
        self.last = now;
        jump(expected, now.wall_ms.into())
    }

    /// The time by which ages are counted, in milliseconds since 1970. It is never later than the wall
    /// clock at the last look.
    pub(super) fn ms(&self) -> u64 {
        let least = self.least.min(self.least_before);
        least.saturating_add(self.passed_ms(self.last)).min(self.last.wall_ms)
    }

    fn passed_ms(&self, now: Now) -> u64 {
        let passed = now.instant.saturating_duration_since(self.start).as_millis();
        u64::try_from(passed).unwrap_or(u64::MAX)
    }
}

fn jump(expected_ms: u128, wall_ms: u128) -> Option<Jump> {
    let by = expected_ms.abs_diff(wall_ms);
    let by_ms = Duration::from_millis(u64::try_from(by).unwrap_or(u64::MAX));
    match by {
        ..=JUMP_MS => None,
        _ if expected_ms < wall_ms => Some(Jump::Ahead(by_ms)),
        _ => Some(Jump::Back(by_ms)),
    }
}

impl Jump {
    /// Says in the log what came and what it means.
    pub(super) fn log(self) {
        match self {
            Self::Ahead(by) => log::warn!(
                "the wall clock has jumped {} ahead; for what is deleted or parked by age that counts when it has held \
                 for a day",
                in_words(by)
            ),
            Self::Back(by) => log::warn!("the wall clock has jumped back by {}", in_words(by)),
        }
    }
}

/// The greatest unit of which it has two or more.
fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    match units.into_iter().find(|(unit, _)| 2 * unit <= seconds) {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1_000;

    /// The moment `ms` later, with the wall clock `off` milliseconds wrong.
    fn at(start: Now, ms: u64, off: i64) -> Now {
        let later = start.ms(ms);
        Now {
            wall_ms: later.wall_ms.saturating_add_signed(off),
            ..later
        }
    }

    /// Looks every minute from `from` to `to`.
    fn live(lived: &mut Lived, start: Now, from: u64, to: u64, off: i64) {
        for ms in (from..=to).step_by(60_000) {
            lived.look(at(start, ms, off));
        }
    }

    #[test]
    fn while_the_clock_is_right_it_is_what_was_lived() {
        let start = Now::of_test();
        let mut lived = Lived::new(start, None);
        for ms in [0, 1, 60_000, DAY - 1, DAY, 3 * DAY, 40 * DAY] {
            assert_eq!(lived.look(start.ms(ms)), None);
            assert_eq!(lived.ms(), start.wall_ms + ms);
        }
    }

    #[test]
    fn a_jump_ahead_counts_when_it_has_held_for_a_day_and_one_back_at_once() {
        let start = Now::of_test();
        let off = 31 * DAY as i64;
        let jumped = Duration::from_millis(31 * DAY);
        let mut lived = Lived::new(start, None);
        live(&mut lived, start, 0, DAY / 2, 0);
        assert_eq!(lived.look(at(start, DAY / 2, off)), Some(Jump::Ahead(jumped)));
        assert_eq!(lived.look(at(start, DAY / 2 + 1, off)), None);
        live(&mut lived, start, DAY / 2 + 60_000, DAY / 2 + DAY, off);
        assert_eq!(lived.ms(), start.wall_ms + DAY / 2 + DAY, "a day is not over");
        live(&mut lived, start, DAY / 2 + DAY, 2 * DAY + DAY / 2, off);
        assert_eq!(lived.ms(), start.wall_ms + 2 * DAY + DAY / 2 + 31 * DAY);
        let back = at(start, 2 * DAY + DAY / 2, 0);
        assert_eq!(lived.look(back), Some(Jump::Back(jumped)));
        assert_eq!(lived.ms(), back.wall_ms);
    }

    #[test]
    fn a_jump_is_told_in_units_that_fit() {
        for (seconds, words) in [
            (31 * 86_400 + 5, "31 days"),
            (172_799, "47 hours"),
            (7_199, "119 minutes"),
            (119, "119 seconds"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn a_minute_is_no_jump() {
        let start = Now::of_test();
        for (off, jump) in [
            (60_000, None),
            (60_001, Some(Jump::Ahead(Duration::from_millis(60_001)))),
            (-60_000, None),
            (-60_001, Some(Jump::Back(Duration::from_millis(60_001)))),
        ] {
            assert_eq!(Lived::new(start, None).look(at(start, 5, off)), jump, "{off}");
        }
    }

    #[test]
    fn the_time_in_which_no_server_ran_counts_a_day_after_the_start() {
        let start = Now::of_test();
        let kept = start.wall_ms - 40 * DAY;
        let mut lived = Lived::new(start, Some(kept));
        live(&mut lived, start, 0, DAY - 60_000, 0);
        assert_eq!(lived.ms(), kept + DAY - 60_000);
        lived.look(start.ms(DAY));
        assert_eq!(lived.ms(), start.wall_ms + DAY);
        // What was written by a clock that was ahead is not believed.
        let mut lived = Lived::new(start, Some(start.wall_ms + DAY));
        lived.look(start);
        assert_eq!(lived.ms(), start.wall_ms);
    }

    /// What a clock does next: so many times ten minutes pass; it is set; the server starts again.
    #[derive(Debug, Clone)]
    enum Next {
        Passes(u64),
        Is(i64),
        Starts(u64),
    }

    fn next() -> impl Strategy<Value = Next> {
        prop_oneof![
            4 => (1..400_u64).prop_map(Next::Passes),
            2 => (-(100 * DAY as i64)..100 * DAY as i64).prop_map(Next::Is),
            1 => Just(Next::Is(0)),
            1 => (0..10 * DAY).prop_map(Next::Starts),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_the_clock_does_nothing_gets_older_than_the_clocks_of_the_last_day_agree(
            path in prop::collection::vec(next(), 1..40),
        ) {
            let start = Now::of_test();
            let (mut ms, mut off) = (0, 0);
            let mut lived = Lived::new(start, None);
            // What each look of this run has shown: when, and how far off.
            let mut shown = vec![(0, 0_i64)];
            for next in path {
                match next {
                    Next::Passes(times) => {
                        for _ in 0..times {
                            ms += 600_000;
                            lived.look(at(start, ms, off));
                            shown.push((ms, off));
                            let since = ms.saturating_sub(DAY);
                            let of_day = shown.iter().rev().take_while(|(at, _)| since < *at);
                            let least = of_day.map(|(_, off)| *off).min().expect("this one");
                            prop_assert!(lived.ms() <= at(start, ms, least).wall_ms);
                        }
                    }
                    Next::Is(to) => off = to,
                    Next::Starts(down) => {
                        let kept = lived.ms();
                        ms += down;
                        lived = Lived::new(at(start, ms, off), Some(kept));
                        // The run before ended with what it knew; no more than that is known.
                        prop_assert!(lived.ms() <= kept);
                        let known = i64::try_from(kept).expect("small") - i64::try_from(start.ms(ms).wall_ms).expect("small");
                        shown.push((ms, known.min(off)));
                    }
                }
            }
            // A clock that stays as it is is believed in the end.
            live(&mut lived, start, ms, ms + 2 * DAY + 60_000, off);
            prop_assert_eq!(lived.ms(), lived.last.wall_ms);
        }
    }
}
