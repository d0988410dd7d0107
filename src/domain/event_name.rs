//! The name of an event that is published or sent by a client.

use std::{fmt, str::FromStr};

use super::limits::EVENT_NAME_CHARS_CEILING;

/// The name of an event: characters of any kind, at most [`EVENT_NAME_CHARS_CEILING`]; an app allows
/// fewer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EventName(Box<str>);

/// Why a text is no event name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventNameError {
    /// The text is empty.
    #[error("event name is empty")]
    Empty,
    /// The text is too long.
    #[error("event name is {len} characters, limit is {limit}")]
    TooLong {
        /// Its length in characters.
        len: usize,
        /// The most that is allowed.
        limit: usize,
    },
}

impl EventName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventName {
    type Err = EventNameError;

    fn from_str(raw: &str) -> Result<Self, EventNameError> {
        if raw.is_empty() {
            return Err(EventNameError::Empty);
        }
        let len = raw.chars().count();
        if EVENT_NAME_CHARS_CEILING < len {
            let limit = EVENT_NAME_CHARS_CEILING;
            return Err(EventNameError::TooLong { len, limit });
        }
        Ok(Self(raw.into()))
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventName({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, want: Result<(), EventNameError>) {
        let got = raw.parse::<EventName>();
        if let Ok(name) = &got {
            assert_eq!((name.as_str(), name.to_string().as_str()), (raw, raw));
            assert_eq!(format!("{name:?}"), format!("EventName({raw})"));
        }
        assert_eq!(got.map(|_| ()), want, "{raw}");
    }

    #[test]
    fn an_event_name_is_1_to_1024_characters() {
        check("order-shipped", Ok(()));
        check("", Err(EventNameError::Empty));
        check(&"ż".repeat(1_024), Ok(()));
        let (len, limit) = (1_025, 1_024);
        check(&"ż".repeat(1_025), Err(EventNameError::TooLong { len, limit }));
    }
}
