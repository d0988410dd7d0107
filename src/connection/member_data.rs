//! Reads the `channel_data` of a presence subscription (PROTOCOL.md section 2.7).

use serde_json::value::RawValue;

use crate::{
    domain::{AppLimits, Member, UserId, UserIdError},
    protocol::{JsonString, ObjectError, StringError, SubscriptionErrorType, members},
};

/// Why a `channel_data` names no member, as the client is told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberDataError {
    /// It is not a JSON object, or one that cannot be read.
    #[error("channel_data supplied to presence subscription is invalid - {}", .0.demand())]
    Object(#[from] ObjectError),
    /// It has no `user_id` that is a text or a number.
    #[error("channel_data must include a user_id that is a string or a number")]
    UserIdMissing,
    /// The `user_id` is not valid text.
    #[error("user_id supplied to presence subscription is invalid: {0}")]
    UserIdText(StringError),
    /// The `user_id` is not allowed.
    #[error("user_id supplied to presence subscription is invalid: {0}")]
    UserId(#[from] UserIdError),
    /// The `user_info` is not an object.
    #[error("user_info supplied to presence subscription is invalid - if supplied it must be a type of hash")]
    UserInfoNotAnObject,
    /// The `user_info` is too long.
    #[error("user_info supplied to presence subscription is invalid: user_info is {len} bytes, limit is {limit}")]
    UserInfoTooLong {
        /// Its length in bytes.
        len: usize,
        /// The most that the app allows.
        limit: usize,
    },
}

impl MemberDataError {
    /// The configuration key that sets the limit, if one does.
    #[must_use]
    pub const fn setting(&self) -> Option<&'static str> {
        match self {
            Self::UserInfoTooLong { .. } => Some("limits.user_info"),
            Self::UserId(UserIdError::TooLong { .. }) => Some("limits.user_id"),
            Self::Object(_)
            | Self::UserIdMissing
            | Self::UserIdText(_)
            | Self::UserId(UserIdError::Empty)
            | Self::UserInfoNotAnObject => None,
        }
    }

    /// The class of the refusal.
    #[must_use]
    pub const fn kind(&self) -> SubscriptionErrorType {
        // The settings that decide are the limits of a member.
        match self.setting() {
            Some(_) => SubscriptionErrorType::MemberTooLarge,
            None => SubscriptionErrorType::AuthError,
        }
    }
}

/// Reads who a subscription stands for. A number becomes its decimal text; `user_info` stays as it
/// came.
pub(super) fn member(channel_data: &str, limits: &AppLimits) -> Result<Member, MemberDataError> {
    let [user_id, user_info] = members(channel_data, ["user_id", "user_info"])?;
    let raw_id = user_id.map_or("", RawValue::get);
    let user_id = match raw_id.as_bytes().first() {
        Some(b'"') => {
            let text = JsonString::of_token(raw_id).map_err(MemberDataError::UserIdText)?;
            text.decode()
        }
        Some(b'0'..=b'9' | b'-') => raw_id.into(),
        Some(_) | None => return Err(MemberDataError::UserIdMissing),
    };
    let user_info = user_info.map(RawValue::get);
    if user_info.is_some_and(|info| !info.starts_with('{')) {
        return Err(MemberDataError::UserInfoNotAnObject);
    }
    let user_id: UserId = user_id.parse()?;
    limits.check_user_id(&user_id)?;
    let (len, limit) = (user_info.map_or(0, str::len), limits.user_info_bytes);
    if limit < len {
        return Err(MemberDataError::UserInfoTooLong { len, limit });
    }
    Ok(Member::new(user_id, user_info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(channel_data: &str, want: Result<(&str, Option<&str>), MemberDataError>) {
        let got = member(channel_data, &AppLimits::default());
        let got = got
            .as_ref()
            .map(|member| (member.user_id().as_str(), member.user_info()));
        assert_eq!(got, want.as_ref().map(|want| *want), "{channel_data}");
    }

    #[test]
    fn a_user_id_is_a_text_or_a_number_that_becomes_one() {
        check(r#"{"user_id":"7"}"#, Ok(("7", None)));
        check(r#"{"user_id":10}"#, Ok(("10", None)));
        check(r#"{"user_id":-1}"#, Ok(("-1", None)));
        check(r#"{"user_id":"a\"b"}"#, Ok(("a\"b", None)));
        for bad in ["{}", r#"{"user_id":null}"#, r#"{"user_id":true}"#, r#"{"user_id":{}}"#] {
            check(bad, Err(MemberDataError::UserIdMissing));
        }
        check(r#"{"user_id":""}"#, Err(MemberDataError::UserId(UserIdError::Empty)));
        let half = StringError::HalfCharacter {
            escape: r"\ud800".to_owned(),
            at: 0,
        };
        check(r#"{"user_id":"\ud800"}"#, Err(MemberDataError::UserIdText(half)));
    }

    #[test]
    fn a_user_id_is_at_most_as_long_as_the_app_allows() {
        check(
            &format!(r#"{{"user_id":"{}"}}"#, "x".repeat(128)),
            Ok((&"x".repeat(128), None)),
        );
        let (len, limit) = (129, 128);
        check(
            &format!(r#"{{"user_id":"{}"}}"#, "x".repeat(129)),
            Err(MemberDataError::UserId(UserIdError::TooLong { len, limit })),
        );
    }

    #[test]
    fn user_info_is_an_object_kept_as_it_came() {
        check(
            r#"{"user_id":"7","user_info":{ "name": "A" }}"#,
            Ok(("7", Some(r#"{ "name": "A" }"#))),
        );
        check(r#"{"user_id":"7","user_info":null}"#, Ok(("7", None)));
        for bad in ["7", "\"x\"", "[1]"] {
            check(
                &format!(r#"{{"user_id":"7","user_info":{bad}}}"#),
                Err(MemberDataError::UserInfoNotAnObject),
            );
        }
        let longest = format!(r#"{{"a":"{}"}}"#, "x".repeat(1_016));
        check(
            &format!(r#"{{"user_id":"7","user_info":{longest}}}"#),
            Ok(("7", Some(&longest))),
        );
        check(
            &format!(r#"{{"user_id":"7","user_info":{{"a":"{}"}}}}"#, "x".repeat(1_017)),
            Err(MemberDataError::UserInfoTooLong {
                len: 1_025,
                limit: 1_024,
            }),
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let check_refused = |channel_data: &str, want: &str| {
            let got = member(channel_data, &AppLimits::default()).map_err(|error| error.to_string());
            let invalid = "channel_data supplied to presence subscription is invalid";
            assert_eq!(got, Err(format!("{invalid} - {want}")), "{channel_data}");
        };
        for bad in ["7", "[]", r#"["7",{"a":1}]"#, "null"] {
            check_refused(bad, "it must be a JSON object");
        }
        check_refused(
            "{",
            "it must be a JSON object: EOF while parsing an object at line 1 column 1",
        );
    }

    #[test]
    fn a_member_that_is_named_twice_is_refused_by_name() {
        check(
            r#"{"user_id":"7","user_id":"8"}"#,
            Err(ObjectError::Twice("user_id").into()),
        );
        assert_eq!(
            MemberDataError::from(ObjectError::Twice("user_id")).to_string(),
            "channel_data supplied to presence subscription is invalid - it has user_id twice"
        );
    }
}
