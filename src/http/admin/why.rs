//! Answers "why did I not get a webhook" in plain words.

mod refused;

use std::collections::HashMap;

use super::{
    state::EndpointInfo,
    wire::{self, Asking, Delivery, Endpoint, EndpointMode, Event, Happened, Parked, State, StateName, Why},
    words::span,
};
use crate::{
    domain::{AppId, ChannelKind, ChannelName, EndpointId, WebhookEvent},
    ledger::{ChannelView, EventId, EventRef, LogEntry, Logged, WaitView},
};

/// Most events of a channel that are told.
const EVENTS_MAX: usize = 20;

/// All that is known of a channel.
pub(super) struct Evidence<'a> {
    pub(super) app: &'a AppId,
    pub(super) channel: &'a ChannelName,
    /// What the ledger knows of it.
    pub(super) view: &'a ChannelView,
    /// Who is there now.
    pub(super) live: wire::Members,
    /// The endpoints of the app.
    pub(super) endpoints: &'a [(Endpoint, Option<&'a EndpointInfo>)],
    /// The lines of the log about it, the newest first.
    pub(super) entries: &'a [LogEntry],
    /// Why the ledger cannot be written.
    pub(super) failing: Option<&'a str>,
    pub(super) now_ms: u64,
}

/// Puts together what is known of a channel and says what follows from it.
pub(super) fn explain(evidence: Evidence<'_>) -> Why {
    let endpoints: Vec<Asking> = evidence
        .endpoints
        .iter()
        .map(|(endpoint, info)| asking(evidence.channel, endpoint, *info))
        .collect();
    let events = happened(evidence.channel, evidence.entries);
    let state = State::new(&evidence.view.channel);
    let words = Words {
        channel: evidence.channel,
        now_ms: evidence.now_ms,
    };
    let mut answer: Vec<String> = Vec::new();
    if let Some(failing) = evidence.failing {
        answer.push(format!(
            "Nothing is decided at the moment, since the ledger cannot be written: {failing}."
        ));
    }
    if evidence.channel.kind() == ChannelKind::ServerToUser {
        answer.push(format!(
            "{} is the channel of a user, of which no webhook tells.",
            evidence.channel
        ));
    } else {
        answer.extend(words.state(&state, &evidence.live));
        answer.extend(words.flaps(&state));
        if endpoints.is_empty() {
            answer.push(format!("The app {} has no endpoint, so nobody is told.", evidence.app));
        }
        let waits = &evidence.view.waits;
        answer.extend(
            endpoints
                .iter()
                .flat_map(|asking| words.endpoint(asking, &events, waits)),
        );
    }
    let user = |(user_id, view): &(_, _)| wire::User {
        user_id: ToString::to_string(user_id),
        state: State::new(view),
    };
    Why {
        app: evidence.app.to_string(),
        channel: evidence.channel.to_string(),
        answer,
        users: evidence.view.users.iter().map(user).collect(),
        state,
        live: evidence.live,
        endpoints,
        events,
    }
}

/// What an endpoint is told of a channel.
fn asking(channel: &ChannelName, endpoint: &Endpoint, info: Option<&EndpointInfo>) -> Asking {
    let asks = |event: &WebhookEvent| {
        info.is_some_and(|info| info.filter.matches(*event, Some(channel))) && is_of(*event, channel)
    };
    let told: Vec<WebhookEvent> = WebhookEvent::ALL.into_iter().filter(asks).collect();
    let wants = |event: WebhookEvent| info.is_some_and(|info| info.filter.events.contains(&event));
    let both = [WebhookEvent::ChannelOccupied, WebhookEvent::ChannelVacated];
    let not_because = if both.iter().any(|event| told.contains(event)) {
        None
    } else if info.is_none() {
        Some("it is not in the configuration any more".into())
    } else if both.into_iter().any(wants) {
        Some(format!("it asks for {} only", endpoint.channels.in_words()))
    } else {
        Some(format!("it asks for {} only", endpoint.events.join(", ")))
    };
    Asking {
        told: told.iter().map(ToString::to_string).collect(),
        endpoint: endpoint.clone(),
        not_because,
    }
}

/// Tells whether a kind of event can be about a channel.
fn is_of(event: WebhookEvent, channel: &ChannelName) -> bool {
    match event {
        WebhookEvent::ChannelOccupied | WebhookEvent::ChannelVacated => true,
        WebhookEvent::MemberAdded | WebhookEvent::MemberRemoved => channel.kind() == ChannelKind::Presence,
        WebhookEvent::CacheMiss => channel.is_cache(),
        WebhookEvent::SubscriptionCount => channel.kind() != ChannelKind::Presence,
        WebhookEvent::ClientEvent => channel.kind() != ChannelKind::Public,
        WebhookEvent::UserOnline | WebhookEvent::UserOffline => false,
    }
}

