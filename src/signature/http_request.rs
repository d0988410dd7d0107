//! The signature of a request to the HTTP API (PROTOCOL.md sections 5.2 and 5.11).

use std::{borrow::Cow, fmt};

use md5::{Digest, Md5};

use crate::domain::AppKey;

use super::{SigningKey, auth::excerpt};

/// A timestamp that is this many seconds or more away from the server's clock has expired.
const TIMESTAMP_GRACE_S: u64 = 600;
/// Most characters of the string to sign that an error repeats; more is cut and ends in `…`.
const STRING_TO_SIGN_CHARS_MAX: usize = 4_096;
/// Most characters of a sent signature or MD5 that an error repeats; more is cut and ends in `…`.
const ECHO_CHARS_MAX: usize = 200;
/// Length of an MD5, in characters of lower-case hex.
const MD5_CHARS: usize = 32;

/// The parameters of a query string, decoded, in the order in which they were sent.
///
/// Names are in lower case (ASCII), as they are signed: `Query` and `query` are one parameter.
/// What needs no decoding is borrowed from the query string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Why a query string cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A name or a value is not UTF-8 after decoding.
    #[error("query parameter {number} is not utf-8 after percent-decoding")]
    NotUtf8 {
        /// Which parameter it is, from 1.
        number: usize,
    },
}

impl<'a> Query<'a> {
    /// Reads the text behind the `?` of a URL as a form: `&` separates, `+` is a space, `%2C` a
    /// comma. A parameter without `=` has an empty value, and a `%` that no two hex digits follow
    /// stands for itself.
    ///
    /// # Errors
    /// When a name or a value is not UTF-8 after decoding.
    pub fn parse(raw: &'a str) -> Result<Self, QueryError> {
        let segments = raw.split('&').filter(|segment| !segment.is_empty());
        let pair = |(index, segment): (usize, &'a str)| {
            let (name, value) = segment.split_once('=').unwrap_or((segment, ""));
            match (form_decode(name), form_decode(value)) {
                (Some(name), Some(value)) => Ok((lower_case(name), value)),
                (None, _) | (_, None) => Err(QueryError::NotUtf8 { number: index + 1 }),
            }
        };
        segments.enumerate().map(pair).collect::<Result<_, _>>().map(Self)
    }

    /// The value of the first parameter of this name, which is given in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The names in lower case with their values, in the order in which they were sent.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// What of the head of a request is signed. Its body is signed by its MD5, in the query string.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequestParts<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path as it was received, not decoded, without the query string.
    pub path: &'a str,
    /// The query string.
    pub query: &'a Query<'a>,
}

/// Why a request is answered with 401, in the words of the hosted service where those are known.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpAuthError {
    /// There is no `auth_key`.
    #[error("Missing parameter: auth_key")]
    KeyMissing,
    /// The `auth_key` is not the key of the app.
    #[error("Unknown auth_key")]
    KeyUnknown,
    /// There is no `auth_version`.
    #[error("Version required")]
    VersionMissing,
    /// The `auth_version` is not `1.0`.
    #[error("Version not supported")]
    VersionUnsupported,
    /// There is no `auth_timestamp`.
    #[error("Timestamp required")]
    TimestampMissing,
    /// The `auth_timestamp` is 600 seconds or more away from the server's clock.
    #[error(
        "Timestamp expired: Given timestamp ({}) not within {TIMESTAMP_GRACE_S}s of server time ({})",
        Iso8601(*.given_s),
        Iso8601(*.now_s)
    )]
    TimestampExpired {
        /// What was sent, in seconds since 1970.
        given_s: u64,
        /// The server's clock, in seconds since 1970.
        now_s: u64,
    },
    /// There is a body but no `body_md5`, so that the body is not signed.
    #[error("Missing parameter: body_md5")]
    BodyMd5Missing,
    /// The `body_md5` is not that of the body.
    #[error("Invalid body_md5: the body has the MD5 {expected}, but you sent {}", Inspect(.sent))]
    BodyMd5Wrong {
        /// The MD5 of the body, in lower-case hex.
        expected: String,
        /// What was sent, at most 200 characters of it.
        sent: String,
    },
    /// The `auth_signature` is missing or wrong.
    #[error(
        "Invalid signature: you should have sent HmacSHA256Hex({}, your_secret_key), but you sent {}",
        Inspect(.string_to_sign),
        InspectOrNil(.sent.as_deref())
    )]
    Signature {
        /// What had to be signed, at most 4096 characters of it.
        string_to_sign: String,
        /// What was sent, at most 200 characters of it.
        sent: Option<String>,
    },
}

