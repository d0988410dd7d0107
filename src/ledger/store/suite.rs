//! What every store must do, as tests that each store's own tests run on it.

use std::sync::Arc;

use crate::domain::{AppId, WebhookEvent};

use super::{Changes, Store, Trim};
use crate::ledger::{
    AttemptReport, Attempted, DeadLetter, DeadMark, DeadQuery, Event, EventBody, EventId, EventRef, From, Key,
    LogEntry, LogQuery, LogStatus, Logged, Page, ParkedBecause, RequestId,
};

pub(in crate::ledger) fn app(id: &str) -> AppId {
    id.parse().expect("valid")
}

/// An event about a channel.
pub(in crate::ledger) fn event(id: u64, channel: &str, occupied: bool) -> Arc<Event> {
    Arc::new(Event {
        id: EventId(id),
        at_ms: 1_000 + id,
        body: EventBody::State {
            key: Key::Channel(channel.parse().expect("valid")),
            occupied,
            seq: id,
        },
    })
}

/// A line of the log about an event that was decided.
pub(in crate::ledger) fn decided(no: u64, at_ms: u64, channel: &str) -> LogEntry {
    LogEntry {
        no,
        at_ms,
        app: app("a"),
        what: Logged::Decided(event(no, channel, true)),
    }
}

/// A line of the log about an attempt.
pub(in crate::ledger) fn attempted(no: u64, at_ms: u64, channel: &str, error: Option<&str>) -> LogEntry {
    LogEntry {
        no,
        at_ms,
        app: app("a"),
        what: Logged::Attempted(Attempted {
            endpoint: "e".parse().expect("valid"),
            request: RequestId(no),
            attempt: 2,
            replay: false,
            report: AttemptReport {
                at_ms,
                took_ms: 3,
                status: Some(if error.is_none() { 200 } else { 500 }),
                error: error.map(str::to_owned),
            },
            next_at_ms: error.map(|_| at_ms + 1_000),
            events: vec![EventRef::new(&event(no, channel, true))],
        }),
    }
}

/// A dead letter of an endpoint.
pub(in crate::ledger) fn dead(no: u64, at_ms: u64, endpoint: &str) -> DeadLetter {
    DeadLetter {
        no,
        at_ms,
        app: app("a"),
        endpoint: endpoint.parse().expect("valid"),
        because: ParkedBecause::TooOld,
        event: event(no, "x", false),
        replayed_ms: None,
    }
}

/// Runs all tests, each on a store of its own that is new.
pub(in crate::ledger) fn keeps_the_contract(mut new: impl FnMut() -> Box<dyn Store>) {
    the_log_is_read_newest_first_or_forward(new());
    a_page_ends_at_its_limit_and_goes_on(new());
    only_what_is_asked_for_is_in_a_page(new());
    dead_letters_are_read_and_counted_per_endpoint(new());
    a_dead_letter_that_was_replayed_is_marked_and_one_that_was_deleted_is_gone(new());
    the_oldest_go_by_time(new());
    what_a_clock_of_the_future_wrote_goes_with_what_followed_it(new());
    the_oldest_go_by_bytes_those_of_the_step_counted(new());
    a_step_trims_no_more_rows_than_it_says(new());
    nothing_is_used_by_a_new_store(new());
}

fn commit(store: &mut dyn Store, change: impl FnOnce(&mut Changes)) {
    let mut changes = Changes::default();
    change(&mut changes);
    store.commit(&changes).expect("it can be written");
}

fn log_numbers(store: &dyn Store, query: &LogQuery) -> (Vec<u64>, Option<u64>) {
    let page = store.log(query).expect("it can be read");
    (page.entries.iter().map(|entry| entry.no).collect(), page.next)
}

fn dead_numbers(store: &dyn Store, query: &DeadQuery) -> (Vec<u64>, Option<u64>) {
    let page = store.dead_letters(query).expect("it can be read");
    (page.letters.iter().map(|letter| letter.no).collect(), page.next)
}

fn from(from: From, limit: usize) -> LogQuery {
    LogQuery {
        page: Page { limit, from },
        ..LogQuery::default()
    }
}

