//! How what the server says is put for people.

use std::time::{Duration, UNIX_EPOCH};

use crate::{
    domain::counted,
    http::admin::{
        span,
        wire::{Aside, Attempt, Breaker, Dead, Endpoint, EndpointMode, Event, Failing, LogLine, Stuck, What},
    },
};

/// A time, as UTC to the millisecond.
pub(super) fn time(ms: u64) -> String {
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(ms));
    // What is further away than the formatter goes is no time of ours.
    at.filter(|_| ms < 253_402_300_800_000).map_or_else(
        || format!("{ms} ms"),
        |at| humantime::format_rfc3339_millis(at).to_string(),
    )
}

/// A time, as how long ago it is.
pub(super) fn ago(ms: u64, now_ms: u64) -> String {
    format!("{} ago", span(now_ms.saturating_sub(ms)))
}

/// What an endpoint is doing.
pub(super) fn doing(endpoint: &Endpoint, now_ms: u64) -> String {
    let failing = |failing: &Failing| {
        let so_long = span(now_ms.saturating_sub(failing.since_ms));
        let next = next(failing.next_ms(), now_ms);
        format!(
            "failing for {so_long}, {}; {next}",
            counted(failing.attempts as usize, "attempt")
        )
    };
    match (endpoint.mode, &endpoint.failing, endpoint.breaker) {
        (EndpointMode::Paused, ..) => "paused".into(),
        (EndpointMode::Disabled, ..) => match &endpoint.disabled_because {
            Some(because) => format!("disabled ({because})"),
            None => "disabled".into(),
        },
        (EndpointMode::Enabled, Some(it), _) => failing(it),
        (EndpointMode::Enabled, None, Breaker::Open | Breaker::HalfOpen) => "left alone after failures".into(),
        (EndpointMode::Enabled, None, Breaker::Closed) if !endpoint.aside.is_empty() => {
            format!("enabled, {} aside", endpoint.aside.len())
        }
        (EndpointMode::Enabled, None, Breaker::Closed) => "enabled".into(),
    }
}

/// When the next attempt is, or that one is under way.
fn next(at_ms: Option<u64>, now_ms: u64) -> String {
    match at_ms {
        Some(at) if now_ms < at => format!("next in {}", span(at - now_ms)),
        Some(_) => "next now".into(),
        None => "under way".into(),
    }
}

/// A request that holds up others, and what waits behind it.
pub(super) fn stuck(stuck: &Stuck, now_ms: u64) -> String {
    let more = match stuck.events {
        0 | 1 => String::new(),
        events => format!(" and {} more", events - 1),
    };
    format!(
        "{}{more} ({}), {} so far; {}; {} behind it",
        event(&stuck.event),
        stuck.request.as_deref().unwrap_or("cut anew"),
        counted(stuck.attempts as usize, "attempt"),
        next(stuck.next_ms, now_ms),
        counted(stuck.waiting, "event")
    )
}

/// A request that is aside: its event, the last answer, and when it is tried again.
pub(super) fn aside(aside: &Aside, now_ms: u64) -> String {
    let next = next(aside.retry_ms, now_ms);
    format!(
        "{} ({}), answered {} at attempt {}, aside since {}; {next}; {} behind it",
        event(&aside.event),
        aside.request.as_deref().unwrap_or("no request"),
        aside.status,
        aside.attempts,
        ago(aside.since_ms, now_ms),
        counted(aside.waiting, "event")
    )
}

/// An event: `channel_occupied room`, `member_added room/7`, `user_online 7`.
pub(super) fn event(event: &Event) -> String {
    match (&event.channel, &event.user_id) {
        (Some(channel), Some(user)) => format!("{} {channel}/{user}", event.name),
        (Some(of), None) | (None, Some(of)) => format!("{} {of}", event.name),
        (None, None) => event.name.clone(),
    }
}

/// Events: the first of them, and how many more there are.
pub(super) fn events(events: &[Event]) -> String {
    let shown: Vec<String> = events.iter().take(3).map(event).collect();
    let more = events.len() - shown.len();
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    format!("{}{more}", shown.join(", "))
}

