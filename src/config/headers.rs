//! The headers that an endpoint adds to its requests.

use super::{
    source::Value,
    values::{self, Wrong},
};

/// Names that we set, or that HTTP frames a request with, in lower case.
const RESERVED: [&str; 14] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];
/// Beginnings of names that we set, in lower case.
const RESERVED_PREFIXES: [&str; 2] = ["x-pusher-", "x-vacancy-"];

/// Why a header cannot be added. It never holds the value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("is no header name, use letters, digits and -")]
    Name,
    #[error("is a header that Vacancy sets itself, remove it")]
    Reserved,
    #[error("is given twice, header names have no case")]
    Twice,
    #[error("has a value with other than visible ASCII characters and spaces between them")]
    Value,
}

/// Reads one header after those that are already `taken`.
pub(super) fn header(name: &str, value: &Value, taken: &[String]) -> Result<(String, String), Wrong> {
    let value = values::text(value)?;
    let lower = name.to_ascii_lowercase();
    if !is_token(name) {
        return Err(HeaderError::Name.into());
    }
    let prefixed = RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
    if prefixed || RESERVED.contains(&lower.as_str()) {
        return Err(HeaderError::Reserved.into());
    }
    if taken.iter().any(|taken| taken.eq_ignore_ascii_case(name)) {
        return Err(HeaderError::Twice.into());
    }
    let visible = value.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if !visible || value.trim() != value {
        return Err(HeaderError::Value.into());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Whether a text is a token of RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: &str, want: Result<(), HeaderError>) {
        let got = header(name, &Value::Text(value.into()), &["X-Taken".into()]);
        let want = want.map(|()| (name.to_owned(), value.to_owned()));
        assert_eq!(got, want.map_err(Wrong::Header), "{name}: {value}");
    }

    #[test]
    fn a_header_is_a_token_and_visible_ascii() {
        check("X-Token", "Bearer abc~!", Ok(()));
        check("authorization", "", Ok(()));
        for name in ["", "a b", "a:", "é", "a\r\nb", "(a)"] {
            check(name, "x", Err(HeaderError::Name));
        }
        for value in [" a", "a ", "a\r\nb", "a\tb", "é", "\0"] {
            check("X-A", value, Err(HeaderError::Value));
        }
    }

    #[test]
    fn a_header_of_ours_is_refused_in_any_case() {
        for name in [
            "Content-Type",
            "CONTENT-LENGTH",
            "host",
            "Transfer-Encoding",
            "Connection",
            "User-Agent",
            "X-Pusher-Key",
            "x-pusher-signature",
            "webhook-id",
            "Webhook-Timestamp",
            "webhook-signature",
            "X-Vacancy-Attempt",
            "Upgrade",
        ] {
            check(name, "x", Err(HeaderError::Reserved));
        }
        check("X-Pusher", "x", Ok(()));
        check("My-X-Pusher-Key", "x", Ok(()));
    }

    #[test]
    fn a_header_is_given_once_whatever_its_case() {
        check("x-taken", "x", Err(HeaderError::Twice));
    }

    #[test]
    fn a_value_is_a_text() {
        let wrong = header("X-A", &Value::Integer(1), &[]);
        assert_eq!(wrong, Err(Wrong::Unquoted { got: "a whole number" }));
    }
}
