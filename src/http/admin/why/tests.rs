use std::sync::Arc;

use super::*;
use crate::ledger::{AttemptReport, Attempted, EventBody, Filter, Key, KeyState, KeyView, ParkedBecause};

const NOW: u64 = 1_000_000;

/// What is known of `room` in the app `1`.
struct Case {
    view: ChannelView,
    subscriptions: usize,
    endpoints: Vec<(Endpoint, Option<EndpointInfo>)>,
    entries: Vec<LogEntry>,
    failing: Option<&'static str>,
}

fn channel() -> ChannelName {
    "room".parse().expect("valid")
}

/// The endpoint `main` that asks for everything of channels that begin with `prefix`.
fn endpoint(prefix: &str) -> (Endpoint, Option<EndpointInfo>) {
    let info = EndpointInfo {
        app: "1".parse().expect("valid"),
        id: "main".parse().expect("valid"),
        url: "http://h/".into(),
        filter: Filter {
            events: vec![WebhookEvent::ChannelOccupied, WebhookEvent::ChannelVacated],
            channels: crate::domain::ChannelPattern::affixes(prefix, ""),
        },
    };
    let view = crate::ledger::EndpointView {
        app: info.app.clone(),
        id: info.id.clone(),
        mode: crate::ledger::Mode::Enabled,
        breaker: crate::ledger::BreakerState::Closed,
        lanes: 1,
        queued: 0,
        queued_bytes: 0,
        oldest_ms: None,
        under_way: 0,
        retry_ms: None,
        failing: None,
        aside: Vec::new(),
        body_bytes_max: None,
        dead_letters: 0,
        counts: crate::ledger::Counts::default(),
    };
    (Endpoint::new(&view, Some(&info)), Some(info))
}

fn event(occupied: bool) -> Arc<crate::ledger::Event> {
    Arc::new(crate::ledger::Event {
        id: EventId(if occupied { 1 } else { 2 }),
        body: EventBody::State {
            key: Key::Channel(channel()),
            occupied,
            seq: 7,
        },
        at_ms: 0,
    })
}

fn entry(no: u64, ago_ms: u64, what: Logged) -> LogEntry {
    LogEntry {
        no,
        at_ms: NOW - ago_ms,
        app: "1".parse().expect("valid"),
        what,
    }
}

fn attempted(attempt: u32, error: Option<&str>, next_in_ms: Option<u64>) -> Logged {
    Logged::Attempted(of_request(attempt, error, next_in_ms))
}

fn replayed(error: Option<&str>) -> Logged {
    Logged::Attempted(Attempted {
        replay: true,
        ..of_request(1, error, None)
    })
}

fn parked() -> Logged {
    Logged::Parked {
        endpoint: "main".parse().expect("valid"),
        because: ParkedBecause::TooOld,
        event: EventRef::new(&event(true)),
    }
}

fn of_request(attempt: u32, error: Option<&str>, next_in_ms: Option<u64>) -> Attempted {
    Attempted {
        endpoint: "main".parse().expect("valid"),
        request: crate::ledger::RequestId(9),
        attempt,
        replay: false,
        report: AttemptReport {
            at_ms: 0,
            took_ms: 12,
            status: Some(if error.is_some() { 500 } else { 200 }),
            error: error.map(Into::into),
        },
        next_at_ms: next_in_ms.map(|ms| NOW + ms),
        events: vec![EventRef::new(&event(true))],
    }
}

impl Case {
    fn new(state: KeyState) -> Self {
        Self {
            view: ChannelView {
                channel: KeyView {
                    state,
                    seq: Some(7),
                    since_ms: Some(NOW - 60_000),
                    ..KeyView::default()
                },
                users: Vec::new(),
                waits: Vec::new(),
            },
            subscriptions: 0,
            endpoints: vec![endpoint("")],
            entries: Vec::new(),
            failing: None,
        }
    }

    fn occupied(entries: Vec<LogEntry>) -> Self {
        Self {
            subscriptions: 2,
            entries,
            ..Self::new(KeyState::Occupied)
        }
    }

    fn why(&self) -> Why {
        let endpoints: Vec<_> = self
            .endpoints
            .iter()
            .map(|(endpoint, info)| (endpoint.clone(), info.as_ref()))
            .collect();
        explain(Evidence {
            app: &"1".parse().expect("valid"),
            channel: &channel(),
            view: &self.view,
            live: wire::Members {
                subscriptions: self.subscriptions,
                ..wire::Members::default()
            },
            endpoints: &endpoints,
            entries: &self.entries,
            failing: self.failing,
            now_ms: NOW,
        })
    }

