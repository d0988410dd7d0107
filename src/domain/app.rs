//! What names an application: its id in API paths, its key on the wire.

use std::{fmt, str::FromStr, sync::Arc};

use super::limits::APP_ID_BYTES_MAX;

/// The id of an app, as it stands in API paths: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(Arc<str>);

/// Why a text is no app id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppIdError {
    /// The text is empty.
    #[error("app id is empty")]
    Empty,
    /// The text is longer than [`APP_ID_BYTES_MAX`].
    #[error("app id is {len} bytes, limit is {APP_ID_BYTES_MAX}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The text holds a character outside `A-Z a-z 0-9 _ -`.
    #[error("app id has forbidden character {0:?}, allowed are A-Z a-z 0-9 _ -")]
    Forbidden(char),
}

impl AppId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppId {
    type Err = AppIdError;

    fn from_str(raw: &str) -> Result<Self, AppIdError> {
        if raw.is_empty() {
            return Err(AppIdError::Empty);
        }
        if APP_ID_BYTES_MAX < raw.len() {
            return Err(AppIdError::TooLong { len: raw.len() });
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if let Some(bad) = raw.chars().find(|c| !allowed(c)) {
            return Err(AppIdError::Forbidden(bad));
        }
        Ok(Self(raw.into()))
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppId({})", self.0)
    }
}

/// The public key of an app: an opaque text without control characters, `/`, `:` or `?`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppKey(Arc<str>);

/// Why a text is no app key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppKeyError {
    /// The text is empty.
    #[error("app key is empty")]
    Empty,
    /// The text holds a character that would end it in a URL or in an `auth` string.
    #[error("app key has forbidden character {0:?}")]
    Forbidden(char),
}

impl AppKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppKey {
    type Err = AppKeyError;

    fn from_str(raw: &str) -> Result<Self, AppKeyError> {
        if raw.is_empty() {
            return Err(AppKeyError::Empty);
        }
        let forbidden =
            |c: &char| c.is_control() || c.is_whitespace() || matches!(c, '/' | ':' | '?' | '#' | '%' | '&');
        match raw.chars().find(forbidden) {
            Some(bad) => Err(AppKeyError::Forbidden(bad)),
            None => Ok(Self(raw.into())),
        }
    }
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppKey({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_id(raw: &str, want: Result<(), AppIdError>) {
        let got = raw.parse::<AppId>();
        assert_eq!(got.as_ref().map(|_| ()), want.as_ref().map(|_| ()), "{raw}");
        match got {
            Ok(id) => assert_eq!((id.as_str(), id.to_string().as_str()), (raw, raw)),
            Err(error) => assert_eq!(Err(error), want),
        }
    }

    #[track_caller]
    fn check_key(raw: &str, want: Result<(), AppKeyError>) {
        let got = raw.parse::<AppKey>();
        assert_eq!(got.as_ref().map(|_| ()), want.as_ref().map(|_| ()), "{raw}");
        match got {
            Ok(key) => assert_eq!((key.as_str(), key.to_string().as_str()), (raw, raw)),
            Err(error) => assert_eq!(Err(error), want),
        }
    }

    #[test]
    fn an_app_id_is_letters_digits_underscore_and_hyphen() {
        check_id("1", Ok(()));
        check_id("shop_EU-2", Ok(()));
        check_id("", Err(AppIdError::Empty));
        check_id("a/b", Err(AppIdError::Forbidden('/')));
        check_id("é", Err(AppIdError::Forbidden('é')));
    }

    #[test]
    fn an_app_id_has_at_most_64_bytes() {
        check_id(&"x".repeat(64), Ok(()));
        check_id(&"x".repeat(65), Err(AppIdError::TooLong { len: 65 }));
    }

    #[test]
    fn an_app_key_is_opaque_but_cannot_break_a_path_or_an_auth_string() {
        check_key("278d425bdf160c739803", Ok(()));
        check_key("key.with=odd@chars", Ok(()));
        check_key("", Err(AppKeyError::Empty));
        for bad in ['/', ':', '?', '#', '%', '&', ' ', '\n', '\0'] {
            check_key(&format!("k{bad}"), Err(AppKeyError::Forbidden(bad)));
        }
    }

    #[test]
    fn debug_shows_the_kind_of_name() {
        let id: AppId = "1".parse().expect("valid");
        let key: AppKey = "k".parse().expect("valid");
        assert_eq!(format!("{id:?} {key:?}"), "AppId(1) AppKey(k)");
    }
}
