//! What is refused is divided and set aside.

use super::*;

const REFUSED: Outcome = Outcome::Refused {
    retry_in: Duration::from_secs(1),
    status: 401,
};

impl Check {
    /// A request is refused and waits for 1 s; compares what it becomes.
    #[track_caller]
    fn refuses(&mut self, id: u64, ms: u64, want: Option<Became>) -> &mut Self {
        let answered = self.answer(id, REFUSED, ms).expect("it is under way");
        assert_eq!(answered.became, want);
        self
    }

    /// One event that is refused three times, at 0, 1 and 2 s.
    #[track_caller]
    fn refuses_thrice(&mut self, id: u64, event: &str) -> &mut Self {
        for number in 1..=3_u64 {
            let ms = (number - 1) * 1_000;
            let became = (number == 3).then_some(Became::Aside);
            self.attempts(ms, &[&format!("{id}#{number} {event}")])
                .refuses(id, ms, became);
        }
        self
    }

    fn aside(&self, ms: u64) -> Vec<(String, u16, usize)> {
        let asides = self.outbox.asides(self.start.ms(ms)).into_iter();
        let shown = |view: AsideView| (view.event.channel.expect("one").to_string(), view.status, view.waiting);
        asides.map(shown).collect()
    }
}

fn one_each() -> Check {
    Check::with(|rules| rules.cut.events_max = 1)
}

#[test]
fn a_request_that_is_refused_three_times_goes_aside_with_its_channel_and_others_go_on_at_once() {
    let mut check = one_each();
    check.push(0, &["+a", "+b", "-a", "+c"]).refuses_thrice(1, "+a");
    assert_eq!(check.aside(2_000), [("a".into(), 401, 1)]);
    check.attempts(2_000, &["2#1 +b"]).delivers(2, 2_000);
    check
        .push(2_000, &["+a"])
        .attempts(2_000, &["3#1 +c"])
        .delivers(3, 2_000);
    assert_eq!(check.aside(2_000), [("a".into(), 401, 2)]);
    check
        .retries_at(2_000, Some(3_000))
        .attempts(3_000, &["1#4 +a"])
        .delivers(1, 3_000);
    check.attempts(3_000, &["4#1 -a"]).delivers(4, 3_000);
    check.attempts(3_000, &["5#1 +a"]).delivers(5, 3_000).holds(0);
    assert_eq!(check.aside(3_000), []);
}

#[test]
fn no_answer_between_refusals_begins_the_count_anew() {
    let mut check = one_each();
    check
        .push(0, &["+a", "+b"])
        .attempts(0, &["1#1 +a"])
        .refuses(1, 0, None);
    check.attempts(1_000, &["1#2 +a"]).refuses(1, 1_000, None);
    check.attempts(2_000, &["1#3 +a"]).fails(1, 2_000, "");
    for ms in [3_000, 4_000] {
        check.attempts_of(check.start.ms(ms));
        check.refuses(1, ms, None);
    }
    check
        .attempts(5_000, &["1#6 +a"])
        .refuses(1, 5_000, Some(Became::Aside));
}

#[test]
fn a_request_of_several_events_is_halved_until_the_refused_one_is_found() {
    let mut check = Check::with(|rules| rules.cut.events_max = 8);
    check.push(0, &["+a", "+b", "+c", "+d", "+e", "+f", "+g", "+h"]);
    for ms in [0, 1_000, 2_000] {
        check.attempts_of(check.start.ms(ms));
        check.refuses(1, ms, (ms == 2_000).then_some(Became::Divided));
    }
    let divided = Some(Became::Divided);
    check.attempts(2_000, &["2#1 +a +b +c +d"]).delivers(2, 2_000);
    check.attempts(2_000, &["3#1 +e +f"]).refuses(3, 2_000, divided);
    check.attempts(2_000, &["4#1 +e"]).delivers(4, 2_000);
    check
        .attempts(2_000, &["5#1 +f"])
        .refuses(5, 2_000, Some(Became::Aside));
    // Until something is taken one goes alone.
    check.attempts(2_000, &["6#1 +g"]).delivers(6, 2_000);
    check
        .push(2_000, &["+i"])
        .attempts(2_000, &["7#1 +h +i"])
        .delivers(7, 2_000)
        .holds(1);
    assert_eq!(check.aside(2_000), [("f".into(), 401, 0)]);
}

