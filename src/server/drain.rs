//! Going away without telling anybody a lie (DESIGN.md section 7).
//!
//! First the server only announces that it leaves, for load balancers that probe now and then. Then it closes
//! its port: a connection that nobody accepts would hang, and the next process could not take the port.

use std::{
    net::{Shutdown, TcpListener},
    time::{Duration, Instant},
};

use actix_server::ServerHandle;

use super::assembly::Assembly;
use crate::{channel::CloseSome, clock, domain::counted, ledger::Control, protocol::CloseCode, webhook::Idle};

/// The closes of a drain are spread over so many batches, because clients come back at once.
const BATCHES: usize = 20;
/// The pause between two batches, and between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a ledger in memory, which ends with the process, waits for receivers that take nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a drain needs to know.
#[derive(Debug)]
pub(super) struct Drain {
    /// How long the server announces that it leaves, and serves as before.
    pub(super) wait: Duration,
    /// How long the rest of the drain may take.
    pub(super) timeout: Duration,
    /// Whether undelivered events outlive the process.
    pub(super) survives: bool,
    /// The listening socket.
    pub(super) listener: TcpListener,
}

/// Announces that the server leaves, and waits. Then stops listening, closes every client with 4200, and
/// waits for a bounded time until every webhook is answered.
pub(super) async fn drain(assembly: &Assembly, server: &ServerHandle, drain: Drain) {
    assembly.readiness.leave();
    if !drain.wait.is_zero() {
        log::info!("serving for another {:?}, while /ready says 503", drain.wait);
        actix_rt::time::sleep(drain.wait).await;
    }
    let deadline = clock::now().instant + drain.timeout;
    assembly.readiness.drain();
    assembly.ledger().control(Control::Drain);
    server.pause().await;
    // The accepting thread does not confirm that it has paused, and clients come back at once.
    actix_rt::time::sleep(PAUSE).await;
    close_port(drain.listener);
    close_clients(assembly, deadline).await;
    let mut patience = Patience::new(clock::instant());
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
        if !drain.survives && connection_count(assembly) == 0 {
            let left = unanswered(assembly).await;
            if patience.ends(left, clock::instant()) {
                log::error!(
                    "no receiver took a webhook event for {PATIENCE:?}, and the ledger is in memory: {left} are lost"
                );
                return;
            }
        }
        actix_rt::time::sleep(PAUSE).await;
    }
}

/// Shuts the listening socket down, since the accepting thread keeps another handle of it until the process
/// ends. From then on the system refuses connections, and the next process may listen.
fn close_port(listener: TcpListener) {
    if let Err(error) = socket2::SockRef::from(&listener).shutdown(Shutdown::Both) {
        log::debug!("the port is closed only when the process ends: {error}");
    }
}

/// A bounded wait for a number that does not go down.
struct Patience {
    least: usize,
    since: Instant,
}

impl Patience {
    const fn new(now: Instant) -> Self {
        Self {
            least: usize::MAX,
            since: now,
        }
    }

    /// Tells whether the number has not gone down for too long.
    fn ends(&mut self, left: usize, now: Instant) -> bool {
        if left < self.least {
            (self.least, self.since) = (left, now);
        }
        self.since + PATIENCE <= now
    }
}

/// Logs, for each endpoint, how much is left waiting, and whether that survives the end.
pub(super) async fn say_what_waits(assembly: &Assembly, survives: bool) {
    let ledger = assembly.ledger();
    let endpoints = tokio::time::timeout(Duration::from_secs(1), ledger.endpoints()).await;
    let Ok(Ok(endpoints)) = endpoints else { return };
    for endpoint in endpoints.iter().filter(|endpoint| 0 < endpoint.queued) {
        let (app, id) = (&endpoint.app, &endpoint.id);
        let events = counted(endpoint.queued, "webhook event");
        let (waits, is_lost) = match endpoint.queued {
            1 => ("waits", "is lost"),
            _ => ("wait", "are lost"),
        };
        if survives {
            log::warn!("app {app} endpoint {id}: {events} {waits} in the ledger for the next start");
        } else {
            log::warn!("app {app} endpoint {id}: {events} {is_lost} with the ledger, which is in memory");
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Now;

    #[test]
    fn patience_lasts_while_something_becomes_less() {
        let now = Now::of_test().instant;
        let at = |ms| now + Duration::from_millis(ms);
        let mut patience = Patience::new(now);
        for (left, ms, ends) in [
            (7, 100, false),
            (7, 5_099, false),
            (6, 5_100, false),
            (8, 9_000, false),
            (5, 10_099, false),
            (5, 15_098, false),
            (5, 15_099, true),
        ] {
            assert_eq!(patience.ends(left, at(ms)), ends, "{left} after {ms} ms");
        }
    }
}
