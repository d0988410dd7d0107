//! Channel names and the kind that their prefix gives them (PROTOCOL.md sections 2.1 and 2.2).

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use super::limits::CHANNEL_NAME_BYTES_CEILING;

/// The name of a channel: `A-Z a-z 0-9 _ - = @ , . ;`, or `#server-to-user-` and a user id of the
/// same alphabet. It has at most [`CHANNEL_NAME_BYTES_CEILING`] bytes; an app allows fewer. Cloning
/// it copies a pointer.
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
    /// `#server-to-user-{id}`: for the connections that signed in as the user. It is in no list and
    /// makes no webhook.
    ServerToUser,
}

/// What the channel of a user begins with, before the user's id.
pub const SERVER_TO_USER: &str = "#server-to-user-";

/// Why a text is no channel name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelNameError {
    /// The text is empty.
    #[error("channel name is empty")]
    Empty,
    /// The text is too long.
    #[error("channel name is {len} bytes, limit is {limit}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The most that is allowed.
        limit: usize,
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
        } else if self.0.starts_with(SERVER_TO_USER) {
            ChannelKind::ServerToUser
        } else {
            ChannelKind::Public
        }
    }

    /// Whether the channel keeps its last event for those who subscribe later.
    #[must_use]
    pub fn is_cache(&self) -> bool {
        let prefixes = [
            "cache-",
            "private-cache-",
            "private-encrypted-cache-",
            "presence-cache-",
        ];
        prefixes.into_iter().any(|prefix| self.0.starts_with(prefix))
    }

    /// The id of the user whose channel this is, of a [`ChannelKind::ServerToUser`].
    #[must_use]
    pub fn server_to_user(&self) -> Option<&str> {
        self.0.strip_prefix(SERVER_TO_USER)
    }
}

impl FromStr for ChannelName {
    type Err = ChannelNameError;

    fn from_str(raw: &str) -> Result<Self, ChannelNameError> {
        if raw.is_empty() {
            return Err(ChannelNameError::Empty);
        }
        if CHANNEL_NAME_BYTES_CEILING < raw.len() {
            return Err(ChannelNameError::TooLong {
                len: raw.len(),
                limit: CHANNEL_NAME_BYTES_CEILING,
            });
        }
        let plain = raw.strip_prefix(SERVER_TO_USER).unwrap_or(raw);
        if plain.is_empty() {
            return Err(ChannelNameError::Empty);
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '=' | '@' | ',' | '.' | ';');
        if let Some(bad) = plain.chars().find(|c| !allowed(c)) {
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
        check("#news", Err(ChannelNameError::Forbidden('#')));
        check("caf\u{e9}", Err(ChannelNameError::Forbidden('\u{e9}')));
        check("a b", Err(ChannelNameError::Forbidden(' ')));
        check("", Err(ChannelNameError::Empty));
    }

    #[test]
    fn a_name_over_1024_bytes_is_refused() {
        check(&"x".repeat(1_024), Ok(ChannelKind::Public));
        let (len, limit) = (1_025, 1_024);
        check(&"x".repeat(1_025), Err(ChannelNameError::TooLong { len, limit }));
    }

    #[test]
    fn the_channel_of_a_user_bears_the_users_id() {
        check("#server-to-user-a;1", Ok(ChannelKind::ServerToUser));
        check("#server-to-user-", Err(ChannelNameError::Empty));
        check("#server-to-user-#", Err(ChannelNameError::Forbidden('#')));
        check("#server-to-users-1", Err(ChannelNameError::Forbidden('#')));
        let user = |raw: &str| raw.parse::<ChannelName>().ok()?.server_to_user().map(str::to_owned);
        assert_eq!(user("#server-to-user-a;1"), Some("a;1".into()));
        assert_eq!(user("news"), None);
    }

    #[test]
    fn a_cache_channel_has_cache_after_its_kind() {
        let is_cache = |raw: &str| raw.parse::<ChannelName>().is_ok_and(|name| name.is_cache());
        for name in [
            "cache-a",
            "private-cache-a",
            "private-encrypted-cache-a",
            "presence-cache-a",
        ] {
            assert!(is_cache(name), "{name}");
        }
        for name in [
            "cachefoo",
            "cache",
            "mycache-x",
            "private-cache",
            "private-x-cache-",
            "Cache-a",
        ] {
            assert!(!is_cache(name), "{name}");
        }
    }

    #[test]
    fn the_error_states_the_limit_and_the_value() {
        let error = "x".repeat(2_000).parse::<ChannelName>().expect_err("too long");
        assert_eq!(error.to_string(), "channel name is 2000 bytes, limit is 1024");
        assert_eq!(format!("{:?}", "a".parse::<ChannelName>()), "Ok(ChannelName(a))");
    }
}
