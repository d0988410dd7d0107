//! Warnings about valid values that are probably mistakes.

use std::{ops::RangeInclusive, time::Duration};

use super::{error::Problem, settings::Settings};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// Longer than any duration of a key.
const EVER: Duration = Duration::MAX;

/// The effects of durations that are too short or too long.
const CLOSES: &str = "clients on a slow network are closed";
const LINGERS: &str = "a client that vanished counts as subscribed for that long";
const UNANSWERED: &str = "few receivers answer that fast";
const HOLDS_UP: &str = "a receiver that hangs holds up later webhooks for that long";
const HURRY: &str = "few clients can sign in that fast";

/// The windows that an app may inherit: the key, the longest sensible value, and what is wrong with longer ones.
const WINDOWS: [(&str, Duration, &str); 3] = [
    ("batch_window", MINUTE, "each webhook waits for that long"),
    (
        "vacated_delay",
        HOUR,
        "a channel that is empty stays told occupied for that long",
    ),
    (
        "recovery_window",
        HOUR,
        "after a start, a channel whose clients do not come back stays told occupied for that long",
    ),
];

/// Warns about settings that are valid but that nobody wants.
pub(super) fn doubts(settings: &Settings) -> Vec<Problem> {
    let (server, webhooks) = (&settings.server, &settings.webhooks);
    let silence = |key, value, range, shorter| doubt(format!("server.{key}"), value, range, [shorter, LINGERS]);
    let timeout = SECOND / 10..=5 * MINUTE;
    let found = [
        silence("activity_timeout", server.activity_timeout, SECOND..=HOUR, ""),
        silence("ping_after", server.ping_after, SECOND..=HOUR, CLOSES),
        silence("pong_timeout", server.pong_timeout, SECOND..=10 * MINUTE, CLOSES),
        silence("write_timeout", server.write_timeout, SECOND..=HOUR, CLOSES),
        doubt("webhooks.timeout", webhooks.timeout, timeout, [UNANSWERED, HOLDS_UP]),
    ];
    let mut doubts: Vec<Problem> = found.into_iter().flatten().collect();
    let common = [webhooks.batch_window, webhooks.vacated_delay, webhooks.recovery_window];
    doubts.extend((0..3).filter_map(|at| window("webhooks", at, common[at])));
    for (index, app) in settings.apps.iter().enumerate() {
        let path = format!("apps[{index}]");
        let own = [app.batch_window, app.vacated_delay, app.recovery_window];
        // Inherited values were checked above.
        let differing = (0..3).filter(|at| own[*at] != common[*at]);
        doubts.extend(differing.filter_map(|at| window(&path, at, own[at])));
        if let Some(within) = app.authorized_connections {
            let path = format!("{path}.authorized_connections");
            doubts.extend(doubt(path, within, SECOND..=EVER, [HURRY, ""]));
        }
        for (endpoint, webhook) in app.webhooks.iter().enumerate() {
            let own = [settings.server.listen, settings.admin.listen];
            if own
                .iter()
                .any(|listen| 0 < listen.port() && webhook.url.starts_with(&format!("http://{listen}/")))
            {
                doubts.push(Problem::new(
                    format!("{path}.webhooks[{endpoint}].url"),
                    "is an address of this server, which takes no webhooks: name the receiver",
                ));
            }
        }
    }
    doubts
}

/// The doubt about one of [`WINDOWS`], which stands below this path.
fn window(path: &str, at: usize, value: Duration) -> Option<Problem> {
    let (key, longest, longer) = WINDOWS[at];
    doubt(format!("{path}.{key}"), value, Duration::ZERO..=longest, ["", longer])
}

/// The doubt about a duration outside the range that makes sense, with what comes of one that is shorter, or
/// longer.
fn doubt(
    path: impl Into<String>,
    value: Duration,
    range: RangeInclusive<Duration>,
    [shorter, longer]: [&str; 2],
) -> Option<Problem> {
    let (bound, word, effect) = if value < *range.start() {
        (range.start(), "less", shorter)
    } else if *range.end() < value {
        (range.end(), "more", longer)
    } else {
        return None;
    };
    let shown = humantime::format_duration;
    let what = format!("{} is {word} than {}: {effect}", shown(value), shown(*bound));
    Some(Problem::new(path, what))
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigSource, Environment, Surroundings, from_text};

    #[track_caller]
    fn check(yaml: &str, want: &[&str]) {
        let surroundings = Surroundings {
            environment: &Environment::default(),
            parallelism: 1,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        };
        let yaml = format!("{yaml}\n");
        let loaded = from_text(&yaml, ConfigSource::Text, &surroundings).expect(&yaml);
        let said: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(said, want, "{yaml}");
    }

    /// A configuration of one app with these settings.
    fn app(more: &str) -> String {
        format!("apps: [{{id: a, key: k, secret: 0123456789abcdef{more}}}]")
    }

    #[test]
    fn usual_values_raise_no_doubt() {
        check(&app(""), &[]);
        let longest = "server: {ping_after: 1h, pong_timeout: 10m}\nwebhooks: {recovery_window: 1h, timeout: 100ms}";
        check(&format!("{longest}\n{}", app("")), &[]);
    }

    #[test]
    fn a_duration_that_makes_no_sense_is_doubted_with_its_effect() {
        check(
            &format!(
                "server: {{pong_timeout: 999ms}}\nwebhooks: {{recovery_window: 1y}}\n{}",
                app("")
            ),
            &[
                "server.pong_timeout: 999ms is less than 1s: clients on a slow network are closed",
                "webhooks.recovery_window: 1year is more than 1h: after a start, a channel whose clients do not come \
                 back stays told occupied for that long",
            ],
        );
    }

    #[test]
    fn an_app_is_doubted_for_its_own_value_only() {
        check(
            &format!(
                "webhooks: {{vacated_delay: 2h}}\n{}",
                app(", batch_window: 61s, authorized_connections: 1ms")
            ),
            &[
                "webhooks.vacated_delay: 2h is more than 1h: a channel that is empty stays told occupied for that long",
                "apps[0].batch_window: 1m 1s is more than 1m: each webhook waits for that long",
                "apps[0].authorized_connections: 1ms is less than 1s: few clients can sign in that fast",
            ],
        );
    }

    #[test]
    fn a_webhook_to_the_server_itself_is_doubted() {
        let to = |url: &str| app(&format!(", webhooks: [{{url: '{url}', events: [existence]}}]"));
        let want = "apps[0].webhooks[0].url: is an address of this server, which takes no webhooks: name the receiver";
        check(&to("http://127.0.0.1:6001/webhooks"), &[want]);
        check(&to("http://127.0.0.1:6002/"), &[want]);
        check(&to("http://127.0.0.1:6003/"), &[]);
    }
}