/// A line of the log.
pub(super) fn line(line: &LogLine) -> String {
    let (what, about) = match &line.what {
        What::Decided { event: decided } => {
            let seq = decided.seq.map_or(String::new(), |seq| format!(" (seq {seq})"));
            (
                "decided",
                format!("app {}  {}  {}{seq}", line.app, decided.id, event(decided)),
            )
        }
        What::Attempted(attempt) => {
            let what = if attempt.error.is_none() { "delivered" } else { "failed" };
            (what, attempted(&line.app, attempt, line.at_ms))
        }
        What::Parked {
            endpoint,
            because,
            event: parked,
        } => {
            let about = format!("{}/{endpoint}  {}  {}: {because}", line.app, parked.id, event(parked));
            ("parked", about)
        }
    };
    format!("{}  {what:<9}  {about}\n", time(line.at_ms))
}

fn attempted(app: &str, attempt: &Attempt, at_ms: u64) -> String {
    let replay = if attempt.replay { " of a replay" } else { "" };
    let answer = match (&attempt.error, attempt.status) {
        (None, Some(status)) => format!("{status} in {}", span(attempt.took_ms)),
        (None, None) => format!("received in {}", span(attempt.took_ms)),
        (Some(error), _) => match attempt.next_at_ms {
            Some(next) => format!("{error}; next in {}", span(next.saturating_sub(at_ms))),
            None => error.clone(),
        },
    };
    format!(
        "{app}/{}  {}  {}  attempt {}{replay}: {answer}",
        attempt.endpoint,
        attempt.request,
        events(&attempt.events),
        attempt.attempt
    )
}

/// A dead letter.
pub(super) fn dead(letter: &Dead) -> String {
    let replayed = letter.replayed_ms.map(|at_ms| format!(", replayed at {}", time(at_ms)));
    format!(
        "{}  {}/{}  {}  {}: {}{}\n",
        time(letter.at_ms),
        letter.app,
        letter.endpoint,
        letter.event.id,
        event(&letter.event),
        letter.because,
        replayed.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, channel: Option<&str>, user: Option<&str>) -> Event {
        Event {
            id: "evt_00000000000000aa".into(),
            name: name.into(),
            channel: channel.map(Into::into),
            user_id: user.map(Into::into),
            seq: Some(7),
        }
    }

    fn line_of(what: What) -> String {
        line(&LogLine {
            no: 1,
            at_ms: 1_764_007_200_123,
            app: "1".into(),
            what,
        })
    }

    fn attempt(status: Option<u16>, error: Option<&str>, next_at_ms: Option<u64>) -> What {
        What::Attempted(Attempt {
            endpoint: "main".into(),
            request: "msg_00000000000000bb".into(),
            attempt: 2,
            replay: false,
            status,
            error: error.map(Into::into),
            took_ms: 12,
            next_at_ms,
            events: ["a", "b", "c", "d", "e"]
                .map(|channel| of("channel_occupied", Some(channel), None))
                .into(),
        })
    }

    #[test]
    fn each_line_of_the_log_is_a_line_of_text() {
        let decided = What::Decided {
            event: of("channel_occupied", Some("room"), None),
        };
        assert_eq!(
            line_of(decided),
            "2025-11-24T18:00:00.123Z  decided    app 1  evt_00000000000000aa  channel_occupied room (seq 7)\n"
        );
        assert_eq!(
            line_of(attempt(Some(204), None, None)),
            "2025-11-24T18:00:00.123Z  delivered  1/main  msg_00000000000000bb  channel_occupied a, channel_occupied \
             b, channel_occupied c and 2 more  attempt 2: 204 in 12 ms\n"
        );
        let failed = attempt(Some(500), Some("answered 500"), Some(1_764_007_202_223));
        assert!(line_of(failed).ends_with("attempt 2: answered 500; next in 2.1 s\n"));
        let parked = What::Parked {
            endpoint: "main".into(),
            because: "too old".into(),
            event: of("member_added", Some("presence-room"), Some("7")),
        };
        assert_eq!(
            line_of(parked),
            "2025-11-24T18:00:00.123Z  parked     1/main  evt_00000000000000aa  member_added presence-room/7: too \
             old\n"
        );
    }

    #[test]
    fn an_event_about_no_channel_names_its_user() {
        assert_eq!(event(&of("user_online", None, Some("7"))), "user_online 7");
    }

    #[test]
    fn a_time_that_no_calendar_has_is_a_number() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(u64::MAX), format!("{} ms", u64::MAX));
    }
}
