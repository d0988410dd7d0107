use super::*;

impl Check {
    fn replay(&mut self, ms: u64, events: &[&str]) -> &mut Self {
        let mut replayed = Vec::new();
        for text in events {
            let event = Arc::new(event(text, self.counters.next_event()));
            self.events.insert(event.id, Arc::clone(&event));
            *self.references.entry(event.id).or_default() += 1;
            replayed.push(event);
        }
        let mut effects = Effects::default();
        self.outbox
            .replay(replayed, self.start.ms(ms), &mut self.counters, &mut effects);
        self.absorb(effects);
        self
    }
}

#[test]
fn replays_go_beside_the_lanes_one_request_at_a_time_and_are_marked() {
    let mut check = Check::new(60_000);
    check.push(0, &["+a"]).replay(0, &["+x", "-x", "+y", "-y"]);
    let attempts = check.attempts_of(check.start);
    assert_eq!(
        attempts.iter().map(|attempt| attempt.replay).collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(
        attempts.iter().map(describe).collect::<Vec<_>>(),
        ["3#1 +a", "1#1 +x -x +y"]
    );
    check
        .attempts(0, &[])
        .delivers(1, 10)
        .attempts(10, &["2#1 -y"])
        .delivers(2, 20)
        .delivers(3, 20)
        .holds(0);
}

#[test]
fn a_replay_that_fails_is_tried_again_and_forgotten_when_it_is_too_old() {
    Check::new(5_000)
        .replay(0, &["+x"])
        .attempts(0, &["1#1 +x"])
        .fails(1, 10, "")
        .push(10, &["+a"])
        .attempts(10, &["2#1 +a"])
        .attempts(1_010, &["1#2 +x"])
        .fails(1, 5_001, "")
        .holds(1)
        .attempts(10_000, &[]);
}

#[test]
fn a_replay_survives_a_crash() {
    Check::new(60_000)
        .replay(0, &["+x", "-x", "+y", "-y"])
        .attempts(0, &["1#1 +x -x +y"])
        .crash(10, |_| {})
        // The first attempt of a replay is not stored, so it is made again.
        .attempts(10, &["1#1 +x -x +y"])
        .delivers(1, 20)
        .attempts(20, &["2#1 -y"])
        .delivers(2, 30)
        .holds(0);
}
