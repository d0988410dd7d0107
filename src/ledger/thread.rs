//! The thread that an engine runs on. Whoever asks it anything never waits for a disk.

mod draft;
mod failing;
mod waiting;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use actix::Recipient;
use tokio::sync::oneshot;

use crate::{clock, domain::AppId};

use draft::Draft;
use failing::Failing;
use waiting::Waiting;

use super::{
    Ledger, LedgerError, LedgerHandle, Snapshot, StepDone, exit_on_panic,
    unsaved::{Delays, Unsaved},
    view::{Query, View},
    window::{Answer, Control, Done, Request, Step, Window},
};

/// Most commands that one step takes: what came meanwhile is stored in one commit.
const COMMANDS_PER_STEP: usize = 1_000;
/// Most work on one app's windows in a step when there are several apps: about 5 ms, for which the others
/// wait.
const SHARE_OF_SEVERAL: usize = 250;
/// The same for a single app. No other app waits, and more work per step means fewer commits.
const SHARE_OF_ONE: usize = 4_000;
/// How often it is looked whether the file is in its place.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The running thread of the ledger.
#[derive(Debug)]
pub struct LedgerThread {
    handle: LedgerHandle,
    thread: JoinHandle<()>,
}

/// Who waits until a control is stored.
type Reply = oneshot::Sender<Result<(), LedgerError>>;

/// What the thread is sent.
#[derive(Debug)]
pub(super) enum Command {
    /// Results of an app's steps go to this recipient from here on.
    Attach(AppId, Recipient<StepDone>),
    Control(Control, Option<Reply>),
    Answer(Answer),
    Window(Window),
    Read(Query, oneshot::Sender<Result<View, LedgerError>>),
    Snapshot(oneshot::Sender<Result<Option<Snapshot>, LedgerError>>),
    Stop,
}

/// Starts the thread on an engine.
///
/// # Errors
/// When the operating system gives no thread.
pub fn spawn(engine: Box<dyn Ledger>) -> std::io::Result<LedgerThread> {
    let (commands, received) = mpsc::channel();
    let handle = LedgerHandle::new(commands, Arc::default());
    let told_failing = handle.told_failing();
    let thread = std::thread::Builder::new().name("ledger".into()).spawn(move || {
        let _guard = ExitOnPanic;
        let mut worker = Worker::new(engine);
        worker.told_failing = told_failing;
        worker.run(&received);
    })?;
    Ok(LedgerThread { handle, thread })
}

/// Ends the process when the ledger's thread unwinds.
struct ExitOnPanic;

impl Drop for ExitOnPanic {
    fn drop(&mut self) {
        exit_on_panic("ledger");
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
    waiting: Waiting,
    /// Requests that were handed out before their app was there to take them: what was under way when
    /// the server ended is handed out as soon as the configuration is known. At most one per lane.
    unclaimed: HashMap<AppId, Vec<Request>>,
    retry_at: Option<Instant>,
    /// The delay of each app, for folding its edges.
    delays: Delays,
    looked_at: Option<Instant>,
    failing: Option<Failing>,
    /// Why it is failing, for those who do not wait for this thread.
    told_failing: Arc<Mutex<Option<String>>>,
    /// Events without state that were not told because nothing could be stored.
    dropped: u64,
}

impl Worker {
    fn new(engine: Box<dyn Ledger>) -> Self {
        Self {
            engine,
            results: HashMap::new(),
            waiting: Waiting::default(),
            unclaimed: HashMap::new(),
            retry_at: None,
            delays: Delays::new(),
            looked_at: None,
            failing: None,
            told_failing: Arc::default(),
            dropped: 0,
        }
    }

