//! The engine that nothing survives, and what holds of any.

use super::*;
use crate::ledger::MemoryStore;

#[test]
fn each_endpoint_gets_what_its_own_filter_matches() {
    let mut check = Check::new(vec![all("all"), of_prefix("jobs", "job-")]);
    check
        .window(0, "+a +job-1 !a")
        .sends(&["all:+a +job-1 !a", "jobs:+job-1"])
        .due(None);
    assert_eq!(check.unanswered(), 4);
}

#[test]
fn apps_know_nothing_of_each_other() {
    let mut check = Check::new(vec![all("all")]);
    check.apps.push(AppRules::of_test("2", vec![all("all")]));
    check.configure(0).window(0, "+a").sends(&["all:+a"]);
    let mut step = window("+a", check.start);
    step.windows[0].app = "2".parse().expect("valid");
    check.step(1, &step).sends(&["all:+a"]);
    step.windows[0].app = "3".parse().expect("valid");
    check.step(2, &step).sends(&[]);
    let apps: Vec<&str> = check.under_way.iter().map(|request| request.app.as_str()).collect();
    assert_eq!(apps, ["1", "2"]);
}

#[test]
fn an_answer_hands_out_what_waited_behind_it() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a").sends(&["all:+a"]);
    check.window(1, "-a +a").sends(&[]);
    let first = check.under_way[0].clone();
    check.delivers(2, "all").sends(&["all:-a +a"]);
    assert_eq!(
        (check.under_way[0].attempt, check.under_way[0].id),
        (1, RequestId(first.id.0 + 1))
    );
    // An answer to what is not under way changes nothing.
    check.step(2, &answer(&first, Outcome::Delivered)).sends(&[]);
    assert_eq!(check.unanswered(), 2);
    check.delivers(3, "all").keeps_no_event();
    assert_eq!(check.unanswered(), 0);
}

#[test]
fn a_failed_request_comes_again_in_a_step_at_its_time() {
    let mut check = Check::at_once(vec![all("all")]);
    check.window(0, "+a").sends(&["all:+a"]).fails(100, "all").sends(&[]);
    assert_eq!(check.retry_at, Some(check.start.ms(1_100).instant));
    check.nothing(1_099).sends(&[]).nothing(1_100).sends(&["all:+a"]);
    assert_eq!(check.under_way[0].attempt, 2);
}

#[test]
fn without_anything_to_do_a_step_is_asked_for_once_a_minute() {
    let mut check = Check::new(vec![all("all")]);
    check.nothing(5);
    assert_eq!(check.retry_at, Some(check.start.ms(60_005).instant));
}

#[test]
fn an_engine_that_nothing_survives_tells_vacated_of_everything_when_it_drains() {
    let mut engine = Engine::of_test();
    let start = Now::of_test();
    let configure = Control::Configure(vec![AppRules::of_test("1", vec![all("all")])]);
    let steps = [
        Step {
            controls: vec![configure],
            ..Step::default()
        },
        window("+a +presence-b +presence-b/7", start),
        Step {
            controls: vec![Control::Drain],
            ..Step::default()
        },
        window("-a +c", start),
    ];
    for step in &steps {
        engine.step(step, start).expect("memory");
    }
    let (_, _, outbox) = engine.state.outboxes().next().expect("one endpoint");
    assert_eq!(outbox.len(), 6);
    let answer = Step {
        answers: vec![Answer {
            app: "1".parse().expect("valid"),
            endpoint: "all".parse().expect("valid"),
            request: RequestId(1),
            outcome: Outcome::Delivered,
            report: Default::default(),
        }],
        ..Step::default()
    };
    let done = engine.step(&answer, start).expect("memory");
    let events: Vec<String> = done.requests[0].events.iter().map(|event| print(event)).collect();
    assert_eq!(events, ["-presence-b/7", "-a", "-presence-b"]);
    let commits = MemoryStore::new().commits();
    assert_eq!(commits.count, 0);
}

#[test]
fn the_told_list_is_read_by_app() {
    let mut check = Check::new(vec![all("all")]);
    check.apps.push(AppRules::of_test("2", Vec::new()));
    check.configure(0).window(0, "+a").tells_occupied(&["a"]);
    for app in ["2", "3"] {
        let app: AppId = app.parse().expect("valid");
        let page = Query::ToldPage {
            app: app.clone(),
            prefix: String::new(),
            after: None,
            limit: 10,
        };
        assert!(matches!(check.engine.read(&page, check.start), Ok(View::ToldPage(page)) if page.told.is_empty()));
        let channel = Query::ToldChannel {
            app,
            channel: "a".parse().expect("valid"),
        };
        assert!(
            matches!(check.engine.read(&channel, check.start), Ok(View::ToldChannel(channel)) if channel.told.is_none())
        );
    }
}

#[test]
fn an_engine_that_nothing_survives_does_not_wait_at_the_end_for_what_waits_for_an_operator() {
    let mut engine = Engine::of_test();
    let start = Now::of_test();
    let configure = Control::Configure(vec![AppRules::of_test(
        "1",
        vec![all("all"), all("other"), all("paused")],
    )]);
    let pause = Control::SetMode {
        app: "1".parse().expect("valid"),
        endpoint: "paused".parse().expect("valid"),
        mode: Mode::Paused,
    };
    let controls = Step {
        controls: vec![configure, pause],
        ..Step::default()
    };
    for step in [controls, window("+a +b", start)] {
        engine.step(&step, start).expect("memory");
    }
    assert!(matches!(
        engine.read(&Query::Unanswered, start),
        Ok(View::Unanswered(4))
    ));
}
