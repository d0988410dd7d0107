//! A JSON string as it was written, which can go on as it is.

use std::borrow::Cow;

use super::json_value::JsonKind;

/// A JSON string in its quotes, of which nothing was decoded: what a publisher sent is put into the
/// frame as it came, whatever its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonString<'a> {
    token: &'a str,
    decoded_len: usize,
}

/// Why a JSON token is not valid text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StringError {
    /// It is not a string.
    #[error("it is {0}")]
    Kind(JsonKind),
    /// It has half of a surrogate pair.
    #[error("{escape} at byte {at} of it is half of a character")]
    HalfCharacter {
        /// The escape.
        escape: String,
        /// Its offset in bytes, behind the opening quote.
        at: usize,
    },
}

impl<'a> JsonString<'a> {
    /// Takes a token that a JSON parser has accepted.
    ///
    /// # Errors
    /// When it is not a string, or has half of a surrogate pair, which is not valid text.
    pub fn of_token(token: &'a str) -> Result<Self, StringError> {
        let inner = inner(token).ok_or_else(|| StringError::Kind(JsonKind::of(token)))?;
        let decoded_len = decoded_len(inner).map_err(|at| StringError::HalfCharacter {
            escape: inner[at..].chars().take(6).collect(),
            at,
        })?;
        Ok(Self { token, decoded_len })
    }

    /// It in its quotes.
    #[must_use]
    pub const fn token(&self) -> &'a str {
        self.token
    }

    /// How many bytes the text has that it stands for.
    #[must_use]
    pub const fn decoded_len(&self) -> usize {
        self.decoded_len
    }

    /// The text that it stands for.
    #[must_use]
    pub fn decode(&self) -> Cow<'a, str> {
        match inner(self.token) {
            Some(inner) if inner.len() == self.decoded_len => Cow::Borrowed(inner),
            _ => Cow::Owned(serde_json::from_str(self.token).expect("it was checked")),
        }
    }
}

fn inner(token: &str) -> Option<&str> {
    token.strip_prefix('"')?.strip_suffix('"')
}

/// The length of the decoded text in bytes of UTF-8, or the offset of an escape that is not a character.
fn decoded_len(inner: &str) -> Result<usize, usize> {
    let mut len = 0;
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let place = inner.len() - rest.len() + at;
        let (bytes, escape_len) = match rest.as_bytes().get(at + 1) {
            Some(b'u') => unicode(&rest[at..]).ok_or(place)?,
            Some(_) => (1, 2),
            None => return Err(place),
        };
        len += at + bytes;
        rest = rest.get(at + escape_len..).ok_or(place)?;
    }
    Ok(len + rest.len())
}

/// The bytes of the character that `\uXXXX`, or a pair of them, at the start stands for, and the
/// length of what was read.
fn unicode(escape: &str) -> Option<(usize, usize)> {
    let unit = |at: usize| u16::from_str_radix(escape.get(at..at + 4)?, 16).ok();
    let first = unit(2)?;
    if let Ok(character) = char::try_from(u32::from(first)) {
        return Some((character.len_utf8(), 6));
    }
    let second = escape.get(6..8).filter(|start| *start == "\\u").and_then(|_| unit(8))?;
    char::decode_utf16([first, second]).next()?.ok()?;
    Some((4, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(token: &str) {
        let want = serde_json::from_str::<String>(token).ok();
        let got = JsonString::of_token(token).ok();
        assert_eq!(got.map(|got| got.decode().into_owned()), want, "{token}");
        assert_eq!(got.map(|got| got.decoded_len()), want.map(|want| want.len()), "{token}");
        if let Some(got) = got {
            assert_eq!(got.token(), token);
        }
    }

    #[test]
    fn it_stands_for_what_a_json_parser_reads() {
        for token in [
            r#""""#,
            r#""plain""#,
            r#""{\"a\":\"b\\n\"}""#,
            r#""\" \\ \/ \b \f \n \r \t""#,
            r#""\u0041\u00e9\u20AC""#,
            r#""x\ud83d\ude00y\uD83D\uDE00""#,
            r#""€ 😀 é""#,
            r#""\\u0041""#,
        ] {
            check(token);
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        for token in [
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83dx""#,
            r#""\ud83d\n""#,
            r#""\ud83d\u0041""#,
            r#""\ud83d\ud83d""#,
        ] {
            check(token);
        }
        let error = |token| JsonString::of_token(token).map_err(|error| error.to_string());
        assert_eq!(
            error(r#""a\n\ud83d\u0041""#),
            Err(r"\ud83d at byte 3 of it is half of a character".to_owned())
        );
        assert_eq!(
            error(r#""\ude00""#),
            Err(r"\ude00 at byte 0 of it is half of a character".to_owned())
        );
    }

    #[test]
    fn what_is_no_string_says_what_it_is() {
        for (token, kind) in [
            ("7", JsonKind::Number),
            ("null", JsonKind::Null),
            ("{}", JsonKind::Object),
            ("[\"a\"]", JsonKind::Array),
            ("true", JsonKind::Boolean),
        ] {
            assert_eq!(JsonString::of_token(token), Err(StringError::Kind(kind)), "{token}");
        }
    }
}