fn the_log_is_read_newest_first_or_forward(mut store: Box<dyn Store>) {
    let entries = vec![decided(1, 10, "x"), attempted(2, 20, "x", None), decided(3, 30, "y")];
    commit(&mut *store, |changes| changes.log.clone_from(&entries));
    let page = store.log(&LogQuery::default()).expect("it can be read");
    let newest_first: Vec<LogEntry> = entries.iter().rev().cloned().collect();
    assert_eq!((page.entries, page.next), (newest_first, None));
    assert_eq!(log_numbers(&*store, &from(From::Before(3), 9)), (vec![2, 1], None));
    assert_eq!(log_numbers(&*store, &from(From::After(1), 9)), (vec![2, 3], None));
    assert_eq!(log_numbers(&*store, &from(From::After(3), 9)), (vec![], None));
    assert_eq!(log_numbers(&*store, &from(From::Before(1), 9)), (vec![], None));
}

fn a_page_ends_at_its_limit_and_goes_on(mut store: Box<dyn Store>) {
    commit(&mut *store, |changes| {
        changes.log = (1..=5).map(|no| decided(no, no, "x")).collect();
    });
    assert_eq!(log_numbers(&*store, &from(From::Newest, 2)), (vec![5, 4], Some(4)));
    assert_eq!(log_numbers(&*store, &from(From::Before(4), 2)), (vec![3, 2], Some(2)));
    assert_eq!(log_numbers(&*store, &from(From::Before(2), 2)), (vec![1], None));
    assert_eq!(log_numbers(&*store, &from(From::After(0), 3)), (vec![1, 2, 3], Some(3)));
    assert_eq!(log_numbers(&*store, &from(From::After(3), 2)), (vec![4, 5], None));
}

fn only_what_is_asked_for_is_in_a_page(mut store: Box<dyn Store>) {
    commit(&mut *store, |changes| {
        changes.log = vec![
            decided(1, 10, "x"),
            attempted(2, 20, "x", None),
            attempted(3, 30, "y", Some("answered 500")),
            LogEntry {
                no: 4,
                at_ms: 40,
                app: app("b"),
                what: Logged::Parked {
                    endpoint: "f".parse().expect("valid"),
                    because: ParkedBecause::Gone,
                    event: EventRef::new(&event(1, "x", true)),
                },
            },
        ];
    });
    let check = |query: LogQuery, want: &[u64]| assert_eq!(log_numbers(&*store, &query).0, want, "{query:?}");
    let all = LogQuery::default;
    let some_app = Some(app("b"));
    check(LogQuery { app: some_app, ..all() }, &[4]);
    let endpoint = Some("e".parse().expect("valid"));
    check(LogQuery { endpoint, ..all() }, &[3, 2]);
    let channel = Some("x".parse().expect("valid"));
    check(LogQuery { channel, ..all() }, &[4, 2, 1]);
    let event = Some(WebhookEvent::ChannelVacated);
    check(LogQuery { event, ..all() }, &[]);
    let status = |status| LogQuery {
        status: Some(status),
        ..all()
    };
    check(status(LogStatus::Decided), &[1]);
    check(status(LogStatus::Delivered), &[2]);
    check(status(LogStatus::Failed), &[3]);
    check(status(LogStatus::Parked), &[4]);
    check(
        LogQuery {
            event_id: Some(EventId(1)),
            ..all()
        },
        &[4, 1],
    );
    check(
        LogQuery {
            request: Some(RequestId(3)),
            ..all()
        },
        &[3],
    );
    let (since_ms, until_ms) = (Some(20), Some(40));
    check(
        LogQuery {
            since_ms,
            until_ms,
            ..all()
        },
        &[3, 2],
    );
}

