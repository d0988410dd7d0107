//! What a ledger holds, and whether that is what a ledger must hold.

use std::path::{Path, PathBuf};

use redb::{ReadTransaction, ReadableDatabase};
use serde::Serialize;

use super::{
    failure::Failure,
    load, migrate,
    open::{self, OpenError},
    overlay, record,
    tables::{self, Table},
};
use crate::{
    domain::{AppId, EndpointId},
    ledger::store::{Loaded, QueuedRecord, Usage},
};

/// Most problems that are told.
const PROBLEMS_MAX: usize = 100;

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub file_bytes: u64,
    /// Its format. An older one is brought to the present one by the next start.
    pub format: u64,
    /// Endpoints that are known.
    pub endpoints: usize,
    /// Channels and users whose state is kept.
    pub keys: usize,
    /// Those of them that are told occupied.
    pub occupied: usize,
    /// Events that wait or are under way.
    pub events: usize,
    /// Places in the queues of endpoints that wait for a request.
    pub queued: usize,
    /// Requests that are not answered.
    pub requests: usize,
    /// Dead letters.
    pub dead_letters: u64,
    /// What they are, in bytes.
    pub dead_bytes: u64,
    /// Lines of the log.
    pub log_lines: u64,
    /// What they are, in bytes.
    pub log_bytes: u64,
    /// What is wrong with it; at most 100 sentences.
    pub problems: Vec<String>,
}

/// Checks a file and leaves it as it is.
pub(super) fn check(path: &Path) -> Result<CheckReport, OpenError> {
    let failed = |failure| OpenError::new(path, failure);
    open::must_exist(path)?;
    let database = overlay::database(path).map_err(|error| failed(error.into()))?;
    let format = open::format(path, &database)?;
    migrate::migrate(&database, format).map_err(failed)?;
    let read = || {
        let txn = database.begin_read()?;
        let (loaded, usage) = (load::load(&txn)?, load::usage(&txn)?);
        let written = Written::count(&txn)?;
        Ok((loaded, usage, written))
    };
    let (loaded, usage, written) = read().map_err(failed)?;
    let file_bytes = std::fs::metadata(path).map_err(|error| failed(error.into()))?.len();
    Ok(CheckReport {
        path: path.to_owned(),
        file_bytes,
        format,
        endpoints: loaded.endpoints.len(),
        keys: loaded.keys.len(),
        occupied: loaded.keys.values().filter(|key| key.occupied).count(),
        events: loaded.events.len(),
        queued: loaded.queued.len(),
        requests: loaded.requests.len(),
        dead_letters: written.dead,
        dead_bytes: usage.dead_bytes,
        log_lines: written.log,
        log_bytes: usage.log_bytes,
        problems: problems(&loaded, &usage, &written),
    })
}

/// What is written down, read whole.
#[derive(Debug, Default)]
struct Written {
    log: u64,
    last_log: u64,
    dead: u64,
    last_dead: u64,
    not_replayed: u64,
}

impl Written {
    fn count(txn: &ReadTransaction) -> Result<Self, Failure> {
        let mut written = Self::default();
        load::for_each(txn, Table::Log, |key, value| {
            let no = tables::read_number(key)?;
            record::decode_log(no, value)?;
            written.log += 1;
            written.last_log = no;
            Ok(())
        })?;
        load::for_each(txn, Table::Dead, |key, value| {
            let no = tables::read_number(key)?;
            let letter = record::decode_dead(no, value)?;
            written.dead += 1;
            written.not_replayed += u64::from(letter.replayed_ms.is_none());
            written.last_dead = no;
            Ok(())
        })?;
        Ok(written)
    }
}

/// The rules that hold between records, and where they do not.
fn problems(loaded: &Loaded, usage: &Usage, written: &Written) -> Vec<String> {
    let counters = loaded.counters.unwrap_or_default();
    let mut all = Problems::default();
    for ((app, endpoint, place), queued) in &loaded.queued {
        let place = format!("place {place} in the queue of endpoint {endpoint} of app {app}");
        all.of_entry(loaded, (app, endpoint), queued, &place);
    }
    for ((app, endpoint, id), request) in &loaded.requests {
        let name = format!("request {id} of endpoint {endpoint} of app {app}");
        all.unless(!request.entries.is_empty(), || format!("{name} has no events"));
        for (_, entry) in &request.entries {
            all.of_entry(loaded, (app, endpoint), entry, &name);
        }
        all.handed_out("request", counters.request, id.0, &name);
    }
    for ((app, key), record) in &loaded.keys {
        let name = format!("{key:?} of app {app}");
        all.handed_out("seq", counters.seq, record.seq, &name);
        all.handed_out("event", counters.event, record.event.0, &name);
    }
    for (id, event) in &loaded.events {
        let name = format!("event {id}");
        all.unless(event.id == *id, || format!("{name} is stored as {}", event.id));
        all.handed_out("event", counters.event, id.0, &name);
    }
    all.handed_out("log", counters.log, written.last_log, "the newest line of the log");
    all.handed_out("dead", counters.dead, written.last_dead, "the newest dead letter");
    let counted: u64 = usage.dead.values().sum();
    all.unless(counted == written.not_replayed, || {
        "the dead letters are not those of the endpoints".to_owned()
    });
    all.0
}

#[derive(Debug, Default)]
struct Problems(Vec<String>);

impl Problems {
    fn unless(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds && self.0.len() < PROBLEMS_MAX {
            self.0.push(problem());
        }
    }

    fn of_entry(&mut self, loaded: &Loaded, of: (&AppId, &EndpointId), entry: &QueuedRecord, name: &str) {
        let (app, endpoint) = of;
        let is_known = loaded.endpoints.contains_key(&(app.clone(), endpoint.clone()));
        self.unless(is_known, || format!("{name} is of an endpoint that is not known"));
        let is_there = loaded.events.contains_key(&entry.event);
        self.unless(is_there, || {
            format!("{name} refers to event {}, which is not there", entry.event)
        });
    }

    /// No number may be used that the counter has not handed out.
    fn handed_out(&mut self, counter: &str, last: u64, used: u64, by: &str) {
        self.unless(used <= last, || {
            format!("{by} uses the number {used} of the counter {counter}, which is at {last}")
        });
    }
}
