//! The sections of the file that are not about one app, with their defaults.

use std::{net::SocketAddr, time::Duration};

use super::{
    files::Files,
    reader::Section,
    settings::{ServerSettings, WebhookSettings},
    tls,
    values::{self, MOMENT},
};

const KB: usize = 1 << 10;
const GB: usize = 1 << 30;

/// Reads `server`; `parallelism` is what `workers: auto` stands for.
pub(super) fn server(root: &mut Section<'_>, parallelism: usize, files: &Files<'_>) -> ServerSettings {
    root.section("server", |server| ServerSettings {
        listen: listen(server),
        workers: server.or_default("workers", "auto", values::workers(parallelism)),
        activity_timeout: duration(server, "activity_timeout", "120s", Duration::from_secs(1)),
        ping_after: duration(server, "ping_after", "25s", MOMENT),
        pong_timeout: duration(server, "pong_timeout", "15s", MOMENT),
        write_timeout: duration(server, "write_timeout", "10s", MOMENT),
        outbound_limit: server.or_default("outbound_limit", "1MB", values::size(KB..=GB)),
        publish_backlog: server.or_default("publish_backlog", "64MB", values::size(KB..=64 * GB)),
        keep_alive: duration(server, "keep_alive", "630s", Duration::from_secs(1)),
        drain_wait: server.or_default("drain_wait", "auto", values::duration_or_auto()),
        drain_timeout: duration(server, "drain_timeout", "30s", Duration::ZERO),
        connections: server.or_default("connections", "unlimited", values::connections),
        handshakes_per_second: server.or_default("handshakes_per_second", "unlimited", values::rate),
        api_calls: server.or_default("api_calls", "1000", values::integer(1..=1_000_000)),
        path_prefix: server.or_default("path_prefix", "", values::path_prefix),
        fallbacks: server.or_default("fallbacks", "true", values::boolean),
        tls: tls::server_tls(server, files),
    })
}

/// Reads `webhooks`.
pub(super) fn webhooks(root: &mut Section<'_>) -> WebhookSettings {
    root.section("webhooks", |webhooks| WebhookSettings {
        batch_window: duration(webhooks, "batch_window", "50ms", Duration::ZERO),
        vacated_delay: duration(webhooks, "vacated_delay", "3s", Duration::ZERO),
        recovery_window: duration(webhooks, "recovery_window", "30s", Duration::ZERO),
        max_batch_events: webhooks.or_default("max_batch_events", "100", values::integer(1..=10_000)),
        max_batch_bytes: webhooks.or_default("max_batch_bytes", "90KB", values::size(1..=GB)),
        timeout: duration(webhooks, "timeout", "4s", MOMENT),
        retry_for: duration(webhooks, "retry_for", "24h", Duration::ZERO),
        retry_after_max: duration(webhooks, "retry_after_max", "10m", Duration::ZERO),
    })
}

fn listen(server: &mut Section<'_>) -> SocketAddr {
    server.or_default("listen", "127.0.0.1:6001", values::address)
}

fn duration(section: &mut Section<'_>, key: &'static str, default: &str, lowest: Duration) -> Duration {
    section.or_default(key, default, values::duration(lowest))
}

#[cfg(test)]
mod tests {
    use std::{io, path::Path};

    use super::{
        super::{
            error::Problem,
            parse::parse,
            reader::{self, Findings},
        },
        *,
    };

    fn server(root: &mut Section<'_>, parallelism: usize) -> ServerSettings {
        let files = Files {
            folder: Path::new(""),
            read: &|_| Err(io::ErrorKind::NotFound.into()),
        };
        super::server(root, parallelism, &files)
    }

