//! The ledger's numbers, through the `metrics` facade: nothing is kept where no recorder is
//! installed. `webhook` has those of the attempts.

use std::time::Duration;

use actix_rt::task::JoinHandle;
use metrics::{Label, counter, describe_counter, describe_gauge, gauge};

use crate::{
    clock,
    ledger::{BreakerState, EndpointView, LedgerHandle, LedgerStatus, Mode},
};

/// How often the numbers are brought up to date.
const PERIOD: Duration = Duration::from_secs(1);

/// Events put into an endpoint's queue, by `app` and `endpoint`, like all that begin so.
pub const CREATED: &str = "vacancy_webhook_events_created_total";
/// Events answered 2xx.
pub const DELIVERED: &str = "vacancy_webhook_events_delivered_total";
/// Events parked as dead letters.
pub const PARKED: &str = "vacancy_webhook_events_parked_total";
/// Events that vanished in pairs, by `compact` or at the ledger's bound.
pub const COMPACTED: &str = "vacancy_webhook_events_compacted_total";
/// Channels and users that were left and entered again within the vacated delay: no event each.
pub const FLAPS: &str = "vacancy_webhook_suppressed_flaps_total";
/// Events without state dropped at the ledger's bound.
pub const DROPPED: &str = "vacancy_webhook_events_dropped_total";
/// Events that wait or are under way.
pub const QUEUED: &str = "vacancy_webhook_queue_events";
/// How long the oldest of them has waited, in seconds; 0 when none waits.
pub const OLDEST: &str = "vacancy_webhook_queue_oldest_seconds";
/// Requests that are aside, because the endpoint refuses them.
pub const ASIDE: &str = "vacancy_webhook_requests_aside";
/// Dead letters that are kept.
pub const DEAD_LETTERS: &str = "vacancy_webhook_dead_letters";
/// What the breaker does: 0 closed, 1 half open, 2 open.
pub const BREAKER: &str = "vacancy_webhook_breaker_state";
/// Whether the endpoint is delivered to: 0 enabled, 1 paused, 2 disabled.
pub const MODE: &str = "vacancy_webhook_endpoint_mode";
/// Pairs of vacated and occupied that were not told, because the channel filled again in time.
pub const SUPPRESSED_FLAPS: &str = "vacancy_ledger_suppressed_flaps_total";
/// Events without state that were not told because the ledger could not be written.
pub const UNSAVED: &str = "vacancy_ledger_events_dropped_total";
/// Channels and users that are told occupied.
pub const OCCUPIED: &str = "vacancy_ledger_occupied_keys";
/// What the ledger holds, in bytes, by its own sum.
pub const BYTES: &str = "vacancy_ledger_bytes";
/// Whether the ledger cannot be written: 0 or 1.
pub const FAILING: &str = "vacancy_ledger_failing";

/// Tells the recorder, which must be installed by then, what the numbers mean.
pub fn describe() {
    describe_counter!(CREATED, "Events put into an endpoint's queue.");
    describe_counter!(DELIVERED, "Events that an endpoint answered 2xx.");
    describe_counter!(PARKED, "Events parked as dead letters.");
    describe_counter!(COMPACTED, "Events that vanished in pairs, by compact or at the bound.");
    describe_counter!(
        FLAPS,
        "Channels and users that were left and entered again in time: no event."
    );
    describe_counter!(DROPPED, "Events without state dropped at the ledger's bound.");
    describe_gauge!(QUEUED, "Events that wait for an endpoint or are under way.");
    describe_gauge!(OLDEST, metrics::Unit::Seconds, "How long the oldest event has waited.");
    describe_gauge!(ASIDE, "Requests that are aside because the endpoint refuses them.");
    describe_gauge!(DEAD_LETTERS, "Dead letters of an endpoint.");
    describe_gauge!(BREAKER, "0 closed, 1 half open, 2 open.");
    describe_gauge!(MODE, "0 enabled, 1 paused, 2 disabled.");
    describe_counter!(
        SUPPRESSED_FLAPS,
        "Pairs of vacated and occupied that were not told, because the channel filled again in time."
    );
    describe_counter!(
        UNSAVED,
        "Events without state that were not told because the ledger could not be written."
    );
    describe_gauge!(OCCUPIED, "Channels and users that are told occupied.");
    describe_gauge!(BYTES, metrics::Unit::Bytes, "What the ledger holds, by its own sum.");
    describe_gauge!(FAILING, "1 while the ledger cannot be written.");
}

/// Keeps the numbers up to date until the task is aborted or the ledger has stopped.
pub(super) fn keep_up_to_date(ledger: LedgerHandle) -> JoinHandle<()> {
    actix_rt::spawn(async move {
        while let (Ok(endpoints), Ok(status)) = (ledger.endpoints().await, ledger.status().await) {
            endpoints.iter().for_each(set_endpoint);
            set_ledger(&status);
            actix_rt::time::sleep(PERIOD).await;
        }
    })
}

fn set_endpoint(view: &EndpointView) {
    let labels = || {
        vec![
            Label::new("app", view.app.to_string()),
            Label::new("endpoint", view.id.to_string()),
        ]
    };
    let counts = view.counts;
    for (name, count) in [
        (CREATED, counts.created),
        (DELIVERED, counts.delivered),
        (PARKED, counts.parked),
        (COMPACTED, counts.compacted),
        (DROPPED, counts.dropped),
        (FLAPS, counts.suppressed_flaps),
    ] {
        counter!(name, labels()).absolute(count);
    }
    let age_ms = |at: u64| clock::now().wall_ms.saturating_sub(at);
    gauge!(QUEUED, labels()).set(view.queued as f64);
    gauge!(OLDEST, labels()).set(view.oldest_ms.map_or(0, age_ms) as f64 / 1_000.0);
    gauge!(ASIDE, labels()).set(view.aside.len() as f64);
    gauge!(DEAD_LETTERS, labels()).set(view.dead_letters as f64);
    gauge!(BREAKER, labels()).set(match view.breaker {
        BreakerState::Closed => 0.0,
        BreakerState::HalfOpen => 1.0,
        BreakerState::Open => 2.0,
    });
    gauge!(MODE, labels()).set(match view.mode {
        Mode::Enabled => 0.0,
        Mode::Paused => 1.0,
        Mode::Disabled(_) => 2.0,
    });
}

fn set_ledger(status: &LedgerStatus) {
    counter!(SUPPRESSED_FLAPS).absolute(status.suppressed_flaps);
    counter!(UNSAVED).absolute(status.dropped);
    gauge!(OCCUPIED).set(status.occupied as f64);
    gauge!(BYTES).set(status.bytes as f64);
    gauge!(FAILING).set(if status.failing.is_some() { 1.0 } else { 0.0 });
}
