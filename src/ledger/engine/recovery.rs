//! What the log says about a recovery window: what was found at the start, and how it ended.

use std::time::{Duration, Instant};

use super::turn::Turn;
use crate::{
    domain::{AppId, Now},
    ledger::{edge::Key, occupancy::Transition},
};

/// The recovery window of an app, until it is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recovery {
    until: Now,
    /// How many channels were occupied at the start.
    found: usize,
    /// How many of them were told vacated at its end.
    vacated: usize,
}

impl Recovery {
    /// Begins a window for `found` channels that wait for their clients, if there are any, and logs that.
    pub(super) fn begin(app: &AppId, found: usize, wait: Duration, now: Now) -> Option<Self> {
        if found == 0 {
            return None;
        }
        let channels = if found == 1 { "channel was" } else { "channels were" };
        let shown = humantime::format_duration(wait);
        log::info!("app {app}: {found} {channels} occupied at the start; waiting {shown} for their clients");
        Some(Self {
            until: now.after(wait),
            found,
            vacated: 0,
        })
    }

    /// Counts channels that are told vacated because the window is over.
    pub(super) fn count(&mut self, told: &[Transition]) {
        let is_its =
            |it: &&Transition| !it.occupied && it.at.instant == self.until.instant && matches!(it.key, Key::Channel(_));
        self.vacated += told.iter().filter(is_its).count();
    }

    /// Logs the result if the window is over; otherwise gives when to ask again. Keys that fall due with it
    /// are handled before, at `next_due`.
    fn end(&self, app: &AppId, next_due: Option<Instant>, now: Now) -> Ended {
        if next_due.is_some_and(|at| at <= self.until.instant) {
            return Ended::No(None);
        }
        if now.instant < self.until.instant {
            return Ended::No(Some(self.until.instant));
        }
        let Self { found, vacated, .. } = self;
        log::info!("app {app}: recovery over: {vacated} of {found} channels vacated");
        Ended::Yes
    }
}

enum Ended {
    Yes,
    No(Option<Instant>),
}

impl Turn<'_> {
    /// Ends the recovery windows that are over. Gives when the next one may be.
    pub(super) fn end_recoveries(&mut self) -> Option<Instant> {
        let mut again = None;
        let apps = self.state.apps.iter().filter(|(_, app)| app.recovery.is_some());
        let apps: Vec<AppId> = apps.map(|(id, _)| id.clone()).collect();
        for id in apps {
            let Some(app) = self.state.app_mut(&id) else { continue };
            let next_due = app.occupancy.next_due();
            match app.recovery.map(|recovery| recovery.end(&id, next_due, self.now)) {
                None | Some(Ended::Yes) => app.recovery = None,
                Some(Ended::No(at)) => again = crate::ledger::earlier(again, at),
            }
        }
        again
    }
}
