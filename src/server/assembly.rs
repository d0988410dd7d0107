//! Makes the parts of a server from its settings and joins them.

use std::{io, sync::Arc};

use actix::{Actor, Addr};
use actix_rt::Arbiter;

use super::{
    endpoints::endpoints,
    ledger::{app_rules, open_engine},
};
use crate::{
    app::{App, AppParts, Apps, Key, Keys, Rate, Switches},
    channel::{Backlog, ChannelRegistry, ChannelRules, Workers},
    clock,
    config::{AppSettings, KeySettings, LimitSettings, Settings},
    connection::FallbackHub,
    domain::{AppLimits, Pace},
    http::Readiness,
    ledger::{self, Control, LedgerHandle, LedgerThread},
    signature::SigningKey,
    webhook::{BatchLimits, Lookups, Tap, Webhooks},
};

/// From how many edges and events on an app's window is folded, while the ledger is behind.
const FOLD_FROM: usize = 2_000;
/// Most observations of one window of an app, since the ledger serves apps in turn.
const WINDOW_MAX: usize = 1_000;

/// A server's parts, joined and running but for the listener.
pub(super) struct Assembly {
    /// The apps.
    pub(super) apps: Arc<Apps>,
    /// The worker threads, which come up with the listener.
    pub(super) workers: Arc<Workers>,
    /// Whether the server wants traffic.
    pub(super) readiness: Readiness,
    /// The sessions of clients without WebSocket.
    pub(super) fallbacks: Arc<FallbackHub>,
    /// The webhooks of each app.
    pub(super) webhooks: Vec<Addr<Webhooks>>,
    /// Where copies of what they post can be had.
    pub(super) tap: Tap,
    ledger: LedgerThread,
    outbound: Arbiter,
}

impl Assembly {
    /// Starts the ledger and the webhooks of every app.
    pub(super) fn new(settings: &Settings) -> io::Result<Self> {
        let ledger = ledger::spawn(open_engine(&settings.ledger)?)?;
        let outbound = Arbiter::new();
        let workers = Arc::new(Workers::default());
        let backlog = Arc::new(Backlog::new(settings.server.publish_backlog));
        let rules = settings.apps.iter().map(|app| app_rules(app, &settings.webhooks));
        ledger.handle().control(Control::Configure(rules.collect()));
        let mut apps = Apps::default();
        let mut all_webhooks = Vec::new();
        let (tap, lookups) = (Tap::new(), Lookups::new());
        for app in &settings.apps {
            let keys = keys(app);
            let webhooks = start_webhooks(
                app,
                settings,
                &keys,
                (ledger.handle(), tap.clone(), lookups.clone()),
                &outbound,
            )?;
            let observer = webhooks.clone().recipient();
            all_webhooks.push(webhooks);
            let channels = ChannelRegistry::new(Arc::clone(&workers), observer.clone(), channel_rules(app));
            apps.add(&Arc::new(App::new(AppParts {
                id: app.id.clone(),
                keys,
                switches: switches(app),
                limits: limits(&app.limits),
                channels: Arc::new(channels),
                workers: Arc::clone(&workers),
                webhooks: observer,
                backlog: Arc::clone(&backlog),
                api_calls: app
                    .limits
                    .api_calls_per_second
                    .map(|rate| Rate::new(rate, clock::now().instant)),
                started_at: clock::now().instant,
            })));
        }
        Ok(Self {
            apps: Arc::new(apps),
            workers,
            readiness: Readiness::default(),
            fallbacks: Arc::default(),
            webhooks: all_webhooks,
            tap,
            ledger,
            outbound,
        })
    }

    /// A handle to the ledger.
    pub(super) fn ledger(&self) -> LedgerHandle {
        self.ledger.handle()
    }

    /// Has the ledger finish what it was sent, and ends its thread and the webhooks'.
    pub(super) fn stop(self) {
        self.ledger.stop();
        self.outbound.stop();
    }
}

fn start_webhooks(
    app: &AppSettings,
    settings: &Settings,
    keys: &Keys,
    (ledger, tap, lookups): (LedgerHandle, Tap, Lookups),
    outbound: &Arbiter,
) -> io::Result<Addr<Webhooks>> {
    let limits = BatchLimits {
        window: app.batch_window,
        events_max: settings.webhooks.max_batch_events,
        observed_max: WINDOW_MAX.max(settings.webhooks.max_batch_events),
        fold_from: FOLD_FROM.max(2 * settings.webhooks.max_batch_events),
        vacated_delay: app.vacated_delay,
    };
    let endpoints = endpoints(app, settings, keys)?;
    let id = app.id.clone();
    Ok(Webhooks::start_in_arbiter(&outbound.handle(), move |_| {
        Webhooks::new(id, limits, endpoints, ledger, tap, lookups)
    }))
}

fn keys(app: &AppSettings) -> Keys {
    let key = |settings: &KeySettings| Key {
        key: settings.key.clone(),
        signing: SigningKey::new(&settings.secret),
        since_ms: settings.since,
    };
    Keys::new(app.keys.iter().map(key).collect())
}

const fn switches(app: &AppSettings) -> Switches {
    Switches {
        enabled: app.enabled,
        client_events: app.client_events,
        watchlist: app.watchlist,
        tls_only: app.tls_only,
        subscription_count: app.subscription_count,
        authorized_within: app.authorized_connections,
    }
}

const fn channel_rules(app: &AppSettings) -> ChannelRules {
    ChannelRules {
        presence_members: app.limits.presence_members,
        subscription_count: app.subscription_count,
        cache_ttl: app.cache_ttl,
        cached_bytes: app.limits.cached_bytes,
        channels: app.limits.channels,
    }
}

const fn pace(per_second: Option<u32>, burst: u32) -> Option<Pace> {
    match per_second {
        Some(per_second) => Some(Pace { per_second, burst }),
        None => None,
    }
}

const fn limits(limits: &LimitSettings) -> AppLimits {
    AppLimits {
        event_data_bytes: limits.event_data,
        event_name_chars: limits.event_name,
        channel_name_bytes: limits.channel_name,
        trigger_channels: limits.trigger_channels,
        batch_events: limits.batch_events,
        presence_members: limits.presence_members,
        user_id_chars: limits.user_id,
        user_info_bytes: limits.user_info,
        client_events_per_second: limits.client_events_per_second,
        watchlist_users: limits.watchlist,
        connections: limits.connections,
        subscriptions_per_connection: limits.subscriptions_per_connection,
        commands_per_second: limits.commands_per_second,
        commands_burst: limits.commands_burst,
        channels: limits.channels,
        public_channels: pace(limits.public_channels_per_second, limits.public_channels_burst),
        public_subscriptions: pace(
            limits.public_subscriptions_per_second,
            limits.public_subscriptions_burst,
        ),
        cached_bytes: limits.cached_bytes,
        api_calls_per_second: limits.api_calls_per_second,
    }
}
