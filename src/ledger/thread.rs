//! The thread that an engine runs on. Whoever asks it anything never waits for a disk.

use std::{
    collections::HashMap,
    sync::mpsc::{self, RecvTimeoutError},
    thread::JoinHandle,
    time::Instant,
};

use actix::Recipient;
use tokio::sync::oneshot;

use crate::{clock, domain::AppId};

use super::{
    Ledger, LedgerError, LedgerHandle, StepDone,
    view::{Query, View},
    window::{Answer, Control, Done, Step, Window},
};

/// Most commands that one step takes: what came meanwhile is stored in one commit.
const COMMANDS_PER_STEP: usize = 1_000;

/// The running thread of the ledger.
#[derive(Debug)]
pub struct LedgerThread {
    handle: LedgerHandle,
    thread: JoinHandle<()>,
}

/// What the thread is sent.
#[derive(Debug)]
pub(super) enum Command {
    /// Results of an app's steps go to this recipient from here on.
    Attach(AppId, Recipient<StepDone>),
    Control(Control, Option<oneshot::Sender<Result<(), LedgerError>>>),
    Answer(Answer),
    Window(Window),
    Read(Query, oneshot::Sender<Result<View, LedgerError>>),
    Stop,
}

/// Starts the thread on an engine.
///
/// # Errors
/// When the operating system gives no thread.
pub fn spawn(engine: Box<dyn Ledger>) -> std::io::Result<LedgerThread> {
    let (commands, received) = mpsc::channel();
    let thread = std::thread::Builder::new().name("ledger".into()).spawn(move || {
        let _guard = ExitOnPanic;
        Worker::new(engine).run(&received);
    })?;
    Ok(LedgerThread {
        handle: LedgerHandle::new(commands),
        thread,
    })
}

/// Ends the process when the ledger's thread unwinds: nothing could be told any more.
struct ExitOnPanic;

impl Drop for ExitOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            log::error!("the ledger broke, the process ends");
            std::process::exit(70);
        }
    }
}

impl LedgerThread {
    /// A handle to send by.
    #[must_use]
    pub fn handle(&self) -> LedgerHandle {
        self.handle.clone()
    }

    /// Carries out what was sent before, and ends the thread.
    pub fn stop(self) {
        self.handle.send(Command::Stop);
        if self.thread.join().is_err() {
            log::error!("the ledger's thread has panicked");
        }
    }
}

struct Worker {
    engine: Box<dyn Ledger>,
    results: HashMap<AppId, Recipient<StepDone>>,
    retry_at: Option<Instant>,
}

impl Worker {
    fn new(engine: Box<dyn Ledger>) -> Self {
        Self {
            engine,
            results: HashMap::new(),
            retry_at: None,
        }
    }

    fn run(mut self, commands: &mpsc::Receiver<Command>) {
        loop {
            let first = match self.retry_at {
                None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => {
                    let wait = at.saturating_duration_since(clock::now().instant);
                    commands.recv_timeout(wait)
                }
            };
            let batch: Vec<Command> = match first {
                Ok(first) => std::iter::once(first)
                    .chain(commands.try_iter().take(COMMANDS_PER_STEP - 1))
                    .collect(),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let goes_on = self.carry_out(batch);
            if !goes_on {
                return;
            }
        }
    }

    /// Takes commands in order, all that can be in one step; tells whether to go on.
    fn carry_out(&mut self, batch: Vec<Command>) -> bool {
        let mut step = Step::default();
        let mut goes_on = true;
        let mut questions = Vec::new();
        for command in batch {
            match command {
                Command::Attach(app, results) => {
                    self.results.insert(app, results);
                }
                Command::Control(control, reply) => {
                    // A step takes its controls first, so what came before one goes before it.
                    if !step.windows.is_empty() || !step.answers.is_empty() {
                        self.step(std::mem::take(&mut step));
                    }
                    step.controls.push(control);
                    if let Some(reply) = reply {
                        let _ = reply.send(Ok(()));
                    }
                }
                Command::Answer(answer) => step.answers.push(answer),
                Command::Window(window) => step.windows.push(window),
                Command::Read(query, reply) => questions.push((query, reply)),
                Command::Stop => goes_on = false,
            }
        }
        self.step(step);
        for (query, reply) in questions {
            // Whoever asked may have gone; then nobody misses the answer.
            let _ = reply.send(self.engine.read(&query, clock::now()));
        }
        goes_on
    }

    fn step(&mut self, step: Step) {
        let mut windows: HashMap<AppId, usize> = HashMap::new();
        for window in &step.windows {
            *windows.entry(window.app.clone()).or_default() += 1;
        }
        match self.engine.step(&step, clock::now()) {
            Ok(done) => self.hand_out(done, windows),
            Err(error) => {
                log::error!("the ledger could not carry out a step: {error}");
                // The windows are not under way any more, whatever became of them.
                self.hand_out(Done::default(), windows);
            }
        }
    }

    fn hand_out(&mut self, done: Done, windows: HashMap<AppId, usize>) {
        self.retry_at = done.retry_at;
        let mut by_app: HashMap<AppId, StepDone> = HashMap::new();
        let blank = || StepDone {
            windows: 0,
            next_due: None,
            requests: Vec::new(),
        };
        for (app, windows) in windows {
            by_app.entry(app).or_insert_with(blank).windows = windows;
        }
        for (app, due) in done.due {
            by_app.entry(app).or_insert_with(blank).next_due = Some(due);
        }
        for request in done.requests {
            let app = request.app.clone();
            by_app.entry(app).or_insert_with(blank).requests.push(request);
        }
        for (app, step_done) in by_app {
            if let Some(results) = self.results.get(&app) {
                results.do_send(step_done);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        domain::{EndpointId, Now},
        ledger::{Outcome, RequestId},
    };

    /// An engine that writes down its steps: `c` a control, `a` an answer, `w` a window.
    struct Recorder {
        steps: mpsc::Sender<String>,
        retry_in: Option<Duration>,
    }

    impl Ledger for Recorder {
        fn step(&mut self, step: &Step, now: Now) -> Result<Done, LedgerError> {
            let counts = [
                ("c", step.controls.len()),
                ("a", step.answers.len()),
                ("w", step.windows.len()),
            ];
            let _ = self
                .steps
                .send(counts.map(|(letter, count)| letter.repeat(count)).concat());
            Ok(Done {
                requests: Vec::new(),
                due: step.windows.iter().map(|window| (window.app.clone(), None)).collect(),
                retry_at: self.retry_in.take().map(|wait| now.instant + wait),
            })
        }

        fn read(&self, _: &Query, _: Now) -> Result<View, LedgerError> {
            Ok(View::Unanswered(7))
        }
    }

    fn start(retry_in: Option<Duration>) -> (LedgerThread, mpsc::Receiver<String>) {
        let (steps, recorded) = mpsc::channel();
        let thread = spawn(Box::new(Recorder { steps, retry_in })).expect("a thread");
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
        let mut worker = Worker::new(Box::new(Recorder { steps, retry_in: None }));
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
}
