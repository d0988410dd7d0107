//! What goes when there is too much, in its order.

use super::*;
use crate::ledger::{LogQuery, Logged};

impl Check {
    fn log_lines(&self) -> usize {
        let query = LogQuery {
            page: Page {
                limit: 100_000,
                from: crate::ledger::From::After(0),
            },
            ..LogQuery::default()
        };
        self.store.log(&query).expect("it can be read").entries.len()
    }

    /// From here on there may be so many bytes besides the log and the dead letters.
    fn bound(&mut self, bytes: u64) -> &mut Self {
        self.engine.limits.bytes_max = bytes;
        self
    }

    fn bytes(&self) -> u64 {
        self.engine.state.bytes()
    }
}

#[test]
fn the_log_and_the_dead_letters_go_first_oldest_first() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a").delivers_all(1);
    check.mode(2, "all", Mode::Disabled(crate::ledger::DisabledBecause::Operator));
    check
        .window(3, "!b !b")
        .mode(4, "all", Mode::Paused)
        .window(5, "!c +c -c");
    let bytes = check.bytes();
    assert!(0 < check.log_lines());
    check.bound(bytes).nothing(6);
    assert_eq!((check.log_lines(), check.parked().len(), check.queued()), (0, 0, 3));
}

#[test]
fn no_more_of_the_log_goes_than_has_to() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a").delivers_all(1).window(2, "-a").delivers_all(3);
    let usage = check.store.usage();
    let lines = check.log_lines();
    let bytes = check.bytes() + usage.log_bytes;
    check.bound(bytes).nothing(4);
    assert_eq!(check.log_lines(), lines);
    check.bound(bytes - 1).nothing(5);
    assert_eq!(check.log_lines(), lines - 1);
    let query = LogQuery {
        page: Page {
            limit: 1,
            from: crate::ledger::From::After(0),
        },
        ..LogQuery::default()
    };
    let oldest = check.store.log(&query).expect("it can be read").entries.remove(0);
    assert!(matches!(oldest.what, Logged::Attempted(_)), "the oldest went");
}

#[test]
fn then_events_without_state_of_the_longest_queue_and_then_its_pairs() {
    let mut check = Check::at_once(vec![all("long"), of_prefix("short", "job-")]);
    check.window(0, "+a +job-0").delivers_all(0);
    check.mode(0, "long", Mode::Paused).mode(0, "short", Mode::Paused);
    check.window(1, "!job-1 +b -b +b !b !b -a +a -a").window(2, "");
    assert_eq!(check.queued(), 10);
    let bytes = check.bytes();
    // The log makes room first.
    check.bound(bytes - 1).nothing(3);
    assert_eq!(
        check.queued(),
        3,
        "`+b` and `-a` stay, and the shorter queue is untouched"
    );
    check.mode(4, "long", Mode::Enabled).mode(4, "short", Mode::Enabled);
    check.sent.retain(|sent| !sent.contains("job-0"));
    check.sends(&["long:+b -a", "short:!job-1"]);
    check.delivers_all(5).keeps_no_event();
}

#[test]
fn records_of_vacant_keys_go_after_the_log_and_before_anything_that_waits() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a +b").delivers_all(1).window(2, "-a").delivers_all(3);
    check.window(4, "-b").delivers_all(5);
    check.mode(6, "all", Mode::Paused).window(7, "+c -c !d");
    let kept = |check: &Check| -> Vec<String> {
        let loaded = check.store.loaded();
        let names = loaded.keys.keys().filter_map(|(_, key)| key.channel());
        names.map(ToString::to_string).collect()
    };
    let bytes = check.bytes();
    check.bound(bytes).nothing(8);
    assert_eq!((check.log_lines(), kept(&check).len()), (0, 3));
    check.bound(bytes - 1).nothing(9);
    assert_eq!((kept(&check), check.queued()), (vec!["b".into(), "c".into()], 3));
    let bytes = check.bytes();
    check.bound(bytes - 1).nothing(10);
    assert_eq!((kept(&check), check.queued()), (vec!["c".into()], 3));
    // What tells of the last one waits, so that the queue is next.
    let bytes = check.bytes();
    check.bound(bytes - 1).nothing(11);
    assert_eq!((kept(&check), check.queued()), (vec!["c".into()], 0));
}

