use std::time::Duration;

use super::*;
use crate::{
    domain::{ChannelPattern, WebhookEvent},
    ledger::{BreakerLimits, ClientEvent, CutLimits, Edge, EndpointRules, Key, Outcome, Stateless},
};

/// Drives the engine with steps of milliseconds. Endpoint `all` of app 1 asks for everything,
/// `jobs` only for channels that begin with `job-`; app 2 has an endpoint `all` of its own.
struct Check {
    memory: Memory,
    start: Now,
}

impl Check {
    fn new(delay_ms: u64) -> Self {
        let mut check = Self {
            memory: Memory::new(0),
            start: Now::of_test(),
        };
        let endpoint = |id: &str, prefix: &str| EndpointRules {
            id: id.parse().expect("valid"),
            filter: Filter {
                events: WebhookEvent::ALL.to_vec(),
                channels: ChannelPattern::affixes(prefix, ""),
            },
            cut: CutLimits {
                events_max: 100,
                body_bytes_max: 100_000,
                extras: false,
            },
            retry_for: Duration::from_secs(60),
            lanes: 1,
            compact: false,
            announce: true,
            breaker: BreakerLimits {
                after: 10,
                open_for: Duration::from_secs(30),
            },
        };
        let app = |id: &str, endpoints| AppRules {
            id: id.parse().expect("valid"),
            enabled: true,
            vacated_delay: Duration::from_millis(delay_ms),
            recovery_window: Duration::from_secs(30),
            endpoints,
        };
        let step = Step {
            controls: vec![Control::Configure(vec![
                app("1", vec![endpoint("all", ""), endpoint("jobs", "job-")]),
                app("2", vec![endpoint("all", "")]),
            ])],
            ..Step::default()
        };
        check.memory.step(&step, check.start).expect("memory");
        check
    }

    /// Steps with one window of an app: `+a` entered, `-a` left, `!a` a client event; everything
    /// at `ms`. Prints the requests as `endpoint:events`.
    fn window(&mut self, app: &str, ms: u64, observed: &[&str]) -> (Vec<String>, Option<u64>) {
        let now = self.start.ms(ms);
        let observed = observed.iter().map(|text| observation(text, now)).collect();
        let step = Step {
            windows: vec![Window {
                app: app.parse().expect("valid"),
                observed,
                until: now,
            }],
            ..Step::default()
        };
        let done = self.memory.step(&step, now).expect("memory");
        let (_, due) = done.due.into_iter().next().expect("one window, one due");
        let ms = due.map(|due| (due - self.start.instant).as_millis() as u64);
        (print(&done.requests), ms)
    }

    fn answer(&mut self, app: &str, endpoint: &str, id: u64, outcome: Outcome, ms: u64) -> Done {
        let step = Step {
            answers: vec![Answer {
                app: app.parse().expect("valid"),
                endpoint: endpoint.parse().expect("valid"),
                request: RequestId(id),
                outcome,
                report: Default::default(),
            }],
            ..Step::default()
        };
        self.memory.step(&step, self.start.ms(ms)).expect("memory")
    }

    fn unanswered(&self) -> usize {
        match self.memory.read(&Query::Unanswered) {
            Ok(View::Unanswered(count)) => count,
            other => panic!("not the answer: {other:?}"),
        }
    }
}

fn observation(text: &str, at: Now) -> Observed {
    let (sign, channel) = text.split_at(1);
    let channel = channel.parse().expect("valid");
    match sign {
        "!" => Observed::Stateless(
            Stateless::Client(ClientEvent {
                channel,
                event: "client-x".into(),
                data: "x".repeat(1_000),
                socket_id: "1.1".parse().expect("valid"),
                user_id: None,
            }),
            at,
        ),
        sign => Observed::Edge(Edge {
            key: Key::Channel(channel),
            entered: sign == "+",
            at,
        }),
    }
}

fn print(requests: &[Request]) -> Vec<String> {
    let event = |event: &Arc<Event>| {
        let sign = match event.state() {
            Some((_, true)) => '+',
            Some((_, false)) => '-',
            None => '!',
        };
        format!("{sign}{}", event.channel().expect("none is about a user"))
    };
    requests
        .iter()
        .map(|request| {
            let events: Vec<String> = request.events.iter().map(event).collect();
            format!("{}/{}:{}", request.app, request.endpoint, events.join(" "))
        })
        .collect()
}

#[test]
fn each_endpoint_gets_what_its_own_filter_matches() {
    let mut check = Check::new(1_000);
    assert_eq!(
        check.window("1", 0, &["+a", "+job-1", "!a"]),
        (vec!["1/all:+a +job-1 !a".into(), "1/jobs:+job-1".into()], None)
    );
    assert_eq!(check.window("2", 0, &["+b"]), (vec!["2/all:+b".into()], None));
    assert_eq!(check.window("3", 0, &["+b"]), (vec![], None));
    assert_eq!(check.unanswered(), 5);
}

#[test]
fn a_window_lets_fall_due_what_was_due_when_it_was_taken() {
    let mut check = Check::new(1_000);
    check.window("2", 0, &["+a"]);
    check.answer("2", "all", 1, Outcome::Delivered, 1);
    assert_eq!(check.window("2", 5, &["-a"]), (vec![], Some(1_005)));
    assert_eq!(check.window("2", 1_004, &[]), (vec![], Some(1_005)));
    assert_eq!(check.window("2", 1_005, &[]), (vec!["2/all:-a".into()], None));
}

