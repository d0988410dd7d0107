use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{
    domain::{EndpointId, Now},
    ledger::{Outcome, RequestId},
};

/// An engine that writes down its steps: `c` a control, `a` an answer, `w` a window, `e` an edge.
struct Recorder {
    steps: mpsc::Sender<String>,
    retry_in: Option<Duration>,
    /// So many steps fail first.
    failures: usize,
    /// The file is gone.
    is_gone: Arc<AtomicBool>,
}

impl Ledger for Recorder {
    fn portion(&mut self, step: &Step, _: usize, now: Now) -> Result<Done, LedgerError> {
        if 0 < self.failures {
            self.failures -= 1;
            return Err(LedgerError::Write {
                path: "x".into(),
                reason: "the disk is full".into(),
            });
        }
        let counts = [
            ("c", step.controls.len()),
            ("a", step.answers.len()),
            ("w", step.windows.len()),
            ("e", step.windows.iter().map(|window| window.observed.len()).sum()),
        ];
        let _ = self
            .steps
            .send(counts.map(|(letter, count)| letter.repeat(count)).concat());
        Ok(Done {
            requests: Vec::new(),
            due: step.windows.iter().map(|window| (window.app.clone(), None)).collect(),
            retry_at: self.retry_in.take().map(|wait| now.instant + wait),
            left: Vec::new(),
        })
    }

    fn look(&mut self) -> Result<(), LedgerError> {
        match self.is_gone.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(LedgerError::Write {
                path: "x".into(),
                reason: "it is gone".into(),
            }),
        }
    }

    fn read(&self, _: &Query, _: Now) -> Result<View, LedgerError> {
        Ok(View::Unanswered(7))
    }
}

fn start(retry_in: Option<Duration>) -> (LedgerThread, mpsc::Receiver<String>) {
    let (steps, recorded) = mpsc::channel();
    let thread = spawn(Box::new(Recorder {
        steps,
        retry_in,
        failures: 0,
        is_gone: Arc::default(),
    }))
    .expect("a thread");
    (thread, recorded)
}

fn app() -> AppId {
    "1".parse().expect("valid")
}

fn answer() -> Command {
    let endpoint: EndpointId = "e".parse().expect("valid");
    Command::Answer(Answer {
        app: app(),
        endpoint,
        request: RequestId(1),
        outcome: Outcome::Delivered,
        report: Default::default(),
    })
}

fn window() -> Command {
    Command::Window(Window {
        app: app(),
        observed: Vec::new(),
        until: clock::now(),
    })
}

fn control() -> Command {
    Command::Control(Control::Accepting, None)
}

#[track_caller]
fn check(commands: Vec<Command>, want: &[&str]) {
    let (steps, recorded) = mpsc::channel();
    let mut worker = Worker::new(Box::new(Recorder {
        steps,
        retry_in: None,
        failures: 0,
        is_gone: Arc::default(),
    }));
    assert!(worker.carry_out(commands));
    assert_eq!(recorded.try_iter().collect::<Vec<_>>(), want);
}

#[test]
fn what_came_before_a_control_is_carried_out_before_it() {
    check(vec![window(), answer(), window()], &["aww"]);
    check(vec![control(), control(), answer(), window()], &["ccaw"]);
    check(vec![window(), control(), window()], &["w", "cw"]);
    check(vec![answer(), control(), control()], &["a", "cc"]);
    check(Vec::new(), &[""]);
}

#[test]
fn what_was_sent_before_a_stop_is_carried_out() {
    let (thread, recorded) = start(None);
    let handle = thread.handle();
    for _ in 0..3_000 {
        handle.send(window());
    }
    thread.stop();
    handle.send(window());
    assert_eq!(recorded.iter().collect::<String>().len(), 3_000);
}

#[test]
fn a_retry_is_woken_for_though_nothing_is_sent() {
    let (thread, recorded) = start(Some(Duration::from_millis(30)));
    let from = clock::now().instant;
    thread.handle().send(answer());
    assert_eq!(recorded.recv().as_deref(), Ok("a"));
    assert_eq!(recorded.recv().as_deref(), Ok(""));
    assert!(Duration::from_millis(30) <= clock::now().instant - from);
    thread.stop();
    assert_eq!(recorded.iter().collect::<String>(), "");
}

#[actix_rt::test]
async fn while_nothing_can_be_stored_windows_come_back_answers_wait_and_operators_are_told() {
    let (steps, recorded) = mpsc::channel();
    let mut worker = Worker::new(Box::new(Recorder {
        steps,
        retry_in: None,
        failures: 2,
        is_gone: Arc::default(),
    }));
    let ask = || {
        let (reply, answer) = oneshot::channel();
        (Command::Control(Control::Accepting, Some(reply)), answer)
    };
    let (first, first_answer) = ask();
    worker.carry_out(vec![window(), answer(), first]);
    let (second, second_answer) = ask();
    worker.carry_out(vec![second, window(), answer(), control()]);
    assert_eq!(recorded.try_iter().collect::<Vec<_>>(), [""; 0]);
    for asked in [first_answer, second_answer] {
        let told = asked.await.expect("an answer").expect_err("it is not stored");
        assert_eq!(told.to_string(), "cannot write to the ledger x: the disk is full");
    }
    worker.retry();
    assert!(worker.failing.is_some());
    worker.retry();
    // The windows are one, and the control that nobody waits for is not lost.
    assert_eq!(recorded.try_iter().collect::<Vec<_>>(), ["caaw"]);
    assert!(worker.failing.is_none());
}

