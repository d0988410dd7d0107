//! Reads the `user_data` of a sign-in (PROTOCOL.md sections 4.1 and 4.3).

use std::{collections::HashSet, sync::Arc};

use ahash::RandomState;
use serde_json::value::RawValue;

use crate::{
    domain::{AppLimits, UserId, UserIdError},
    protocol::{JsonString, ObjectError, StringError, members},
};

/// Who a connection signed in as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInUser {
    /// The id.
    pub user_id: UserId,
    /// What the application says of the user: the text of a JSON object, as it came.
    pub user_info: Option<Arc<str>>,
    /// Whom the connection watches, each once, in the order given.
    pub watchlist: Vec<UserId>,
    /// Whether the list that was given names more users than the limit, so that the last of them
    /// are not in the watchlist.
    pub watchlist_cut: bool,
}

/// Why a `user_data` names no user, as the client is told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserDataError {
    /// It is not a JSON object, or one that cannot be read.
    #[error("user_data supplied to signin is invalid - {}", .0.demand())]
    Object(#[from] ObjectError),
    /// It has no `id`.
    #[error("user_data must include an id that is a non-empty string")]
    IdMissing,
    /// The `id` is not allowed.
    #[error("id supplied to signin is invalid: {0}")]
    Id(SignInIdError),
    /// The `user_info` is no object.
    #[error("user_info supplied to signin is invalid - if supplied it must be a JSON object")]
    UserInfoNotAnObject,
    /// The `user_info` is too long.
    #[error("user_info supplied to signin is invalid: user_info is {len} bytes, limit is {limit}")]
    UserInfoTooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The `watchlist` is no array.
    #[error("watchlist supplied to signin is invalid - if supplied it must be an array of user ids")]
    WatchlistNotAnArray,
    /// An entry of the `watchlist` is not allowed.
    #[error("watchlist supplied to signin is invalid: entry {number}: {error}")]
    Watched {
        /// Which entry, from 1.
        number: usize,
        /// What is wrong with it.
        error: SignInIdError,
    },
}

/// Why a JSON value is no id with which a user could sign in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInIdError {
    /// It is no string.
    #[error("user id must be a string")]
    NotAString,
    /// It is not valid text.
    #[error("user id is not a valid string: {0}")]
    NoText(StringError),
    /// It is longer than the app allows.
    #[error("user id is {len} characters, limit is {limit}")]
    TooLong {
        /// Its length in characters.
        len: usize,
        /// The limit in characters.
        limit: usize,
    },
    /// It holds a character outside the alphabet.
    #[error("user id has forbidden character {0:?}, allowed are A-Z a-z 0-9 _ - = @ , . and ;")]
    Forbidden(char),
    /// It is no id of any user.
    #[error("{0}")]
    UserId(#[from] UserIdError),
}

impl UserDataError {
    /// The configuration key that sets the limit, if one does.
    #[must_use]
    pub const fn setting(&self) -> Option<&'static str> {
        match self {
            Self::UserInfoTooLong { .. } => Some("limits.user_info"),
            Self::Id(SignInIdError::TooLong { .. })
            | Self::Watched {
                error: SignInIdError::TooLong { .. },
                ..
            } => Some("limits.user_id"),
            Self::Object(_)
            | Self::IdMissing
            | Self::Id(_)
            | Self::UserInfoNotAnObject
            | Self::WatchlistNotAnArray
            | Self::Watched { .. } => None,
        }
    }
}

/// Reads who a connection signs in as. Keys that are not known are left to the application; an
/// optional one may be null.
///
/// Of the watchlist the first users count, as many as the limit; what comes after the first user
/// beyond it is not looked at.
pub(super) fn user(user_data: &str, limits: &AppLimits) -> Result<SignedInUser, UserDataError> {
    let [id, info, list] = members(user_data, ["id", "user_info", "watchlist"])?;
    let id = id.ok_or(UserDataError::IdMissing)?;
    let user_id = user_id(id, limits).map_err(UserDataError::Id)?;
    let user_info = info.map(|info| user_info(info, limits)).transpose()?;
    let (watchlist, watchlist_cut) = match list {
        Some(list) => watchlist(list, limits)?,
        None => (Vec::new(), false),
    };
    Ok(SignedInUser {
        user_id,
        user_info,
        watchlist,
        watchlist_cut,
    })
}