fn dead_letters_are_read_and_counted_per_endpoint(mut store: Box<dyn Store>) {
    let letters = vec![dead(1, 10, "e"), dead(2, 20, "f"), dead(3, 30, "e")];
    commit(&mut *store, |changes| changes.dead.clone_from(&letters));
    let page = store.dead_letters(&DeadQuery::default()).expect("it can be read");
    let newest_first: Vec<DeadLetter> = letters.iter().rev().cloned().collect();
    assert_eq!((page.letters, page.next), (newest_first, None));
    let endpoint = Some("e".parse().expect("valid"));
    let page = Page {
        limit: 1,
        from: From::After(0),
    };
    let query = DeadQuery {
        endpoint,
        page,
        ..DeadQuery::default()
    };
    assert_eq!(dead_numbers(&*store, &query), (vec![1], Some(1)));
    let usage = store.usage();
    let counted: Vec<(&str, u64)> = usage
        .dead
        .iter()
        .map(|((_, id), count)| (id.as_str(), *count))
        .collect();
    assert_eq!((counted, usage.oldest_dead_ms), (vec![("e", 2), ("f", 1)], Some(10)));
    let bytes_of_all = usage.dead_bytes;
    commit(&mut *store, |changes| {
        changes.dead_trimmed = Trim {
            rows_max: 9,
            before_ms: 30,
            bytes_max: u64::MAX,
        };
    });
    let usage = store.usage();
    let counted: Vec<(&str, u64)> = usage
        .dead
        .iter()
        .map(|((_, id), count)| (id.as_str(), *count))
        .collect();
    assert_eq!((counted, usage.oldest_dead_ms), (vec![("e", 1)], Some(30)));
    assert_eq!(3 * usage.dead_bytes, bytes_of_all);
    assert_eq!(dead_numbers(&*store, &DeadQuery::default()), (vec![3], None));
}

fn a_dead_letter_that_was_replayed_is_marked_and_one_that_was_deleted_is_gone(mut store: Box<dyn Store>) {
    let letters = vec![dead(1, 10, "e"), dead(2, 20, "f"), dead(3, 30, "e"), dead(4, 40, "e")];
    commit(&mut *store, |changes| changes.dead.clone_from(&letters));
    let counted = |store: &dyn Store| -> Vec<(String, u64)> {
        let dead = store.usage().dead;
        dead.iter().map(|((_, id), count)| (id.to_string(), *count)).collect()
    };
    let replayed = |replayed| DeadQuery {
        replayed: Some(replayed),
        ..DeadQuery::default()
    };
    let unmarked = store.usage().dead_bytes;
    let mark = |store: &mut dyn Store, marks: &[(u64, DeadMark)]| {
        commit(store, |changes| changes.dead_marked = marks.iter().copied().collect());
    };
    mark(&mut *store, &[(2, DeadMark::Replayed(50)), (3, DeadMark::Replayed(50))]);
    assert_eq!(counted(&*store), [("e".to_owned(), 2)]);
    assert_eq!(dead_numbers(&*store, &replayed(true)), (vec![3, 2], None));
    assert_eq!(dead_numbers(&*store, &replayed(false)), (vec![4, 1], None));
    mark(&mut *store, &[(3, DeadMark::Replayed(60)), (9, DeadMark::Replayed(60))]);
    let page = store.dead_letters(&replayed(true)).expect("it can be read");
    let times: Vec<Option<u64>> = page.letters.iter().map(|letter| letter.replayed_ms).collect();
    assert_eq!(
        times,
        [Some(60), Some(50)],
        "the last time, and one that is gone is passed over"
    );
    assert_eq!(counted(&*store), [("e".to_owned(), 2)], "again changes no count");
    mark(&mut *store, &[(1, DeadMark::Deleted), (3, DeadMark::Deleted)]);
    assert_eq!(dead_numbers(&*store, &DeadQuery::default()), (vec![4, 2], None));
    assert_eq!(
        (counted(&*store), store.usage().oldest_dead_ms),
        (vec![("e".to_owned(), 1)], Some(20))
    );
    commit(&mut *store, |changes| {
        changes.dead_trimmed = Trim {
            rows_max: 9,
            before_ms: 40,
            bytes_max: u64::MAX,
        };
    });
    assert_eq!(
        dead_numbers(&*store, &DeadQuery::default()),
        (vec![4], None),
        "2 goes by its time"
    );
    assert_eq!(counted(&*store), [("e".to_owned(), 1)]);
    assert_eq!(
        4 * store.usage().dead_bytes,
        unmarked,
        "the bytes of one that was not marked"
    );
    mark(&mut *store, &[(4, DeadMark::Deleted)]);
    let usage = store.usage();
    assert_eq!((usage.dead_bytes, usage.oldest_dead_ms, usage.dead.len()), (0, None, 0));
}

