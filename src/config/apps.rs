//! The apps of the file.

use std::{net::SocketAddr, time::Duration};

use super::{
    endpoints,
    files::Files,
    keys, limits,
    reader::Section,
    settings::{AppSettings, WebhookSettings},
    source::{Origin, Value},
    values::{self, MOMENT},
};
use crate::domain::{AppId, AppKey};

/// What the apps are read with.
pub(super) struct Around<'a> {
    /// What an app takes over unless it says otherwise.
    pub(super) webhooks: &'a WebhookSettings,
    /// Where the server listens.
    pub(super) listen: SocketAddr,
    /// Bytes that may wait for one client.
    pub(super) outbound_limit: usize,
    /// The files that an app names.
    pub(super) files: Files<'a>,
}

/// Reads `apps`. An app with a problem is left out.
pub(super) fn apps(root: &mut Section<'_>, around: &Around<'_>) -> Vec<AppSettings> {
    let mut ids: Vec<Option<AppId>> = Vec::new();
    let mut keys: Vec<(AppKey, String)> = Vec::new();
    let empty = "there is no app, add one with `id`, `key` and `secret`";
    let apps = root.sections("apps", Some(empty), |section| app(section, around, &mut ids, &mut keys));
    apps.into_iter().flatten().collect()
}

fn app(
    section: &mut Section<'_>,
    around: &Around<'_>,
    ids: &mut Vec<Option<AppId>>,
    taken: &mut Vec<(AppKey, String)>,
) -> Option<AppSettings> {
    let id = section.required("id", values::id::<AppId>, Value::shown);
    unique(section, "id", &id, ids);
    let keys = keys::keys(section, around, taken);
    let enabled = section.or_default("enabled", "true", values::boolean);
    let client_events = section.or_default("client_events", "true", values::boolean);
    let subscription_count = section.or_default("subscription_count", "false", values::boolean);
    let watchlist = section.or_default("watchlist", "false", values::boolean);
    let authorized_connections = section.or_default("authorized_connections", "off", values::duration_or_off(MOMENT));
    let tls_only = section.or_default("tls_only", "false", values::boolean);
    let cache_ttl = section.or_default("cache_ttl", "30m", values::duration(MOMENT));
    let window = around.webhooks.batch_window;
    let batch_window = inherited(section, "batch_window", "webhooks.batch_window", window);
    let delay = around.webhooks.vacated_delay;
    let vacated_delay = inherited(section, "vacated_delay", "webhooks.vacated_delay", delay);
    let recovery = around.webhooks.recovery_window;
    let recovery_window = inherited(section, "recovery_window", "webhooks.recovery_window", recovery);
    let limits = limits::limits(section, around.outbound_limit);
    let webhooks = endpoints::endpoints(section, id.as_ref(), &around.files);
    let keys = keys?;
    let oldest = keys.first()?;
    Some(AppSettings {
        id: id?,
        key: oldest.key.clone(),
        secret: oldest.secret.clone(),
        keys,
        enabled,
        client_events,
        subscription_count,
        watchlist,
        authorized_connections,
        tls_only,
        cache_ttl,
        batch_window,
        vacated_delay,
        recovery_window,
        limits,
        webhooks,
    })
}

/// Reports an id that an earlier app has, and remembers it.
fn unique(section: &mut Section<'_>, key: &str, id: &Option<AppId>, earlier: &mut Vec<Option<AppId>>) {
    if id.is_some()
        && let Some(first) = earlier.iter().position(|other| other == id)
    {
        section.problem(key, format!("apps[{first}] has the same, give each app its own"));
    }
    earlier.push(id.clone());
}

fn inherited(section: &mut Section<'_>, key: &'static str, from: &'static str, value: Duration) -> Duration {
    if !section.has(key) {
        let shown = humantime::format_duration(value).to_string();
        section.note(key, shown, Origin::Inherited(from));
    }
    let own = section.optional(key, values::duration(Duration::ZERO), Value::shown);
    own.unwrap_or(value)
}

