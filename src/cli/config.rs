//! `vacancy config`: shows the effective configuration.

use std::process::ExitCode;

use super::print;
use crate::config::Loaded;

/// Prints every value and where it came from to the standard output.
pub(super) fn config(loaded: &Loaded) -> ExitCode {
    print(&effective(loaded));
    ExitCode::SUCCESS
}

/// One value a line, in the order of the documentation.
fn effective(loaded: &Loaded) -> String {
    let line = |value: &crate::config::Provenance| format!("{} = {}   ({})\n", value.path, value.value, value.origin);
    loaded.report.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigSource, Environment, Surroundings, from_text};

    #[test]
    fn every_value_is_shown_with_its_origin_and_no_secret() {
        let yaml = "apps: [{id: a, key: k, secret: hunter2, vacated_delay: 1s}]";
        let surroundings = Surroundings {
            environment: &Environment::from_iter([("VACANCY__SERVER__LISTEN", "[::1]:1")]),
            parallelism: 1,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        };
        let loaded = from_text(yaml, ConfigSource::Text, &surroundings).expect("valid");
        let want = "\
server.listen = [::1]:1   (environment VACANCY__SERVER__LISTEN)
server.workers = auto   (default)
server.activity_timeout = 120s   (default)
server.ping_after = 25s   (default)
server.pong_timeout = 15s   (default)
server.write_timeout = 10s   (default)
server.outbound_limit = 1MB   (default)
server.publish_backlog = 64MB   (default)
server.keep_alive = 630s   (default)
server.drain_wait = auto   (default)
server.drain_timeout = 30s   (default)
server.connections = unlimited   (default)
server.handshakes_per_second = unlimited   (default)
server.api_calls = 1000   (default)
server.path_prefix = \"\"   (default)
server.fallbacks = true   (default)
ledger.path = data/vacancy.redb   (default)
ledger.max_bytes = 1GB   (default)
ledger.log_for = 7d   (default)
ledger.log_bytes = 100MB   (default)
ledger.dead_letters_for = 30d   (default)
webhooks.batch_window = 50ms   (default)
webhooks.vacated_delay = 3s   (default)
webhooks.recovery_window = 30s   (default)
webhooks.max_batch_events = 100   (default)
webhooks.max_batch_bytes = 90KB   (default)
webhooks.timeout = 4s   (default)
webhooks.retry_for = 24h   (default)
webhooks.retry_after_max = 10m   (default)
admin.listen = 127.0.0.1:6002   (default)
admin.token = \"\"   (default)
apps[0].id = a   (file)
apps[0].key = k   (file)
apps[0].secret = ********   (file)
apps[0].weak_secret = false   (default)
apps[0].enabled = true   (default)
apps[0].client_events = true   (default)
apps[0].subscription_count = false   (default)
apps[0].watchlist = false   (default)
apps[0].authorized_connections = off   (default)
apps[0].tls_only = false   (default)
apps[0].cache_ttl = 30m   (default)
apps[0].batch_window = 50ms   (from webhooks.batch_window)
apps[0].vacated_delay = 1s   (file)
apps[0].recovery_window = 30s   (from webhooks.recovery_window)
apps[0].limits.event_data = 10KB   (default)
apps[0].limits.event_name = 200   (default)
apps[0].limits.channel_name = 164   (default)
apps[0].limits.trigger_channels = 100   (default)
apps[0].limits.batch_events = 10   (default)
apps[0].limits.presence_members = 100   (default)
apps[0].limits.user_id = 128   (default)
apps[0].limits.user_info = 1KB   (default)
apps[0].limits.client_events_per_second = 10   (default)
apps[0].limits.watchlist = 100   (default)
apps[0].limits.connections = unlimited   (default)
apps[0].limits.subscriptions_per_connection = 10000   (default)
apps[0].limits.commands_per_second = 200   (default)
apps[0].limits.commands_burst = 2000   (default)
apps[0].limits.channels = 100000   (default)
apps[0].limits.public_channels_per_second = 200   (default)
apps[0].limits.public_channels_burst = 50000   (default)
apps[0].limits.public_subscriptions_per_second = 20000   (default)
apps[0].limits.public_subscriptions_burst = 500000   (default)
apps[0].limits.cached_bytes = 64MB   (default)
apps[0].limits.api_calls_per_second = unlimited   (default)
";
        assert_eq!(effective(&loaded), want);
    }
}
