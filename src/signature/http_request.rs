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

/// What of a request is signed.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequestParts<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path as it was received, not decoded, without the query string.
    pub path: &'a str,
    /// The query string.
    pub query: &'a Query<'a>,
    /// The body as it was received.
    pub body: &'a [u8],
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
/// (seconds since 1970).
///
/// The checks are made in this order: key, version, timestamp, MD5 of the body, signature. The
/// path may have been signed as it was sent or percent-decoded.
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
    check_body_md5(query.get("body_md5"), request.body)?;
    check_signature(request, signing)
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

fn check_body_md5(given: Option<&str>, body: &[u8]) -> Result<(), HttpAuthError> {
    let Some(given) = given else {
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

fn check_signature(request: &HttpRequestParts<'_>, signing: &SigningKey) -> Result<(), HttpAuthError> {
    let HttpRequestParts {
        method,
        path,
        query,
        body: _,
    } = *request;
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
mod tests {
    use super::*;

    const DOCS_KEY: &str = "278d425bdf160c739803";
    const DOCS_SECRET: &str = "7ad3773142a6692b25b8";
    const DOCS_QUERY: &str = "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0";
    const GO: [&str; 2] = ["d41a439c438a100756f5", "4bf35003e819bb138249"];
    const KEY: [&str; 2] = ["key", "secret"];
    const H1_BODY: &str = r#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#;
    const H1_MD5: &str = "ec365a775a4cd0599faeb73354201b6f";
    const H1_SIGNATURE: &str = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";
    const H4_SIGNATURE: &str = "df89248f87f6e6d028925e0b04d60f316527a865992ace6936afa91281d8bef0";
    const H18_SIGNATURE: &str = "da078fcedd72941b6c873caa40d0d6b2000ebfc700cee802b128dd20f72e74e9";

    fn verify_at(
        now_s: u64,
        [key, secret]: [&str; 2],
        [method, path, query, body]: [&str; 4],
    ) -> Result<(), HttpAuthError> {
        let query = Query::parse(query).expect(query);
        let request = HttpRequestParts {
            method,
            path,
            query: &query,
            body: body.as_bytes(),
        };
        verify(
            &request,
            &key.parse().expect(key),
            &SigningKey::new(&secret.into()),
            now_s,
        )
    }

    /// Checks that the signature is accepted at the time of the request and no other is.
    #[track_caller]
    fn check(credentials: [&str; 2], [method, path, query, body]: [&str; 4], signature: &str) {
        let timestamp = Query::parse(query).expect(query);
        let now_s = timestamp.get("auth_timestamp").expect(query).parse().expect(query);
        let sent = |signature: &str| {
            let query = format!("{query}&auth_signature={signature}");
            verify_at(now_s, credentials, [method, path, &query, body])
        };
        assert_eq!(sent(signature), Ok(()), "{path}?{query}");
        let flipped = if signature.starts_with('0') { "1" } else { "0" };
        let wrong = sent(&format!("{flipped}{}", &signature[1..]));
        assert!(matches!(wrong, Err(HttpAuthError::Signature { .. })), "{path}?{query}");
    }

    #[track_caller]
    fn check_get(credentials: [&str; 2], path: &str, query: &str, signature: &str) {
        check(credentials, ["GET", path, query, ""], signature);
    }

    /// Checks the answer to a publish of H1 whose query string is this, one second later.
    #[track_caller]
    fn check_h1(query: &str, want: Result<(), &str>) {
        let request = ["POST", "/apps/3/events", query, H1_BODY];
        let got = verify_at(1_353_088_180, [DOCS_KEY, DOCS_SECRET], request);
        assert_eq!(
            got.map_err(|error| error.to_string()),
            want.map_err(str::to_owned),
            "{query}"
        );
    }

    #[track_caller]
    fn check_query(raw: &str, want: &[(&str, &str)]) {
        let query = Query::parse(raw).expect(raw);
        assert_eq!(query.pairs().collect::<Vec<_>>(), want, "{raw}");
    }

    #[track_caller]
    fn check_signed(raw: &str, want: &str) {
        assert_eq!(signed_parameters(&Query::parse(raw).expect(raw)), want, "{raw}");
    }

    #[test]
    fn the_requests_of_the_documentation_are_valid() {
        let docs = [DOCS_KEY, DOCS_SECRET];
        check(
            docs,
            [
                "POST",
                "/apps/3/events",
                &format!("{DOCS_QUERY}&body_md5={H1_MD5}"),
                H1_BODY,
            ],
            H1_SIGNATURE,
        );
        check(
            docs,
            [
                "POST",
                "/apps/3/users/user;1/terminate_connections",
                &format!("{DOCS_QUERY}&body_md5=99914b932bd37a50b983c5e7c90ae93b"),
                "{}",
            ],
            "e158b465098d0b9019cf853515f005e4df99f4483b49d36bc27aeed858d2809f",
        );
        check(
            docs,
            [
                "POST",
                "/apps/3/batch_events",
                &format!("{DOCS_QUERY}&body_md5=792b065bc261bd230e98405b5b933a33"),
                r#"{"batch":[{"channel":"my-channel","name":"a","data":"{}"},{"channel":"private-x","name":"b","data":"hi","socket_id":"1.2"}]}"#,
            ],
            "b383a99cdebb616099aa0a660e54d05851d848c979b46c3c66ae3fe70a2c48f2",
        );
    }

    #[test]
    fn values_are_signed_decoded_however_they_were_sent() {
        let docs = [DOCS_KEY, DOCS_SECRET];
        let h19 = "ff97d40ab3fbbd15394386a29c12998c33635305357b2e2abd18dc67efe3f87d";
        for comma in [",", "%2C", "%2c"] {
            let query = format!("{DOCS_QUERY}&filter_by_prefix=presence-&info=user_count{comma}subscription_count");
            check_get(docs, "/apps/3/channels", &query, h19);
        }
    }

    #[test]
    fn the_requests_of_the_go_sdk_are_valid() {
        check_get(
            GO,
            "/apps/102015/channels",
            "auth_key=d41a439c438a100756f5&auth_timestamp=1427034994&auth_version=1.0&filter_by_prefix=presence-&info=user_count",
            "4d8a02edcc8a758b0162cd6da690a9a45fb8ae326a276dca1e06a0bc42796c11",
        );
        check_get(
            GO,
            "/apps/102015/channels",
            "auth_key=d41a439c438a100756f5&auth_timestamp=1427036577&auth_version=1.0&filter_by_prefix=presence-",
            "b540383af4582af5fbb5df7be5472d54bd0838c9c2021c7743062568839e6f97",
        );
        check_get(
            GO,
            "/apps/102015/channels",
            "auth_key=d41a439c438a100756f5&auth_timestamp=1427036787&auth_version=1.0",
            H4_SIGNATURE,
        );
        check_get(
            GO,
            "/apps/102015/channels/presence-session-d41a439c438a100756f5-4bf35003e819bb138249-ROpCFmgFhXY",
            "auth_key=d41a439c438a100756f5&auth_timestamp=1427053326&auth_version=1.0&info=user_count,subscription_count",
            "f93ceb31f396aef336226efe512aaf339bd5e39c7c2c04b81cc8681dc16ee785",
        );
        check_get(
            GO,
            "/apps/102015/channels/presence-session-d41a439c438a100756f5-4bf35003e819bb138249-nYJLy67qh52/users",
            "auth_key=d41a439c438a100756f5&auth_timestamp=1427053709&auth_version=1.0",
            "207feaf4e8efeb24e5f148011704251bf90e2059a5f97a3eb52d06178b11feca",
        );
    }

    #[test]
    fn the_requests_of_the_rust_sdk_are_valid() {
        let h7 = format!("auth_key=key&auth_timestamp=1353088179&auth_version=1.0&body_md5={H1_MD5}");
        check(
            KEY,
            ["POST", "/apps/3/events", &h7, H1_BODY],
            "3695357e49aa04ae6f3cd76039dcefd82da079d0564bac566033d48ebae75459",
        );
        check_get(
            KEY,
            "/apps/102015/channels",
            "auth_key=key&auth_timestamp=1427034994&auth_version=1.0&filter_by_prefix=presence-&info=user_count",
            "0ba82990cff5311f09d88d8c9317d1ceb1b2e085c01deb65618f4eaea1624d89",
        );
        check_get(
            KEY,
            "/apps/102015/channels",
            "auth_key=key&auth_timestamp=1427036577&auth_version=1.0&filter_by_prefix=presence-",
            "a27c87175390e1748e14fb6531769362ffb1a4fb437e9f353ff09e7fa314ce84",
        );
        check_get(
            KEY,
            "/apps/102015/channels",
            "auth_key=key&auth_timestamp=1427036787&auth_version=1.0",
            "805473a9346a00c6ddca6059286f7f6b4e4c45dea1ead355f115decba06bfa4d",
        );
        check_get(
            KEY,
            "/apps/102015/channels/presence-session-d41a439c438a100756f5-4bf35003e819bb138249-ROpCFmgFhXY",
            "auth_key=key&auth_timestamp=1427053326&auth_version=1.0&info=user_count%2Csubscription_count",
            "c39bf2e1ef8a4cbfc8e283daa610862cf01fd250437476e1ff4100677ebd3dab",
        );
        check_get(
            KEY,
            "/apps/102015/channels/presence-session-d41a439c438a100756f5-4bf35003e819bb138249-nYJLy67qh52/users",
            "auth_key=key&auth_timestamp=1427053326&auth_version=1.0",
            "15f3d742965b5728ed2089c4fdae186a5684a8a17c9bf230ad5bd244bc8164f7",
        );
    }

    #[test]
    fn the_requests_of_the_node_and_python_sdks_are_valid() {
        check(
            ["f00d", "tofu"],
            [
                "GET",
                "/event",
                "auth_key=f00d&auth_timestamp=1234567890&auth_version=1.0&body_md5=165d5e6d7ca8f73b3853ce45addf42fc",
                "example body",
            ],
            "a650196dc427ebe837226f8565ca9232198c6d1b9455eaa72374a9dc0b620e7b",
        );
        check_get(
            ["f00d", "tofu"],
            "/event",
            "auth_key=f00d&auth_timestamp=1234567890&auth_version=1.0&baz=123454321&foo=bar",
            "d8bdbd31911fb7400a14fbd36fd7de053494725b64400ae5856deafe304b34a9",
        );
        check(
            KEY,
            [
                "POST",
                "/some/obscure/api",
                "auth_key=key&auth_timestamp=1000&auth_version=1.0&body_md5=94232c5b8fc9272f6f73a1e36eb68fcf",
                r#"{"foo": "bar"}"#,
            ],
            "e05fa4cafee86311746ee3981d5581a5e4e87c27bbab0aeb1059e2df5c90258b",
        );
    }

    #[test]
    fn a_get_may_name_the_md5_of_its_empty_body() {
        check_get(
            KEY,
            "/some/obscure/api",
            "auth_key=key&auth_timestamp=1000&auth_version=1.0&body_md5=d41d8cd98f00b204e9800998ecf8427e&foo=bar",
            "5c49f04a95eedc9028b1e0e8de7c2c7ad63504a0e3b5c145d2accaef6c14dbac",
        );
    }

    #[test]
    fn names_are_signed_in_lower_case_and_in_order() {
        let h17 = "3b237953a5ba6619875cbb2a2d43e8da9ef5824e8a2c689f6284ac85bc1ea0db";
        for query in [
            "auth_key=key&auth_timestamp=1234&auth_version=1.0&go=here&query=params",
            "Query=params&GO=here&auth_key=key&auth_timestamp=1234&auth_version=1.0",
            "query=params&auth_version=1.0&AUTH_key=key&go=here&auth_Timestamp=1234",
        ] {
            check(KEY, ["POST", "/some/path", query, ""], h17);
        }
        check(
            KEY,
            [
                "POST",
                "/some/path",
                "auth_key=key&auth_timestamp=1234&auth_version=1.0&query=params",
                "",
            ],
            H18_SIGNATURE,
        );
    }

    #[test]
    fn the_signature_may_stand_anywhere_and_no_other_parameter_is_left_out() {
        let rest = "auth_key=key&auth_timestamp=1234&auth_version=1.0&query=params";
        let verify = |query: &str| verify_at(1_234, KEY, ["POST", "/some/path", query, ""]);
        assert_eq!(verify(&format!("auth_signature={H18_SIGNATURE}&{rest}")), Ok(()));
        assert_eq!(verify(&format!("AUTH_SIGNATURE={H18_SIGNATURE}&{rest}")), Ok(()));
        assert!(verify(&format!("auth_signature={H18_SIGNATURE}&{rest}&more=")).is_err());
        assert!(verify(&format!("auth_signature={H18_SIGNATURE}&{rest}&query=other")).is_err());
    }

    #[test]
    fn arrays_and_values_are_signed_without_escaping() {
        check_signed("things[]=thing1&things[]=thing2", "things[]=thing1&things[]=thing2");
        check_signed("things%5B%5D=b&a=1&things%5b%5d=a", "a=1&things[]=b&things[]=a");
        check_signed("things1=x&things[]=y&things=z", "things[]=y&things=z&things1=x");
        check_signed("key%3B=value%40", "key;=value@");
        check_signed("b=%26c%3D1&a", "a=&b=&c=1");
        check_signed("b=1&auth_signature=0&a=2&auth_signature=1", "a=2&b=1");
        check_signed("", "");
    }

    #[test]
    fn the_parameters_to_sign_are_allocated_at_their_size() {
        for raw in ["auth_key=&info=", "info=user_count,subscription_count&a=1"] {
            let signed = signed_parameters(&Query::parse(raw).expect(raw));
            assert_eq!(signed.capacity(), signed.len() + 1, "{raw}");
        }
    }

    #[test]
    fn a_query_string_is_decoded_as_a_form() {
        check_query("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]);
        check_query("b=x+y%2Bz&a+b=%20", &[("b", "x y+z"), ("a b", " ")]);
        check_query("k=%C5%BC%F0%9F%98%80&%c5%bc=ż", &[("k", "ż😀"), ("ż", "ż")]);
        check_query("a=b=c&=d&e&f=", &[("a", "b=c"), ("", "d"), ("e", ""), ("f", "")]);
        check_query("&&a=1&", &[("a", "1")]);
        check_query("Ab%43=DeF", &[("abc", "DeF")]);
        check_query("", &[]);
    }

    #[test]
    fn a_percent_sign_without_two_hex_digits_stands_for_itself() {
        check_query(
            "a=100%&b=%zz&c=%4&d=%%41&e=%4g1",
            &[("a", "100%"), ("b", "%zz"), ("c", "%4"), ("d", "%A"), ("e", "%4g1")],
        );
    }

    #[test]
    fn what_is_not_utf_8_after_decoding_is_refused() {
        assert_eq!(Query::parse("a=1&b=%FF"), Err(QueryError::NotUtf8 { number: 2 }));
        assert_eq!(Query::parse("%C5=1&b=2"), Err(QueryError::NotUtf8 { number: 1 }));
        assert_eq!(Query::parse("a=+%C5"), Err(QueryError::NotUtf8 { number: 1 }));
        assert_eq!(
            QueryError::NotUtf8 { number: 2 }.to_string(),
            "query parameter 2 is not utf-8 after percent-decoding"
        );
    }

    #[test]
    fn what_needs_no_decoding_is_borrowed() {
        let query = Query::parse("auth_key=278d425bdf160c739803&info=a%2Cb").expect("utf-8");
        let borrowed = |text: &Cow<'_, str>| matches!(text, Cow::Borrowed(_));
        let kinds: Vec<_> = query.0.iter().map(|(k, v)| (borrowed(k), borrowed(v))).collect();
        assert_eq!(kinds, [(true, true), (true, false)]);
    }

    #[test]
    fn the_first_parameter_of_a_name_is_the_one() {
        let query = Query::parse("a=1&B=2&b=3").expect("utf-8");
        assert_eq!(
            (query.get("a"), query.get("b"), query.get("c")),
            (Some("1"), Some("2"), None)
        );
    }

    #[test]
    fn the_checks_are_made_in_the_order_of_the_hosted_service() {
        let wrong_md5 = "Invalid body_md5: the body has the MD5 ec365a775a4cd0599faeb73354201b6f, \
                         but you sent \"d41d8cd98f00b204e9800998ecf8427e\"";
        check_h1("", Err("Missing parameter: auth_key"));
        check_h1("auth_key=", Err("Unknown auth_key"));
        check_h1(
            "auth_key=278d425bdf160c739804&auth_version=2.0",
            Err("Unknown auth_key"),
        );
        let query = "auth_key=278d425bdf160c739803";
        check_h1(query, Err("Version required"));
        check_h1(&format!("{query}&auth_version=1.1"), Err("Version not supported"));
        check_h1(&format!("{query}&auth_version=1"), Err("Version not supported"));
        check_h1(&format!("{query}&auth_version=1.0"), Err("Timestamp required"));
        check_h1(
            &format!("{query}&auth_version=1.0&auth_timestamp=1353087580"),
            Err(
                "Timestamp expired: Given timestamp (2012-11-16T17:39:40Z) not within 600s of \
                 server time (2012-11-16T17:49:40Z)",
            ),
        );
        check_h1(DOCS_QUERY, Err("Missing parameter: body_md5"));
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        check_h1(&format!("{DOCS_QUERY}&body_md5={md5}"), Err(wrong_md5));
        check_h1(
            &format!("{DOCS_QUERY}&body_md5={H1_MD5}"),
            Err("Invalid signature: you should have sent HmacSHA256Hex(\
                 \"POST\\n/apps/3/events\\nauth_key=278d425bdf160c739803&\
                 auth_timestamp=1353088179&auth_version=1.0&\
                 body_md5=ec365a775a4cd0599faeb73354201b6f\", your_secret_key), \
                 but you sent nil"),
        );
        check_h1(
            &format!("{DOCS_QUERY}&body_md5={H1_MD5}&auth_signature={H1_SIGNATURE}"),
            Ok(()),
        );
    }

    #[test]
    fn a_wrong_signature_is_answered_with_what_had_to_be_signed() {
        check_h1(
            &format!("auth_signature=f00&body_md5={H1_MD5}&z=%22%5C%23%7B&{DOCS_QUERY}"),
            Err("Invalid signature: you should have sent HmacSHA256Hex(\
                 \"POST\\n/apps/3/events\\nauth_key=278d425bdf160c739803&\
                 auth_timestamp=1353088179&auth_version=1.0&\
                 body_md5=ec365a775a4cd0599faeb73354201b6f&z=\\\"\\\\\\#{\", your_secret_key), \
                 but you sent \"f00\""),
        );
        check_h1(
            &format!(
                "{DOCS_QUERY}&body_md5={H1_MD5}&auth_signature={}",
                H1_SIGNATURE.to_uppercase()
            ),
            Err(&format!(
                "Invalid signature: you should have sent HmacSHA256Hex(\
                 \"POST\\n/apps/3/events\\nauth_key=278d425bdf160c739803&\
                 auth_timestamp=1353088179&auth_version=1.0&\
                 body_md5=ec365a775a4cd0599faeb73354201b6f\", your_secret_key), \
                 but you sent \"{}\"",
                H1_SIGNATURE.to_uppercase()
            )),
        );
    }

    #[test]
    fn an_error_repeats_a_bounded_part_of_the_request() {
        let long = format!("{DOCS_QUERY}&body_md5={}", "x".repeat(201));
        check_h1(
            &long,
            Err(&format!(
                "Invalid body_md5: the body has the MD5 {H1_MD5}, but you sent \"{}…\"",
                "x".repeat(200)
            )),
        );
        let query = format!(
            "{DOCS_QUERY}&z={}&auth_signature={}",
            "x".repeat(5_000),
            "s".repeat(300)
        );
        let got = verify_at(1_353_088_179, [DOCS_KEY, DOCS_SECRET], ["GET", "/apps/3", &query, ""]);
        let start = format!("GET\n/apps/3\n{DOCS_QUERY}&z=");
        let want = HttpAuthError::Signature {
            string_to_sign: format!("{start}{}…", "x".repeat(4_096 - start.len())),
            sent: Some(format!("{}…", "s".repeat(200))),
        };
        assert_eq!(got, Err(want));
    }

    #[test]
    fn method_path_body_and_secret_are_signed() {
        let query = format!("{DOCS_QUERY}&body_md5={H1_MD5}&auth_signature={H1_SIGNATURE}");
        let now_s = 1_353_088_179;
        let docs = [DOCS_KEY, DOCS_SECRET];
        let ok = verify_at(now_s, docs, ["POST", "/apps/3/events", &query, H1_BODY]);
        let method = verify_at(now_s, docs, ["PUT", "/apps/3/events", &query, H1_BODY]);
        let path = verify_at(now_s, docs, ["POST", "/apps/4/events", &query, H1_BODY]);
        let body = verify_at(now_s, docs, ["POST", "/apps/3/events", &query, "{}"]);
        let none = verify_at(now_s, docs, ["POST", "/apps/3/events", &query, ""]);
        let secret = [DOCS_KEY, "7ad3773142a6692b25b9"];
        let secret = verify_at(now_s, secret, ["POST", "/apps/3/events", &query, H1_BODY]);
        assert_eq!(ok, Ok(()));
        assert!(matches!(method, Err(HttpAuthError::Signature { .. })));
        assert!(matches!(path, Err(HttpAuthError::Signature { .. })));
        assert!(matches!(body, Err(HttpAuthError::BodyMd5Wrong { .. })));
        assert!(matches!(none, Err(HttpAuthError::BodyMd5Wrong { .. })));
        assert!(matches!(secret, Err(HttpAuthError::Signature { .. })));
    }

    #[test]
    fn an_md5_in_upper_case_is_refused() {
        check_h1(
            &format!("{DOCS_QUERY}&body_md5={}", H1_MD5.to_uppercase()),
            Err(
                "Invalid body_md5: the body has the MD5 ec365a775a4cd0599faeb73354201b6f, \
                 but you sent \"EC365A775A4CD0599FAEB73354201B6F\"",
            ),
        );
    }

    #[test]
    fn a_path_may_be_signed_as_sent_or_decoded() {
        let raw = "/apps/3/channels/private-a%3Db%2Cc";
        let check = |signature| check_get([DOCS_KEY, DOCS_SECRET], raw, DOCS_QUERY, signature);
        check("53b47261acd913817814bf56195ef3649b28ffc18ea611b23eed0cddebf4fad1");
        check("58fab8b575ce0989367bc01302525597045ad35feef2df3544629126c1357923");
        let query =
            format!("{DOCS_QUERY}&auth_signature=53b47261acd913817814bf56195ef3649b28ffc18ea611b23eed0cddebf4fad1");
        let docs = [DOCS_KEY, DOCS_SECRET];
        for other in ["/apps/3/channels/private-a=b,c", "/apps/3/channels/%FF"] {
            let got = verify_at(1_353_088_179, docs, ["GET", other, &query, ""]);
            assert!(matches!(got, Err(HttpAuthError::Signature { .. })), "{other}");
        }
    }

    #[test]
    fn a_plus_in_a_path_is_a_plus() {
        let docs = [DOCS_KEY, DOCS_SECRET];
        check_get(
            docs,
            "/apps/3/a+b%2Bc",
            DOCS_QUERY,
            "7ace6d469c137d4d76f59ffe7034e69868da03a99aae3f4dfa54fa71beeed672",
        );
    }

    #[test]
    fn a_timestamp_is_valid_for_less_than_600_seconds_both_ways() {
        let query = format!(
            "auth_key=d41a439c438a100756f5&auth_timestamp=1427036787&auth_version=1.0\
             &auth_signature={H4_SIGNATURE}"
        );
        let at = |now_s| verify_at(now_s, GO, ["GET", "/apps/102015/channels", &query, ""]);
        let expired = |now_s| HttpAuthError::TimestampExpired {
            given_s: 1_427_036_787,
            now_s,
        };
        assert_eq!(at(1_427_036_787 + 599), Ok(()));
        assert_eq!(at(1_427_036_787 - 599), Ok(()));
        assert_eq!(at(1_427_036_787 + 600), Err(expired(1_427_037_387)));
        assert_eq!(at(1_427_036_787 - 600), Err(expired(1_427_036_187)));
        assert_eq!(at(0), Err(expired(0)));
    }

    #[test]
    fn a_timestamp_is_the_number_that_it_starts_with() {
        for (text, number) in [
            ("1353088179", 1_353_088_179),
            ("1353088179.5", 1_353_088_179),
            ("0", 0),
            ("", 0),
            ("soon", 0),
            ("-5", 0),
            ("18446744073709551615", u64::MAX),
            ("99999999999999999999999", u64::MAX),
        ] {
            assert_eq!(leading_number(text), number, "{text}");
        }
    }

    #[test]
    fn an_expired_timestamp_is_shown_in_utc() {
        for (second, want) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_704_067_200, "2024-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (978_307_199, "2000-12-31T23:59:59Z"),
            (978_307_200, "2001-01-01T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_740_787_199, "2025-02-28T23:59:59Z"),
            (1_740_787_200, "2025-03-01T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (13_574_563_200, "2400-02-29T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (253_402_300_800, "10000-01-01T00:00:00Z"),
            (1_353_088_179, "2012-11-16T17:49:39Z"),
        ] {
            assert_eq!(Iso8601(second).to_string(), want);
        }
        assert!(Iso8601(u64::MAX).to_string().ends_with('Z'));
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_day_before() {
        let is_leap = |year| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut date = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(civil_from_days(days), date, "{days}");
            let (year, month, day) = date;
            let length = match month {
                2 if is_leap(year) => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            date = match (month, day == length) {
                (_, false) => (year, month, day + 1),
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
            };
        }
        assert_eq!(date, (2370, 1, 1));
    }

    #[test]
    fn a_text_is_inspected_as_ruby_does_it() {
        for (text, want) in [
            ("", r#""""#),
            ("a'b/c", r#""a'b/c""#),
            ("\"\\", r#""\"\\""#),
            ("\n\r\t", r#""\n\r\t""#),
            ("\u{7}\u{8}\u{b}\u{c}\u{1b}", r#""\a\b\v\f\e""#),
            ("\0\u{1f}\u{85}\u{7f}", r#""\u0000\u001F\u0085\x7F""#),
            ("#{a} #$b #@c #d #", r#""\#{a} \#$b \#@c #d #""#),
            ("zażółć 😀", r#""zażółć 😀""#),
        ] {
            assert_eq!(Inspect(text).to_string(), want);
        }
        assert_eq!(InspectOrNil(None).to_string(), "nil");
        assert_eq!(InspectOrNil(Some("x")).to_string(), "\"x\"");
    }
}
