//! When the rows of a list were written, as far as a clock that was wrong for a while lets one know.

use std::collections::VecDeque;

/// A smaller step back of the clock makes no difference to ages of days.
const STEP_MS: u64 = 60_000;
/// Most steps back that are known. Of more, the oldest are forgotten: their rows stay longer.
const STEPS_MAX: usize = 64;

/// Knows of a list, whose rows are written one after the other, where the clock was set back. A row
/// was not written later than any that follows it; without this, one from the future would stay, and
/// all behind it, until the clock is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowTimes {
    /// The time in the newest row.
    newest_ms: Option<u64>,
    /// Up to which row none was written after when. Both rise.
    not_after: VecDeque<(u64, u64)>,
}

impl RowTimes {
    /// Notes the next row, by its number and the time in it.
    pub(super) fn note(&mut self, no: u64, at_ms: u64) {
        if self
            .newest_ms
            .is_some_and(|newest| at_ms.saturating_add(STEP_MS) < newest)
        {
            while self.not_after.pop_back_if(|(_, other)| at_ms <= *other).is_some() {}
            self.not_after.push_back((no, at_ms));
            if STEPS_MAX < self.not_after.len() {
                self.not_after.pop_front();
            }
        }
        self.newest_ms = Some(at_ms);
    }

    /// When a row was written at the latest. Rows before it are asked for no more.
    pub(super) fn written(&mut self, no: u64, at_ms: u64) -> u64 {
        while self.not_after.pop_front_if(|(up_to, _)| *up_to < no).is_some() {}
        self.not_after
            .front()
            .map_or(at_ms, |(_, not_after)| at_ms.min(*not_after))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_row_was_not_written_after_one_that_follows_it() {
        let mut times = RowTimes::default();
        for (no, at_s) in [
            (1, 100),
            (2, 900_000),
            (3, 900_300),
            (4, 200),
            (5, 300),
            (6, 250),
            (7, 150),
            (8, 400),
        ] {
            times.note(no, at_s * 1_000);
        }
        let mut written = |no, at_s: u64| times.written(no, at_s * 1_000) / 1_000;
        assert_eq!(written(1, 100), 100);
        assert_eq!((written(2, 900_000), written(3, 900_300)), (150, 150));
        assert_eq!((written(4, 200), written(7, 150), written(8, 400)), (150, 150, 400));
    }

    #[test]
    fn a_minute_back_is_as_good_as_none_and_many_steps_back_take_little_room() {
        let mut times = RowTimes::default();
        times.note(1, 100_000);
        times.note(2, 40_000);
        assert_eq!(times.written(1, 100_000), 100_000);
        times.note(3, 200_000);
        times.note(4, 139_999);
        assert_eq!(times.written(1, 150_000), 139_999);
        for no in 5..1_000 {
            times.note(no, no * 1_000_000 + if no % 2 == 0 { 0 } else { 9_000_000 });
        }
        assert!(times.not_after.len() <= STEPS_MAX);
        assert_eq!(times.written(997, 1_006_000_000), 998_000_000);
    }

    proptest! {
        #[test]
        fn it_says_what_a_look_at_all_later_rows_would_say(
            at in prop::collection::vec(0..20_u64, 1..60),
            from in 0..40_u64,
        ) {
            let rows: Vec<(u64, u64)> = (1..).zip(at).map(|(no, at)| (no, at * 1_000_000)).collect();
            let mut times = RowTimes::default();
            // The rows that were removed before make no difference.
            let rows = &rows[rows.len().min(from as usize)..];
            for (no, at_ms) in rows {
                times.note(*no, *at_ms);
            }
            for (at, (no, at_ms)) in rows.iter().enumerate() {
                let least = rows[at..].iter().map(|(_, at_ms)| *at_ms).min();
                prop_assert_eq!(Some(times.written(*no, *at_ms)), least);
            }
        }
    }
}
