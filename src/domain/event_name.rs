//! The name of an event that is published or sent by a client.

use std::{fmt, str::FromStr};

use super::limits::EVENT_NAME_CHARS_MAX;

/// The name of an event: 1 to 200 characters of any kind.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EventName(Box<str>);

/// Why a text is no event name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventNameError {
    /// The text is empty.
    #[error("event name is empty")]
    Empty,
    /// The text is longer than [`EVENT_NAME_CHARS_MAX`].
    #[error("event name is {len} characters, limit is {EVENT_NAME_CHARS_MAX}")]
    TooLong {
        /// Its length in characters.
        len: usize,
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
        if EVENT_NAME_CHARS_MAX < len {
            return Err(EventNameError::TooLong { len });
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
    fn an_event_name_is_1_to_200_characters() {
        check("order-shipped", Ok(()));
        check("", Err(EventNameError::Empty));
        check(&"ż".repeat(200), Ok(()));
        check(&"ż".repeat(201), Err(EventNameError::TooLong { len: 201 }));
    }
}