#[test]
fn what_cannot_be_stored_is_folded_with_the_delay_that_its_app_was_configured_with() {
    for (delay_s, want) in [(0, "w"), (3_600, "wee")] {
        let (steps, recorded) = mpsc::channel();
        let engine = |failures| Recorder {
            steps: steps.clone(),
            retry_in: None,
            failures,
            is_gone: Arc::default(),
        };
        let mut worker = Worker::new(Box::new(engine(0)));
        let rules = crate::ledger::AppRules {
            vacated_delay: Duration::from_secs(delay_s),
            ..crate::ledger::AppRules::of_test("1", Vec::new())
        };
        worker.carry_out(vec![Command::Control(Control::Configure(vec![rules]), None)]);
        assert_eq!(recorded.try_iter().collect::<Vec<_>>(), ["c"]);
        worker.engine = Box::new(engine(1));
        let at = clock::now();
        let edge = |entered| {
            let key = crate::ledger::Key::Channel("a".parse().expect("valid"));
            crate::ledger::Observed::Edge(crate::ledger::Edge { key, entered, at })
        };
        worker.carry_out(vec![Command::Window(Window {
            app: app(),
            observed: vec![edge(true), edge(false)],
            until: at,
        })]);
        worker.retry();
        assert_eq!(recorded.try_iter().collect::<Vec<_>>(), [want]);
    }
}

#[test]
fn storing_is_tried_again_until_it_works_though_nothing_is_sent() {
    let (steps, recorded) = mpsc::channel();
    let thread = spawn(Box::new(Recorder {
        steps,
        retry_in: None,
        failures: 2,
        is_gone: Arc::default(),
    }))
    .expect("a thread");
    thread.handle().send(answer());
    assert_eq!(recorded.recv().as_deref(), Ok("a"));
    thread.stop();
}

/// Passes on the requests that it is told of.
struct Taker(mpsc::Sender<RequestId>);

impl actix::Actor for Taker {
    type Context = actix::Context<Self>;
}

impl actix::Handler<StepDone> for Taker {
    type Result = ();

    fn handle(&mut self, done: StepDone, _: &mut actix::Context<Self>) {
        for request in done.requests {
            self.0.send(request.id).expect("the test waits for it");
        }
    }
}

#[actix_rt::test]
async fn a_request_that_comes_before_its_app_waits_for_it_and_is_handed_out_once() {
    let (steps, _recorded) = mpsc::channel();
    let mut worker = Worker::new(Box::new(Recorder {
        steps,
        retry_in: None,
        failures: 0,
        is_gone: Arc::default(),
    }));
    let request = |id| Request {
        id: RequestId(id),
        app: "1".parse().expect("valid"),
        endpoint: "e".parse().expect("valid"),
        lane: 0,
        time_ms: 0,
        attempt: 2,
        backoff: 2,
        replay: false,
        events: Vec::new(),
    };
    let done = |id| Done {
        requests: vec![request(id)],
        ..Done::default()
    };
    let (sender, taken) = mpsc::channel();
    let taker = actix::Actor::start(Taker(sender));
    let attach = || Command::Attach("1".parse().expect("valid"), taker.clone().recipient());
    worker.hand_out(done(1), HashMap::new());
    worker.carry_out(vec![attach()]);
    worker.hand_out(done(2), HashMap::new());
    worker.carry_out(vec![attach()]);
    drop((worker, taker));
    let mut ids = Vec::new();
    loop {
        match taken.try_recv() {
            Ok(id) => ids.push(id),
            Err(mpsc::TryRecvError::Empty) => actix_rt::time::sleep(Duration::from_millis(1)).await,
            Err(mpsc::TryRecvError::Disconnected) => break,
        }
    }
    assert_eq!(ids, [RequestId(1), RequestId(2)]);
}

#[actix_rt::test]
async fn a_question_is_answered_until_the_thread_has_stopped() {
    let (thread, _recorded) = start(None);
    let handle = thread.handle();
    assert_eq!(handle.read(Query::Unanswered).await.ok(), Some(View::Unanswered(7)));
    thread.stop();
    assert!(matches!(
        handle.read(Query::Unanswered).await,
        Err(LedgerError::Stopped)
    ));
}

#[test]
fn a_file_that_is_gone_is_noticed_without_a_command_and_nothing_is_stored_until_it_is_back() {
    let (steps, recorded) = mpsc::channel();
    let is_gone = Arc::new(AtomicBool::new(false));
    let thread = spawn(Box::new(Recorder {
        steps,
        retry_in: None,
        failures: 0,
        is_gone: Arc::clone(&is_gone),
    }))
    .expect("a thread");
    let handle = thread.handle();
    let until = |is_failing: bool| {
        let deadline = clock::now().instant + Duration::from_secs(30);
        while handle.failing().is_some() != is_failing {
            assert!(clock::now().instant < deadline, "not within 30 s");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    is_gone.store(true, Ordering::Relaxed);
    until(true);
    assert!(handle.failing().is_some_and(|reason| reason.contains("it is gone")));
    handle.send(answer());
    assert!(
        recorded.recv_timeout(Duration::from_millis(300)).is_err(),
        "nothing is stored"
    );
    is_gone.store(false, Ordering::Relaxed);
    until(false);
    thread.stop();
    assert!(recorded.iter().any(|step| step == "a"), "what came meanwhile is");
}