    #[track_caller]
    fn check(&self, want: &[&str]) {
        assert_eq!(self.why().answer, want);
    }
}

const OCCUPIED: &str = "room became occupied 60 s ago (seq 7); 2 connections are subscribed now.";

#[test]
fn a_delivered_event_is_told_with_its_answer() {
    Case::occupied(vec![
        entry(2, 59_000, attempted(1, None, None)),
        entry(1, 60_000, Logged::Decided(event(true))),
    ])
    .check(&[
        OCCUPIED,
        "main was told channel_occupied 59 s ago, at attempt 1, and answered 200 within 12 ms.",
    ]);
}

#[test]
fn a_failing_event_is_told_with_its_cause_and_its_next_attempt() {
    Case::occupied(vec![
        entry(3, 2_000, attempted(2, Some("answered 500"), Some(4_000))),
        entry(2, 59_000, attempted(1, Some("answered 500"), Some(0))),
        entry(1, 60_000, Logged::Decided(event(true))),
    ])
    .check(&[
        OCCUPIED,
        "main was not told channel_occupied yet: attempt 2 failed 2.0 s ago (answered 500), the next is in 4.0 s.",
    ]);
}

#[test]
fn a_parked_event_is_told_with_how_to_replay_it() {
    Case::occupied(vec![
        entry(2, 1_000, parked()),
        entry(1, 60_000, Logged::Decided(event(true))),
    ])
    .check(&[
        OCCUPIED,
        "main was not told channel_occupied: it was parked 1.0 s ago (too old); `vacancy webhooks replay \
         evt_0000000000000001` delivers it once more.",
    ]);
}

#[test]
fn a_replay_that_failed_takes_nothing_back() {
    let decided = || entry(1, 60_000, Logged::Decided(event(true)));
    Case::occupied(vec![
        entry(3, 5_000, replayed(Some("answered 500"))),
        entry(2, 59_000, attempted(1, None, None)),
        decided(),
    ])
    .check(&[
        OCCUPIED,
        "main was told channel_occupied 59 s ago, at attempt 1, and answered 200 within 12 ms.",
    ]);
    Case::occupied(vec![
        entry(3, 1_000, replayed(Some("answered 500"))),
        entry(2, 2_000, parked()),
        decided(),
    ])
    .check(&[
        OCCUPIED,
        "main was not told channel_occupied: it was parked 2.0 s ago (too old); `vacancy webhooks replay \
         evt_0000000000000001` delivers it once more. Attempt 1 of a replay failed 1.0 s ago (answered 500).",
    ]);
}

#[test]
fn an_event_that_a_replay_delivered_is_told_so() {
    Case::occupied(vec![
        entry(4, 1_000, replayed(None)),
        entry(3, 2_000, replayed(Some("answered 500"))),
        entry(2, 3_000, parked()),
        entry(1, 60_000, Logged::Decided(event(true))),
    ])
    .check(&[
        OCCUPIED,
        "main was told channel_occupied 1.0 s ago, by a replay, and answered 200 within 12 ms.",
    ]);
}

#[test]
fn an_event_that_waits_no_more_is_not_told_to_wait() {
    let mut case = Case::occupied(vec![entry(1, 60_000, Logged::Decided(event(true)))]);
    let folded = "it was folded away with its opposite (`compact`, or the ledger's bound)";
    let gone = format!(
        "main was not told channel_occupied, which was decided 60 s ago, and it does not wait any more: {folded}, or \
         the endpoint did not ask for it then, or the log does not show what became of it."
    );
    case.check(&[OCCUPIED, &gone]);
    let main = &mut case.endpoints[0].0;
    (main.queued, main.oldest_ms, main.since_start.compacted) = (7, Some(NOW - 90_000), 2);
    let unsure = format!(
        "main was not told channel_occupied yet, which was decided 60 s ago: the queue is 7 long, its oldest event of \
         90 s ago, unless {folded}."
    );
    case.check(&[OCCUPIED, &unsure]);
    let main = &mut case.endpoints[0].0;
    (main.oldest_ms, main.since_start.compacted) = (Some(NOW - 30_000), 0);
    let unsure = unsure.replace("90 s", "30 s");
    case.check(&[OCCUPIED, &unsure]);
}