#[test]
fn records_of_keys_whose_events_wait_do_not_hide_those_that_can_go() {
    let mut check = Check::at_once(vec![of_prefix("slow", "wait-"), of_prefix("all", "done-")]);
    let each = |sign: &str| -> String { (0..40).map(|no| format!("{sign}wait-{no} ")).collect() };
    check
        .window(0, &format!("{}+done-1 +done-2", each("+")))
        .delivers_all(1);
    check.mode(2, "slow", Mode::Paused).window(3, &each("-"));
    check
        .window(4, "-done-1")
        .delivers_all(5)
        .window(6, "-done-2")
        .delivers_all(7);
    assert_eq!(check.queued(), 40);
    let (bytes, keys) = (check.bytes(), check.store.loaded().keys.len());
    check.bound(bytes).nothing(8);
    let bytes = check.bytes();
    check.bound(bytes - 1).nothing(9);
    assert_eq!((check.queued(), check.store.loaded().keys.len()), (40, keys - 1));
    let bytes = check.bytes();
    check.bound(bytes - 1).nothing(10);
    assert_eq!((check.queued(), check.store.loaded().keys.len()), (40, keys - 2));
}

#[test]
fn a_queue_that_is_the_only_one_is_made_shorter_at_the_bound_and_not_past_it() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a +b").delivers_all(1).mode(2, "all", Mode::Paused);
    check.window(3, &"!a ".repeat(10));
    let bytes = check.bytes();
    check.bound(bytes).nothing(4);
    assert_eq!(check.queued(), 10);
    check.bound(bytes - 1).nothing(5);
    assert_eq!(check.queued(), 0);
}

#[test]
fn keys_that_are_more_than_the_bound_cost_a_short_queue_nothing() {
    let mut check = Check::at_once(vec![all("all")]);
    let keys: Vec<String> = (0..80).map(|no| format!("+key-{no}")).collect();
    check.window(0, &keys.join(" ")).delivers_all(1);
    let bytes = check.bytes();
    check
        .bound(bytes / 2)
        .mode(2, "all", Mode::Paused)
        .window(3, "!a +b -b");
    assert_eq!(check.nothing(4).queued(), 3);
}

#[test]
fn what_is_under_way_is_left_alone() {
    let mut check = Check::at_once(vec![all("all")]);
    check
        .window(0, "!a +b -b !a")
        .sends(&["all:!a +b -b !a"])
        .bound(1)
        .nothing(1);
    assert_eq!(check.queued(), 4);
    check
        .restart(2)
        .sends(&["all:!a +b -b !a"])
        .delivers_all(3)
        .keeps_no_event();
}

#[test]
fn no_step_makes_a_queue_shorter_by_more_than_1_000_events() {
    let mut check = Check::at_once(vec![all("all")]);
    check
        .mode(0, "all", Mode::Paused)
        .window(1, &"!a ".repeat(1_500))
        .window(2, "");
    let before = check.queued();
    check.bound(1).nothing(3);
    assert_eq!(before - check.queued(), 1_000);
    check.nothing(4).nothing(5);
    assert_eq!(check.queued(), 0);
}

#[test]
fn the_log_and_the_dead_letters_go_when_they_are_too_old() {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    let mut check = Check::at_once(vec![all("all")]);
    check.mode(0, "all", Mode::Disabled(crate::ledger::DisabledBecause::Operator));
    check.window(1, "!a").window(2, "!a");
    let lines = check.log_lines();
    check.nothing(DAY + 1);
    assert_eq!((check.log_lines(), check.parked().len()), (lines, 2));
    check.nothing(DAY + 2);
    check.dead = 0;
    assert_eq!((check.log_lines(), check.parked().len()), (lines / 2, 1));
    check.nothing(DAY + 3);
    check.dead = 0;
    assert_eq!((check.log_lines(), check.parked().len()), (0, 0));
}

#[test]
fn the_log_has_a_bound_of_its_own_and_holds_it_however_much_comes_in_a_step() {
    let mut check = Check::at_once(vec![all("all")]);
    check.engine.limits.log_bytes_max = 10_000;
    for ms in 0..6 {
        check.window(ms, &"!a ".repeat(1_200)).delivers_all(ms);
    }
    check.nothing(11).nothing(12).nothing(13);
    assert!(check.store.usage().log_bytes <= 10_000);
}

#[test]
fn parking_goes_on_in_later_steps_without_being_asked() {
    let mut check = Check::at_once(vec![all("one"), all("two")]);
    check.mode(0, "one", Mode::Paused).mode(0, "two", Mode::Paused);
    check.window(1, &"!a ".repeat(1_300));
    let disabled = Mode::Disabled(crate::ledger::DisabledBecause::Operator);
    check.mode(2, "one", disabled).mode(2, "two", disabled);
    assert!(600 <= check.queued(), "no step parks more than 1,000");
    assert!(0 < check.settle(2));
    assert_eq!((check.queued(), check.parked().len()), (0, 2_600));
    for commit in check.store.committed() {
        assert!(commit.dead.len() <= 1_000);
    }
    check.keeps_no_event();
}