/// Checks that a request was signed with the secret of the app, within 600 seconds of `now_s`
/// (seconds since 1970). Its body is not needed for it, and is checked by [`verify_body`].
///
/// The checks are made in this order: key, version, timestamp, signature. The path may have been
/// signed as it was sent or percent-decoded.
///
/// # Errors
/// When a parameter is missing or wrong; the error names the first.
pub fn verify(
    request: &HttpRequestParts<'_>,
    key: &AppKey,
    signing: &SigningKey,
    now_s: u64,
) -> Result<(), HttpAuthError> {
    let query = request.query;
    check_key(query.get("auth_key"), key)?;
    check_version(query.get("auth_version"))?;
    check_timestamp(query.get("auth_timestamp"), now_s)?;
    check_signature(request, signing)
}

/// Checks that the body, as it was received, is the one that a query was signed with.
///
/// # Errors
/// When the MD5 in the query is another, or is missing although there is a body.
pub fn verify_body(query: &Query<'_>, body: &[u8]) -> Result<(), HttpAuthError> {
    let Some(given) = query.get("body_md5") else {
        return if body.is_empty() {
            Ok(())
        } else {
            Err(HttpAuthError::BodyMd5Missing)
        };
    };
    let digest: [u8; 16] = Md5::digest(body).into();
    let mut expected = [0; MD5_CHARS];
    hex::encode_to_slice(digest, &mut expected).expect("the hex of 16 bytes is 32 characters");
    if given.as_bytes() == expected {
        return Ok(());
    }
    Err(HttpAuthError::BodyMd5Wrong {
        expected: hex::encode(digest),
        sent: excerpt(given, ECHO_CHARS_MAX),
    })
}

fn check_key(given: Option<&str>, key: &AppKey) -> Result<(), HttpAuthError> {
    match given {
        None => Err(HttpAuthError::KeyMissing),
        Some(given) if given != key.as_str() => Err(HttpAuthError::KeyUnknown),
        Some(_) => Ok(()),
    }
}

fn check_version(given: Option<&str>) -> Result<(), HttpAuthError> {
    match given {
        None => Err(HttpAuthError::VersionMissing),
        Some("1.0") => Ok(()),
        Some(_) => Err(HttpAuthError::VersionUnsupported),
    }
}

fn check_timestamp(given: Option<&str>, now_s: u64) -> Result<(), HttpAuthError> {
    let given_s = leading_number(given.ok_or(HttpAuthError::TimestampMissing)?);
    if TIMESTAMP_GRACE_S <= given_s.abs_diff(now_s) {
        return Err(HttpAuthError::TimestampExpired { given_s, now_s });
    }
    Ok(())
}

fn check_signature(request: &HttpRequestParts<'_>, signing: &SigningKey) -> Result<(), HttpAuthError> {
    let HttpRequestParts { method, path, query } = *request;
    let sent = query.get("auth_signature");
    let parameters = signed_parameters(query);
    if let Some(sent) = sent {
        let signs = |path: &str| {
            let signed = [method, "\n", path, "\n", &parameters].map(str::as_bytes);
            signing.verify_hex(&signed, sent)
        };
        let signs_decoded = |path| match percent_decode(path) {
            Some(Cow::Owned(decoded)) => signs(&decoded),
            Some(Cow::Borrowed(_)) | None => false,
        };
        if signs(path) || signs_decoded(path) {
            return Ok(());
        }
    }
    let string_to_sign = format!("{method}\n{path}\n{parameters}");
    Err(HttpAuthError::Signature {
        string_to_sign: excerpt(&string_to_sign, STRING_TO_SIGN_CHARS_MAX),
        sent: sent.map(|sent| excerpt(sent, ECHO_CHARS_MAX)),
    })
}

