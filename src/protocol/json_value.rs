//! The members of a JSON object as they were written, and what is wrong with one in words.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json_string::{JsonString, StringError};

/// The kind of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// `{…}`.
    Object,
    /// `[…]`.
    Array,
    /// `"…"`.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
}

/// Why no object could be read from a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// It is not valid JSON.
    #[error("{0}")]
    NoJson(String),
    /// It is another kind of value.
    #[error("it is {0}")]
    Kind(JsonKind),
    /// It has a member twice.
    #[error("it has {0} twice")]
    Twice(&'static str),
}

impl ObjectError {
    /// Says what is wrong with a text that must be an object, in the hosted service's words.
    #[must_use]
    pub fn demand(&self) -> String {
        match self {
            Self::Kind(_) => "it must be a JSON object".to_owned(),
            Self::NoJson(what) => format!("it must be a JSON object: {what}"),
            Self::Twice(_) => self.to_string(),
        }
    }
}

/// Why a field or its value is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// It is another kind of value.
    #[error("{field} must be {must}, not {got}")]
    Kind {
        /// The field, like `data.channel`.
        field: &'static str,
        /// What it must be.
        must: &'static str,
        /// What it is.
        got: JsonKind,
    },
    /// It is a string with an invalid escape.
    #[error("{field} is not a valid string: {error}")]
    String {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        error: StringError,
    },
    /// It is, or holds, an object that could not be read.
    #[error("{field} must be {must}: {error}")]
    Object {
        /// The field.
        field: &'static str,
        /// What it must be.
        must: &'static str,
        /// What is wrong with it.
        error: ObjectError,
    },
    /// The message has a field twice.
    #[error("Message has {0} twice")]
    Twice(&'static str),
}

impl JsonKind {
    /// The kind of a JSON text, which may begin with whitespace.
    #[must_use]
    pub fn of(json: &str) -> Self {
        match json.trim_start().as_bytes().first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'"') => Self::String,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number,
        }
    }
}

impl fmt::Display for JsonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Null => "null",
        })
    }
}

/// The values of these members of an object, as they were written. A null member counts as absent; others are
/// ignored.
///
/// # Errors
/// When the text is not valid JSON, is not an object, or has one of the members twice.
pub fn members<'a, const N: usize>(
    json: &'a str,
    names: [&'static str; N],
) -> Result<[Option<&'a RawValue>; N], ObjectError> {
    let kind = JsonKind::of(json);
    if kind != JsonKind::Object {
        let error = serde_json::from_str::<IgnoredAny>(json).err();
        return Err(error.map_or(ObjectError::Kind(kind), |error| ObjectError::NoJson(error.to_string())));
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let read = deserializer.deserialize_map(Members { names: &names });
    let read = read.and_then(|read| deserializer.end().map(|()| read));
    let Read { values, twice } = read.map_err(|error| ObjectError::NoJson(error.to_string()))?;
    match twice {
        Some(name) => Err(ObjectError::Twice(name)),
        None => Ok(values.map(|value| value.filter(|raw| raw.get() != "null"))),
    }
}

/// The text of a field that must be a string.
///
/// # Errors
/// When it is not a string, or has an invalid escape.
pub(super) fn string<'a>(field: &'static str, raw: &'a RawValue) -> Result<Cow<'a, str>, ValueError> {
    string_or(field, "a string", raw)
}

/// The same, for a field with a fuller description of what it must be.
///
/// # Errors
/// When it is not a string, or has an invalid escape.
pub(super) fn string_or<'a>(
    field: &'static str,
    must: &'static str,
    raw: &'a RawValue,
) -> Result<Cow<'a, str>, ValueError> {
    match JsonString::of_token(raw.get()) {
        Ok(string) => Ok(string.decode()),
        Err(StringError::Kind(got)) => Err(ValueError::Kind { field, must, got }),
        Err(error @ StringError::HalfCharacter { .. }) => Err(ValueError::String { field, error }),
    }
}

struct Read<'a, const N: usize> {
    values: [Option<&'a RawValue>; N],
    twice: Option<&'static str>,
}

struct Members<'n, const N: usize> {
    names: &'n [&'static str; N],
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = Read<'de, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read<'de, N>, A::Error> {
        let mut values = [None; N];
        let mut twice = None;
        while let Some(place) = map.next_key_seed(Place { names: self.names })? {
            let Some(place) = place else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if values[place].replace(map.next_value()?).is_some() {
                twice = Some(self.names[place]);
            }
        }
        Ok(Read { values, twice })
    }
}

/// Reads a name. Gives its place among the requested ones.
struct Place<'n> {
    names: &'n [&'static str],
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.names.iter().position(|known| *known == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, want: Result<[Option<&str>; 2], &str>) {
        let got = members(json, ["a", "b"]);
        let got = got.map(|values| values.map(|value| value.map(RawValue::get)));
        assert_eq!(
            got.map_err(|error| error.to_string()),
            want.map_err(str::to_owned),
            "{json}"
        );
    }

    #[test]
    fn the_values_are_given_as_they_were_written() {
        check(
            r#" {"a": {"x" :1},"b":"\u0041"} "#,
            Ok([Some(r#"{"x" :1}"#), Some(r#""\u0041""#)]),
        );
        check(r#"{"c":[1],"\u0062":7,"c":2}"#, Ok([None, Some("7")]));
        check(r#"{"a":null}"#, Ok([None, None]));
        check("{}", Ok([None, None]));
    }

    #[test]
    fn what_is_no_object_is_said() {
        check("[1]", Err("it is an array"));
        check(" \"x\"", Err("it is a string"));
        check("-7", Err("it is a number"));
        check("false", Err("it is a boolean"));
        check("null", Err("it is null"));
        check("", Err("EOF while parsing a value at line 1 column 0"));
        check("[1", Err("EOF while parsing a list at line 1 column 2"));
        check("{\"a\":1} x", Err("trailing characters at line 1 column 9"));
        check("{\"a\":tru}", Err("expected ident at line 1 column 9"));
    }

    #[test]
    fn a_member_that_stands_twice_is_named() {
        check(r#"{"b":1,"a":2,"b":null}"#, Err("it has b twice"));
    }

    #[test]
    fn a_string_says_what_is_wrong_with_it() {
        let check = |json: &str, want: Result<&str, &str>| {
            let raw: &RawValue = serde_json::from_str(json).expect(json);
            let got = string("data.auth", raw).map_err(|error| error.to_string());
            assert_eq!(got.as_deref(), want.map_err(str::to_owned).as_deref(), "{json}");
        };
        check(r#""a\n""#, Ok("a\n"));
        check("5", Err("data.auth must be a string, not a number"));
        check("{}", Err("data.auth must be a string, not an object"));
        check(
            r#""ab\ud83dc""#,
            Err(r"data.auth is not a valid string: \ud83d at byte 2 of it is half of a character"),
        );
    }
}
