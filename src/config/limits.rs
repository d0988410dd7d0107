//! The limits of an app, with Pusher's numbers as defaults.

use super::{reach, reader::Section, settings::LimitSettings, values};

const KB: usize = 1 << 10;
const MB: usize = 1 << 20;
const GB: usize = 1 << 30;

/// Reads `limits` of an app. Up to `outbound_limit` bytes may wait for each of its clients.
pub(super) fn limits(app: &mut Section<'_>, outbound_limit: usize) -> LimitSettings {
    app.section("limits", |section| {
        let limits = read(section);
        reach::warn(section, &limits, outbound_limit);
        limits
    })
}

fn read(limits: &mut Section<'_>) -> LimitSettings {
    LimitSettings {
        event_data: limits.or_default("event_data", "10KB", values::size(1..=MB)),
        event_name: limits.or_default("event_name", "200", values::integer(1..=1_024)),
        channel_name: limits.or_default("channel_name", "164", values::integer(1..=1_024)),
        trigger_channels: limits.or_default("trigger_channels", "100", values::integer(1..=10_000)),
        batch_events: limits.or_default("batch_events", "10", values::integer(1..=10_000)),
        presence_members: limits.or_default("presence_members", "100", values::integer(1..=100_000)),
        user_id: limits.or_default("user_id", "128", values::integer(1..=1_024)),
        user_info: limits.or_default("user_info", "1KB", values::size(1..=64 * KB)),
        client_events_per_second: limits.or_default("client_events_per_second", "10", values::integer(1..=10_000)),
        watchlist: limits.or_default("watchlist", "100", values::integer(1..=10_000)),
        connections: limits.or_default("connections", "unlimited", values::connections),
        subscriptions_per_connection: limits.or_default(
            "subscriptions_per_connection",
            "10000",
            values::integer(1..=1_000_000),
        ),
        commands_per_second: limits.or_default("commands_per_second", "200", values::integer(1..=1_000_000)),
        commands_burst: limits.or_default("commands_burst", "2000", values::integer(1..=1_000_000)),
        channels: limits.or_default("channels", "100000", values::integer(1..=100_000_000)),
        public_channels_per_second: limits.or_default("public_channels_per_second", "200", values::rate),
        public_channels_burst: limits.or_default("public_channels_burst", "50000", values::integer(1..=100_000_000)),
        public_subscriptions_per_second: limits.or_default("public_subscriptions_per_second", "20000", values::rate),
        public_subscriptions_burst: limits.or_default(
            "public_subscriptions_burst",
            "500000",
            values::integer(1..=100_000_000),
        ),
        cached_bytes: limits.or_default("cached_bytes", "64MB", values::size(KB..=64 * GB)),
        api_calls_per_second: limits.or_default("api_calls_per_second", "unlimited", values::rate),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            error::Problem,
            parse::parse,
            reader::{self, Findings},
        },
        *,
    };
    use crate::domain::limits as pusher;

    fn read(limits_yaml: &str) -> (LimitSettings, Vec<String>) {
        let yaml = format!("limits: {limits_yaml}");
        let mut findings = Findings::default();
        let limits = reader::read(parse(&yaml).expect(&yaml), &mut findings, |app| limits(app, 1 << 20));
        (limits, findings.problems.iter().map(Problem::to_string).collect())
    }

    /// Checks that the ends of a range are accepted, and that what is past them is refused with
    /// the range and the value.
    #[track_caller]
    fn check(name: &str, lowest: &str, highest: &str, outside: [&str; 2]) {
        for value in [lowest, highest] {
            assert_eq!(read(&format!("{{{name}: {value}}}")).1, [""; 0], "{name}: {value}");
        }
        for value in outside {
            let want = format!("limits.{name}: must be {lowest} to {highest}, not {value}");
            assert_eq!(read(&format!("{{{name}: {value}}}")).1, [want]);
        }
    }

    #[test]
    fn the_defaults_are_those_of_pusher_and_ours() {
        let want = LimitSettings {
            event_data: 10_240,
            event_name: 200,
            channel_name: 164,
            trigger_channels: 100,
            batch_events: 10,
            presence_members: 100,
            user_id: 128,
            user_info: 1_024,
            client_events_per_second: 10,
            watchlist: 100,
            connections: None,
            subscriptions_per_connection: 10_000,
            commands_per_second: 200,
            commands_burst: 2_000,
            channels: 100_000,
            public_channels_per_second: Some(200),
            public_channels_burst: 50_000,
            public_subscriptions_per_second: Some(20_000),
            public_subscriptions_burst: 500_000,
            cached_bytes: 67_108_864,
            api_calls_per_second: None,
        };
        assert_eq!(read(""), (want, vec![]));
    }

    #[test]
    fn the_defaults_are_the_limits_of_the_domain() {
        let (limits, _) = read("{}");
        assert_eq!(
            [
                limits.event_data,
                limits.event_name,
                limits.channel_name,
                limits.trigger_channels,
                limits.batch_events,
                limits.user_id,
                limits.user_info,
                limits.subscriptions_per_connection,
            ],
            [
                pusher::EVENT_DATA_BYTES_MAX,
                pusher::EVENT_NAME_CHARS_MAX,
                pusher::CHANNEL_NAME_BYTES_MAX,
                pusher::TRIGGER_CHANNELS_MAX,
                pusher::BATCH_EVENTS_MAX,
                pusher::USER_ID_CHARS_MAX,
                pusher::USER_INFO_BYTES_MAX,
                pusher::SUBSCRIPTIONS_PER_CONNECTION_MAX,
            ]
        );
        assert_eq!(limits.client_events_per_second, pusher::CLIENT_EVENTS_PER_SECOND);
    }

    #[test]
    fn every_limit_is_read_from_its_own_name() {
        let (limits, problems) = read(
            "{event_data: 1KB, event_name: 2, channel_name: 3, trigger_channels: 4, batch_events: 5, \
             presence_members: 6, user_id: 7, user_info: 8B, client_events_per_second: 9, watchlist: 10, \
             connections: 11, subscriptions_per_connection: 12, commands_per_second: 13, \
             commands_burst: 14, cached_bytes: 15KB, api_calls_per_second: 16, channels: 17, \
             public_channels_per_second: 18, public_channels_burst: 19, public_subscriptions_per_second: 20, \
             public_subscriptions_burst: 21}",
        );
        let want = LimitSettings {
            event_data: 1_024,
            event_name: 2,
            channel_name: 3,
            trigger_channels: 4,
            batch_events: 5,
            presence_members: 6,
            user_id: 7,
            user_info: 8,
            client_events_per_second: 9,
            watchlist: 10,
            connections: Some(11),
            subscriptions_per_connection: 12,
            commands_per_second: 13,
            commands_burst: 14,
            channels: 17,
            public_channels_per_second: Some(18),
            public_channels_burst: 19,
            public_subscriptions_per_second: Some(20),
            public_subscriptions_burst: 21,
            cached_bytes: 15 * KB,
            api_calls_per_second: Some(16),
        };
        assert_eq!((limits, problems), (want, vec![]));
    }

    #[test]
    fn every_limit_has_its_range_and_says_it_with_the_value() {
        check("event_data", "1B", "1MB", ["0B", "1025KB"]);
        check("event_name", "1", "1024", ["0", "1025"]);
        check("channel_name", "1", "1024", ["0", "1025"]);
        check("trigger_channels", "1", "10000", ["0", "10001"]);
        check("batch_events", "1", "10000", ["0", "10001"]);
        check("presence_members", "1", "100000", ["0", "100001"]);
        check("user_id", "1", "1024", ["0", "1025"]);
        check("user_info", "1B", "64KB", ["0B", "65KB"]);
        check("client_events_per_second", "1", "10000", ["0", "10001"]);
        check("watchlist", "1", "10000", ["0", "10001"]);
        check("connections", "1", "100000000", ["0", "100000001"]);
        check("subscriptions_per_connection", "1", "1000000", ["0", "1000001"]);
        check("commands_per_second", "1", "1000000", ["-1", "1000001"]);
        check("commands_burst", "1", "1000000", ["0", "1000001"]);
        check("channels", "1", "100000000", ["0", "100000001"]);
        check("public_channels_per_second", "1", "1000000", ["0", "1000001"]);
        check("public_channels_burst", "1", "100000000", ["0", "100000001"]);
        check("public_subscriptions_per_second", "1", "1000000", ["0", "1000001"]);
        check("public_subscriptions_burst", "1", "100000000", ["0", "100000001"]);
        check("cached_bytes", "1KB", "64GB", ["1023B", "65GB"]);
        check("api_calls_per_second", "1", "1000000", ["0", "1000001"]);
    }

    #[test]
    fn a_size_has_a_unit_and_a_count_has_none() {
        let (_, problems) = read("{event_data: 10240, batch_events: 10KB, connections: many, watchlits: 1}");
        assert_eq!(
            problems,
            [
                "limits.event_data: 10240 has no unit, write 10240B, 10240KB, 10240MB or 10240GB",
                "limits.batch_events: must be a whole number",
                "limits.connections: must be unlimited or a whole number",
                "limits.watchlits: unknown key, did you mean `watchlist`?",
            ]
        );
        assert_eq!(read("{connections: unlimited}").0.connections, None);
    }
}
