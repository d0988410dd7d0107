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

use super::{endpoint_url::EndpointUrlError, headers::HeaderError, source::Value, webhook_secret::WebhookSecretError};
use crate::domain::{
    AppIdError, AppKeyError, ChannelName, ChannelNameError, ChannelPatternError, EndpointIdError, WebhookEvent,
};

/// Least of a duration that must not be zero.
pub(super) const MOMENT: Duration = Duration::from_millis(1);
/// Longest duration that a key takes.
const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);
/// Most worker threads.
const WORKERS_MAX: i128 = 1_024;
/// Highest limit of connections that is not `unlimited`.
const CONNECTIONS_MAX: i128 = 100_000_000;
/// Highest number in a second that is not `unlimited`.
const RATE_MAX: i128 = 1_000_000;
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
    #[error(
        "must be {least} or more visible ASCII characters without spaces, or empty, which turns the API \
         off; make a good one with `openssl rand -hex 16`"
    )]
    Token { least: usize },
    #[error(transparent)]
    AppId(#[from] AppIdError),
    #[error(transparent)]
    AppKey(#[from] AppKeyError),
    #[error(transparent)]
    EndpointId(#[from] EndpointIdError),
    #[error("no channel can match: {0}")]
    ChannelPart(#[from] ChannelNameError),
    #[error(transparent)]
    ChannelPattern(#[from] ChannelPatternError),
    #[error(transparent)]
    WebhookSecret(#[from] WebhookSecretError),
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

/// A number in a second, or `unlimited`, which is none.
pub(super) fn rate(value: &Value) -> Result<Option<u32>, Wrong> {
    integer_or("unlimited", "unlimited or a whole number", 1..=RATE_MAX, value)
}

/// A whole number from a range, or none for a word.
fn integer_or<T: TryFrom<i128>>(
    word: &str,
    want: &'static str,
    range: RangeInclusive<i128>,
    value: &Value,
) -> Result<Option<T>, Wrong> {
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
    duration_or("off", "off or a duration like 30s", lowest)
}

/// A duration of up to 366 days, or `auto` for `None`.
pub(super) fn duration_or_auto() -> impl Fn(&Value) -> Result<Option<Duration>, Wrong> {
    duration_or("auto", "auto or a duration like 5s", Duration::ZERO)
}

fn duration_or(
    word: &'static str,
    want: &'static str,
    lowest: Duration,
) -> impl Fn(&Value) -> Result<Option<Duration>, Wrong> {
    move |value| {
        if value.as_text() == Some(word) {
            return Ok(None);
        }
        span(want, lowest, value).map(Some)
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
    Ok(text.to_owned())
}

/// What a channel name may begin or end with; empty matches all.
pub(super) fn channel_part(value: &Value) -> Result<&str, Wrong> {
    let text = text(value)?;
    if !text.is_empty() {
        text.parse::<ChannelName>()?;
    }
    Ok(text)
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

/// A size as it may be typed.
pub(super) fn bytes_shown(bytes: usize) -> String {
    [(30, "GB"), (20, "MB"), (10, "KB")]
        .into_iter()
        .find(|(power, _)| 1 << power <= bytes && bytes.trailing_zeros() >= *power)
        .map_or_else(
            || format!("{bytes}B"),
            |(power, unit)| format!("{}{unit}", bytes >> power),
        )
}

#[cfg(test)]
mod tests;
