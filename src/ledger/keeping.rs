//! A store for tests: it keeps records as a file would, so that an engine can be dropped at any
//! moment and another one begin with what was kept.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    LedgerError, MemoryStore,
    log::{DeadPage, DeadQuery, LogPage, LogQuery},
    store::{Changes, CommitTimes, Loaded, Store, Usage},
};

/// Keeps records beyond the engine that writes them. Cloning it gives another handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keeping(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    loaded: Loaded,
    lists: MemoryStore,
    commits: Vec<Changes>,
    failures: usize,
}

impl Keeping {
    /// What an engine begins with.
    pub(crate) fn loaded(&self) -> Loaded {
        self.kept().loaded.clone()
    }

    /// Has records lost or changed, as by a restored backup.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Loaded)) {
        change(&mut self.kept().loaded);
    }

    /// Has so many commits fail.
    pub(crate) fn fail(&self, commits: usize) {
        self.kept().failures = commits;
    }

    /// The commits so far that did not fail.
    pub(crate) fn committed(&self) -> Vec<Changes> {
        self.kept().commits.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("nobody panicked with it")
    }
}

impl Store for Keeping {
    fn commit(&mut self, changes: &Changes) -> Result<(), LedgerError> {
        let mut kept = self.kept();
        if 0 < kept.failures {
            kept.failures -= 1;
            return Err(LedgerError::Write {
                path: "kept".into(),
                reason: "no space".into(),
            });
        }
        kept.loaded.apply(changes);
        kept.commits.push(changes.clone());
        kept.lists.commit(changes)
    }

    fn usage(&self) -> Usage {
        self.kept().lists.usage()
    }

    fn log(&self, query: &LogQuery) -> Result<LogPage, LedgerError> {
        self.kept().lists.log(query)
    }

    fn dead_letters(&self, query: &DeadQuery) -> Result<DeadPage, LedgerError> {
        self.kept().lists.dead_letters(query)
    }

    fn path(&self) -> Option<&Path> {
        Some(Path::new("kept"))
    }

    fn commits(&self) -> CommitTimes {
        CommitTimes::default()
    }
}
