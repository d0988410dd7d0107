//! The kinds of value that a key takes: a value of the tree becomes a typed one, or what is wrong.
//!
//! A text is accepted wherever another scalar is, because variables are texts. Nothing that is
//! said here quotes a text, which may be a secret, except a number, with or without its unit.

use std::{
    net::SocketAddr,
    ops::RangeInclusive,
    str::FromStr,
    time::{Duration, UNIX_EPOCH},
};

use super::{endpoint_url::EndpointUrlError, headers::HeaderError, source::Value};
use crate::domain::{AppIdError, AppKeyError, ChannelName, ChannelNameError, EndpointIdError, WebhookEvent};

/// Least of a duration that must not be zero.
pub(super) const MOMENT: Duration = Duration::from_millis(1);
/// Longest duration that a key takes.
const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);
/// Most worker threads.
const WORKERS_MAX: i128 = 1_024;
/// Highest limit of connections that is not `unlimited`.
const CONNECTIONS_MAX: i128 = 100_000_000;
/// What the first part of a path may not be, because paths of ours begin with it.
const OWN_PATHS: [&str; 5] = ["app", "apps", "live", "pusher", "ready"];
/// Length of `2026-11-24`.
const DATE_LEN: usize = 10;
/// Length of `+02:00`.
const OFFSET_LEN: usize = 6;

