//! The `info` parameter: what is told of a channel besides its being there.

use serde_json::{Map, Value};

use super::error::ApiError;
use crate::{
    channel::Counts,
    domain::{ChannelKind, ChannelName},
};

/// What a request asks to be told of channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Info {
    /// Whether any attribute was asked for.
    pub(super) is_asked: bool,
    /// Distinct users; of presence channels.
    pub(super) user_count: bool,
    /// Subscribed connections.
    pub(super) subscription_count: bool,
    /// What is cached; of one channel.
    pub(super) cache: bool,
}

impl Info {
    /// Reads a comma-separated list of attributes.
    ///
    /// # Errors
    /// When an attribute is unknown.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        let mut info = Self::default();
        let attributes = text.unwrap_or_default().split(',').map(str::trim);
        for attribute in attributes.filter(|attribute| !attribute.is_empty()) {
            match attribute {
                "user_count" => info.user_count = true,
                "subscription_count" => info.subscription_count = true,
                "cache" => info.cache = true,
                unknown => {
                    return Err(ApiError::UnknownInfo(unknown.chars().take(64).collect()));
                }
            }
            info.is_asked = true;
        }
        Ok(info)
    }

    /// Adds the counts that are asked for and apply to the channel.
    pub(super) fn describe(self, channel: &ChannelName, counts: Counts, into: &mut Map<String, Value>) {
        if self.user_count && channel.kind() == ChannelKind::Presence {
            into.insert("user_count".into(), counts.users.into());
        }
        if self.subscription_count {
            into.insert("subscription_count".into(), counts.subscriptions.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: Option<&str>, channel: &str, want: &str) {
        let counts = Counts {
            subscriptions: 3,
            users: 1,
        };
        let mut map = Map::new();
        let info = Info::parse(text).expect("known");
        info.describe(&channel.parse().expect("valid"), counts, &mut map);
        assert_eq!(Value::from(map).to_string(), want);
    }

    #[test]
    fn only_what_is_asked_for_and_applies_is_told() {
        check(None, "presence-a", "{}");
        check(Some(""), "presence-a", "{}");
        check(Some("user_count"), "presence-a", r#"{"user_count":1}"#);
        check(Some("user_count"), "a", "{}");
        check(
            Some("user_count, subscription_count"),
            "presence-a",
            r#"{"subscription_count":3,"user_count":1}"#,
        );
        check(Some("subscription_count"), "a", r#"{"subscription_count":3}"#);
    }

    #[test]
    fn an_unknown_attribute_is_refused() {
        let error = Info::parse(Some("user_count,members")).expect_err("unknown");
        assert_eq!(
            error.to_string(),
            "info should be a comma separated list of attributes, unknown: members"
        );
        assert!(!Info::parse(None).expect("none").is_asked);
        assert!(Info::parse(Some("user_count")).expect("known").is_asked);
    }
}