/// The events of a channel with what became of them, the newest first.
fn happened(channel: &ChannelName, entries: &[LogEntry]) -> Vec<Happened> {
    let mut places: HashMap<EventId, usize> = HashMap::new();
    let mut events: Vec<(u64, Happened)> = Vec::new();
    let mut at = |event: &EventRef, no: u64, events: &mut Vec<(u64, Happened)>| {
        let place = *places.entry(event.id).or_insert_with(|| {
            events.push((
                no,
                Happened {
                    event: Event::new(event),
                    decided_ms: None,
                    attempts: Vec::new(),
                    parked: Vec::new(),
                },
            ));
            events.len() - 1
        });
        events[place].0 = events[place].0.min(no);
        place
    };
    for entry in entries {
        match &entry.what {
            Logged::Decided(event) => {
                let place = at(&EventRef::new(event), entry.no, &mut events);
                events[place].1.decided_ms = Some(entry.at_ms);
            }
            Logged::Attempted(attempted) => {
                let of_channel = |event: &&EventRef| event.channel.as_ref() == Some(channel);
                for event in attempted.events.iter().filter(of_channel) {
                    let place = at(event, entry.no, &mut events);
                    events[place].1.attempts.push(Delivery {
                        at_ms: entry.at_ms,
                        endpoint: attempted.endpoint.to_string(),
                        request: attempted.request.to_string(),
                        attempt: attempted.attempt,
                        replay: attempted.replay,
                        status: attempted.report.status,
                        error: attempted.report.error.clone(),
                        took_ms: attempted.report.took_ms,
                        next_at_ms: attempted.next_at_ms,
                    });
                }
            }
            Logged::Parked {
                endpoint,
                because,
                event,
            } => {
                let place = at(event, entry.no, &mut events);
                events[place].1.parked.push(Parked {
                    at_ms: entry.at_ms,
                    endpoint: endpoint.to_string(),
                    because: because.as_str().into(),
                });
            }
        }
    }
    events.sort_by_key(|(no, _)| std::cmp::Reverse(*no));
    events.truncate(EVENTS_MAX);
    events.into_iter().map(|(_, event)| event).collect()
}

/// Says what follows, as of a moment.
struct Words<'a> {
    channel: &'a ChannelName,
    now_ms: u64,
}