/// Why a value is none that its key takes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    #[error("has no value, give one or remove the key")]
    Nothing,
    #[error("must be {want}, not {got}")]
    Kind { want: &'static str, got: &'static str },
    #[error("YAML reads it as {got}, put it in quotes")]
    Unquoted { got: &'static str },
    #[error("is empty")]
    Empty,
    #[error("must be {want}")]
    Not { want: &'static str },
    #[error("must be {lowest} to {highest}, not {got}")]
    Outside {
        lowest: String,
        highest: String,
        got: String,
    },
    #[error("{number} has no unit, write {number}ms, {number}s, {number}m or {number}h")]
    DurationUnit { number: String },
    #[error("{number} has no unit, write {number}B, {number}KB, {number}MB or {number}GB")]
    SizeUnit { number: String },
    #[error("only `memory` can be used, a ledger in a file is not in this version")]
    LedgerPath,
    #[error(transparent)]
    AppId(#[from] AppIdError),
    #[error(transparent)]
    AppKey(#[from] AppKeyError),
    #[error(transparent)]
    EndpointId(#[from] EndpointIdError),
    #[error("no channel can match: {0}")]
    ChannelPart(#[from] ChannelNameError),
    #[error(transparent)]
    Url(#[from] EndpointUrlError),
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("no such webhook event, {hint}")]
    Event { hint: String },
    #[error("stands in the list already")]
    Repeated,
    #[error("asks for `{event}`, which stands in the list already")]
    RepeatedInGroup { event: WebhookEvent },
    #[error("begins with /{0}, which is a path of Vacancy, take another")]
    PathTaken(&'static str),
}

/// A text; what YAML reads as something else must be quoted.
pub(super) fn text(value: &Value) -> Result<&str, Wrong> {
    let got = value.kind();
    match value {
        Value::Text(text) => Ok(text),
        Value::Null => Err(Wrong::Nothing),
        Value::Bool(_) | Value::Integer(_) | Value::Decimal => Err(Wrong::Unquoted { got }),
        Value::List(_) | Value::Map(_) => Err(Wrong::Kind { want: "a text", got }),
    }
}

/// A text that has something in it.
pub(super) fn filled(value: &Value) -> Result<&str, Wrong> {
    let text = text(value)?;
    if text.is_empty() {
        return Err(Wrong::Empty);
    }
    Ok(text)
}

/// A name that its type can read.
pub(super) fn name<T: FromStr<Err: Into<Wrong>>>(value: &Value) -> Result<T, Wrong> {
    text(value)?.parse().map_err(Into::into)
}

/// An id: a name that may also be a whole number, because `id: 1` is what everybody writes.
pub(super) fn id<T: FromStr<Err: Into<Wrong>>>(value: &Value) -> Result<T, Wrong> {
    if let Value::Integer(number) = value {
        return number.to_string().parse().map_err(Into::into);
    }
    name(value)
}

/// `true` or `false`.
pub(super) fn boolean(value: &Value) -> Result<bool, Wrong> {
    let want = "true or false";
    if let Value::Bool(value) = value {
        return Ok(*value);
    }
    parsed(value, want)
}

/// A whole number from a range.
pub(super) fn integer<T: TryFrom<i128>>(range: RangeInclusive<i128>) -> impl Fn(&Value) -> Result<T, Wrong> {
    move |value| {
        let want = "a whole number";
        let number = if let Value::Integer(number) = value {
            *number
        } else {
            parsed(value, want)?
        };
        let outside = || Wrong::Outside {
            lowest: range.start().to_string(),
            highest: range.end().to_string(),
            got: number.to_string(),
        };
        if !range.contains(&number) {
            return Err(outside());
        }
        T::try_from(number).map_err(|_| outside())
    }
}

/// A number of worker threads, or `auto` for as many as the machine runs at once.
pub(super) fn workers(parallelism: usize) -> impl Fn(&Value) -> Result<usize, Wrong> {
    move |value| {
        let workers = integer_or("auto", "auto or a whole number", 1..=WORKERS_MAX, value)?;
        Ok(workers.unwrap_or(parallelism.max(1)))
    }
}

/// A number of connections, or `unlimited`, which is none.
pub(super) fn connections(value: &Value) -> Result<Option<usize>, Wrong> {
    integer_or("unlimited", "unlimited or a whole number", 1..=CONNECTIONS_MAX, value)
}

/// A whole number from a range, or none for a word.
fn integer_or(
    word: &str,
    want: &'static str,
    range: RangeInclusive<i128>,
    value: &Value,
) -> Result<Option<usize>, Wrong> {
    if value.as_text() == Some(word) {
        return Ok(None);
    }
    if !matches!(value, Value::Integer(_)) {
        parsed::<i128>(value, want)?;
    }
    integer(range)(value).map(Some)
}

/// A duration like `50ms`, `3s`, `1h 30m`, from `lowest` to 366 days.
pub(super) fn duration(lowest: Duration) -> impl Fn(&Value) -> Result<Duration, Wrong> {
    move |value| span("a duration like 50ms, 3s or 24h", lowest, value)
}

/// A duration from `lowest` to 366 days, or `off`, which is none.
pub(super) fn duration_or_off(lowest: Duration) -> impl Fn(&Value) -> Result<Option<Duration>, Wrong> {
    move |value| {
        if value.as_text() == Some("off") {
            return Ok(None);
        }
        span("off or a duration like 30s", lowest, value).map(Some)
    }
}

fn span(want: &'static str, lowest: Duration, value: &Value) -> Result<Duration, Wrong> {
    let text = measure(value, want, |number| Wrong::DurationUnit { number })?;
    let duration = humantime::parse_duration(text).map_err(|_| Wrong::Not { want })?;
    if !(lowest..=DURATION_MAX).contains(&duration) {
        return Err(Wrong::Outside {
            lowest: humantime::format_duration(lowest).to_string(),
            highest: "366days".to_owned(),
            got: on_one_line(text),
        });
    }
    Ok(duration)
}

/// A moment, as a time or a date of RFC 3339, in milliseconds since 1970. A date is its first
/// moment in UTC.
pub(super) fn moment(value: &Value) -> Result<u64, Wrong> {
    let want = "a date like 2026-11-24 or a time like 2026-11-24T09:30:00Z, from 1970 on";
    let text = value.as_text().ok_or_else(|| unlike(want, value))?;
    moment_ms(text.trim()).ok_or(Wrong::Not { want })
}

fn moment_ms(text: &str) -> Option<u64> {
    let upper = text.to_ascii_uppercase();
    let (local, offset_ms) = if upper.len() == DATE_LEN {
        (format!("{upper}T00:00:00"), 0)
    } else if let Some(local) = upper.strip_suffix('Z') {
        (local.to_owned(), 0)
    } else {
        let (local, offset) = upper.split_at_checked(upper.len().checked_sub(OFFSET_LEN)?)?;
        (local.to_owned(), offset_ms(offset)?)
    };
    if !local.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    let local = local.duration_since(UNIX_EPOCH).ok()?.as_millis();
    u64::try_from(i64::try_from(local).ok()? - offset_ms).ok()
}

/// How much later the clocks at an offset like `+02:00` show than those of UTC.
fn offset_ms(offset: &str) -> Option<i64> {
    let (sign, hours_minutes) = match offset.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = hours_minutes.split_once(':')?;
    let two_digits = |text: &str, highest: i64| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<i64>().ok().filter(|_| digits);
        number.filter(|number| *number <= highest)
    };
    Some(sign * (two_digits(hours, 23)? * 60 + two_digits(minutes, 59)?) * 60_000)
}

/// A size like `64B`, `10KB`, `1MB`, `2GB`, within a range of bytes. A KB is 1024 bytes, as in
/// Pusher's limits; `KiB` is the same.
pub(super) fn size(range: RangeInclusive<usize>) -> impl Fn(&Value) -> Result<usize, Wrong> {
    move |value| {
        let want = "a size like 64B, 10KB or 1MB";
        let text = measure(value, want, |number| Wrong::SizeUnit { number })?;
        let wrong = || Wrong::Not { want };
        let unit = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(unit);
        let power = match unit.trim_start().to_ascii_lowercase().as_str() {
            "b" => 0,
            "kb" | "kib" => 10,
            "mb" | "mib" => 20,
            "gb" | "gib" => 30,
            _ => return Err(wrong()),
        };
        let number: usize = number.parse().map_err(|_| wrong())?;
        match number.checked_mul(1 << power) {
            Some(bytes) if range.contains(&bytes) => Ok(bytes),
            Some(_) | None => Err(Wrong::Outside {
                lowest: bytes_shown(*range.start()),
                highest: bytes_shown(*range.end()),
                got: on_one_line(text),
            }),
        }
    }
}

/// An address to listen on.
pub(super) fn address(value: &Value) -> Result<SocketAddr, Wrong> {
    let want = "an IP address and a port, like 127.0.0.1:6001, 0.0.0.0:6001 or [::]:6001";
    parsed(value, want)
}

/// A prefix of a path: empty, or segments that each begin with `/`.
pub(super) fn path_prefix(value: &Value) -> Result<String, Wrong> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(String::new());
    }
    let want = "empty or like /ws: each part of it a / and then A-Z a-z 0-9 _ - . ~";
    let segments = text.strip_prefix('/').ok_or(Wrong::Not { want })?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.~".contains(&b);
    let usable = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed);
    if !segments.split('/').all(usable) {
        return Err(Wrong::Not { want });
    }
    let first = segments.split('/').next();
    match OWN_PATHS.into_iter().find(|own| first == Some(own)) {
        Some(own) => Err(Wrong::PathTaken(own)),
        None => Ok(text.to_owned()),
    }
}

/// What a channel name may begin or end with; empty matches all.
pub(super) fn channel_part(value: &Value) -> Result<String, Wrong> {
    let text = text(value)?;
    if !text.is_empty() {
        text.parse::<ChannelName>()?;
    }
    Ok(text.to_owned())
}

/// The value of a text; `want` says what else there must be.
fn parsed<T: FromStr>(value: &Value, want: &'static str) -> Result<T, Wrong> {
    let text = value.as_text().ok_or_else(|| unlike(want, value))?;
    text.parse().map_err(|_| Wrong::Not { want })
}

/// The text of a number with its unit; one without is an error that shows how to write it.
fn measure<'v>(value: &'v Value, want: &'static str, unit: impl Fn(String) -> Wrong) -> Result<&'v str, Wrong> {
    if let Value::Integer(number) = value {
        return Err(unit(number.to_string()));
    }
    let text = value.as_text().ok_or_else(|| unlike(want, value))?;
    match text.trim() {
        "" => Err(Wrong::Empty),
        number if number.bytes().all(|b| b.is_ascii_digit()) => Err(unit(number.to_owned())),
        text => Ok(text),
    }
}

/// A measure as it was typed, in an error.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unlike(want: &'static str, value: &Value) -> Wrong {
    let got = value.kind();
    if value.is_null() {
        Wrong::Nothing
    } else {
        Wrong::Kind { want, got }
    }
}

fn bytes_shown(bytes: usize) -> String {
    [(30, "GB"), (20, "MB"), (10, "KB")]
        .into_iter()
        .find(|(power, _)| 1 << power <= bytes && bytes.trailing_zeros() >= *power)
        .map_or_else(
            || format!("{bytes}B"),
            |(power, unit)| format!("{}{unit}", bytes >> power),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AppId, AppKey};

    fn t(text: &str) -> Value {
        Value::Text(text.into())
    }

    fn said<T>(result: Result<T, Wrong>) -> String {
        result.err().expect("wrong").to_string()
    }

    #[test]
    fn a_text_must_be_one() {
        assert_eq!(text(&t("a")), Ok("a"));
        assert_eq!(text(&t("")), Ok(""));
        assert_eq!(said(text(&Value::Null)), "has no value, give one or remove the key");
        assert_eq!(
            said(text(&Value::Integer(1))),
            "YAML reads it as a whole number, put it in quotes"
        );
        assert_eq!(
            said(text(&Value::Bool(true))),
            "YAML reads it as a boolean, put it in quotes"
        );
        assert_eq!(
            said(text(&Value::Decimal)),
            "YAML reads it as a decimal number, put it in quotes"
        );
        assert_eq!(said(text(&Value::List(vec![]))), "must be a text, not a list");
        assert_eq!(filled(&t("a")), Ok("a"));
        assert_eq!(said(filled(&t(""))), "is empty");
    }

    #[test]
    fn an_id_may_be_a_whole_number_and_a_key_may_not() {
        let app = |value: &Value| id::<AppId>(value).map(|id| id.to_string());
        assert_eq!(app(&Value::Integer(1)), Ok("1".into()));
        assert_eq!(app(&t("a-1")), Ok("a-1".into()));
        assert_eq!(said(app(&t(""))), "app id is empty");
        assert_eq!(
            said(app(&Value::Decimal)),
            "YAML reads it as a decimal number, put it in quotes"
        );
        assert!(name::<AppKey>(&t("k")).is_ok());
        assert_eq!(
            name::<AppKey>(&Value::Integer(1)),
            Err(Wrong::Unquoted { got: "a whole number" })
        );
    }

    #[test]
    fn a_boolean_is_true_or_false() {
        assert_eq!(boolean(&Value::Bool(true)), Ok(true));
        assert_eq!(boolean(&t("false")), Ok(false));
        assert_eq!(said(boolean(&t("yes"))), "must be true or false");
        assert_eq!(
            said(boolean(&Value::Integer(1))),
            "must be true or false, not a whole number"
        );
    }

    #[test]
    fn an_integer_is_within_its_range() {
        let read = integer(1..=10);
        for (value, want) in [(Value::Integer(1), 1), (Value::Integer(10), 10), (t("7"), 7)] {
            assert_eq!(read(&value), Ok(want));
        }
        for (value, got) in [
            (Value::Integer(0), "0"),
            (Value::Integer(11), "11"),
            (Value::Integer(-1), "-1"),
            (t("11"), "11"),
        ] {
            assert_eq!(said(read(&value)), format!("must be 1 to 10, not {got}"));
        }
        assert_eq!(said(integer::<u8>(0..=300)(&t("256"))), "must be 0 to 300, not 256");
        assert_eq!(said(read(&t("x"))), "must be a whole number");
        assert_eq!(
            said(read(&Value::Decimal)),
            "must be a whole number, not a decimal number"
        );
        assert_eq!(said(read(&Value::Null)), "has no value, give one or remove the key");
    }

    #[test]
    fn workers_are_auto_or_1_to_1024() {
        assert_eq!(workers(6)(&t("auto")), Ok(6));
        assert_eq!(workers(0)(&t("auto")), Ok(1));
        assert_eq!(workers(6)(&Value::Integer(1)), Ok(1));
        assert_eq!(workers(6)(&t("1024")), Ok(1_024));
        assert_eq!(said(workers(6)(&Value::Integer(0))), "must be 1 to 1024, not 0");
        assert_eq!(said(workers(6)(&Value::Integer(1_025))), "must be 1 to 1024, not 1025");
        assert_eq!(said(workers(6)(&t("Auto"))), "must be auto or a whole number");
        assert_eq!(
            said(workers(6)(&Value::Decimal)),
            "must be auto or a whole number, not a decimal number"
        );
    }

    #[test]
    fn connections_are_unlimited_or_a_number() {
        assert_eq!(connections(&t("unlimited")), Ok(None));
        assert_eq!(connections(&Value::Integer(1)), Ok(Some(1)));
        assert_eq!(connections(&t("100000000")), Ok(Some(100_000_000)));
        assert_eq!(said(connections(&Value::Integer(0))), "must be 1 to 100000000, not 0");
        assert_eq!(said(connections(&t("none"))), "must be unlimited or a whole number");
        assert_eq!(
            said(connections(&Value::Bool(true))),
            "must be unlimited or a whole number, not a boolean"
        );
    }

    #[test]
    fn a_duration_may_be_off() {
        let read = duration_or_off(Duration::from_millis(1));
        assert_eq!(read(&t("off")), Ok(None));
        assert_eq!(read(&t("30s")), Ok(Some(Duration::from_secs(30))));
        assert_eq!(said(read(&t("0s"))), "must be 1ms to 366days, not 0s");
        assert_eq!(said(read(&t("30"))), "30 has no unit, write 30ms, 30s, 30m or 30h");
        assert_eq!(said(read(&t("on"))), "must be off or a duration like 30s");
        assert_eq!(
            said(read(&Value::Bool(false))),
            "must be off or a duration like 30s, not a boolean"
        );
    }

    #[test]
    fn a_moment_is_a_date_or_a_time_of_rfc_3339() {
        const DAY: u64 = 1_795_478_400_000;
        for (text, ms) in [
            ("2026-11-24", DAY),
            ("2026-11-24T00:00:00Z", DAY),
            (" 2026-11-24t00:00:00.25z ", DAY + 250),
            ("2026-11-24T02:00:00+02:00", DAY),
            ("2026-11-24T09:30:01.5-05:30", DAY + 15 * 3_600_000 + 1_500),
            ("1970-01-01", 0),
            ("2024-02-29", 1_709_164_800_000),
        ] {
            assert_eq!(moment(&t(text)), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let want = "must be a date like 2026-11-24 or a time like 2026-11-24T09:30:00Z, from 1970 on";
        for text in [
            "",
            "tomorrow",
            "2026-11-31",
            "2025-02-29",
            "2026-13-01",
            "24.11.2026",
            "20261124Z0",
            "2026-11-24T09:30:00",
            "2026-11-24 09:30:00Z",
            "2026-11-24T09:30Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T09:30:00.Z",
            "2026-11-24T09:30:00ZZ",
            "2026-11-24T09:30:00Z+02:00",
            "2026-11-24T09:30:00+02:00+02:00",
            "2026-11-24T09:30:00+24:00",
            "2026-11-24T09:30:00+02:60",
            "2026-11-24T09:30:00+2:000",
            "2026-11-24T09:30:00*02:00",
            "2026-11-24T09:30:00é02:00",
            "1970-01-01T00:00:00+00:01",
            "1969-12-31",
            "1969-12-31T23:30:00-00:30",
        ] {
            assert_eq!(said(moment(&t(text))), want, "{text}");
        }
        assert_eq!(
            said(moment(&Value::Integer(2026))),
            format!("{want}, not a whole number")
        );
    }

    #[test]
    fn a_path_prefix_is_empty_or_begins_with_a_slash_and_ends_without() {
        for text in ["", "/ws", "/a/b-c_d.e~9", "/apps-2", "/x/apps", "/..."] {
            assert_eq!(path_prefix(&t(text)), Ok(text.into()));
        }
        let want = "must be empty or like /ws: each part of it a / and then A-Z a-z 0-9 _ - . ~";
        for text in [
            "/", "ws", "/ws/", "//ws", "/a//b", "/.", "/a/../b", "/a b", "/{a}", "/a?b", "/é", "/a%20",
        ] {
            assert_eq!(said(path_prefix(&t(text))), want, "{text}");
        }
        for (text, own) in [
            ("/apps", "apps"),
            ("/app/x", "app"),
            ("/live", "live"),
            ("/ready", "ready"),
            ("/pusher", "pusher"),
        ] {
            assert_eq!(
                said(path_prefix(&t(text))),
                format!("begins with /{own}, which is a path of Vacancy, take another")
            );
        }
        assert_eq!(
            said(path_prefix(&Value::Null)),
            "has no value, give one or remove the key"
        );
    }

    #[test]
    fn a_duration_has_a_unit() {
        let read = duration(Duration::ZERO);
        for (text, millis) in [
            ("50ms", 50),
            ("3s", 3_000),
            ("0s", 0),
            ("24h", 86_400_000),
            ("1h 30m", 5_400_000),
        ] {
            assert_eq!(read(&t(text)), Ok(Duration::from_millis(millis)), "{text}");
        }
        for value in [Value::Integer(50), t("50"), t(" 50 ")] {
            assert_eq!(said(read(&value)), "50 has no unit, write 50ms, 50s, 50m or 50h");
        }
        assert_eq!(said(read(&t("0"))), "0 has no unit, write 0ms, 0s, 0m or 0h");
        for text in ["-3s", "3 parsecs", "s", "3s x"] {
            assert_eq!(
                said(read(&t(text))),
                "must be a duration like 50ms, 3s or 24h",
                "{text}"
            );
        }
        assert_eq!(said(read(&t(""))), "is empty");
        assert_eq!(
            said(read(&Value::Bool(true))),
            "must be a duration like 50ms, 3s or 24h, not a boolean"
        );
    }

    #[test]
    fn a_duration_is_within_its_range() {
        let read = duration(Duration::from_secs(1));
        assert_eq!(read(&t("1s")), Ok(Duration::from_secs(1)));
        assert_eq!(read(&t("366d")), Ok(DURATION_MAX));
        for text in ["999ms", "0s", "366d 1ms", "300y"] {
            assert_eq!(said(read(&t(text))), format!("must be 1s to 366days, not {text}"));
        }
        assert_eq!(
            said(read(&t("99999999999999y"))),
            "must be a duration like 50ms, 3s or 24h"
        );
    }

    #[test]
    fn a_size_has_a_unit_and_a_kb_is_1024_bytes() {
        let read = size(0..=usize::MAX);
        for (text, bytes) in [
            ("64B", 64),
            ("10KB", 10_240),
            ("10 kb", 10_240),
            ("1KiB", 1_024),
            ("1MB", 1_048_576),
            ("3mib", 3_145_728),
            ("2GB", 2_147_483_648),
            ("1GiB", 1_073_741_824),
        ] {
            assert_eq!(read(&t(text)), Ok(bytes), "{text}");
        }
        for value in [Value::Integer(10), t("10")] {
            assert_eq!(said(read(&value)), "10 has no unit, write 10B, 10KB, 10MB or 10GB");
        }
        for text in ["KB", "-1KB", "1.5MB", "1TB", "1KBx", "1 K B"] {
            assert_eq!(said(read(&t(text))), "must be a size like 64B, 10KB or 1MB", "{text}");
        }
        assert_eq!(said(read(&Value::Null)), "has no value, give one or remove the key");
    }

    #[test]
    fn a_size_is_within_its_range() {
        let read = size(1_024..=1_048_576);
        assert_eq!(read(&t("1KB")), Ok(1_024));
        assert_eq!(read(&t("1MB")), Ok(1_048_576));
        for text in ["1023B", "1025KB", "99999999999999GB"] {
            assert_eq!(said(read(&t(text))), format!("must be 1KB to 1MB, not {text}"));
        }
        assert_eq!(bytes_shown(0), "0B");
        assert_eq!(said(size(1..=1_536)(&t("0B"))), "must be 1B to 1536B, not 0B");
        assert_eq!(said(size(3_072..=1 << 30)(&t("0B"))), "must be 3KB to 1GB, not 0B");
    }

    #[test]
    fn a_measure_that_is_outside_is_said_on_one_line() {
        assert_eq!(
            said(duration(Duration::ZERO)(&t("400d\n 1s"))),
            "must be 0s to 366days, not 400d 1s"
        );
        assert_eq!(said(size(1..=2)(&t("3 \n B"))), "must be 1B to 2B, not 3 B");
    }

    #[test]
    fn an_address_is_an_ip_address_and_a_port() {
        for text in ["127.0.0.1:6001", "[::1]:0", "0.0.0.0:80"] {
            assert_eq!(address(&t(text)).map(|address| address.to_string()), Ok(text.into()));
        }
        for value in [t("localhost:6001"), t("127.0.0.1"), t(":6001")] {
            assert!(said(address(&value)).starts_with("must be an IP address and a port, like 127"));
        }
        assert!(said(address(&Value::Integer(6001))).ends_with(", not a whole number"));
    }

    #[test]
    fn a_part_of_a_channel_name_is_empty_or_could_stand_in_one() {
        assert_eq!(channel_part(&t("")), Ok(String::new()));
        assert_eq!(channel_part(&t("presence-")), Ok("presence-".into()));
        assert!(said(channel_part(&t("a b"))).starts_with("no channel can match: channel name has"));
    }
}