#[test]
fn an_answer_hands_out_what_waited_behind_it() {
    let mut check = Check::new(0);
    check.window("2", 0, &["+a"]);
    assert_eq!(check.window("2", 1, &["-a", "+a"]), (vec![], None));
    let done = check.answer("2", "all", 1, Outcome::Delivered, 2);
    assert_eq!(print(&done.requests), ["2/all:-a +a"]);
    assert_eq!((done.requests[0].attempt, done.requests[0].id), (1, RequestId(2)));
    let done = check.answer("2", "nobody", 2, Outcome::Delivered, 2);
    assert_eq!((print(&done.requests), check.unanswered()), (vec![], 2));
    check.answer("9", "all", 2, Outcome::Delivered, 2);
    assert_eq!(check.unanswered(), 2);
    check.answer("2", "all", 2, Outcome::Delivered, 3);
    assert_eq!(check.unanswered(), 0);
}

#[test]
fn a_failed_request_comes_again_in_a_step_at_its_time() {
    let mut check = Check::new(0);
    check.window("2", 0, &["+a"]);
    let failed = Outcome::Failed {
        retry_in: Duration::from_millis(500),
    };
    let done = check.answer("2", "all", 1, failed, 100);
    assert_eq!(done.retry_at, Some(check.start.ms(600).instant));
    assert!(done.requests.is_empty());
    let done = check
        .memory
        .step(&Step::default(), check.start.ms(600))
        .expect("memory");
    assert_eq!(print(&done.requests), ["2/all:+a"]);
    assert_eq!((done.requests[0].attempt, done.requests[0].id), (2, RequestId(1)));
    assert_eq!(done.retry_at, None);
}

#[test]
fn a_drain_tells_vacated_of_everything_and_applies_no_edge_after_it() {
    let mut check = Check::new(1_000);
    check.window("2", 0, &["+a", "+b"]);
    check.answer("2", "all", 1, Outcome::Delivered, 1);
    let step = || Step {
        controls: vec![Control::Drain],
        ..Step::default()
    };
    let done = check.memory.step(&step(), check.start.ms(10)).expect("memory");
    assert_eq!(print(&done.requests), ["2/all:-a -b"]);
    assert_eq!(check.window("2", 11, &["-a", "+c"]), (vec![], None));
    check.memory.step(&step(), check.start.ms(12)).expect("memory");
    assert_eq!(check.unanswered(), 2);
}

#[test]
fn the_told_list_is_read_by_app() {
    let mut check = Check::new(1_000);
    check.window("1", 0, &["+a"]);
    let page = |app: &str| Query::ToldPage {
        app: app.parse().expect("valid"),
        prefix: String::new(),
        after: None,
        limit: 10,
    };
    let names = |view| match view {
        Ok(View::ToldPage(page)) => page.channels.len(),
        other => panic!("not the answer: {other:?}"),
    };
    assert_eq!(names(check.memory.read(&page("1"))), 1);
    assert_eq!(names(check.memory.read(&page("2"))), 0);
    assert_eq!(names(check.memory.read(&page("3"))), 0);
    let channel = |app: &str| Query::ToldChannel {
        app: app.parse().expect("valid"),
        channel: "a".parse().expect("valid"),
    };
    let told = |view| match view {
        Ok(View::ToldChannel(channel)) => channel.told.is_some(),
        other => panic!("not the answer: {other:?}"),
    };
    assert!(told(check.memory.read(&channel("1"))));
    assert!(!told(check.memory.read(&channel("2"))));
    assert!(!told(check.memory.read(&channel("3"))));
}

#[test]
fn past_the_bound_the_longest_queue_loses_client_events_and_folds_its_pairs() {
    let mut check = Check::new(0);
    check.memory.queued_bytes_max = 3_000;
    check.window("1", 0, &["+job-0"]);
    check.window("2", 0, &["+z"]);
    check.window("2", 1, &["+y"]);
    check.window("1", 1, &["+a", "!a", "-a", "+b"]);
    assert_eq!(check.unanswered(), 8);
    check.window("1", 2, &["!a", "!a"]);
    // `all` of app 1 keeps what is under way and `+b`; the shorter queues are untouched.
    assert_eq!(check.unanswered(), 5);
    let done = check.answer("1", "all", 1, Outcome::Delivered, 3);
    assert_eq!(print(&done.requests), ["1/all:+b"]);
}

#[test]
fn past_the_bound_only_as_many_queues_as_needed_are_made_shorter() {
    let mut check = Check::new(0);
    check.window("1", 0, &["+job-0"]);
    check.window("2", 0, &["+z"]);
    check.window("2", 1, &["!a"]);
    check.window("1", 1, &["!a", "!b"]);
    let queued = check.unanswered();
    assert_eq!(queued, 3 + 3);
    let bytes: usize = check
        .memory
        .apps
        .values()
        .flat_map(|app| &app.endpoints)
        .map(|endpoint| endpoint.outbox.bytes())
        .sum();
    check.memory.queued_bytes_max = bytes;
    check.window("1", 2, &[]);
    assert_eq!(check.unanswered(), queued);
    check.memory.queued_bytes_max = bytes - 1;
    check.window("1", 3, &[]);
    // The two client events of app 1's longest queue went; that of app 2 is still there.
    assert_eq!(check.unanswered(), queued - 2);
}

#[test]
fn the_bound_is_64_mb() {
    assert_eq!(Memory::new(0).queued_bytes_max, 67_108_864);
}
