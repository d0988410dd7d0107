//! What is stored, and what becomes of a step that cannot be.

use super::*;

impl Check {
    pub(super) fn commits(&self) -> usize {
        self.store.committed().len()
    }

    /// Everything that can be asked for.
    pub(super) fn views(&self) -> String {
        let queries = [
            Query::ToldPage {
                app: "1".parse().expect("valid"),
                prefix: String::new(),
                after: None,
                limit: 1_000,
            },
            Query::Channel {
                app: "1".parse().expect("valid"),
                channel: "a".parse().expect("valid"),
            },
            Query::Unanswered,
            Query::Endpoints,
            Query::Log(Default::default()),
            Query::DeadLetters(Default::default()),
            Query::Status,
        ];
        let views = queries.map(|query| self.engine.read(&query, self.start).expect("it can be read"));
        format!("{views:?}")
    }
}

#[test]
fn what_nobody_asks_for_is_tracked_but_neither_stored_nor_committed() {
    let mut check = Check::at_once(vec![of_prefix("jobs", "job-")]);
    let before = check.commits();
    check.window(0, "+a +presence-b +presence-b/7 !a").sends(&[]);
    check.window(1, "-a +a -presence-b/7").window(2, "!c -a");
    assert_eq!(check.commits(), before);
    check.tells_occupied(&["presence-b"]);
    check.window(3, "+job-1").sends(&["jobs:+job-1"]);
    assert_eq!(check.commits(), before + 1);
    assert_eq!(check.store.loaded().keys.len(), 1);
}

#[test]
fn an_app_without_endpoints_commits_nothing() {
    let mut check = Check::at_once(Vec::new());
    check.window(0, "+a !a -a +@7").nothing(70_000);
    assert_eq!(check.commits(), 0);
}

#[test]
fn a_step_between_pending_and_occupied_commits_nothing() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").delivers_all(1);
    let before = check.commits();
    check
        .window(5, "-a")
        .window(10, "+a")
        .window(15, "-a +a -a")
        .nothing(20);
    assert_eq!(check.commits(), before);
    check.window(3_015, "");
    assert_eq!(check.commits(), before + 1);
}

#[test]
fn a_retry_commits_nothing() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").fails(1, "all");
    let before = check.commits();
    check.nothing(1_001).sends(&["all:+a", "all:+a"]);
    assert_eq!(check.commits(), before);
}

#[test]
fn a_key_that_nobody_asks_for_any_more_is_dropped_from_the_store_when_it_changes() {
    let mut check = Check::at_once(vec![of_prefix("jobs", "job-")]);
    check.window(0, "+job-1").delivers_all(1);
    check
        .reconfigure(2, |app| app.endpoints = vec![of_prefix("jobs", "work-")])
        .window(3, "-job-1");
    assert_eq!(check.store.loaded().keys.len(), 0);
}

#[test]
fn an_event_is_stored_once_and_as_long_as_an_endpoint_waits_for_it() {
    let mut check = Check::new(vec![all("one"), all("two")]);
    check.window(0, "+a").delivers(1, "one");
    assert_eq!(check.store.loaded().events.len(), 1);
    check.delivers(2, "two").keeps_no_event();
}

#[test]
fn a_step_that_cannot_be_stored_is_undone_whole() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a +b").window(1, "-b").window(2, "!a");
    let request = check.under_way[0].clone();
    let drain = Step {
        controls: vec![Control::Drain],
        ..window("+c", check.start.ms(10))
    };
    let disable = Step {
        controls: vec![Control::SetMode {
            app: "1".parse().expect("valid"),
            endpoint: "all".parse().expect("valid"),
            mode: Mode::Disabled(crate::ledger::DisabledBecause::Operator),
        }],
        ..Step::default()
    };
    let remove = Step {
        controls: vec![Control::Configure(Vec::new())],
        ..Step::default()
    };
    let mut both = answer(&request, Outcome::Delivered);
    both.windows = window("+c -a", check.start.ms(4_000)).windows;
    let before = (check.views(), check.store.loaded());
    for step in [
        window("+c -a", check.start.ms(4_000)),
        answer(&request, Outcome::Delivered),
        answer(&request, Outcome::Gone),
        Step {
            windows: window("!a", check.start).windows,
            ..drain
        },
        disable,
        remove,
        both,
    ] {
        check.store.fail(1);
        check.cannot(4_000, &step);
        assert_eq!((check.views(), check.store.loaded()), before);
    }
    check.sent.clear();
    check.delivers(4_000, "all").sends(&["all:!a"]);
    check.window(4_001, "").delivers(4_002, "all").sends(&["all:-b"]);
}

#[test]
fn a_first_configuration_that_cannot_be_stored_can_be_tried_again() {
    let mut check = Check::new(vec![all("all")]);
    check.window(0, "+a").delivers_all(1).window(2, "+b").crash();
    check.sent.clear();
    check.apps[0].endpoints.push(all("new"));
    let configure = Step {
        controls: vec![Control::Configure(check.apps.clone())],
        ..Step::default()
    };
    check.store.fail(2);
    check.cannot(3, &configure).cannot(4, &configure).configure(5);
    check.sends(&["all:+b", "new:+a +b"]).tells_occupied(&["a", "b"]);
}

#[test]
fn what_is_read_after_a_crash_is_what_was_stored() {
    let mut check = Check::new(vec![all("all"), of_prefix("jobs", "job-")]);
    check.window(0, "+a +job-1 !a").window(1, "+presence-x +presence-x/7");
    check.delivers(2, "all").fails(3, "jobs");
    let told = (check.told_page(), check.told_channel("presence-x"));
    let queued = check.queued();
    check.restart(4);
    assert_eq!((check.told_page(), check.told_channel("presence-x")), told);
    assert_eq!(check.queued(), queued);
}
