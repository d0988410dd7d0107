//! Numbers and clocks (DESIGN.md section 5).

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

impl Check {
    /// The numbers of what is under way at an endpoint.
    fn seqs(&self) -> Vec<u64> {
        let events = self.under_way.iter().flat_map(|request| &request.events);
        events.filter_map(|event| event.seq()).collect()
    }

    fn wall(&self, ms: u64) -> u64 {
        self.start.ms(ms).wall_ms
    }
}

#[test]
fn the_number_is_the_wall_clock_or_one_more_than_the_last() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(5, "+a -a +a");
    let at = check.wall(5);
    assert_eq!(check.seqs(), [at, at + 1, at + 2]);
    check.delivers_all(6).window(7, "-a");
    assert_eq!(check.seqs(), [at + 3]);
    check.delivers_all(8).window(9, "+a");
    assert_eq!(check.seqs(), [at + 4]);
    assert_eq!((check.told("a").seq, check.told("a").since_ms), (at + 4, check.wall(9)));
}

#[test]
fn numbers_rise_through_lost_records_of_keys() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(5, "+a -a +a -a").delivers_all(6).crash();
    check.store.change(|loaded| loaded.keys.clear());
    check.configure(5).accept(5).window(5, "+a");
    assert_eq!(check.seqs(), [check.wall(5) + 4]);
}

#[test]
fn numbers_rise_though_the_wall_clock_was_ahead_and_times_are_right_at_once() {
    const AHEAD: u64 = 2 * 60 * 60 * 1_000;
    let mut check = Check::at_once(vec![all("all")]);
    let ahead = |now: Now| Now {
        wall_ms: now.wall_ms + AHEAD,
        ..now
    };
    let wrong = ahead(check.start.ms(10));
    check.step_at(wrong, &window("+a", wrong));
    assert_eq!(
        (check.seqs(), check.under_way[0].time_ms),
        (vec![wrong.wall_ms], wrong.wall_ms)
    );
    check.delivers_all(20).window(30, "-a +b");
    let seqs = vec![wrong.wall_ms + 1, wrong.wall_ms + 2];
    assert_eq!(
        (check.seqs(), check.under_way[0].time_ms),
        (seqs.clone(), check.wall(30))
    );
    // Over a restart too, with a request that was cut while the clock was wrong.
    check.delivers_all(40);
    let wrong = ahead(check.start.ms(50));
    check.step_at(wrong, &window("+a", wrong));
    let cut = check.under_way[0].clone();
    assert_eq!(cut.time_ms, wrong.wall_ms);
    check.restart(60);
    assert_eq!(
        (check.under_way[0].id, check.under_way[0].time_ms),
        (cut.id, check.wall(60))
    );
    check.delivers_all(70).window(80, "+c");
    assert_eq!(check.under_way[0].time_ms, check.wall(80));
    assert!(check.seqs().iter().all(|seq| seqs[1] < *seq));
}

#[test]
fn a_time_ahead_of_the_clock_is_replaced_at_the_next_attempt_and_keeps_no_retry_waiting() {
    let failed = Outcome::Failed {
        retry_in: Duration::from_secs(1),
    };
    for restarts in [false, true] {
        let mut check = Check::at_once(vec![all("all")]);
        let wrong = Now {
            wall_ms: check.start.ms(10).wall_ms + 2 * 60 * 60 * 1_000,
            ..check.start.ms(10)
        };
        check.step_at(wrong, &window("+a", wrong));
        let request = check.under_way.pop_front().expect("it is cut");
        check.step_at(wrong, &answer(&request, failed));
        check.sent.clear();
        if restarts {
            check.restart(20).sends(&[]).nothing(1_019).sends(&[]);
        }
        check.nothing(1_020).sends(&["all:+a"]);
        assert_eq!(
            (check.under_way[0].id, check.under_way[0].time_ms),
            (request.id, check.wall(1_020))
        );
    }
}