fn the_oldest_go_by_time(mut store: Box<dyn Store>) {
    commit(&mut *store, |changes| {
        changes.log = vec![decided(1, 10, "x"), decided(2, 20, "x")];
    });
    commit(&mut *store, |changes| {
        changes.log = vec![decided(3, 30, "x")];
        changes.log_trimmed = Trim {
            rows_max: 9,
            before_ms: 20,
            bytes_max: u64::MAX,
        };
    });
    assert_eq!(log_numbers(&*store, &LogQuery::default()), (vec![3, 2], None));
    assert_eq!(store.usage().oldest_log_ms, Some(20));
}

fn what_a_clock_of_the_future_wrote_goes_with_what_followed_it(mut store: Box<dyn Store>) {
    let trim = |before_ms| Trim {
        rows_max: 9,
        before_ms,
        bytes_max: u64::MAX,
    };
    let ahead = 900_000_000;
    commit(&mut *store, |changes| {
        changes.log = vec![
            decided(1, 10, "x"),
            decided(2, ahead, "x"),
            decided(3, 20, "x"),
            decided(4, 30, "x"),
        ];
        changes.dead = vec![dead(1, ahead, "e"), dead(2, 20, "e"), dead(3, 30, "e")];
        (changes.log_trimmed, changes.dead_trimmed) = (trim(20), trim(20));
    });
    assert_eq!(log_numbers(&*store, &LogQuery::default()), (vec![4, 3, 2], None));
    assert_eq!(dead_numbers(&*store, &DeadQuery::default()), (vec![3, 2, 1], None));
    assert_eq!(
        (store.usage().oldest_log_ms, store.usage().oldest_dead_ms),
        (Some(20), Some(20))
    );
    commit(&mut *store, |changes| {
        (changes.log_trimmed, changes.dead_trimmed) = (trim(21), trim(21));
    });
    assert_eq!(log_numbers(&*store, &LogQuery::default()), (vec![4], None));
    assert_eq!(dead_numbers(&*store, &DeadQuery::default()), (vec![3], None));
}

fn the_oldest_go_by_bytes_those_of_the_step_counted(mut store: Box<dyn Store>) {
    commit(&mut *store, |changes| changes.log = vec![decided(1, 10, "x")]);
    let bytes_of_one = store.usage().log_bytes;
    commit(&mut *store, |changes| {
        changes.log = vec![decided(2, 20, "x"), decided(3, 30, "x")];
        changes.log_trimmed = Trim {
            rows_max: 9,
            before_ms: 0,
            bytes_max: 2 * bytes_of_one,
        };
    });
    assert_eq!(log_numbers(&*store, &LogQuery::default()), (vec![3, 2], None));
    assert_eq!(store.usage().log_bytes, 2 * bytes_of_one);
    commit(&mut *store, |changes| {
        changes.log_trimmed = Trim {
            rows_max: 9,
            before_ms: 0,
            bytes_max: 0,
        };
    });
    assert_eq!((store.usage().log_bytes, store.usage().oldest_log_ms), (0, None));
}

fn a_step_trims_no_more_rows_than_it_says(mut store: Box<dyn Store>) {
    commit(&mut *store, |changes| {
        changes.log = (1..=5).map(|no| decided(no, no, "x")).collect();
        changes.dead = (1..=5).map(|no| dead(no, no, "e")).collect();
    });
    let trim = |rows_max, before_ms, bytes_max| Trim {
        rows_max,
        before_ms,
        bytes_max,
    };
    for (log_trimmed, dead_trimmed, log, dead) in [
        (trim(2, 100, 0), trim(3, 0, 0), vec![5, 4, 3], vec![5, 4]),
        (trim(0, 100, 0), trim(0, 100, 0), vec![5, 4, 3], vec![5, 4]),
        (trim(1, 0, 0), trim(1, 100, u64::MAX), vec![5, 4], vec![5]),
    ] {
        commit(&mut *store, |changes| {
            (changes.log_trimmed, changes.dead_trimmed) = (log_trimmed, dead_trimmed);
        });
        assert_eq!(log_numbers(&*store, &LogQuery::default()), (log, None));
        assert_eq!(dead_numbers(&*store, &DeadQuery::default()), (dead, None));
    }
}

fn nothing_is_used_by_a_new_store(store: Box<dyn Store>) {
    assert_eq!(store.usage(), super::Usage::default());
    assert_eq!(log_numbers(&*store, &LogQuery::default()), (vec![], None));
    assert_eq!(dead_numbers(&*store, &DeadQuery::default()), (vec![], None));
}
