//! Members of presence channels (PROTOCOL.md section 2.7).

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use super::limits::USER_ID_CHARS_CEILING;

/// The id of a user, chosen by the application: characters of any kind, at most
/// [`USER_ID_CHARS_CEILING`]; an app allows fewer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

/// Why a text is no user id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserIdError {
    /// The text is empty.
    #[error("user_id is empty")]
    Empty,
    /// The text is too long.
    #[error("user_id is {len} characters, limit is {limit}")]
    TooLong {
        /// Its length in characters.
        len: usize,
        /// The most that is allowed.
        limit: usize,
    },
}

impl UserId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = UserIdError;

    fn from_str(raw: &str) -> Result<Self, UserIdError> {
        if raw.is_empty() {
            return Err(UserIdError::Empty);
        }
        let len = raw.chars().count();
        let limit = USER_ID_CHARS_CEILING;
        if limit < len {
            return Err(UserIdError::TooLong { len, limit });
        }
        Ok(Self(raw.into()))
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserId({})", self.0)
    }
}

/// Who a subscription to a presence channel stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    user_id: UserId,
    user_info: Option<Arc<str>>,
}

impl Member {
    /// Makes a member of a user and of its `user_info`, which is the text of a JSON object.
    #[must_use]
    pub fn new(user_id: UserId, user_info: Option<&str>) -> Self {
        Self {
            user_id,
            user_info: user_info.map(Into::into),
        }
    }

    /// Whom it stands for.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// What the application says of the user: the text of a JSON object, as it came.
    #[must_use]
    pub fn user_info(&self) -> Option<&str> {
        self.user_info.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, want: Result<(), UserIdError>) {
        let got = raw.parse::<UserId>();
        if let Ok(id) = &got {
            assert_eq!((id.as_str(), id.to_string().as_str()), (raw, raw));
            assert_eq!(format!("{id:?}"), format!("UserId({raw})"));
        }
        assert_eq!(got.map(|_| ()), want, "{raw}");
    }

    #[test]
    fn a_user_id_is_1_to_1024_characters() {
        check("ą§¶™€łü€ß£", Ok(()));
        check("", Err(UserIdError::Empty));
        check(&"é".repeat(1_024), Ok(()));
        let (len, limit) = (1_025, 1_024);
        check(&"é".repeat(1_025), Err(UserIdError::TooLong { len, limit }));
    }

    #[test]
    fn user_info_is_kept_as_it_came() {
        let user: UserId = "7".parse().expect("valid");
        let member = Member::new(user.clone(), Some("{ \"a\":1}"));
        assert_eq!((member.user_id(), member.user_info()), (&user, Some("{ \"a\":1}")));
        assert_eq!(Member::new(user, None).user_info(), None);
    }
}
