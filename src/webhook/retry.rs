//! When a failed request is tried again (DESIGN.md section 6).

use std::time::Duration;

/// The wait after the first failed attempt; it doubles with each further one.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait between attempts, before jitter.
const LONGEST: Duration = Duration::from_secs(60);
/// How long to wait after the attempt with this number failed: 1 s doubling to 60 s, 20 % more or
/// less by `jitter` from 0 to 1, and at least `asked`.
#[must_use]
pub fn next(attempt: u32, asked: Option<Duration>, jitter: f64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let backoff = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let backoff = backoff.mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0));
    asked.map_or(backoff, |asked| backoff.max(asked))
}

/// Reads a `Retry-After` header: seconds, or a date of which the time from `now_s` counts.
#[must_use]
pub fn retry_after(header: &str, now_s: u64) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at_s = http_date_s(header)?;
    Some(Duration::from_secs(at_s.saturating_sub(now_s)))
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT` as seconds since 1970.
fn http_date_s(date: &str) -> Option<u64> {
    let (_, date) = date.split_once(", ")?;
    let mut words = date.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let year: u64 = words.next()?.parse().ok()?;
    let time = words.next()?;
    if words.next() != Some("GMT") || words.next().is_some() {
        return None;
    }
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let rfc3339 = format!("{year:04}-{month:02}-{day:02}T{time}Z");
    let at = humantime::parse_rfc3339(&rfc3339).ok()?;
    let since_1970 = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(since_1970.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(attempt: u32, retry_after_s: Option<u64>, jitter: f64, want_ms: u128) {
        let got = next(attempt, retry_after_s.map(Duration::from_secs), jitter);
        assert_eq!(got.as_millis(), want_ms);
    }

    #[test]
    fn the_wait_doubles_from_1_s_to_60_s() {
        for (attempt, seconds) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (4_000, 60)] {
            check(attempt, None, 0.5, seconds * 1_000);
        }
        check(0, None, 0.5, 1_000);
    }

    #[test]
    fn jitter_moves_the_wait_by_20_percent_either_way() {
        check(1, None, 0.0, 800);
        check(1, None, 1.0, 1_200);
        check(1, None, 0.25, 900);
        check(1, None, 7.0, 1_200);
    }

    #[test]
    fn the_endpoint_may_ask_for_more_but_not_for_less() {
        check(1, Some(30), 0.5, 30_000);
        check(7, Some(1), 0.5, 60_000);
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        let seconds = |header| retry_after(header, 784_111_700).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(77));
        assert_eq!(seconds("Sat, 05 Nov 1994 08:49:37 GMT"), Some(0));
        for bad in [
            "",
            "-1",
            "soon",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
            "Sun, 31 Feb 1994 25:49:37 GMT",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_month_has_its_number() {
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let starts: Vec<u64> = months
            .iter()
            .filter_map(|month| http_date_s(&format!("Sun, 01 {month} 1995 00:00:00 GMT")))
            .collect();
        assert_eq!(starts.len(), 12);
        assert!(
            starts
                .windows(2)
                .all(|pair| (28 * 86_400..=31 * 86_400).contains(&(pair[1] - pair[0])))
        );
    }
}
