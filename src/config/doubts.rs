//! Warnings about valid values that are probably mistakes.

use std::{ops::RangeInclusive, time::Duration};

use super::{error::Problem, settings::Settings};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// Longer than any duration of a key.
const EVER: Duration = Duration::MAX;

/// A duration, the range in which it makes sense, and what happens outside it.
struct Sense<'a> {
    path: String,
    value: Duration,
    range: RangeInclusive<Duration>,
    shorter: &'a str,
    longer: &'a str,
}

/// Warns about settings that are valid but that nobody wants.
pub(super) fn doubts(settings: &Settings) -> Vec<Problem> {
    let mut doubts = Vec::new();
    let (server, webhooks) = (&settings.server, &settings.webhooks);
    let closes = "clients on a slow network are closed";
    let lingers = "a client that vanished counts as subscribed for that long";
    let told_late = "each webhook waits for that long";
    let still_occupied = "a channel that is empty stays told occupied for that long";
    let after_start = "after a start, a channel whose clients do not come back stays told occupied for that long";
    for of in [
        sense(
            "server.activity_timeout",
            server.activity_timeout,
            SECOND..=HOUR,
            "",
            lingers,
        ),
        sense("server.ping_after", server.ping_after, SECOND..=HOUR, closes, lingers),
        sense(
            "server.pong_timeout",
            server.pong_timeout,
            SECOND..=10 * MINUTE,
            closes,
            lingers,
        ),
        sense(
            "server.write_timeout",
            server.write_timeout,
            SECOND..=HOUR,
            closes,
            lingers,
        ),
        sense(
            "webhooks.timeout",
            webhooks.timeout,
            SECOND / 10..=5 * MINUTE,
            "few receivers answer that fast",
            "a receiver that hangs holds up later webhooks for that long",
        ),
    ] {
        doubts.extend(of.doubt());
    }
    let windows = |path: &str, [batch, vacated, recovery]: [Option<Duration>; 3]| {
        [
            ("batch_window", batch, MINUTE, told_late),
            ("vacated_delay", vacated, HOUR, still_occupied),
            ("recovery_window", recovery, HOUR, after_start),
        ]
        .into_iter()
        .filter_map(|(key, value, longest, longer)| {
            let path = format!("{path}.{key}");
            sense(path, value?, Duration::ZERO..=longest, "", longer).doubt()
        })
        .collect::<Vec<_>>()
    };
    let common = [webhooks.batch_window, webhooks.vacated_delay, webhooks.recovery_window];
    doubts.extend(windows("webhooks", common.map(Some)));
    for (index, app) in settings.apps.iter().enumerate() {
        let path = format!("apps[{index}]");
        let own = [app.batch_window, app.vacated_delay, app.recovery_window];
        // Inherited values were checked above.
        let mut pairs = own.into_iter().zip(common);
        let own = [(); 3].map(|()| pairs.next().filter(|(own, common)| own != common).map(|(own, _)| own));
        doubts.extend(windows(&path, own));
        if let Some(within) = app.authorized_connections {
            let path = format!("{path}.authorized_connections");
            let hurry = "few clients can sign in that fast";
            doubts.extend(sense(path, within, SECOND..=EVER, hurry, "").doubt());
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

fn sense<'a>(
    path: impl Into<String>,
    value: Duration,
    range: RangeInclusive<Duration>,
    shorter: &'a str,
    longer: &'a str,
) -> Sense<'a> {
    Sense {
        path: path.into(),
        value,
        range,
        shorter,
        longer,
    }
}

impl Sense<'_> {
    fn doubt(self) -> Option<Problem> {
        let (bound, word, effect) = if self.value < *self.range.start() {
            (self.range.start(), "less", self.shorter)
        } else if *self.range.end() < self.value {
            (self.range.end(), "more", self.longer)
        } else {
            return None;
        };
        let shown = humantime::format_duration;
        let what = format!("{} is {word} than {}: {effect}", shown(self.value), shown(*bound));
        Some(Problem::new(self.path, what))
    }
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
