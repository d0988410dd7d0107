//! A store that can be dropped at any moment, and that checks what it is given.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use vacancy::ledger::{
    Changes, CommitTimes, DeadLetter, DeadPage, DeadQuery, LedgerError, Loaded, LogEntry, LogPage, LogQuery, Store,
    Usage,
};

/// What outlives an engine.
#[derive(Debug, Default, Clone)]
pub struct Kept(Arc<Mutex<Records>>);

#[derive(Debug, Default)]
pub struct Records {
    pub loaded: Loaded,
    /// Lines since they were last taken.
    pub log: Vec<LogEntry>,
    /// Dead letters since they were last taken.
    pub dead: Vec<DeadLetter>,
    /// The next commit fails.
    pub fails: bool,
    pub commits: usize,
}

impl Kept {
    pub fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap()
    }
}

/// Keeps each step in another store and in memory.
pub struct Watched {
    pub kept: Kept,
    pub inner: Box<dyn Store>,
}

impl Store for Watched {
    fn commit(&mut self, changes: &Changes) -> Result<(), LedgerError> {
        let mut records = self.kept.records();
        assert!(!changes.is_empty(), "nothing is committed for nothing");
        if std::mem::take(&mut records.fails) {
            return Err(LedgerError::Write {
                path: "model".into(),
                reason: "no space".into(),
            });
        }
        self.inner.commit(changes)?;
        records.commits += 1;
        records.loaded.apply(changes);
        records.log.extend(changes.log.iter().cloned());
        records.dead.extend(changes.dead.iter().cloned());
        check(&records.loaded);
        Ok(())
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }

    fn log(&self, query: &LogQuery) -> Result<LogPage, LedgerError> {
        self.inner.log(query)
    }

    fn dead_letters(&self, query: &DeadQuery) -> Result<DeadPage, LedgerError> {
        self.inner.dead_letters(query)
    }

    fn path(&self) -> Option<&Path> {
        Some(Path::new("model"))
    }

    fn commits(&self) -> CommitTimes {
        self.inner.commits()
    }
}

/// Every reference leads to an event, every event is referred to, and everything belongs to an
/// endpoint.
fn check(loaded: &Loaded) {
    let mut references = BTreeMap::new();
    for ((app, endpoint, _), queued) in &loaded.queued {
        assert!(
            loaded.endpoints.contains_key(&(app.clone(), endpoint.clone())),
            "a queue without an endpoint"
        );
        *references.entry(queued.event).or_insert(0) += 1;
    }
    for ((app, endpoint, _), request) in &loaded.requests {
        assert!(
            loaded.endpoints.contains_key(&(app.clone(), endpoint.clone())),
            "a request without an endpoint"
        );
        assert!(!request.entries.is_empty(), "a request without events");
        for (_, queued) in &request.entries {
            *references.entry(queued.event).or_insert(0) += 1;
        }
    }
    assert!(
        references.keys().eq(loaded.events.keys()),
        "events that are kept: {:?}, referred to: {references:?}",
        loaded.events.keys()
    );
}
