//! The id of a webhook endpoint: what its queue, its log and its numbers are kept under.

use std::{fmt, str::FromStr, sync::Arc};

/// The id of a webhook endpoint: 1 to 64 of `A-Z a-z 0-9 _ -`, unique in its app.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId(Arc<str>);

/// A text that is no endpoint id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("endpoint id is 1 to 64 of A-Z a-z 0-9 _ -")]
pub struct EndpointIdError;

impl EndpointId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EndpointId {
    type Err = EndpointIdError;

    fn from_str(raw: &str) -> Result<Self, EndpointIdError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if raw.is_empty() || 64 < raw.len() || !raw.chars().all(allowed) {
            return Err(EndpointIdError);
        }
        Ok(Self(raw.into()))
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, valid: bool) {
        let got = raw.parse::<EndpointId>();
        assert_eq!(got.is_ok(), valid, "{raw}");
        if let Ok(id) = got {
            assert_eq!((id.as_str(), id.to_string().as_str()), (raw, raw));
            assert_eq!(format!("{id:?}"), format!("EndpointId({raw})"));
        }
    }

    #[test]
    fn an_endpoint_id_is_1_to_64_letters_digits_underscores_and_hyphens() {
        check("billing_EU-1", true);
        check(&"x".repeat(64), true);
        check(&"x".repeat(65), false);
        check("", false);
        check("a b", false);
        check("a/b", false);
    }
}
