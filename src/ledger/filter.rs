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
    /// Tells whether the endpoint asks for an event of this kind and channel. What is about no
    /// channel is not filtered by one.
    #[must_use]
    pub fn matches(&self, kind: WebhookEvent, channel: Option<&ChannelName>) -> bool {
        let name = |name: &str| name.starts_with(&self.prefix) && name.ends_with(&self.suffix);
        self.events.contains(&kind) && channel.is_none_or(|channel| name(channel.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: &Filter, kind: WebhookEvent, channel: &str, want: bool) {
        let name = channel.parse().expect("valid");
        assert_eq!(filter.matches(kind, Some(&name)), want, "{channel}");
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
    fn what_is_about_no_channel_is_not_filtered_by_one() {
        let filter = Filter {
            events: vec![WebhookEvent::UserOnline],
            prefix: "job-".into(),
            suffix: String::new(),
        };
        assert!(filter.matches(WebhookEvent::UserOnline, None));
        assert!(!filter.matches(WebhookEvent::UserOffline, None));
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
