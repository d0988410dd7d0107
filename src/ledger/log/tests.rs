use super::*;
use crate::ledger::{EventBody, Key};

fn event(channel: &str, no: u64) -> Arc<Event> {
    Arc::new(Event {
        id: EventId(no),
        body: EventBody::State {
            key: Key::Channel(channel.parse().expect("valid")),
            occupied: true,
            seq: no,
        },
        at_ms: 0,
    })
}

fn line(what: Logged) -> LogEntry {
    LogEntry {
        no: 1,
        at_ms: 100,
        app: "1".parse().expect("valid"),
        what,
    }
}

fn attempted(error: Option<&str>) -> LogEntry {
    line(Logged::Attempted(Attempted {
        endpoint: "e".parse().expect("valid"),
        request: RequestId(7),
        attempt: 1,
        replay: false,
        report: AttemptReport {
            error: error.map(Into::into),
            ..AttemptReport::default()
        },
        next_at_ms: None,
        events: vec![EventRef::new(&event("a", 1)), EventRef::new(&event("b", 2))],
    }))
}

fn parked() -> LogEntry {
    line(Logged::Parked {
        endpoint: "e".parse().expect("valid"),
        because: ParkedBecause::TooOld,
        event: EventRef::new(&event("a", 1)),
    })
}

/// Which of a decided event, a delivered attempt, a failed one and a parked event match.
#[track_caller]
fn check(change: impl FnOnce(&mut LogQuery), want: [bool; 4]) {
    let mut query = LogQuery::default();
    change(&mut query);
    let lines = [
        line(Logged::Decided(event("a", 1))),
        attempted(None),
        attempted(Some("answered 500")),
        parked(),
    ];
    assert_eq!(lines.map(|line| query.matches(&line)), want, "{query:?}");
}

#[test]
fn a_line_matches_when_all_that_is_asked_for_holds() {
    check(|_| {}, [true; 4]);
    check(|query| query.app = "1".parse().ok(), [true; 4]);
    check(|query| query.app = "2".parse().ok(), [false; 4]);
    check(|query| query.endpoint = "e".parse().ok(), [false, true, true, true]);
    check(|query| query.endpoint = "f".parse().ok(), [false; 4]);
    check(|query| query.channel = "a".parse().ok(), [true; 4]);
    check(|query| query.channel = "b".parse().ok(), [false, true, true, false]);
    check(|query| query.event = Some(WebhookEvent::ChannelOccupied), [true; 4]);
    check(|query| query.event = Some(WebhookEvent::ChannelVacated), [false; 4]);
    check(|query| query.event_id = Some(EventId(2)), [false, true, true, false]);
    check(|query| query.request = Some(RequestId(7)), [false, true, true, false]);
    check(|query| query.request = Some(RequestId(8)), [false; 4]);
}

#[test]
fn a_line_has_one_status_and_a_time() {
    let status = |status| move |query: &mut LogQuery| query.status = Some(status);
    check(status(LogStatus::Decided), [true, false, false, false]);
    check(status(LogStatus::Delivered), [false, true, false, false]);
    check(status(LogStatus::Failed), [false, false, true, false]);
    check(status(LogStatus::Parked), [false, false, false, true]);
    check(|query| query.since_ms = Some(100), [true; 4]);
    check(|query| query.since_ms = Some(101), [false; 4]);
    check(|query| query.until_ms = Some(100), [false; 4]);
    check(|query| query.until_ms = Some(101), [true; 4]);
}

#[test]
fn a_dead_letter_matches_when_all_that_is_asked_for_holds() {
    let letter = DeadLetter {
        no: 1,
        at_ms: 100,
        app: "1".parse().expect("valid"),
        endpoint: "e".parse().expect("valid"),
        because: ParkedBecause::Gone,
        event: event("a", 1),
        replayed_ms: None,
    };
    let matches = |change: &dyn Fn(&mut DeadQuery)| {
        let mut query = DeadQuery::default();
        change(&mut query);
        query.matches(&letter)
    };
    assert!(matches(&|_| {}));
    assert!(matches(&|query| query.app = "1".parse().ok()));
    assert!(!matches(&|query| query.app = "2".parse().ok()));
    assert!(matches(&|query| query.endpoint = "e".parse().ok()));
    assert!(!matches(&|query| query.endpoint = "f".parse().ok()));
    assert!(matches(&|query| query.since_ms = Some(100)));
    assert!(!matches(&|query| query.since_ms = Some(101)));
    assert!(matches(&|query| query.until_ms = Some(101)));
    assert!(!matches(&|query| query.until_ms = Some(100)));
}
