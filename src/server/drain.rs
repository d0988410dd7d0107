//! Going away without telling anybody a lie (DESIGN.md section 7).

use std::time::{Duration, Instant};

use actix_server::ServerHandle;

use super::assembly::Assembly;
use crate::{channel::CloseSome, clock, ledger::Control, protocol::CloseCode, webhook::Idle};

/// The closes of a drain are spread over so many batches, because clients come back at once.
const BATCHES: usize = 20;
/// The pause between two batches.
const PAUSE: Duration = Duration::from_millis(50);

/// Stops accepting, closes every client with 4200, and waits until every webhook is answered, for
/// `timeout` at most.
pub(super) async fn drain(assembly: &Assembly, server: &ServerHandle, timeout: Duration) {
    let deadline = clock::now().instant + timeout;
    assembly.readiness.drain();
    assembly.ledger().control(Control::Drain);
    server.pause().await;
    close_clients(assembly, deadline).await;
    while !is_done(assembly).await {
        // Those who were being accepted when the drain began.
        close_some(assembly, usize::MAX).await;
        if deadline <= clock::now().instant {
            log::error!(
                "the drain timeout is over, {} webhook events are not answered",
                unanswered(assembly).await
            );
            return;
        }
        actix_rt::time::sleep(PAUSE).await;
    }
}

/// Logs, for each endpoint, what is left waiting for it.
pub(super) async fn say_what_waits(assembly: &Assembly) {
    let ledger = assembly.ledger();
    let endpoints = tokio::time::timeout(Duration::from_secs(1), ledger.endpoints()).await;
    let status = tokio::time::timeout(Duration::from_secs(1), ledger.status()).await;
    let (Ok(Ok(endpoints)), Ok(Ok(status))) = (endpoints, status) else {
        return;
    };
    let fate = match status.path {
        Some(_) => "in the ledger for the next start",
        None => "for nothing: the ledger is in memory, which ends now",
    };
    for endpoint in endpoints.iter().filter(|endpoint| 0 < endpoint.queued) {
        let (app, id) = (&endpoint.app, &endpoint.id);
        let events = match endpoint.queued {
            1 => "1 webhook event waits".to_owned(),
            queued => format!("{queued} webhook events wait"),
        };
        log::warn!("app {app} endpoint {id}: {events} {fate}");
    }
}

/// Closes the clients in batches with a pause between.
async fn close_clients(assembly: &Assembly, deadline: Instant) {
    let clients = connection_count(assembly);
    let workers = assembly.workers.relays().len().max(1);
    let count = clients.div_ceil(BATCHES * workers).max(10);
    while 0 < close_some(assembly, count).await && clock::now().instant < deadline {
        actix_rt::time::sleep(PAUSE).await;
    }
}

/// Closes at most `count` clients of each worker; gives how many are left open.
async fn close_some(assembly: &Assembly, count: usize) -> usize {
    let mut left = 0;
    for relay in assembly.workers.relays() {
        let batch = CloseSome {
            count,
            code: CloseCode::GoingAway,
        };
        left += relay.send(batch).timeout(Duration::from_secs(1)).await.unwrap_or(0);
    }
    left
}

async fn is_done(assembly: &Assembly) -> bool {
    if 0 < connection_count(assembly) {
        return false;
    }
    for webhooks in &assembly.webhooks {
        let idle = webhooks.send(Idle).timeout(Duration::from_secs(1)).await;
        if !idle.unwrap_or(false) {
            return false;
        }
    }
    unanswered(assembly).await == 0
}

fn connection_count(assembly: &Assembly) -> usize {
    assembly.apps.iter().map(|app| app.connection_count()).sum()
}

async fn unanswered(assembly: &Assembly) -> usize {
    let ledger = assembly.ledger();
    let answer = tokio::time::timeout(Duration::from_secs(1), ledger.unanswered()).await;
    // A ledger that does not answer in time has more to do than to count.
    answer.map_or(1, |answer| answer.unwrap_or(0))
}