#[test]
fn an_event_that_waits_is_told_with_what_it_waits_for() {
    let mut case = Case::occupied(vec![entry(1, 60_000, Logged::Decided(event(true)))]);
    let main = &mut case.endpoints[0].0;
    (main.queued, main.oldest_ms, main.mode) = (7, Some(NOW - 90_000), EndpointMode::Paused);
    case.check(&[
        OCCUPIED,
        "main was not told channel_occupied yet, which was decided 60 s ago: the queue is 7 long, its oldest event of 90 s \
         ago.",
        "main is paused: its events wait until `vacancy webhooks resume main`.",
    ]);
}

#[test]
fn a_channel_that_nobody_asks_for_is_told_with_what_is_asked_for() {
    let mut case = Case::occupied(Vec::new());
    case.endpoints = vec![endpoint("job-")];
    case.check(&[
        OCCUPIED,
        "main is not told of it: it asks for channels that begin with job- only.",
    ]);
    case.endpoints.clear();
    case.check(&[OCCUPIED, "The app 1 has no endpoint, so nobody is told."]);
}

#[test]
fn a_channel_that_was_just_left_is_told_when_it_falls_due() {
    let mut case = Case::new(KeyState::Pending { until_ms: NOW + 2_100 });
    case.endpoints.clear();
    case.check(&[
        "room was left by its last subscriber; it is told vacated in 2.1 s, unless somebody comes back: that is its \
         vacated delay, or what is left of the recovery window after the server's start.",
        "The app 1 has no endpoint, so nobody is told.",
    ]);
}

#[test]
fn a_channel_of_before_the_start_is_told_recovering() {
    let recovering = |until_ms| {
        let mut case = Case::new(KeyState::Recovering { until_ms });
        case.endpoints.clear();
        case.why().answer[0].clone()
    };
    assert_eq!(
        recovering(Some(NOW + 20_000)),
        "room was occupied before the server started; it is told vacated in 20 s, unless somebody comes back; nobody \
         is subscribed now."
    );
    assert!(recovering(None).contains("it is told vacated when the recovery window is over"));
}

#[test]
fn a_return_within_the_delay_is_told_to_make_no_event() {
    let mut case = Case::occupied(Vec::new());
    case.view.channel.flaps = 3;
    case.view.channel.flapped_ms = Some(NOW - 12_000);
    assert_eq!(
        case.why().answer[1],
        "It was left and entered again within the vacated delay 3 times, the last time 12 s ago: that makes no event."
    );
}

#[test]
fn an_unknown_channel_and_one_about_to_be_decided_are_told_apart() {
    let mut case = Case::new(KeyState::Vacant);
    case.endpoints.clear();
    assert_eq!(
        case.why().answer[0],
        "room became vacant 60 s ago (seq 7); nobody is subscribed now."
    );
    case.view = ChannelView::default();
    assert_eq!(
        case.why().answer[0],
        "Nothing is known of room: nobody has subscribed to it in this app, or it is vacant and not remembered, since \
         no endpoint asks for it or that was over a day ago."
    );
    case.subscriptions = 1;
    assert!(case.why().answer[0].starts_with("1 connection is subscribed now to room, and this is about to"));
}

#[test]
fn a_ledger_that_cannot_be_written_is_told_first() {
    let mut case = Case::occupied(Vec::new());
    case.failing = Some("the disk is full");
    assert_eq!(
        case.why().answer[0],
        "Nothing is decided at the moment, since the ledger cannot be written: the disk is full."
    );
}

#[test]
fn the_events_are_told_the_newest_first_with_their_attempts() {
    let why = Case::occupied(vec![
        entry(5, 1_000, Logged::Decided(event(false))),
        entry(3, 50_000, attempted(2, None, None)),
        entry(2, 59_000, attempted(1, Some("answered 500"), None)),
        entry(1, 60_000, Logged::Decided(event(true))),
    ])
    .why();
    let told: Vec<_> = why
        .events
        .iter()
        .map(|event| {
            let attempts: Vec<u32> = event.attempts.iter().map(|attempt| attempt.attempt).collect();
            (event.event.name.as_str(), event.decided_ms, attempts)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("channel_vacated", Some(NOW - 1_000), vec![]),
            ("channel_occupied", Some(NOW - 60_000), vec![2, 1]),
        ]
    );
}
