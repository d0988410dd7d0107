//! Makes the parts of a server from its settings and joins them.

use std::{io, sync::Arc};

use actix::{Actor, Addr};
use actix_rt::Arbiter;

use crate::{
    app::{App, AppParts, Apps},
    channel::{Backlog, ChannelRegistry, Workers},
    clock,
    config::{AppSettings, EndpointSettings, LedgerSettings, Settings, WebhookSettings},
    http::Readiness,
    ledger::{self, AppRules, Control, CutLimits, EndpointRules, Filter, LedgerHandle, LedgerThread, Memory},
    signature::SigningKey,
    webhook::{self, BatchLimits, Webhooks},
};

/// A server's parts, joined and running but for the listener.
pub(super) struct Assembly {
    /// The apps.
    pub(super) apps: Arc<Apps>,
    /// The worker threads, which come up with the listener.
    pub(super) workers: Arc<Workers>,
    /// Whether the server wants traffic.
    pub(super) readiness: Arc<Readiness>,
    /// The webhooks of each app.
    pub(super) webhooks: Vec<Addr<Webhooks>>,
    ledger: LedgerThread,
    outbound: Arbiter,
}

impl Assembly {
    /// Starts the ledger and the webhooks of every app.
    pub(super) fn new(settings: &Settings) -> io::Result<Self> {
        let engine = match settings.ledger {
            LedgerSettings::Memory => Memory::new(clock::random_bits() as u64),
        };
        let ledger = ledger::spawn(Box::new(engine))?;
        let outbound = Arbiter::new();
        let workers = Arc::new(Workers::default());
        let backlog = Arc::new(Backlog::new(settings.server.publish_backlog));
        let mut apps = Apps::default();
        let mut all_webhooks = Vec::new();
        for app in &settings.apps {
            let signing = SigningKey::new(&app.secret);
            let rules = app_rules(app, &settings.webhooks);
            ledger.handle().control(Control::AddApp(rules));
            let webhooks = start_webhooks(app, settings, &signing, ledger.handle(), &outbound);
            let observer = webhooks.clone().recipient();
            all_webhooks.push(webhooks);
            let channels = ChannelRegistry::new(Arc::clone(&workers), observer.clone());
            apps.add(Arc::new(App::new(AppParts {
                id: app.id.clone(),
                key: app.key.clone(),
                signing,
                enabled: app.enabled,
                client_events: app.client_events,
                channels: Arc::new(channels),
                webhooks: observer,
                backlog: Arc::clone(&backlog),
            })));
        }
        Ok(Self {
            apps: Arc::new(apps),
            workers,
            readiness: Arc::default(),
            webhooks: all_webhooks,
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
    signing: &SigningKey,
    ledger: LedgerHandle,
    outbound: &Arbiter,
) -> Addr<Webhooks> {
    let limits = BatchLimits {
        window: app.batch_window,
        events_max: settings.webhooks.max_batch_events,
    };
    let endpoints = app
        .webhooks
        .iter()
        .map(|endpoint| endpoint_settings(app, endpoint, &settings.webhooks, signing))
        .collect();
    let id = app.id.clone();
    Webhooks::start_in_arbiter(&outbound.handle(), move |_| {
        Webhooks::new(id, limits, endpoints, ledger)
    })
}

fn endpoint_settings(
    app: &AppSettings,
    endpoint: &EndpointSettings,
    webhooks: &WebhookSettings,
    signing: &SigningKey,
) -> webhook::EndpointSettings {
    webhook::EndpointSettings {
        app: app.id.clone(),
        id: endpoint.id.clone(),
        url: endpoint.url.clone(),
        headers: endpoint.headers.clone(),
        timeout: webhooks.timeout,
        key: app.key.clone(),
        signing: signing.clone(),
    }
}

fn app_rules(app: &AppSettings, webhooks: &WebhookSettings) -> AppRules {
    let endpoints = app.webhooks.iter().map(|endpoint| EndpointRules {
        id: endpoint.id.clone(),
        filter: Filter {
            events: endpoint.events.clone(),
            prefix: endpoint.channels.prefix.clone(),
            suffix: endpoint.channels.suffix.clone(),
        },
        cut: CutLimits {
            events_max: webhooks.max_batch_events,
            body_bytes_max: webhooks.max_batch_bytes,
        },
        retry_for: webhooks.retry_for,
    });
    AppRules {
        id: app.id.clone(),
        vacated_delay: app.vacated_delay,
        endpoints: endpoints.collect(),
    }
}
