//! A wall clock that jumps: what goes by age goes when that age was lived (decision 23).

use super::*;

const DAY: u64 = 24 * 60 * 60 * 1_000;
const MINUTE: u64 = 60_000;

impl Check {
    /// Takes an empty step every minute from `from` to `to`, with the wall clock `days_ahead` days ahead.
    fn lives(&mut self, from: u64, to: u64, days_ahead: u64) -> &mut Self {
        for ms in (from..=to).step_by(MINUTE as usize) {
            let now = self.ahead(ms, days_ahead);
            self.step_at(now, &Step::default());
        }
        self
    }

    fn ahead(&self, ms: u64, days: u64) -> Now {
        let now = self.start.ms(ms);
        Now {
            wall_ms: now.wall_ms + days * DAY,
            ..now
        }
    }

    /// Lines of the log, dead letters, and records of keys.
    fn kept(&self) -> (usize, usize, usize) {
        let log = self
            .store
            .log(&crate::ledger::LogQuery::default())
            .expect("it can be read");
        let dead = self.store.dead_letters(&DeadQuery::default()).expect("it can be read");
        (log.entries.len(), dead.letters.len(), self.store.loaded().keys.len())
    }
}

/// One with a dead letter, lines in its log, and the record of a vacant key, at 0.
fn with_something_of_each() -> Check {
    let mut check = Check::at_once(vec![all("all"), of_prefix("off", "job-")]);
    let off = Mode::Disabled(crate::ledger::DisabledBecause::Operator);
    check.mode(0, "off", off).window(0, "+a -a").delivers(0, "all");
    check.window(1, "!job-b").delivers(1, "all");
    check
}

#[test]
fn a_jump_ahead_for_a_moment_deletes_nothing_and_what_was_lived_goes_in_time() {
    let mut check = with_something_of_each();
    let kept = check.kept();
    assert!(0 < kept.0 && 0 < kept.1 && kept.2 == 1, "{kept:?}");
    check.lives(MINUTE, 5 * MINUTE, 31);
    // So does a restart meanwhile.
    check.crash();
    let now = check.ahead(6 * MINUTE, 31);
    for control in [Control::Configure(check.apps.clone()), Control::Accepting] {
        let step = Step {
            controls: vec![control],
            ..Step::default()
        };
        check.step_at(now, &step);
    }
    check
        .lives(6 * MINUTE, 10 * MINUTE, 31)
        .lives(11 * MINUTE, DAY - MINUTE, 0);
    let later = check.kept();
    assert!(kept.0 <= later.0 && (later.1, later.2) == (kept.1, kept.2), "{later:?}");
    check.lives(DAY, 3 * DAY, 0);
    assert_eq!(
        check.kept(),
        (0, 0, 0),
        "its day is over, also what the clock of the future wrote"
    );
}

#[test]
fn a_clock_that_stays_ahead_is_believed_after_a_day() {
    let mut check = with_something_of_each();
    let kept = check.kept();
    // A little of the time that things are kept passed before.
    check.lives(0, DAY / 2, 0).lives(DAY / 2 + MINUTE, DAY - MINUTE, 31);
    assert_eq!(check.kept(), kept);
    check.lives(DAY, 3 * DAY, 31);
    assert_eq!(check.kept(), (0, 0, 0));
}

#[test]
fn a_jump_parks_nothing_neither_in_a_process_nor_over_a_restart() {
    let mut app = AppRules::of_test("1", vec![all("all")]);
    app.vacated_delay = Duration::ZERO;
    app.endpoints[0].retry_for = Duration::from_secs(86_400);
    let mut check = Check::with_app(app);
    check.window(0, "!a !b").sends(&["all:!a !b"]);
    let failed = Outcome::Failed {
        retry_in: Duration::from_secs(1),
    };
    let fails = |check: &mut Check, ms: u64, days: u64| {
        let request = check.under_way.pop_front().expect("it is under way");
        let now = check.ahead(ms, days);
        check.step_at(now, &answer(&request, failed));
        let now = check.ahead(ms + 1_000, days);
        check.step_at(now, &Step::default());
        check.parks(&[]);
    };
    fails(&mut check, 1_000, 31);
    check.crash();
    for control in [Control::Configure(check.apps.clone()), Control::Accepting] {
        let now = check.ahead(5_000, 31);
        let step = Step {
            controls: vec![control],
            ..Step::default()
        };
        check.step_at(now, &step);
    }
    fails(&mut check, 6_000, 31);
    // A day that was lived parks.
    check
        .fails(DAY + 10_000, "all")
        .parks(&["all:!a too old", "all:!b too old"]);
}