#[cfg(test)]
pub(super) mod of_test;

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::{
        super::reader::Provenance,
        of_test::{accepted, read_on, refused},
        *,
    };

    const APP: &str = "id: a, key: k, secret: hunter2";

    #[test]
    fn an_app_has_defaults_for_all_but_id_key_and_secret() {
        let apps = accepted(&format!("apps: [{{{APP}}}]"));
        let app = &apps[0];
        assert_eq!((app.id.as_str(), app.key.as_str()), ("a", "k"));
        assert_eq!(app.secret.expose_secret(), "hunter2");
        assert_eq!((app.enabled, app.client_events), (true, true));
        assert_eq!(
            (app.subscription_count, app.watchlist, app.tls_only),
            (false, false, false)
        );
        assert_eq!(app.authorized_connections, None);
        assert_eq!(app.cache_ttl, Duration::from_secs(1_800));
        assert_eq!((app.limits.event_data, app.limits.connections), (10_240, None));
        assert_eq!(app.batch_window, Duration::from_millis(50));
        assert_eq!(app.vacated_delay, Duration::from_secs(3));
        assert_eq!(app.recovery_window, Duration::from_secs(30));
        assert!(app.webhooks.is_empty());
    }

    #[test]
    fn an_app_may_say_otherwise() {
        let apps = accepted(&format!(
            "apps: [{{{APP}, enabled: false, client_events: false, batch_window: 1s, vacated_delay: 0s, recovery_window: 2s}}]"
        ));
        let app = &apps[0];
        assert_eq!((app.enabled, app.client_events), (false, false));
        assert_eq!(
            (app.batch_window, app.vacated_delay, app.recovery_window),
            (Duration::from_secs(1), Duration::ZERO, Duration::from_secs(2))
        );
        let one = accepted(&format!("apps: [{{{APP}, enabled: false}}]"));
        assert_eq!((one[0].enabled, one[0].client_events), (false, true));
        refused(
            &format!("apps: [{{{APP}, batch_window: 1, vacated_delay: x}}]"),
            &[
                "apps[0].batch_window: 1 has no unit, write 1ms, 1s, 1m or 1h",
                "apps[0].vacated_delay: must be a duration like 50ms, 3s or 24h",
            ],
        );
    }

    #[test]
    fn every_switch_of_an_app_is_read_from_its_own_name() {
        for name in ["subscription_count", "watchlist", "tls_only"] {
            let apps = accepted(&format!("apps: [{{{APP}, {name}: true}}]"));
            let app = &apps[0];
            let switches = [
                ("subscription_count", app.subscription_count),
                ("watchlist", app.watchlist),
                ("tls_only", app.tls_only),
            ];
            for (other, on) in switches {
                assert_eq!(on, other == name, "{name} {other}");
            }
        }
        refused(
            &format!("apps: [{{{APP}, subscription_count: 1, watchlist: on, tls_only: 'no'}}]"),
            &[
                "apps[0].subscription_count: must be true or false, not a whole number",
                "apps[0].watchlist: must be true or false",
                "apps[0].tls_only: must be true or false",
            ],
        );
    }

    #[test]
    fn connections_must_be_authorized_when_there_is_a_time_for_it() {
        let read = |value: &str| {
            let yaml = format!("apps: [{{{APP}, authorized_connections: {value}, cache_ttl: 5m}}]");
            let apps = accepted(&yaml);
            assert_eq!(apps[0].cache_ttl, Duration::from_secs(300));
            apps[0].authorized_connections
        };
        assert_eq!(read("30s"), Some(Duration::from_secs(30)));
        assert_eq!(read("off"), None);
        refused(
            &format!("apps: [{{{APP}, authorized_connections: 0s, cache_ttl: 0s}}]"),
            &[
                "apps[0].authorized_connections: must be 1ms to 366days, not 0s",
                "apps[0].cache_ttl: must be 1ms to 366days, not 0s",
            ],
        );
        refused(
            &format!("apps: [{{{APP}, authorized_connections: 30, cache_ttl: off}}]"),
            &[
                "apps[0].authorized_connections: 30 has no unit, write 30ms, 30s, 30m or 30h",
                "apps[0].cache_ttl: must be a duration like 50ms, 3s or 24h",
            ],
        );
    }

    #[test]
    fn a_limit_of_an_app_is_its_own() {
        let apps = accepted(&format!(
            "apps: [{{{APP}, limits: {{event_data: 20KB, connections: 5}}}}, {{id: b, key: l, secret: x}}]"
        ));
        assert_eq!(
            (apps[0].limits.event_data, apps[0].limits.connections),
            (20_480, Some(5))
        );
        assert_eq!((apps[1].limits.event_data, apps[1].limits.connections), (10_240, None));
        refused(
            &format!("apps: [{{{APP}, limits: {{event_data: 2MB}}}}]"),
            &["apps[0].limits.event_data: must be 1B to 1MB, not 2MB"],
        );
    }

    #[test]
    fn the_key_of_an_app_is_its_oldest() {
        let apps = accepted(
            "apps: [{id: a, keys: [{key: new, secret: x, since: 2026-11-24}, {key: old, secret: y, since: 2025-01-01}]}]",
        );
        let app = &apps[0];
        assert_eq!((app.key.as_str(), app.secret.expose_secret()), ("old", "y"));
        assert_eq!(app.keys.len(), 2);
    }

    #[test]
    fn the_report_shows_what_is_inherited_and_hides_the_secret() {
        let (_, findings) = read_on("127.0.0.1:1", &format!("apps: [{{{APP}, batch_window: 2s}}]"));
        let not_a_limit = |p: &&Provenance| !p.path.starts_with("apps[0].limits.");
        let line = |p: &Provenance| format!("{} = {} ({})", p.path, p.value, p.origin);
        assert_eq!(
            findings.report.iter().filter(not_a_limit).map(line).collect::<Vec<_>>(),
            [
                "apps[0].id = a (file)",
                "apps[0].key = k (file)",
                "apps[0].secret = ******** (file)",
                "apps[0].weak_secret = false (default)",
                "apps[0].enabled = true (default)",
                "apps[0].client_events = true (default)",
                "apps[0].subscription_count = false (default)",
                "apps[0].watchlist = false (default)",
                "apps[0].authorized_connections = off (default)",
                "apps[0].tls_only = false (default)",
                "apps[0].cache_ttl = 30m (default)",
                "apps[0].batch_window = 2s (file)",
                "apps[0].vacated_delay = 3s (from webhooks.vacated_delay)",
                "apps[0].recovery_window = 30s (from webhooks.recovery_window)",
            ]
        );
    }

    #[test]
    fn there_must_be_an_app() {
        for yaml in ["", "apps:", "apps: []"] {
            refused(yaml, &["apps: there is no app, add one with `id`, `key` and `secret`"]);
        }
        refused("apps: {}", &["apps: must be a list, not a map"]);
    }

    #[test]
    fn an_app_needs_id_key_and_secret() {
        refused(
            "apps: [{}]",
            &[
                "apps[0].id: is missing",
                "apps[0].key: is missing",
                "apps[0].secret: is missing, give `secret` or `secret_file`",
            ],
        );
    }

    #[test]
    fn ids_and_keys_are_unique() {
        refused(
            "apps: [{id: a, key: k, secret: x}, {id: b, key: k, secret: x}, {id: a, key: m, secret: x}]",
            &[
                "apps[1].key: apps[0].key has the same, give each its own",
                "apps[2].id: apps[0] has the same, give each app its own",
            ],
        );
        refused(
            "apps: [{key: k, secret: x}, {key: m, secret: x}]",
            &["apps[0].id: is missing", "apps[1].id: is missing"],
        );
        assert_eq!(
            accepted("apps: [{id: a, key: k, secret: x}, {id: k, key: a, secret: x}]").len(),
            2
        );
    }

    #[test]
    fn an_id_may_be_a_number_and_key_and_secret_must_be_quoted() {
        assert_eq!(accepted("apps: [{id: 12, key: k, secret: x}]")[0].id.as_str(), "12");
        refused(
            "apps: [{id: 12, key: 34, secret: 56}]",
            &[
                "apps[0].key: YAML reads it as a whole number, put it in quotes",
                "apps[0].secret: YAML reads it as a whole number, put it in quotes",
            ],
        );
    }

    #[test]
    fn an_unknown_key_of_an_app_is_a_problem() {
        refused(
            &format!("apps: [{{{APP}, enable: true}}]"),
            &["apps[0].enable: unknown key, did you mean `enabled`?"],
        );
    }
}
