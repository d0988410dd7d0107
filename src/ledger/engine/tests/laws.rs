//! What is done again changes nothing, and what was kept is kept as it is.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::any};

use super::*;
use crate::ledger::{DisabledBecause, engine::records::put, law::holds};

/// An app with what a start can find: keys of each state, a queue, requests that were posted and that
/// wait, an endpoint that is paused, one that is disabled, and one whose announcement has begun.
fn with_everything() -> Check {
    let mut check = Check::new(vec![all("all"), all("paused"), all("gone"), of_prefix("jobs", "job-")]);
    check
        .mode(0, "paused", Mode::Paused)
        .mode(0, "gone", Mode::Disabled(DisabledBecause::Gone))
        .window(0, "+a +job-1 +presence-x +presence-x/7 @8 !a")
        .fails(1, "jobs")
        .window(2, "-a +b +c -c")
        .window(4_000, "+a");
    check
}

#[test]
fn a_control_that_comes_again_changes_nothing() {
    let mode = |endpoint: &str, mode| Control::SetMode {
        app: "1".parse().expect("valid"),
        endpoint: endpoint.parse().expect("valid"),
        mode,
    };
    let check = with_everything();
    let fewer = AppRules {
        endpoints: check.apps[0].endpoints[1..].to_vec(),
        ..check.apps[0].clone()
    };
    let disabled = AppRules {
        enabled: false,
        ..check.apps[0].clone()
    };
    for control in [
        Control::Configure(check.apps.clone()),
        Control::Configure(vec![fewer]),
        Control::Configure(vec![disabled]),
        Control::Configure(Vec::new()),
        Control::Accepting,
        Control::Drain,
        mode("all", Mode::Enabled),
        mode("all", Mode::Paused),
        mode("all", Mode::Disabled(DisabledBecause::Operator)),
        mode("gone", Mode::Enabled),
    ] {
        let mut check = with_everything();
        check.control(5_000, control.clone());
        // What was too much for one step is done, too.
        for _ in 0..8 {
            check.nothing(5_000);
        }
        let before = (
            check.commits(),
            check.views(),
            check.store.loaded(),
            check.under_way.len(),
        );
        check.control(5_000, control.clone());
        let after = (
            check.commits(),
            check.views(),
            check.store.loaded(),
            check.under_way.len(),
        );
        assert_eq!(after, before, "{control:?}");
    }
}

#[test]
fn an_answer_that_comes_again_changes_nothing() {
    for outcome in [
        Outcome::Delivered,
        Outcome::Failed {
            retry_in: Duration::from_secs(1),
        },
        Outcome::Gone,
    ] {
        let mut check = Check::new(vec![all("all")]);
        check.window(0, "+a").window(1, "+b");
        let request = check.under_way.pop_front().expect("it was handed out");
        let step = answer(&request, outcome);
        check.step(2, &step);
        let before = (check.commits(), check.views(), check.store.loaded());
        check.step(2, &step);
        assert_eq!(
            (check.commits(), check.views(), check.store.loaded()),
            before,
            "{outcome:?}"
        );
    }
}

#[test]
fn a_start_with_the_same_configuration_keeps_what_it_found_as_it_is() {
    let mut check = with_everything();
    let kept = check.store.loaded();
    for _ in 0..3 {
        let before = check.commits();
        check.crash().configure(5_000);
        assert_eq!((check.commits(), &check.store.loaded()), (before, &kept));
    }
}

#[test]
fn an_announcement_that_a_crash_interrupts_at_any_place_tells_each_key_once() {
    for steps in 0..4 {
        let mut check = Check::new(vec![all("all")]);
        let keys: Vec<String> = (0..2_500).map(|at| format!("+c{at:04}")).collect();
        check.window(0, &keys.join(" ")).delivers_all(1);
        check.reconfigure(2, |app| app.endpoints.push(all("new")));
        for _ in 0..steps {
            check.nothing(3);
        }
        for _ in 0..2 {
            check.restart(4);
        }
        for _ in 0..5 {
            check.nothing(5);
        }
        let queued = check.store.loaded().queued.len();
        let in_requests = check.store.loaded().requests.into_values();
        let in_requests: usize = in_requests.map(|request| request.entries.len()).sum();
        assert_eq!(queued + in_requests, 2_500, "after {steps} steps");
    }
}

/// The law of the changes of a step: however often a record is put, the changes leave of it what the
/// last one leaves, and a record that was not there and is not there in the end is not mentioned.
#[test]
fn records_that_are_put_in_one_step_leave_what_they_leave_one_after_the_other() {
    let there = vec(any::<bool>(), 4);
    let puts = vec((0..4_usize, any::<bool>()), 0..12);
    holds((there, puts), |(there, puts)| {
        let before: BTreeMap<usize, usize> = (0..4).filter(|key| there[*key]).map(|key| (key, 100)).collect();
        let (mut one_by_one, mut changes, mut replaced) = (before.clone(), BTreeMap::new(), BTreeSet::new());
        for (at, (key, is_kept)) in puts.iter().enumerate() {
            // What removes a record knows that there is one.
            if *is_kept {
                // One that is put where one is replaces it: the old one is removed first.
                if one_by_one.insert(*key, at).is_some() {
                    put(&mut changes, &mut replaced, *key, None);
                }
                put(&mut changes, &mut replaced, *key, Some(at));
            } else if one_by_one.remove(key).is_some() {
                put(&mut changes, &mut replaced, *key, None);
            }
        }
        let mut at_once = before.clone();
        for (key, record) in &changes {
            match record {
                Some(record) => at_once.insert(*key, *record),
                None => {
                    assert!(before.contains_key(key), "{key} was never kept");
                    at_once.remove(key)
                }
            };
        }
        assert_eq!(at_once, one_by_one);
    });
}
