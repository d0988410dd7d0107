//! Channel names and the kind that their prefix gives them (PROTOCOL.md sections 2.1 and 2.2).

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use super::limits::CHANNEL_NAME_BYTES_MAX;

/// The name of a channel: 1 to 164 of `A-Z a-z 0-9 _ - = @ , . ;`. Cloning it copies a pointer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

/// What a channel asks of its subscribers, decided by the prefix of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelKind {
    /// No prefix: anybody may subscribe.
    Public,
    /// `private-`: a subscription is signed by the application.
    Private,
    /// `private-encrypted-`: as private; the payload is opaque to the server.
    PrivateEncrypted,
    /// `presence-`: as private, and the subscription names a member.
    Presence,
}

/// Why a text is no channel name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelNameError {
    /// The text is empty.
    #[error("channel name is empty")]
    Empty,
    /// The text is longer than [`CHANNEL_NAME_BYTES_MAX`].
    #[error("channel name is {len} bytes, limit is {CHANNEL_NAME_BYTES_MAX}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The text holds a character outside the alphabet.
    #[error("channel name has forbidden character {0:?}, allowed are A-Z a-z 0-9 _ - = @ , . and ;")]
    Forbidden(char),
}

impl ChannelName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind that the prefix gives. Matching is case-sensitive and on the whole prefix.
    #[must_use]
    pub fn kind(&self) -> ChannelKind {
        if self.0.starts_with("private-encrypted-") {
            ChannelKind::PrivateEncrypted
        } else if self.0.starts_with("private-") {
            ChannelKind::Private
        } else if self.0.starts_with("presence-") {
            ChannelKind::Presence
        } else {
            ChannelKind::Public
        }
    }
}

impl FromStr for ChannelName {
    type Err = ChannelNameError;

    fn from_str(raw: &str) -> Result<Self, ChannelNameError> {
        if raw.is_empty() {
            return Err(ChannelNameError::Empty);
        }
        if CHANNEL_NAME_BYTES_MAX < raw.len() {
            return Err(ChannelNameError::TooLong { len: raw.len() });
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '=' | '@' | ',' | '.' | ';');
        if let Some(bad) = raw.chars().find(|c| !allowed(c)) {
            return Err(ChannelNameError::Forbidden(bad));
        }
        Ok(Self(raw.into()))
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelName({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, want: Result<ChannelKind, ChannelNameError>) {
        let got = raw.parse::<ChannelName>();
        if let Ok(name) = &got {
            assert_eq!((name.as_str(), name.to_string().as_str()), (raw, raw));
            let borrowed: &str = name.borrow();
            assert_eq!(borrowed, raw);
        }
        assert_eq!(got.map(|name| name.kind()), want, "{raw}");
    }

    #[test]
    fn the_prefix_decides_the_channel_kind() {
        check("news", Ok(ChannelKind::Public));
        check("private-room", Ok(ChannelKind::Private));
        check("private-encrypted-room", Ok(ChannelKind::PrivateEncrypted));
        check("presence-room", Ok(ChannelKind::Presence));
    }

    #[test]
    fn only_a_whole_prefix_at_the_start_counts() {
        check("private", Ok(ChannelKind::Public));
        check("presence", Ok(ChannelKind::Public));
        check("foo-private-x", Ok(ChannelKind::Public));
        check("Private-x", Ok(ChannelKind::Public));
        check("private-encrypted", Ok(ChannelKind::Private));
        check("private-presence-x", Ok(ChannelKind::Private));
    }

    #[test]
    fn the_alphabet_is_the_documented_one() {
        check("azAZ09_-=@,.;", Ok(ChannelKind::Public));
        check("private-foobar:", Err(ChannelNameError::Forbidden(':')));
        check(":private-foobar", Err(ChannelNameError::Forbidden(':')));
        check("private-foobar\n", Err(ChannelNameError::Forbidden('\n')));
        check("#server-to-user-1", Err(ChannelNameError::Forbidden('#')));
        check("caf\u{e9}", Err(ChannelNameError::Forbidden('\u{e9}')));
        check("a b", Err(ChannelNameError::Forbidden(' ')));
        check("", Err(ChannelNameError::Empty));
    }

    #[test]
    fn a_name_over_164_bytes_is_refused() {
        check(&"x".repeat(164), Ok(ChannelKind::Public));
        check(&"x".repeat(165), Err(ChannelNameError::TooLong { len: 165 }));
    }

    #[test]
    fn the_error_states_the_limit_and_the_value() {
        let error = "x".repeat(200).parse::<ChannelName>().expect_err("too long");
        assert_eq!(error.to_string(), "channel name is 200 bytes, limit is 164");
        assert_eq!(format!("{:?}", "a".parse::<ChannelName>()), "Ok(ChannelName(a))");
    }
}