fn user_id(raw: &RawValue, limits: &AppLimits) -> Result<UserId, SignInIdError> {
    let id = JsonString::of_token(raw.get()).map_err(|error| match error {
        StringError::Kind(_) => SignInIdError::NotAString,
        StringError::HalfCharacter { .. } => SignInIdError::NoText(error),
    })?;
    let id = id.decode();
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '=' | '@' | ',' | '.' | ';');
    if let Some(bad) = id.chars().find(|c| !allowed(c)) {
        return Err(SignInIdError::Forbidden(bad));
    }
    // All characters are ASCII from here on.
    let (len, limit) = (id.len(), limits.user_id_chars);
    if limit < len {
        return Err(SignInIdError::TooLong { len, limit });
    }
    Ok(id.parse()?)
}

fn user_info(raw: &RawValue, limits: &AppLimits) -> Result<Arc<str>, UserDataError> {
    let info = raw.get();
    if !info.starts_with('{') {
        return Err(UserDataError::UserInfoNotAnObject);
    }
    let (len, limit) = (info.len(), limits.user_info_bytes);
    if limit < len {
        return Err(UserDataError::UserInfoTooLong { len, limit });
    }
    Ok(info.into())
}

/// The distinct users of a list, as many as the limit, and whether there are more.
fn watchlist(raw: &RawValue, limits: &AppLimits) -> Result<(Vec<UserId>, bool), UserDataError> {
    let list: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| UserDataError::WatchlistNotAnArray)?;
    let mut seen: HashSet<UserId, RandomState> = HashSet::default();
    let mut watchlist = Vec::new();
    for (at, entry) in list.into_iter().enumerate() {
        let number = at + 1;
        let id = user_id(entry, limits).map_err(|error| UserDataError::Watched { number, error })?;
        if seen.contains(&id) {
            continue;
        }
        if watchlist.len() == limits.watchlist_users {
            return Ok((watchlist, true));
        }
        seen.insert(id.clone());
        watchlist.push(id);
    }
    Ok((watchlist, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The id, the `user_info`, the watchlist joined with `|` and, when it was cut, `…`.
    type Want<'a> = (&'a str, Option<&'a str>, &'a str);

    /// Reads with the documented limits, but of 3 watched users.
    fn read(user_data: &str) -> Result<SignedInUser, UserDataError> {
        let limits = AppLimits {
            watchlist_users: 3,
            ..AppLimits::default()
        };
        user(user_data, &limits)
    }

    #[track_caller]
    fn check(user_data: &str, want: Want<'_>) {
        let got = read(user_data).expect(user_data);
        let ids: Vec<&str> = got.watchlist.iter().map(UserId::as_str).collect();
        let list = ids.join("|") + if got.watchlist_cut { "…" } else { "" };
        assert_eq!((got.user_id.as_str(), got.user_info.as_deref(), list.as_str()), want);
    }

    #[track_caller]
    fn check_refused(user_data: &str, want: &str) {
        let got = read(user_data).map_err(|error| error.to_string());
        assert_eq!(got, Err(want.to_owned()), "{user_data}");
    }

    #[test]
    fn the_documented_user_data_is_read() {
        check(
            r#"{"id":"45678","user_info":{"name":"A"},"watchlist":["b","c"]}"#,
            ("45678", Some(r#"{"name":"A"}"#), "b|c"),
        );
        check(r#" {"id":"12345"}"#, ("12345", None, ""));
        check(r#"{"id":"55555","user_name":"test"}"#, ("55555", None, ""));
        check(r#"{"id":"1","user_info":null,"watchlist":null}"#, ("1", None, ""));
    }

    #[test]
    fn an_id_is_a_string_of_the_documented_alphabet() {
        check(r#"{"id":"azAZ09_-=@,.;"}"#, ("azAZ09_-=@,.;", None, ""));
        check(r#"{"id":"\u0061b"}"#, ("ab", None, ""));
        let missing = "user_data must include an id that is a non-empty string";
        check_refused("{}", missing);
        check_refused(r#"{"id":null}"#, missing);
        for bad in ["7", "true", "{}", "[\"a\"]"] {
            check_refused(
                &format!(r#"{{"id":{bad}}}"#),
                "id supplied to signin is invalid: user id must be a string",
            );
        }
        check_refused(
            r#"{"id":"a\ud800"}"#,
            r"id supplied to signin is invalid: user id is not a valid string: \ud800 at byte 1 of it is half of a character",
        );
        check_refused(r#"{"id":""}"#, "id supplied to signin is invalid: user_id is empty");
        for (id, bad) in [("a b", ' '), ("a/b", '/'), ("é", 'é'), ("#a", '#'), ("a:b", ':')] {
            check_refused(
                &format!(r#"{{"id":"{id}"}}"#),
                &format!(
                    "id supplied to signin is invalid: user id has forbidden character {bad:?}, \
                     allowed are A-Z a-z 0-9 _ - = @ , . and ;"
                ),
            );
        }
    }

    #[test]
    fn an_id_has_at_most_as_many_characters_as_the_app_allows() {
        let id = "x".repeat(128);
        check(&format!(r#"{{"id":"{id}"}}"#), (&id, None, ""));
        check_refused(
            &format!(r#"{{"id":"{id}x"}}"#),
            "id supplied to signin is invalid: user id is 129 characters, limit is 128",
        );
        let limits = AppLimits {
            user_id_chars: 3,
            ..AppLimits::default()
        };
        assert_eq!(
            user(r#"{"id":"abcd"}"#, &limits),
            Err(UserDataError::Id(SignInIdError::TooLong { len: 4, limit: 3 }))
        );
    }

    #[test]
    fn user_info_is_an_object_of_up_to_1024_bytes_kept_as_it_came() {
        check(
            r#"{"id":"7","user_info":{ "name": "A" }}"#,
            ("7", Some(r#"{ "name": "A" }"#), ""),
        );
        for bad in ["7", "\"x\"", "[1]"] {
            check_refused(
                &format!(r#"{{"id":"7","user_info":{bad}}}"#),
                "user_info supplied to signin is invalid - if supplied it must be a JSON object",
            );
        }
        let info = |chars| format!(r#"{{"a":"{}"}}"#, "x".repeat(chars));
        let with = |info: &str| format!(r#"{{"id":"7","user_info":{info}}}"#);
        check(&with(&info(1_016)), ("7", Some(&info(1_016)), ""));
        check_refused(
            &with(&info(1_017)),
            "user_info supplied to signin is invalid: user_info is 1025 bytes, limit is 1024",
        );
    }

    #[test]
    fn of_a_watchlist_the_first_distinct_users_count_up_to_the_limit() {
        let with = |list: &str| format!(r#"{{"id":"7","watchlist":[{list}]}}"#);
        check(&with(""), ("7", None, ""));
        check(&with(r#""c","a","b""#), ("7", None, "c|a|b"));
        check(&with(r#""c","c","a","b","a","b","c""#), ("7", None, "c|a|b"));
        check(&with(r#""c","c","a","b","d""#), ("7", None, "c|a|b…"));
        check(&with(r#""a","b","c","d",7,"e""#), ("7", None, "a|b|c…"));
    }

    #[test]
    fn a_watchlist_holds_ids_with_which_a_user_could_sign_in() {
        for bad in ["\"a\"", "{}", "7"] {
            check_refused(
                &format!(r#"{{"id":"7","watchlist":{bad}}}"#),
                "watchlist supplied to signin is invalid - if supplied it must be an array of user ids",
            );
        }
        check_refused(
            r#"{"id":"7","watchlist":["a",8]}"#,
            "watchlist supplied to signin is invalid: entry 2: user id must be a string",
        );
        check_refused(
            r#"{"id":"7","watchlist":[""]}"#,
            "watchlist supplied to signin is invalid: entry 1: user_id is empty",
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let want = "user_data supplied to signin is invalid - it must be a JSON object";
        for bad in ["7", "[]", "null", r#"["7",null,null]"#] {
            check_refused(bad, want);
        }
        check_refused(
            "{\"id\":\"7\"} x",
            &format!("{want}: trailing characters at line 1 column 12"),
        );
        check_refused(
            r#"{"id":"7","id":"8"}"#,
            "user_data supplied to signin is invalid - it has id twice",
        );
    }
}
