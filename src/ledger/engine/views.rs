//! What an engine answers to questions.

use super::Engine;
use crate::{
    domain::Now,
    ledger::{
        LedgerError,
        store::Store,
        view::{ChannelView, EndpointView, LedgerStatus, Query, View},
        window::Mode,
    },
};

impl<S: Store> Engine<S> {
    pub(super) fn view(&self, query: &Query, now: Now) -> Result<View, LedgerError> {
        let apps = &self.state.apps;
        Ok(match query {
            Query::ToldPage {
                app,
                prefix,
                after,
                limit,
            } => View::ToldPage(apps.get(app).map_or_else(Default::default, |app| {
                app.occupancy.told_page(prefix, after.as_deref(), *limit)
            })),
            Query::ToldUsers {
                app,
                prefix,
                after,
                limit,
            } => View::ToldUsers(apps.get(app).map_or_else(Default::default, |app| {
                app.occupancy.told_users(prefix, after.as_deref(), *limit)
            })),
            Query::ToldChannel { app, channel } => View::ToldChannel(
                apps.get(app)
                    .map_or_else(Default::default, |app| app.occupancy.told_channel(channel)),
            ),
            Query::Channel { app, channel } => View::Channel(apps.get(app).map_or_else(Default::default, |app| {
                let endpoints = app.endpoints.iter();
                let waits = endpoints.filter_map(|(id, it)| Some((id.clone(), it.outbox.wait_of(channel, now)?)));
                ChannelView {
                    waits: waits.collect(),
                    ..app.occupancy.channel_view(channel)
                }
            })),
            Query::Unanswered => View::Unanswered(self.unanswered()),
            Query::Endpoints => View::Endpoints(self.endpoints(now)),
            Query::Log(query) => View::Log(self.store.log(query)?),
            Query::DeadLetters(query) => View::DeadLetters(self.store.dead_letters(query)?),
            Query::Status => View::Status(self.status()),
        })
    }

    /// Events that would be lost, or sent a second time, if the server ended now.
    fn unanswered(&self) -> usize {
        let outboxes = self.state.outboxes();
        if self.survives() {
            outboxes.map(|(_, _, outbox)| outbox.events_under_way()).sum()
        } else {
            // What waits for an operator is not waited for.
            let enabled = outboxes.filter(|(_, _, outbox)| outbox.mode() == Mode::Enabled);
            enabled.map(|(_, _, outbox)| outbox.len()).sum()
        }
    }

    fn endpoints(&self, now: Now) -> Vec<EndpointView> {
        let dead = self.store.usage().dead;
        let outboxes = self.state.outboxes();
        outboxes
            .map(|(app, id, outbox)| EndpointView {
                app: app.clone(),
                id: id.clone(),
                mode: outbox.mode(),
                breaker: outbox.breaker(),
                lanes: outbox.rules().lanes,
                queued: outbox.len(),
                queued_bytes: outbox.bytes(),
                oldest_ms: outbox.oldest_ms(),
                under_way: outbox.under_way(),
                retry_ms: outbox.retry_ms(now),
                failing: outbox.failing(now),
                aside: outbox.asides(now),
                body_bytes_max: outbox.body_bytes_learned(),
                dead_letters: dead.get(&(app.clone(), id.clone())).copied().unwrap_or(0),
                counts: outbox.counts(),
            })
            .collect()
    }

    fn status(&self) -> LedgerStatus {
        let usage = self.store.usage();
        let commits = self.store.commits();
        let occupancies: Vec<_> = self.state.apps.values().map(|app| &app.occupancy).collect();
        LedgerStatus {
            path: self.store.path().map(ToOwned::to_owned),
            failing: None,
            bytes: self.state.bytes() + usage.log_bytes + usage.dead_bytes,
            bytes_max: self.limits.bytes_max,
            occupied: occupancies.iter().map(|occupancy| occupancy.occupied()).sum(),
            suppressed_flaps: occupancies.iter().map(|occupancy| occupancy.suppressed_flaps()).sum(),
            dropped: 0,
            commits: commits.count,
            commit_p50_us: commits.p50_us,
            commit_p99_us: commits.p99_us,
        }
    }
}
