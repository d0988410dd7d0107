//! Which events an endpoint asks for.

use crate::domain::{ChannelName, WebhookEvent};

/// What an endpoint asks for: kinds of event, of channels whose names begin and end so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The kinds of event.
    pub events: Vec<WebhookEvent>,
    /// What a channel's name must begin with; empty matches all.
    pub prefix: String,
    /// What a channel's name must end with; empty matches all.
    pub suffix: String,
}

impl Filter {
    /// Tells whether the endpoint asks for an event of this kind and channel.
    #[must_use]
    pub fn matches(&self, kind: WebhookEvent, channel: &ChannelName) -> bool {
        self.events.contains(&kind)
            && channel.as_str().starts_with(&self.prefix)
            && channel.as_str().ends_with(&self.suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: &Filter, kind: WebhookEvent, channel: &str, want: bool) {
        let channel = channel.parse().expect("valid");
        assert_eq!(filter.matches(kind, &channel), want, "{channel}");
    }

    #[test]
    fn only_the_kinds_that_are_asked_for_match() {
        let filter = Filter {
            events: vec![WebhookEvent::ChannelOccupied],
            ..Filter::default()
        };
        check(&filter, WebhookEvent::ChannelOccupied, "a", true);
        check(&filter, WebhookEvent::ChannelVacated, "a", false);
    }

    #[test]
    fn prefix_and_suffix_must_both_match() {
        let filter = Filter {
            events: vec![WebhookEvent::ChannelOccupied],
            prefix: "job-".into(),
            suffix: "-eu".into(),
        };
        check(&filter, WebhookEvent::ChannelOccupied, "job-1-eu", true);
        check(&filter, WebhookEvent::ChannelOccupied, "job-1-us", false);
        check(&filter, WebhookEvent::ChannelOccupied, "my-job-1-eu", false);
        check(&filter, WebhookEvent::ChannelVacated, "job-1-eu", false);
    }
}