#[test]
fn who_refuses_everything_is_tried_as_often_as_one_request_would_be_and_has_four_aside() {
    let mut check = one_each();
    check
        .push(0, &["+a", "+b", "+c", "+d", "+e", "+f"])
        .refuses_thrice(1, "+a");
    check
        .attempts(2_000, &["2#1 +b"])
        .refuses(2, 2_000, Some(Became::Aside));
    check
        .attempts(2_000, &[])
        .attempts(3_000, &["3#1 +c"])
        .refuses(3, 3_000, Some(Became::Aside));
    check
        .attempts(4_000, &["4#1 +d"])
        .refuses(4, 4_000, Some(Became::Aside));
    // From here on they take turns, one at a time.
    check.attempts(5_000, &["1#4 +a"]).refuses(1, 5_000, None);
    check.attempts(5_000, &["5#1 +e"]).refuses(5, 5_000, None);
    check.attempts(5_000, &["2#2 +b"]).refuses(2, 5_000, None);
    check.attempts(5_000, &[]);
    assert_eq!(check.aside(5_000).len(), 4);
    check.attempts(6_000, &["5#2 +e"]).delivers(5, 6_000);
    // Something was taken: all of it goes out.
    check.attempts(6_000, &["3#2 +c"]).delivers(3, 6_000);
    check.attempts(6_000, &["6#1 +f"]).delivers(6, 6_000);
    check.attempts(6_000, &["4#2 +d"]).delivers(4, 6_000);
    check.attempts(6_000, &["1#5 +a"]).delivers(1, 6_000);
    check.attempts(6_000, &["2#3 +b"]).delivers(2, 6_000).holds(0);
}

#[test]
fn the_wait_counts_the_failures_of_the_lane_and_the_attempts_those_of_the_request() {
    let mut check = one_each();
    check.push(0, &["+a", "+b"]).refuses_thrice(1, "+a");
    let trial = check.attempts_of(check.start.ms(2_000));
    assert_eq!((trial[0].number, trial[0].backoff), (1, 4));
}

#[test]
fn past_eight_what_is_refused_waits_behind_the_last_and_comes_back_with_it() {
    let mut check = one_each();
    for at in 0..9 {
        let bad = format!("+bad{at}");
        check.push(0, &[&bad, &format!("+good{at}")]);
    }
    let is_bad = |attempt: &Attempt| print_one(&attempt.events[0]).contains("bad");
    for step in 0..2_000_u64 {
        let ms = step * 100;
        for attempt in check.attempts_of(check.start.ms(ms)) {
            let outcome = if is_bad(&attempt) { REFUSED } else { Outcome::Delivered };
            check.answer(attempt.id.0, outcome, ms);
        }
    }
    check.parked.clear();
    let aside = check.aside(200_000);
    assert_eq!((aside.len(), check.outbox.len()), (8, 9), "{aside:?}");
    assert_eq!(aside.iter().map(|(_, _, waiting)| waiting).sum::<usize>(), 1);
    for step in 0..100_u64 {
        let ms = 200_000 + step * 1_000;
        for attempt in check.attempts_of(check.start.ms(ms)) {
            check.answer(attempt.id.0, Outcome::Delivered, ms);
        }
    }
    check.holds(0);
}

#[test]
fn refusals_of_what_is_aside_do_not_open_the_breaker() {
    let mut check = Check::with(|rules| {
        rules.cut.events_max = 1;
        rules.breaker.after = 4;
    });
    check.push(0, &["+a"]).refuses_thrice(1, "+a");
    for number in 4..20_u64 {
        let ms = (number - 1) * 1_000;
        check.attempts(ms, &[&format!("1#{number} +a")]).refuses(1, ms, None);
    }
    assert_eq!(check.outbox.breaker(), BreakerState::Closed);
}