    fn read<T>(yaml: &str, body: impl FnOnce(&mut Section<'_>) -> T) -> (T, Vec<String>) {
        let mut findings = Findings::default();
        let value = reader::read(parse(yaml).expect(yaml), &mut findings, body);
        (value, findings.problems.iter().map(Problem::to_string).collect())
    }

    /// Checks that each of the values of a key is accepted or refused.
    #[track_caller]
    fn check(path: &str, accepted: &[&str], refused: &[&str]) {
        let (section, key) = path.split_once('.').expect("a path");
        let problems = |value: &str| {
            let yaml = format!("{section}: {{{key}: {value}}}");
            read(&yaml, |root| {
                server(root, 3);
                webhooks(root);
            })
            .1
        };
        for value in accepted {
            assert_eq!(problems(value), Vec::<String>::new(), "{path}: {value}");
        }
        for value in refused {
            let problems = problems(value);
            assert_eq!(problems.len(), 1, "{path}: {value}: {problems:?}");
            assert!(problems[0].starts_with(&format!("{path}: ")), "{problems:?}");
        }
    }

    #[test]
    fn the_defaults_of_the_server_are_the_documented_ones() {
        let (server, problems) = read("", |root| server(root, 3));
        assert_eq!(problems, [""; 0]);
        assert_eq!(server.listen, "127.0.0.1:6001".parse().expect("valid"));
        assert_eq!(server.workers, 3);
        let seconds = [
            server.activity_timeout,
            server.ping_after,
            server.pong_timeout,
            server.write_timeout,
            server.keep_alive,
            server.drain_timeout,
        ];
        assert_eq!(
            seconds.map(|duration| duration.as_millis()),
            [120_000, 25_000, 15_000, 10_000, 630_000, 30_000]
        );
        assert_eq!(server.drain_wait, None);
        assert_eq!((server.outbound_limit, server.publish_backlog), (1 << 20, 64 << 20));
        assert_eq!(
            (server.connections, server.path_prefix.as_str(), server.fallbacks),
            (None, "", true)
        );
        assert_eq!((server.handshakes_per_second, server.api_calls), (None, 1_000));
    }

    #[test]
    fn the_defaults_of_the_webhooks_are_the_documented_ones() {
        let (webhooks, problems) = read("", webhooks);
        assert_eq!(problems, [""; 0]);
        let want = WebhookSettings {
            batch_window: Duration::from_millis(50),
            vacated_delay: Duration::from_secs(3),
            recovery_window: Duration::from_secs(30),
            max_batch_events: 100,
            max_batch_bytes: 90 << 10,
            timeout: Duration::from_secs(4),
            retry_for: Duration::from_secs(86_400),
            retry_after_max: Duration::from_secs(600),
        };
        assert_eq!(webhooks, want);
    }

    #[test]
    fn every_key_of_the_server_is_read_from_its_own_name() {
        let yaml = "server: {listen: '[::1]:1', workers: 2, activity_timeout: 3s, ping_after: 4s, \
                    pong_timeout: 5s, write_timeout: 6s, outbound_limit: 7KB, publish_backlog: 8KB, \
                    keep_alive: 13s, drain_wait: 14s, drain_timeout: 9s, connections: 10, handshakes_per_second: 11, api_calls: 12, path_prefix: /ws, fallbacks: false}";
        let (server, problems) = read(yaml, |root| server(root, 3));
        assert_eq!(problems, [""; 0]);
        assert_eq!((server.listen.port(), server.workers), (1, 2));
        let seconds = [
            server.activity_timeout,
            server.ping_after,
            server.pong_timeout,
            server.write_timeout,
            server.keep_alive,
            server.drain_timeout,
        ];
        assert_eq!(seconds.map(|duration| duration.as_secs()), [3, 4, 5, 6, 13, 9]);
        assert_eq!(server.drain_wait, Some(Duration::from_secs(14)));
        assert_eq!((server.outbound_limit, server.publish_backlog), (7 * KB, 8 * KB));
        assert_eq!(
            (server.connections, server.path_prefix.as_str(), server.fallbacks),
            (Some(10), "/ws", false)
        );
        assert_eq!((server.handshakes_per_second, server.api_calls), (Some(11), 12));
    }

    #[test]
    fn every_key_of_the_webhooks_is_read_from_its_own_name() {
        let yaml = "webhooks: {batch_window: 1ms, vacated_delay: 2ms, max_batch_events: 3, \
                    max_batch_bytes: 4B, timeout: 5ms, retry_for: 6ms, recovery_window: 7ms, retry_after_max: 8ms}";
        let (webhooks, problems) = read(yaml, webhooks);
        assert_eq!(problems, [""; 0]);
        let durations = [
            webhooks.batch_window,
            webhooks.vacated_delay,
            webhooks.timeout,
            webhooks.retry_for,
            webhooks.recovery_window,
            webhooks.retry_after_max,
        ];
        assert_eq!(durations.map(|duration| duration.as_millis()), [1, 2, 5, 6, 7, 8]);
        assert_eq!((webhooks.max_batch_events, webhooks.max_batch_bytes), (3, 4));
    }

    #[test]
    fn what_clients_are_told_in_seconds_is_a_second_or_more() {
        for path in ["server.activity_timeout", "server.keep_alive"] {
            check(path, &["1s", "1h"], &["999ms", "0s", "120"]);
        }
    }

    #[test]
    fn the_wait_before_a_drain_may_be_left_to_the_server() {
        check("server.drain_wait", &["auto", "0s", "1h"], &["off", "5", "-1s"]);
    }

    #[test]
    fn timeouts_of_a_connection_are_more_than_zero() {
        for path in [
            "server.ping_after",
            "server.pong_timeout",
            "server.write_timeout",
            "webhooks.timeout",
        ] {
            check(path, &["1ms", "1s"], &["0s", "999us", "1"]);
        }
    }

    #[test]
    fn other_durations_may_be_zero() {
        for path in [
            "server.drain_timeout",
            "webhooks.batch_window",
            "webhooks.vacated_delay",
            "webhooks.recovery_window",
            "webhooks.retry_for",
            "webhooks.retry_after_max",
        ] {
            check(path, &["0s", "366d"], &["367d", "0", "-1s"]);
        }
    }

    #[test]
    fn limits_have_their_ranges() {
        check("server.outbound_limit", &["1KB", "1GB"], &["1023B", "1025MB", "1"]);
        check("server.publish_backlog", &["1KB", "64GB"], &["1023B", "65GB"]);
        check("webhooks.max_batch_bytes", &["1B", "1GB"], &["0B", "1025MB"]);
        check("webhooks.max_batch_events", &["1", "10000"], &["0", "10001"]);
        check(
            "server.connections",
            &["unlimited", "1", "100000000"],
            &["0", "100000001", "none"],
        );
        check(
            "server.handshakes_per_second",
            &["unlimited", "1", "1000000"],
            &["0", "1000001", "many"],
        );
        check("server.api_calls", &["1", "1000000"], &["0", "1000001", "unlimited"]);
        check("server.workers", &["auto", "1", "1024"], &["0", "1025", "many"]);
        check(
            "server.listen",
            &["'127.0.0.1:0'", "'[::]:80'"],
            &["6001", "localhost:1"],
        );
    }

    #[test]
    fn a_path_prefix_begins_with_a_slash_and_ends_in_none() {
        check(
            "server.path_prefix",
            &["''", "/ws", "/app", "/apps"],
            &["ws", "/", "/ws/", "1"],
        );
        check("server.fallbacks", &["true", "false"], &["on", "1"]);
    }
}