    fn run(mut self, commands: &mpsc::Receiver<Command>) {
        loop {
            let now = clock::now().instant;
            let wait = self
                .wake_at()
                .map_or(LOOK_EVERY, |at| at.saturating_duration_since(now));
            let wait = if self.waiting.is_empty() {
                wait.min(LOOK_EVERY)
            } else {
                Duration::ZERO
            };
            let first = commands.recv_timeout(wait);
            let batch: Vec<Command> = match first {
                Ok(first) => std::iter::once(first)
                    .chain(commands.try_iter().take(COMMANDS_PER_STEP - 1))
                    .collect(),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.look_if_due();
            let is_due = self.wake_at().is_some_and(|at| at <= clock::now().instant);
            if batch.is_empty() && !is_due && self.waiting.is_empty() {
                continue;
            }
            let goes_on = self.carry_out(batch);
            if !goes_on {
                self.step_all(Draft::default());
                self.retry();
                return;
            }
        }
    }

    /// When something is to be done though no command comes.
    fn wake_at(&self) -> Option<Instant> {
        match &self.failing {
            Some(failing) => Some(failing.retry_at),
            None => self.retry_at,
        }
    }

    /// Fails, as when nothing can be written, if what is stored would not be found.
    fn look_if_due(&mut self) {
        let now = clock::now().instant;
        if self.failing.is_some() || self.looked_at.is_some_and(|at| now < at + LOOK_EVERY) {
            return;
        }
        self.looked_at = Some(now);
        if let Err(error) = self.engine.look() {
            self.fail(error, Step::default());
        }
    }

    /// Takes commands in order, all that can be in one step; tells whether to go on.
    fn carry_out(&mut self, batch: Vec<Command>) -> bool {
        let mut draft = Draft::default();
        let mut goes_on = true;
        // Questions alone are no reason for a step.
        let is_woken = batch.is_empty() || self.retry_at.is_some_and(|at| at <= clock::now().instant);
        let (mut questions, mut snapshots) = (Vec::new(), Vec::new());
        for command in batch {
            match command {
                Command::Attach(app, results) => {
                    if let Some(requests) = self.unclaimed.remove(&app) {
                        results.do_send(StepDone {
                            windows: 0,
                            next_due: None,
                            requests,
                        });
                    }
                    self.results.insert(app.clone(), results);
                    // It may have to know of deadlines that were there before it.
                    self.waiting.add_uncounted(Window {
                        app,
                        observed: Vec::new(),
                        until: clock::now(),
                    });
                }
                Command::Control(control, reply) => {
                    // A step takes its controls first, so what came before one goes before it.
                    if draft.has_answers() || !self.waiting.is_empty() || !draft.asked.is_empty() {
                        self.step_all(std::mem::take(&mut draft));
                    }
                    match reply {
                        None => draft.step.controls.push(control),
                        Some(reply) => draft.asked.push((control, reply)),
                    }
                }
                Command::Answer(answer) => draft.step.answers.push(answer),
                Command::Window(window) => self.waiting.add(window),
                Command::Read(query, reply) => questions.push((query, reply)),
                Command::Snapshot(reply) => snapshots.push(reply),
                Command::Stop => goes_on = false,
            }
        }
        if is_woken || !draft.is_empty() || !self.waiting.is_empty() {
            self.step(draft);
        }
        for (query, reply) in questions {
            // Whoever asked may have gone; then nobody misses the answer.
            let _ = reply.send(self.read(&query));
        }
        for reply in snapshots {
            let _ = reply.send(self.engine.snapshot());
        }
        goes_on
    }

    fn read(&self, query: &Query) -> Result<View, LedgerError> {
        let mut view = self.engine.read(query, clock::now())?;
        if let View::Status(status) = &mut view {
            status.failing = self.failing.as_ref().map(|failing| failing.error.to_string());
            let unsaved = self.failing.as_ref().map_or(0, |failing| failing.unsaved.dropped());
            status.dropped = self.dropped + unsaved;
        }
        Ok(view)
    }

    /// Carries out a draft and all waiting windows.
    fn step_all(&mut self, draft: Draft) {
        self.step(draft);
        while !self.waiting.is_empty() {
            self.step(Draft::default());
        }
    }

    /// Carries out a draft, and a share of the windows of each app.
    fn step(&mut self, draft: Draft) {
        let Draft { mut step, asked } = draft;
        let (windows, taken) = self.waiting.take();
        step.windows = windows;
        for control in &step.controls {
            if let Control::Configure(apps) = control {
                let delays = apps.iter().map(|rules| (rules.id.clone(), rules.vacated_delay));
                self.delays = delays.collect();
            }
        }
        if let Some(failing) = &mut self.failing {
            for (_, reply) in asked {
                let _ = reply.send(Err(failing.error.clone()));
            }
            // The windows are not under way any more.
            let windows = taken.all(&step.windows);
            failing.unsaved.add(step, &self.delays);
            self.hand_out(Done::default(), windows);
            self.retry_if_due();
            return;
        }
        let own_controls = step.controls.len();
        step.controls.extend(asked.iter().map(|(control, _)| control.clone()));
        match self.look_and_step(&step, self.share()) {
            Ok(done) => {
                for (_, reply) in asked {
                    let _ = reply.send(Ok(()));
                }
                self.retry_at = done.retry_at;
                let windows = self.waiting.put_back(step.windows, taken, &done.left);
                self.hand_out(done, windows);
            }
            Err(error) => {
                for (_, reply) in asked {
                    let _ = reply.send(Err(error.clone()));
                }
                step.controls.truncate(own_controls);
                let windows = taken.all(&step.windows);
                self.fail(error, step);
                self.hand_out(Done::default(), windows);
            }
        }
    }

    /// How much of the windows of each app a step carries out.
    fn share(&self) -> usize {
        match self.results.len() {
            0 | 1 => SHARE_OF_ONE,
            _ => SHARE_OF_SEVERAL,
        }
    }

    fn look_and_step(&mut self, step: &Step, work_max: usize) -> Result<Done, LedgerError> {
        self.engine.look()?;
        self.engine.portion(step, work_max, clock::now())
    }

    /// From here on nothing can be stored; `step` is the first that was not.
    fn fail(&mut self, error: LedgerError, step: Step) {
        log::error!("{error}; clients are served on, and it is tried again until it works");
        let mut unsaved = Unsaved::default();
        unsaved.add(step, &self.delays);
        self.tell_failing(Some(error.to_string()));
        self.failing = Some(Failing::new(unsaved, error, clock::now().instant));
    }

    fn retry_if_due(&mut self) {
        let now = clock::now().instant;
        if self.failing.as_ref().is_some_and(|failing| failing.retry_at <= now) {
            self.retry();
        }
    }

    /// Tries to store what could not be stored so far, if there is something.
    fn retry(&mut self) {
        let Some(failing) = &self.failing else { return };
        let (step, dropped) = (failing.unsaved.step(), failing.unsaved.dropped());
        let result = self.look_and_step(&step, usize::MAX);
        match (result, &mut self.failing) {
            (Ok(done), _) => {
                log::info!("the ledger can be written again, {dropped} events without state were not told");
                self.dropped += dropped;
                self.failing = None;
                self.tell_failing(None);
                self.retry_at = done.retry_at;
                self.hand_out(done, HashMap::new());
            }
            (Err(error), Some(failing)) => {
                log::debug!("{error}");
                let text = error.to_string();
                failing.again(error, clock::now().instant);
                self.tell_failing(Some(text));
            }
            (Err(_), None) => {}
        }
    }

    fn tell_failing(&self, failing: Option<String>) {
        if let Ok(mut told) = self.told_failing.lock() {
            *told = failing;
        }
    }

    fn hand_out(&mut self, done: Done, windows: HashMap<AppId, usize>) {
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
            match self.results.get(&app) {
                Some(results) => results.do_send(step_done),
                None => self.unclaimed.entry(app).or_default().extend(step_done.requests),
            }
        }
    }
}

#[cfg(test)]
mod tests;
