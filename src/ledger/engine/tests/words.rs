//! Endpoints, steps and events in a few words.

use super::*;

/// An endpoint that asks for everything.
pub(super) fn all(id: &str) -> EndpointRules {
    EndpointRules::of_test(id)
}

/// An endpoint that asks for everything of channels that begin so.
pub(super) fn of_prefix(id: &str, prefix: &str) -> EndpointRules {
    let mut rules = EndpointRules::of_test(id);
    rules.filter.channels = ChannelPattern::affixes(prefix, "");
    rules
}

/// An endpoint that asks for these kinds.
pub(super) fn of_kinds(id: &str, kinds: &[WebhookEvent]) -> EndpointRules {
    let mut rules = EndpointRules::of_test(id);
    rules.filter.events = kinds.to_vec();
    rules
}

pub(super) fn window(observed: &str, at: Now) -> Step {
    Step {
        windows: vec![Window {
            app: "1".parse().expect("valid"),
            observed: observed.split_whitespace().map(|text| observation(text, at)).collect(),
            until: at,
        }],
        ..Step::default()
    }
}

pub(super) fn answer(request: &Request, outcome: Outcome) -> Step {
    Step {
        answers: vec![Answer {
            app: request.app.clone(),
            endpoint: request.endpoint.clone(),
            request: request.id,
            outcome,
            report: Default::default(),
        }],
        ..Step::default()
    }
}

pub(super) fn key(text: &str) -> Key {
    if let Some(user) = text.strip_prefix('@') {
        return Key::User(user.parse().expect("valid"));
    }
    match text.split_once('/') {
        Some((channel, user)) => Key::Member(channel.parse().expect("valid"), user.parse().expect("valid")),
        None => Key::Channel(text.parse().expect("valid")),
    }
}

pub(super) fn observation(text: &str, at: Now) -> Observed {
    let (sign, name) = text.split_at(1);
    if sign == "!" {
        let client = ClientEvent {
            channel: name.parse().expect("valid"),
            event: "client-x".into(),
            data: "x".repeat(1_000),
            socket_id: "1.1".parse().expect("valid"),
            user_id: None,
        };
        return Observed::Stateless(Stateless::Client(client), at);
    }
    Observed::Edge(Edge {
        key: key(name),
        entered: sign == "+",
        at,
    })
}

pub(super) fn print(event: &Event) -> String {
    let (sign, key) = match event.state() {
        Some((key, true)) => ('+', key),
        Some((key, false)) => ('-', key),
        None => return format!("!{}", event.channel().expect("of a channel")),
    };
    match key {
        Key::Channel(channel) => format!("{sign}{channel}"),
        Key::Member(channel, user_id) => format!("{sign}{channel}/{user_id}"),
        Key::User(user_id) => format!("{sign}@{user_id}"),
    }
}
