//! The ledger's engine and what it has to know, made of the settings.

use std::io;

use crate::{
    clock,
    config::{AppSettings, LedgerSettings, LedgerStore, WebhookSettings},
    ledger::{
        AppRules, BreakerLimits, CutLimits, Embedded, EmbeddedSettings, EndpointRules, Engine, EngineLimits, Filter,
        Ledger, Loaded, MemoryStore,
    },
};

/// Opens the engine where the settings say that its records are.
///
/// # Errors
/// When the ledger cannot be used, with what to do.
pub(super) fn open_engine(settings: &LedgerSettings) -> io::Result<Box<dyn Ledger>> {
    let limits = EngineLimits {
        bytes_max: settings.max_bytes,
        log_bytes_max: settings.log_bytes,
        log_for: settings.log_for,
        dead_letters_for: settings.dead_letters_for,
    };
    let random = clock::random_bits();
    Ok(match &settings.store {
        LedgerStore::Memory => Box::new(Engine::new(MemoryStore::new(), Loaded::default(), limits, random)),
        LedgerStore::File(path) => {
            let opened = Embedded::open(&EmbeddedSettings::new(path.clone()));
            let (store, loaded) = opened.map_err(io::Error::other)?;
            Box::new(Engine::new(store, loaded, limits, random))
        }
    })
}

/// What the ledger has to know of an app.
pub(super) fn app_rules(app: &AppSettings, webhooks: &WebhookSettings) -> AppRules {
    let endpoints = app.webhooks.iter().map(|endpoint| EndpointRules {
        id: endpoint.id.clone(),
        filter: Filter {
            events: endpoint.events.clone(),
            channels: endpoint.channels.clone(),
        },
        cut: CutLimits {
            events_max: if endpoint.batch { webhooks.max_batch_events } else { 1 },
            body_bytes_max: webhooks.max_batch_bytes,
            extras: endpoint.extras,
        },
        retry_for: webhooks.retry_for,
        lanes: endpoint.lanes,
        compact: endpoint.compact,
        announce: endpoint.announce,
        breaker: BreakerLimits {
            after: endpoint.breaker.after,
            open_for: endpoint.breaker.open_for,
        },
    });
    AppRules {
        id: app.id.clone(),
        enabled: app.enabled,
        vacated_delay: app.vacated_delay,
        recovery_window: app.recovery_window,
        endpoints: endpoints.collect(),
    }
}