/// The parameters as they are signed: without the signature, sorted by name, not escaped.
///
/// The values of an array, `things[]`, stay in the order in which they were sent, and an array is
/// sorted by its name without the brackets.
fn signed_parameters(query: &Query<'_>) -> String {
    let mut pairs = Vec::with_capacity(query.0.len());
    pairs.extend(query.pairs().filter(|(name, _)| *name != "auth_signature"));
    pairs.sort_by_key(|(name, _)| name.strip_suffix("[]").unwrap_or(name));
    let bytes = pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut signed = String::with_capacity(bytes);
    for (name, value) in pairs {
        if !signed.is_empty() {
            signed.push('&');
        }
        signed.push_str(name);
        signed.push('=');
        signed.push_str(value);
    }
    signed
}

/// The number that the digits at the start of the text make, as Ruby's `to_i` reads it; 0 when
/// there are none. A number that is too large is the largest.
fn leading_number(text: &str) -> u64 {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold(0, |number: u64, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    })
}

fn lower_case(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    name
}

/// Decodes a part of a form; `None` when it is not UTF-8 then.
fn form_decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('+') {
        return percent_decode(raw);
    }
    let spaced = raw.replace('+', " ");
    percent_decode(&spaced).map(|decoded| Cow::Owned(decoded.into_owned()))
}

/// Decodes `%2C` and the like; `None` when the result is not UTF-8.
///
/// A `%` that no two hex digits follow stands for itself. The result is borrowed when there is no
/// `%` at all.
fn percent_decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('%') {
        return Some(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let escaped = if byte == b'%' { escaped_byte(behind) } else { None };
        let (byte, behind) = escaped.unwrap_or((byte, behind));
        decoded.push(byte);
        rest = behind;
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// The byte that two hex digits at the start make, and what follows them.
fn escaped_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, behind) = text.split_first_chunk::<2>()?;
    let mut byte = [0];
    hex::decode_to_slice(digits, &mut byte).ok()?;
    Some((byte[0], behind))
}

/// Shows seconds since 1970 as `2024-01-01T00:00:00Z`.
struct Iso8601(u64);

impl fmt::Display for Iso8601 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Year, month and day of a count of days since 1970 in the Gregorian calendar.
///
/// The algorithm is Howard Hinnant's `civil_from_days`: it counts in years that begin in March, so
/// that the leap day is the last, and in eras of 400 years.
fn civil_from_days(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) = match month_from_march {
        0..=9 => (month_from_march + 3, 0),
        _ => (month_from_march - 9, 1),
    };
    (era * 400 + year_of_era + next_year, month, day)
}

/// Shows a text as Ruby's `inspect` does: in quotes, on one line.
struct Inspect<'a>(&'a str);

impl fmt::Display for Inspect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        let mut characters = self.0.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\u{7}' => f.write_str("\\a")?,
                '\u{8}' => f.write_str("\\b")?,
                '\u{b}' => f.write_str("\\v")?,
                '\u{c}' => f.write_str("\\f")?,
                '\u{1b}' => f.write_str("\\e")?,
                '\u{7f}' => f.write_str("\\x7F")?,
                '#' if matches!(characters.peek(), Some('{' | '$' | '@')) => f.write_str("\\#")?,
                _ if character.is_control() => write!(f, "\\u{:04X}", u32::from(character))?,
                _ => write!(f, "{character}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Shows a text that may be missing as Ruby's `inspect` does.
struct InspectOrNil<'a>(Option<&'a str>);

impl fmt::Display for InspectOrNil<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(text) => Inspect(text).fmt(f),
            None => f.write_str("nil"),
        }
    }
}

#[cfg(test)]
mod tests;