impl Words<'_> {
    fn ago(&self, at_ms: u64) -> String {
        format!("{} ago", span(self.now_ms.saturating_sub(at_ms)))
    }

    fn within(&self, at_ms: u64) -> String {
        if at_ms <= self.now_ms {
            return "now".into();
        }
        format!("in {}", span(at_ms - self.now_ms))
    }

    /// What it is told to be, and what it is.
    fn state(&self, state: &State, live: &wire::Members) -> Vec<String> {
        let channel = self.channel;
        let subscribed = match live.subscriptions {
            0 => "nobody is subscribed now".into(),
            1 => "1 connection is subscribed now".into(),
            count => format!("{count} connections are subscribed now"),
        };
        let when = state.since_ms.map_or(String::new(), |at| format!(" {}", self.ago(at)));
        let seq = state.seq.map_or(String::new(), |seq| format!(" (seq {seq})"));
        let until = state
            .until_ms
            .map_or("when the recovery window is over".into(), |at| self.within(at));
        let text = match (state.state, state.seq) {
            (StateName::Occupied, _) => format!("{channel} became occupied{when}{seq}; {subscribed}."),
            (StateName::Pending, _) => format!(
                "{channel} was left by its last subscriber; it is told vacated {until}, unless somebody comes back: \
                 that is its vacated delay, or what is left of the recovery window after the server's start."
            ),
            (StateName::Recovering, _) => format!(
                "{channel} was occupied before the server started; it is told vacated {until}, unless somebody comes \
                 back; {subscribed}."
            ),
            (StateName::Vacant, _) if 0 < live.subscriptions => {
                format!("{subscribed} to {channel}, and this is about to be decided: ask again in a second.")
            }
            (StateName::Vacant, Some(_)) => format!("{channel} became vacant{when}{seq}; {subscribed}."),
            (StateName::Vacant, None) => format!(
                "Nothing is known of {channel}: nobody has subscribed to it in this app, or it is vacant and not \
                 remembered, since no endpoint asks for it or that was over a day ago."
            ),
        };
        vec![text]
    }

    fn flaps(&self, state: &State) -> Option<String> {
        let at = state.flapped_ms.filter(|_| 0 < state.flaps)?;
        let times = match state.flaps {
            1 => "once".into(),
            count => format!("{count} times"),
        };
        Some(format!(
            "It was left and entered again within the vacated delay {times}, the last time {}: that makes no event.",
            self.ago(at)
        ))
    }

    /// What an endpoint was told, and why not.
    fn endpoint(&self, asking: &Asking, events: &[Happened], waits: &[(EndpointId, WaitView)]) -> Vec<String> {
        let id = &asking.endpoint.id;
        if asking.told.is_empty() {
            let because = asking
                .not_because
                .as_deref()
                .unwrap_or("it asks for nothing of this channel");
            return vec![format!("{id} is not told of it: {because}.")];
        }
        let mut said = Vec::new();
        match events.iter().find(|event| asking.told.contains(&event.event.name)) {
            Some(event) => said.push(self.fate(&asking.endpoint, event)),
            None => said.push(format!("{id} asks for it, and the log has no event for it.")),
        }
        let wait = waits.iter().find(|(endpoint, _)| endpoint.as_str() == id);
        said.extend(wait.and_then(|(_, wait)| self.waits(&asking.endpoint, wait)));
        said.extend(self.refused(&asking.endpoint));
        said.extend(self.mode(&asking.endpoint));
        if let Some(because) = &asking.not_because {
            said.push(format!(
                "{id} is not told when it becomes occupied or vacant: {because}."
            ));
        }
        said
    }

    /// What became of an event at an endpoint.
    fn fate(&self, endpoint: &Endpoint, happened: &Happened) -> String {
        let (id, event) = (&endpoint.id, &happened.event);
        let name = &event.name;
        let attempts = || happened.attempts.iter().filter(|attempt| attempt.endpoint == *id);
        let own = attempts().find(|attempt| !attempt.replay);
        if let Some(told) = own.filter(|attempt| attempt.error.is_none()) {
            return self.told(told, name, &format!("at attempt {}", told.attempt));
        }
        let replay = attempts().find(|attempt| attempt.replay);
        // A replay that failed takes nothing back.
        if let Some(told) = attempts().find(|attempt| attempt.replay && attempt.error.is_none()) {
            return self.told(told, name, "by a replay");
        }
        let replay = replay.and_then(|replay| {
            let (error, ago) = (replay.error.as_deref()?, self.ago(replay.at_ms));
            let attempt = replay.attempt;
            Some(format!(" Attempt {attempt} of a replay failed {ago} ({error})."))
        });
        let said = self.not_told(endpoint, happened, own);
        said + &replay.unwrap_or_default()
    }

    fn told(&self, attempt: &Delivery, name: &str, how: &str) -> String {
        format!(
            "{} was told {name} {}, {how}, and answered {} within {}.",
            attempt.endpoint,
            self.ago(attempt.at_ms),
            attempt.status.map_or("2xx".into(), |status| status.to_string()),
            span(attempt.took_ms)
        )
    }

    /// Why an endpoint was not told an event, whose newest attempt failed if there is one.
    fn not_told(&self, endpoint: &Endpoint, happened: &Happened, failed: Option<&Delivery>) -> String {
        let (id, event) = (&endpoint.id, &happened.event);
        let name = &event.name;
        let parked = happened.parked.iter().find(|parked| parked.endpoint == *id);
        let parked = parked.filter(|parked| failed.is_none_or(|attempt| attempt.at_ms <= parked.at_ms));
        if let Some(parked) = parked {
            return format!(
                "{id} was not told {name}: it was parked {} ({}); `vacancy webhooks replay {}` delivers it once more.",
                self.ago(parked.at_ms),
                parked.because,
                event.id
            );
        }
        if let Some(attempt) = failed {
            return format!(
                "{id} was not told {name} yet: attempt {} failed {} ({}), the next is {}.",
                attempt.attempt,
                self.ago(attempt.at_ms),
                attempt.error.as_deref().unwrap_or("for no known reason"),
                attempt.next_at_ms.map_or("not planned".into(), |at| self.within(at))
            );
        }
        let decided = happened.decided_ms.map_or("before".into(), |at| self.ago(at));
        let gone = if event.seq.is_some() {
            "it was folded away with its opposite (`compact`, or the ledger's bound)"
        } else {
            "it was dropped at the ledger's bound"
        };
        let Some(oldest) = endpoint.oldest_ms.filter(|_| 0 < endpoint.queued) else {
            return format!(
                "{id} was not told {name}, which was decided {decided}, and it does not wait any more: {gone}, or the \
                 endpoint did not ask for it then, or the log does not show what became of it."
            );
        };
        // What was decided before all that waits may have been announced since.
        let is_sure = happened.decided_ms.is_none_or(|at| oldest <= at)
            && endpoint.since_start.compacted + endpoint.since_start.dropped == 0;
        let unless = if is_sure {
            String::new()
        } else {
            format!(", unless {gone}")
        };
        format!(
            "{id} was not told {name} yet, which was decided {decided}: the queue is {} long, its oldest event of \
             {}{unless}.",
            endpoint.queued,
            self.ago(oldest),
        )
    }

    /// Why nothing reaches an endpoint, whatever it asks for.
    fn mode(&self, endpoint: &Endpoint) -> Option<String> {
        let id = &endpoint.id;
        match endpoint.mode {
            EndpointMode::Paused => Some(format!(
                "{id} is paused: its events wait until `vacancy webhooks resume {id}`."
            )),
            EndpointMode::Disabled => Some(format!(
                "{id} is disabled ({}): its events are parked until `vacancy webhooks enable {id}`.",
                endpoint.disabled_because.as_deref().unwrap_or("for no known reason")
            )),
            EndpointMode::Enabled => match endpoint.breaker {
                wire::Breaker::Closed => None,
                wire::Breaker::Open | wire::Breaker::HalfOpen => Some(format!(
                    "{id} failed many times in a row and gets one request at a time until it answers; the next is {}.",
                    endpoint.retry_ms.map_or("under way".into(), |at| self.within(at))
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests;