#[test]
fn ids_are_not_given_twice_over_a_crash() {
    let mut check = Check::at_once(vec![all("all")]);
    let mut events = Vec::new();
    let mut requests = Vec::new();
    for round in 0..5 {
        check.window(round, "+a -a");
        let request = check.under_way[0].clone();
        events.extend(request.events.iter().map(|event| event.id));
        requests.push(request.id);
        check.delivers_all(round).restart(round);
    }
    let mut sorted = (events.clone(), requests.clone());
    sorted.0.sort();
    sorted.0.dedup();
    sorted.1.dedup();
    assert_eq!(sorted, (events, requests));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_ledger_that_is_put_back_from_any_earlier_state_gives_no_id_again_and_its_numbers_rise(
        history in prop::collection::vec((0..4_usize, any::<prop::sample::Index>(), any::<u128>()), 1..40),
    ) {
        let mut check = Check::at_once(vec![all("all")]);
        let mut kept = vec![check.store.loaded()];
        let (mut ids, mut seqs) = (HashSet::new(), HashMap::new());
        for (ms, (what, index, random)) in (1_000..).step_by(1_000).zip(history) {
            if what == 3 {
                let earlier = index.get(&kept).clone();
                check.store.change(|loaded| *loaded = earlier);
                check.engine = Engine::new(check.store.clone(), check.store.loaded(), limits(), random);
                check.under_way.clear();
                check.configure(ms).accept(ms);
                // What waited when the copy was made is told again, as it was.
                let known = |request: &Request| ids.contains(&(true, request.id.0));
                prop_assert!(check.under_way.iter().all(known));
                check.delivers_all(ms);
                continue;
            }
            check.window(ms, ["+a -a", "+b -b +a -a", "+c -c"][what]);
            while let Some(request) = check.under_way.front().cloned() {
                prop_assert!(ids.insert((true, request.id.0)));
                for event in &request.events {
                    prop_assert!(ids.insert((false, event.id.0)));
                    let seq = event.seq().expect("a state");
                    let key = event.state().expect("a state").0.clone();
                    prop_assert!(seqs.insert(key, seq).is_none_or(|before| before < seq));
                }
                kept.push(check.store.loaded());
                check.delivers(ms, "all");
            }
            kept.push(check.store.loaded());
        }
    }
}

#[test]
fn a_leap_is_stored_with_the_first_id_that_is_given_after_it() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a").delivers_all(1);
    let before = check.store.loaded().counters.expect("they are stored");
    check.restart(2).nothing(3);
    assert_eq!(check.store.loaded().counters, Some(before), "nothing was given");
    check.window(4, "+b");
    let after = check.store.loaded().counters.expect("they are stored");
    let request = &check.under_way[0];
    assert_eq!((after.request, after.event), (request.id.0, request.events[0].id.0));
    assert!(before.request + (1 << 32) < after.request && before.event + (1 << 32) < after.event);
}

#[test]
fn the_record_of_a_vacant_key_is_dropped_24_h_later_and_its_numbers_still_rise() {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a -a").delivers_all(1).nothing(DAY - 1);
    assert_eq!(check.store.loaded().keys.len(), 1);
    check.nothing(DAY);
    assert_eq!(check.store.loaded().keys.len(), 0);
    let back = Now {
        wall_ms: check.start.wall_ms - 5,
        ..check.start.ms(DAY)
    };
    check.step_at(back, &window("+a", back));
    assert_eq!(check.seqs(), [check.wall(0) + 2]);
}

#[test]
fn the_record_of_a_vacant_key_stays_while_its_event_waits() {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a").delivers_all(0).mode(0, "all", Mode::Paused);
    check.window(1, "-a").nothing(DAY + 1);
    assert_eq!(check.store.loaded().keys.len(), 1);
    // It is occupied again, and nothing of that is dropped when its time would have come.
    check.mode(DAY + 2, "all", Mode::Enabled).delivers_all(DAY + 2);
    check.window(DAY + 3, "+a").delivers_all(DAY + 4);
    check.nothing(3 * DAY).tells_occupied(&["a"]);
    assert_eq!(check.store.loaded().keys.len(), 1);
    check.window(3 * DAY, "-a").delivers_all(3 * DAY).nothing(4 * DAY);
    assert_eq!(check.store.loaded().keys.len(), 0);
}
