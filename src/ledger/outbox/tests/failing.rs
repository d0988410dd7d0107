//! From when, and until when, an endpoint counts as failing.

use super::*;

impl Check {
    /// Compares the view of a failing endpoint, as `since +attempts: event #attempt, waiting …`.
    #[track_caller]
    fn is_failing(&mut self, want: &str) -> &mut Self {
        let now = self.start;
        let said = self.outbox.failing(now).map(|failing| {
            let since = failing.since_ms - self.start.wall_ms;
            let requests = failing.requests.iter().map(|stuck| {
                let channel = stuck.event.channel.as_ref().map(ToString::to_string);
                let next = stuck
                    .next_ms
                    .map_or("under way".into(), |at| format!("{}", at - self.start.wall_ms));
                format!(
                    "; {} #{} {next}, {} behind",
                    channel.unwrap_or_default(),
                    stuck.attempts,
                    stuck.waiting
                )
            });
            format!("{since} +{}{}", failing.attempts, requests.collect::<String>())
        });
        assert_eq!(said.unwrap_or_default(), want);
        self
    }

    fn recovers(&mut self, id: u64, ms: u64) -> Option<(u64, u32)> {
        let answered = self.answer(id, Outcome::Delivered, ms).expect("it was under way");
        let recovered = answered.recovered?;
        Some((recovered.after.as_millis() as u64, recovered.attempts))
    }
}

#[test]
fn an_endpoint_fails_from_the_first_failure_to_the_next_success_also_while_it_is_tried() {
    let mut check = Check::new(60_000);
    check
        .push(0, &["+a", "+b"])
        .attempts(0, &["1#1 +a +b"])
        .is_failing("")
        .push(5, &["+c"])
        .fails(1, 10, "")
        .is_failing("10 +1; a #1 1010, 1 behind")
        .attempts(1_010, &["1#2 +a +b"])
        .is_failing("10 +1; a #2 under way, 1 behind")
        .fails(1, 1_020, "")
        .is_failing("10 +2; a #2 2020, 1 behind")
        .attempts(2_020, &["1#3 +a +b"]);
    assert_eq!(check.recovers(1, 2_030), Some((2_020, 2)));
    check.is_failing("").attempts(2_030, &["2#1 +c"]);
    assert_eq!(check.recovers(2, 2_040), None, "it had not failed");
}

#[test]
fn a_success_of_one_lane_hides_nothing_of_another() {
    let mut check = Check::new(60_000);
    check.configure(|rules| rules.lanes = 2);
    // Of two lanes.
    check.push(0, &["+a", "+b"]).attempts(0, &["1#1 +a", "2#1 +b"]);
    check.fails(1, 10, "").is_failing("10 +1; a #1 1010, 0 behind");
    assert_eq!(check.recovers(2, 20), None);
    check.is_failing("10 +1; a #1 1010, 0 behind");
    check.attempts(1_010, &["1#2 +a"]);
    assert_eq!(check.recovers(1, 1_020), Some((1_010, 1)));
    check.is_failing("");
}

#[test]
fn what_is_disabled_or_parked_as_a_whole_fails_no_more() {
    Check::new(5_000)
        .push(0, &["!a"])
        .attempts(0, &["1#1 !a"])
        .fails(1, 10, "")
        .is_failing("10 +1; a #1 1010, 0 behind")
        .attempts(1_010, &["1#2 !a"])
        .fails(1, 5_001, "!a")
        .is_failing("");
    Check::new(5_000)
        .push(0, &["+a"])
        .attempts(0, &["1#1 +a"])
        .fails(1, 10, "")
        .mode(Mode::Disabled(DisabledBecause::Operator), 20)
        .is_failing("");
}

#[test]
fn a_retry_makes_what_waits_due_now_and_lets_the_probe_of_an_open_breaker_go() {
    let mut check = Check::new(60_000);
    check.configure(|rules| {
        rules.lanes = 2;
        rules.breaker.after = 2;
    });
    check.push(0, &["+a", "+b"]).attempts(0, &["1#1 +a", "2#1 +b"]);
    let retry = |ms: u64, check: &mut Check| {
        let mut effects = Effects::default();
        check.outbox.retry(check.start.ms(ms), &mut effects);
        check.absorb(effects);
    };
    retry(5, &mut check);
    check.attempts(5, &[]).fails(1, 10, "").attempts(20, &[]);
    retry(20, &mut check);
    check.attempts(20, &["1#2 +a"]).fails(2, 30, "").fails(1, 40, "");
    check.attempts(50, &[]);
    retry(50, &mut check);
    // One request goes, to test whether the endpoint answers.
    check.attempts(50, &["1#3 +a"]).delivers(1, 60);
    check.attempts(60, &["2#2 +b"]);
}

#[test]
fn a_channel_waits_for_the_request_at_the_front_of_its_lane() {
    let mut check = Check::new(60_000);
    check.push(0, &["+a"]).attempts(0, &["1#1 +a"]).push(5, &["+b"]);
    let now = check.start;
    let wait = |check: &Check, channel: &str| {
        let wait = check.outbox.wait_of(&channel.parse().expect("valid"), now)?;
        Some((wait.request?, wait.attempts, wait.waiting))
    };
    assert_eq!(wait(&check, "b"), Some((RequestId(1), 1, 1)));
    assert_eq!(wait(&check, "a"), None, "it is under way itself");
    assert_eq!(wait(&check, "c"), None);
}
