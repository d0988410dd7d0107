//! Windows that are carried out in shares.

use proptest::{collection::vec, prelude::any};

use super::*;
use crate::ledger::{Left, law::Clients, law::holds};

/// Carries out windows in shares of this size. Gives how many steps that took.
fn in_shares(check: &mut Check, mut windows: Vec<Window>, work_max: usize, now: Now) -> usize {
    let mut steps = 0;
    while !windows.is_empty() {
        let step = Step {
            windows,
            ..Step::default()
        };
        let done = check.engine.portion(&step, work_max, now).expect("it can be stored");
        let rest = |left: &Left| {
            let mut window = step.windows[left.window].clone();
            window.observed.drain(..left.observed);
            window
        };
        windows = done.left.iter().map(rest).collect();
        check.take(done);
        steps += 1;
        assert!(steps < 10_000, "it comes to an end");
    }
    steps
}

/// The law of shares: windows leave the same state, and tell the same in the same order, in any number of
/// steps.
#[test]
fn windows_that_are_carried_out_in_shares_tell_what_they_tell_at_once() {
    let happenings = vec((any::<u8>(), 0..6_usize), 1..60);
    holds((0..4_usize, 1..5_usize, happenings), |(delay, work_max, happenings)| {
        let mut checks = [(), ()].map(|()| {
            let mut app = AppRules::of_test("1", vec![all("paused")]);
            app.vacated_delay = Duration::from_millis([0, 10, 300, 3_000][*delay]);
            let mut check = Check::with_app(app);
            check.mode(0, "paused", Mode::Paused);
            check
        });
        let (start, mut now) = (checks[0].start, checks[0].start);
        let (mut clients, keys) = (Clients::default(), Clients::keys());
        let (mut windows, mut observed) = (Vec::new(), Vec::new());
        for (what, how) in happenings {
            match what {
                0..=99 => {
                    let edges = clients.toggle(&keys[how % keys.len()], now);
                    observed.extend(edges.into_iter().map(Observed::Edge));
                }
                100..=119 => observed.push(Observed::Stateless(
                    Stateless::CacheMiss("cache-a".parse().expect("valid")),
                    now,
                )),
                120..=189 => now = now.ms([1, 9, 50, 299, 1_000, 3_001][*how]),
                190..=255 => windows.push(Window {
                    app: "1".parse().expect("valid"),
                    observed: std::mem::take(&mut observed),
                    until: now,
                }),
            }
        }
        windows.push(Window {
            app: "1".parse().expect("valid"),
            observed,
            until: now.ms(10_000),
        });
        let end = now.ms(10_000);
        let [at_once, shared] = &mut checks;
        let step = Step {
            windows: windows.clone(),
            ..Step::default()
        };
        let at = u64::try_from((end.instant - start.instant).as_millis()).expect("it is short");
        at_once.step(at, &step);
        in_shares(shared, windows, *work_max, end);
        let kept = |check: &Check| {
            let loaded = check.store.loaded();
            (loaded.keys, loaded.events, loaded.queued)
        };
        assert_eq!(kept(shared), kept(at_once));
        assert_eq!(shared.next_due, at_once.next_due);
    });
}

#[test]
fn a_step_carries_out_a_share_of_each_app_and_leaves_the_rest_in_order() {
    let mut check = Check::at_once(vec![all("e")]);
    check.apps.push(AppRules::of_test("2", vec![all("f")]));
    check.configure(0);
    let now = check.start.ms(1);
    let of = |app: &str, observed: &str| Window {
        app: app.parse().expect("valid"),
        ..window(observed, now).windows.remove(0)
    };
    let step = Step {
        windows: vec![of("1", "+a +b +c"), of("1", "+d"), of("2", "+x")],
        ..Step::default()
    };
    let done = check.engine.portion(&step, 2, now).expect("it can be stored");
    let left = |window, observed| Left { window, observed };
    assert_eq!(done.left, [left(0, 2), left(1, 0)]);
    assert_eq!(done.due, [("2".parse().expect("valid"), None)]);
    check.take(done);
    check.sends(&["e:+a +b", "f:+x"]);
}

#[test]
fn keys_that_fall_due_are_work_and_come_before_what_was_seen_later() {
    let mut check = Check::new(vec![all("e")]);
    check.mode(0, "e", Mode::Paused).window(0, "+a +b +c -a -b -c");
    let now = check.start.ms(5_000);
    assert_eq!(in_shares(&mut check, window("+d", now).windows, 1, now), 3);
    check.mode(5_000, "e", Mode::Enabled).sends(&["e:+a +b +c -a -b -c +d"]);
}
