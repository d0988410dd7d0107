//! How the rest of the server reaches the ledger.

use std::sync::{Arc, Mutex, mpsc};

use actix::Recipient;
use tokio::sync::oneshot;

use crate::domain::{AppId, ChannelName, UserId};

use super::{
    LedgerError, Snapshot, StepDone,
    log::{DeadPage, DeadQuery, LogPage, LogQuery},
    thread::Command,
    view::{ChannelView, EndpointView, LedgerStatus, Query, ToldChannel, ToldPage, View},
    window::{Answer, Control, Window},
};

/// Sends to the ledger. Cloning it copies a pointer.
///
/// The queue behind it is bounded by those who send: an app has at most four windows under way, a
/// lane one answer, an HTTP request one question.
#[derive(Debug, Clone)]
pub struct LedgerHandle {
    commands: mpsc::Sender<Command>,
    failing: Arc<Mutex<Option<String>>>,
}

/// Asks a question and takes the answer out of the variant of the same name.
macro_rules! ask {
    ($handle:expr, $variant:ident, $query:expr) => {
        match $handle.read($query).await? {
            View::$variant(view) => Ok(view),
            other => unreachable!("a question is answered in the variant of its name, not by {other:?}"),
        }
    };
}

impl LedgerHandle {
    pub(super) const fn new(commands: mpsc::Sender<Command>, failing: Arc<Mutex<Option<String>>>) -> Self {
        Self { commands, failing }
    }

    pub(super) fn told_failing(&self) -> Arc<Mutex<Option<String>>> {
        Arc::clone(&self.failing)
    }

    /// Why nothing can be stored at the moment; none: all is well. It waits for nothing.
    #[must_use]
    pub fn failing(&self) -> Option<String> {
        self.failing.lock().map_or(None, |failing| failing.clone())
    }

    /// Has the results of an app's steps sent to `results` from here on.
    pub fn attach(&self, app: AppId, results: Recipient<StepDone>) {
        self.send(Command::Attach(app, results));
    }

    /// Changes what the ledger is to do.
    pub fn control(&self, control: Control) {
        self.send(Command::Control(control, None));
    }

    /// Changes what the ledger is to do, and tells when that is stored.
    ///
    /// # Errors
    /// When it cannot be stored at the moment, or the ledger has stopped; then nothing is changed.
    pub async fn carry_out(&self, control: Control) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Control(control, Some(reply)));
        answer.await.unwrap_or(Err(LedgerError::Stopped))
    }

    /// Tells what an endpoint answered.
    pub fn answer(&self, answer: Answer) {
        self.send(Command::Answer(answer));
    }

    /// Hands over what an app's channels reported.
    pub fn window(&self, window: Window) {
        self.send(Command::Window(window));
    }

    /// Asks what is stored.
    ///
    /// # Errors
    /// When the store cannot be read or the ledger has stopped.
    pub async fn read(&self, query: Query) -> Result<View, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Read(query, reply));
        answer.await.unwrap_or(Err(LedgerError::Stopped))
    }

    /// All that is stored at this moment, to be copied while the server goes on; none where nothing
    /// survives a restart.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub async fn snapshot(&self) -> Result<Option<Snapshot>, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Snapshot(reply));
        answer.await.unwrap_or(Err(LedgerError::Stopped))
    }

    /// The channels of an app that are told occupied, as [`Query::ToldPage`].
    ///
    /// # Errors
    /// As of [`read`](Self::read); so with all that follow.
    pub async fn told_page(
        &self,
        app: AppId,
        prefix: String,
        after: Option<String>,
        limit: usize,
    ) -> Result<ToldPage<ChannelName>, LedgerError> {
        let query = Query::ToldPage {
            app,
            prefix,
            after,
            limit,
        };
        ask!(self, ToldPage, query)
    }

    /// The signed-in users of an app that are told online, as [`Query::ToldUsers`].
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub async fn told_users(
        &self,
        app: AppId,
        prefix: String,
        after: Option<String>,
        limit: usize,
    ) -> Result<ToldPage<UserId>, LedgerError> {
        let query = Query::ToldUsers {
            app,
            prefix,
            after,
            limit,
        };
        ask!(self, ToldUsers, query)
    }

    /// One channel of an app that is told occupied, with its users.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub async fn told_channel(&self, app: AppId, channel: ChannelName) -> Result<ToldChannel, LedgerError> {
        ask!(self, ToldChannel, Query::ToldChannel { app, channel })
    }

    /// One channel of an app, with all that decides whether its changes are told.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub async fn channel(&self, app: AppId, channel: ChannelName) -> Result<ChannelView, LedgerError> {
        ask!(self, Channel, Query::Channel { app, channel })
    }

    /// How many events are not answered.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub async fn unanswered(&self) -> Result<usize, LedgerError> {
        ask!(self, Unanswered, Query::Unanswered)
    }

    /// Every endpoint, by app and id.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub async fn endpoints(&self) -> Result<Vec<EndpointView>, LedgerError> {
        ask!(self, Endpoints, Query::Endpoints)
    }

    /// Lines of the delivery log.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub async fn log(&self, query: LogQuery) -> Result<LogPage, LedgerError> {
        ask!(self, Log, Query::Log(query))
    }

    /// Dead letters.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub async fn dead_letters(&self, query: DeadQuery) -> Result<DeadPage, LedgerError> {
        ask!(self, DeadLetters, Query::DeadLetters(query))
    }

    /// How the ledger is.
    ///
    /// # Errors
    /// As of [`read`](Self::read).
    pub async fn status(&self) -> Result<LedgerStatus, LedgerError> {
        ask!(self, Status, Query::Status)
    }

    pub(super) fn send(&self, command: Command) {
        if self.commands.send(command).is_err() {
            log::debug!("the ledger has stopped, a command is lost");
        }
    }
}
