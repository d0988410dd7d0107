//! Which events an endpoint asks for.

use serde::{Deserialize, Serialize};

use crate::domain::{ChannelName, ChannelPattern, ChannelPatternError, ChannelPatternSource, WebhookEvent};

/// What an endpoint asks for: kinds of event, of channels that a pattern means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The kinds of event.
    pub events: Vec<WebhookEvent>,
    /// The channels.
    pub channels: ChannelPattern,
}

/// A [`Filter`] as it was written, which is how it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterSource {
    /// The kinds of event.
    pub events: Vec<WebhookEvent>,
    /// The channels.
    pub channels: ChannelPatternSource,
}

impl Filter {
    /// Compiles a filter.
    ///
    /// # Errors
    /// When a pattern for channels is none.
    pub fn new(source: FilterSource) -> Result<Self, ChannelPatternError> {
        Ok(Self {
            events: source.events,
            channels: ChannelPattern::new(source.channels)?,
        })
    }

    /// The filter as it was written.
    #[must_use]
    pub fn source(&self) -> FilterSource {
        FilterSource {
            events: self.events.clone(),
            channels: self.channels.source().clone(),
        }
    }

    /// Tells whether the endpoint asks for an event of this kind and channel. What is about no
    /// channel is not filtered by one.
    #[must_use]
    pub fn matches(&self, kind: WebhookEvent, channel: Option<&ChannelName>) -> bool {
        self.events.contains(&kind) && channel.is_none_or(|channel| self.channels.matches(channel))
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
            channels: ChannelPattern::affixes("job-", ""),
        };
        assert!(filter.matches(WebhookEvent::UserOnline, None));
        assert!(!filter.matches(WebhookEvent::UserOffline, None));
    }

    #[test]
    fn prefix_and_suffix_must_both_match() {
        let filter = Filter {
            events: vec![WebhookEvent::ChannelOccupied],
            channels: ChannelPattern::affixes("job-", "-eu"),
        };
        check(&filter, WebhookEvent::ChannelOccupied, "job-1-eu", true);
        check(&filter, WebhookEvent::ChannelOccupied, "job-1-us", false);
        check(&filter, WebhookEvent::ChannelOccupied, "my-job-1-eu", false);
        check(&filter, WebhookEvent::ChannelVacated, "job-1-eu", false);
    }

    #[test]
    fn a_filter_is_stored_as_it_was_written() {
        let filter = Filter {
            events: vec![WebhookEvent::ChannelOccupied, WebhookEvent::CacheMiss],
            channels: ChannelPattern::affixes("job-", ""),
        };
        let stored = serde_json::to_string(&filter.source()).expect("plain");
        assert!(stored.starts_with(r#"{"events":["channel_occupied","cache_miss"],"channels":{"#));
        let source: FilterSource = serde_json::from_str(&stored).expect("stored");
        assert_eq!(Filter::new(source), Ok(filter));
        assert_eq!(Filter::new(FilterSource::default()), Ok(Filter::default()));
    }

    #[test]
    fn a_source_that_holds_no_pattern_is_refused() {
        let mut source = FilterSource::default();
        source.channels.only.regex = vec!["(".into()];
        let error = ChannelPatternError::Regex("unclosed group".into());
        assert_eq!(Filter::new(source), Err(error));
    }
}