#[test]
fn a_breaker_that_is_open_is_tried_by_what_is_aside_when_nothing_else_is_there() {
    let mut check = Check::with(|rules| {
        rules.cut.events_max = 1;
        rules.breaker.after = 3;
    });
    check.push(0, &["+a"]).refuses_thrice(1, "+a");
    assert_eq!(check.outbox.breaker(), BreakerState::Open);
    check.attempts(3_000, &["1#4 +a"]).delivers(1, 3_000);
    assert_eq!(check.outbox.breaker(), BreakerState::Closed);
}

#[test]
fn what_is_aside_stays_so_through_a_crash_and_other_lanes() {
    let mut check = one_each();
    check.push(0, &["+a", "+b", "-a"]).refuses_thrice(1, "+a");
    check.attempts(2_000, &["2#1 +b"]).delivers(2, 2_000);
    check.crash(2_000, |rules| (rules.cut.events_max, rules.lanes) = (1, 3));
    assert_eq!(check.aside(2_000), [("a".into(), 401, 1)]);
    check.configure(|rules| (rules.cut.events_max, rules.lanes) = (1, 2));
    check.push(2_000, &["+a", "+b", "+c"]);
    assert_eq!(check.aside(2_000), [("a".into(), 401, 2)]);
    let told: Vec<String> = check.attempts_of(check.start.ms(2_000)).iter().map(describe).collect();
    assert!(told.iter().all(|told| !told.contains('a')), "{told:?}");
}

#[test]
fn what_is_aside_is_parked_when_it_is_too_old_but_for_the_newest_state() {
    let mut check = Check::with(|rules| {
        rules.cut.events_max = 1;
        rules.retry_for = Duration::from_secs(10);
    });
    check.push(0, &["+a", "-a", "+a", "!a"]).refuses_thrice(1, "+a");
    check
        .attempts(11_000, &["1#4 +a"])
        .refuses(1, 11_000, None)
        .parks("+a -a !a");
    assert_eq!(check.aside(11_000), [("a".into(), 401, 0)]);
    check.attempts(12_000, &["2#5 +a"]).delivers(2, 12_000).holds(0);
}

#[test]
fn a_disabled_endpoint_has_nothing_aside() {
    let mut check = one_each();
    check.push(0, &["+a", "-a", "+a"]).refuses_thrice(1, "+a");
    check
        .mode(Mode::Disabled(DisabledBecause::Operator), 2_000)
        .parks("+a -a");
    assert_eq!(check.aside(2_000), []);
    check
        .mode(Mode::Enabled, 3_000)
        .attempts(3_000, &["2#1 +a"])
        .delivers(2, 3_000)
        .holds(0);
}

#[test]
fn a_body_that_is_too_long_is_cut_in_half_at_once_and_so_are_later_ones() {
    let too_long = Outcome::Refused {
        retry_in: Duration::from_secs(1),
        status: 413,
    };
    let mut check = Check::with(|rules| rules.cut.events_max = 4);
    check
        .push(0, &["+a", "+b", "+c", "+d"])
        .attempts(0, &["1#1 +a +b +c +d"]);
    let answered = check.answer(1, too_long, 0).expect("it is under way");
    let bound = check.outbox.body_bytes_learned().expect("it was learned");
    assert_eq!(answered.became, Some(Became::Shortened(bound)));
    check.attempts(0, &["2#1 +a"]).delivers(2, 0).attempts(0, &["3#1 +b"]);
    // One event that is too long is refused like any other.
    let answered = check.answer(3, too_long, 0).expect("it is under way");
    assert_eq!(
        (answered.became, check.outbox.body_bytes_learned()),
        (None, Some(bound))
    );
    check.configure(|rules| rules.cut.events_max = 5);
    assert_eq!(check.outbox.body_bytes_learned(), None);
}
