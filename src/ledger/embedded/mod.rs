//! The store in one file, on redb.
//!
//! A commit is one transaction of the database, on the disk when it returns. A commit that fails
//! closes the database, since redb refuses everything from then on, and opens it again. What a
//! failed commit wrote may be in the file all the same (when only the last flush failed): each
//! commit has a number, and what it overwrote is kept until it is known to have failed or not, so
//! the next commit takes back what should not be there.

mod check;
mod copy;
mod failure;
mod load;
mod mark;
mod migrate;
mod open;
mod overlay;
mod place;
mod read;
mod record;
mod reserve;
mod tables;
mod times;
mod write;

use std::{
    fs,
    path::{Path, PathBuf},
};

use redb::{Database, DatabaseError, Durability, ReadableDatabase};

use super::{
    LedgerError,
    log::{DeadPage, DeadQuery, LogPage, LogQuery, Page},
    store::{Changes, CommitTimes, Loaded, Store, Usage},
};
use crate::clock;

use failure::Failure;
use mark::Mark;
use place::Place;
use record::RecordError;
use reserve::Reserve;
use tables::{SERIAL_KEY, Table};
use times::Times;
use write::Undo;

pub use check::CheckReport;
pub use copy::{BackupError, Compacted, NewBackup, Snapshot};
pub use open::OpenError;

/// Where a ledger is kept, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedSettings {
    /// The file.
    pub path: PathBuf,
    /// How much space is kept beside it for when the disk is full, in bytes; 0: none.
    pub reserve_bytes: u64,
}

impl EmbeddedSettings {
    /// In this file, with 16 MB kept beside it.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self {
            path,
            reserve_bytes: 16 * 1_024 * 1_024,
        }
    }
}

/// How a database is opened.
type Opener = Box<dyn Fn(&Path) -> Result<Database, DatabaseError> + Send>;

/// Keeps all records in one file. Only one process can use it.
pub struct Embedded {
    path: PathBuf,
    open: Opener,
    /// None after a failure, until it can be opened again.
    database: Option<Database>,
    /// The number of the last commit that was kept.
    serial: u64,
    /// The number of the last commit that was tried.
    tried: u64,
    /// The number of the commit that is in the file.
    in_file: u64,
    /// Commits that failed and may be in the file, by their numbers, with what takes them back.
    doubtful: Vec<(u64, Undo)>,
    /// Why the database is closed.
    failing: String,
    usage: Usage,
    times: Times,
    reserve: Reserve,
    mark: Mark,
    place: Place,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded")
            .field("path", &self.path)
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens the ledger, or makes a new one, its folder too, and reads all that an engine begins
    /// with. It never waits for another process.
    ///
    /// # Errors
    /// When it cannot be used, with what to do. A ledger that cannot be written at a start is an
    /// error, unlike one that cannot be written later: nobody has relied on it yet.
    pub fn open(settings: &EmbeddedSettings) -> Result<(Self, Loaded), OpenError> {
        Self::open_by(settings, Box::new(open::database))
    }

    /// Checks a ledger that no server uses, whole, and leaves it as it is, byte for byte.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn check(path: &Path) -> Result<CheckReport, OpenError> {
        check::check(path)
    }

    /// Copies a ledger that no server uses to a new file, which holds the same records, also when it
    /// is a copy of a copy.
    ///
    /// # Errors
    /// When it cannot be read, or there is such a file, or it cannot be written.
    pub fn backup_file(path: &Path, to: &Path) -> Result<(), BackupError> {
        copy::backup_file(path, to)
    }

    /// Copies this ledger, as it is at this moment, to a new file. Commits may go on meanwhile.
    ///
    /// # Errors
    /// When it cannot be read, or there is such a file, or it cannot be written.
    pub fn backup(&self, to: &Path) -> Result<(), BackupError> {
        let database = self.readable().map_err(|reason| BackupError::Failed {
            path: to.display().to_string(),
            reason,
        })?;
        copy::backup(database, to)
    }

    /// Gives the space that a ledger does not use back to the disk; its records stay as they are. No
    /// server may use it.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn compact(path: &Path) -> Result<Compacted, OpenError> {
        copy::compact(path)
    }

    fn open_by(settings: &EmbeddedSettings, open: Opener) -> Result<(Self, Loaded), OpenError> {
        let path = settings.path.clone();
        open::make_folder(&path)?;
        let mut mark = Mark::take(&path).map_err(|_| OpenError::in_use(&path))?;
        let mut reserve = Reserve::beside(&path, settings.reserve_bytes);
        let database = loop {
            match open::ledger(&path, &open) {
                Err(error) if error.is_lack_of_space() && reserve.give_up(clock::now().instant) => {}
                Err(error) => {
                    mark.discard_if_new();
                    return Err(error);
                }
                Ok(database) => break database,
            }
        };
        let failed = |failure| OpenError::new(&path, failure);
        let read = || {
            let txn = database.begin_read()?;
            Ok((load::load(&txn)?, load::usage(&txn)?, load::serial(&txn)?))
        };
        let (loaded, usage, serial) = read().map_err(failed)?;
        let place = Place::of(&path).map_err(|error| failed(error.into()))?;
        mark.warn_if_short(&path, serial);
        mark.write(serial);
        // Of a server that was killed while it made a backup.
        let _ = fs::remove_file(copy::part_beside(&path));
        reserve.keep(clock::now().instant);
        let store = Self {
            path,
            open,
            database: Some(database),
            serial,
            tried: serial,
            in_file: serial,
            doubtful: Vec::new(),
            failing: String::new(),
            usage,
            times: Times::default(),
            reserve,
            mark,
            place,
        };
        Ok((store, loaded))
    }

    /// Carries out one attempt to commit; on an error the database is closed.
    fn attempt(&mut self, changes: &Changes) -> Result<Usage, Failure> {
        let result = self.try_commit(changes);
        if let Err(failure) = &result {
            self.failing = failure.to_string();
            self.database = None;
        }
        result
    }

    fn try_commit(&mut self, changes: &Changes) -> Result<Usage, Failure> {
        self.reopen()?;
        let database = self.database.as_ref().ok_or(Failure::Doubtful)?;
        let serial = self.tried + 1;
        let mut usage = self.usage.clone();
        let mut txn = database.begin_write()?;
        txn.set_durability(Durability::Immediate)?;
        if let Some((_, undo)) = self.doubtful.iter().find(|(serial, _)| *serial == self.in_file) {
            undo.take_back(&txn)?;
        }
        let undo = write::write(&txn, changes, &mut usage)?;
        {
            let mut meta = txn.open_table(Table::Meta.definition())?;
            meta.insert(SERIAL_KEY, tables::number_key(serial).as_slice())?;
        }
        self.tried = serial;
        if let Err(error) = txn.commit() {
            self.doubtful.push((serial, undo));
            return Err(error.into());
        }
        self.doubtful.clear();
        self.mark.write(serial);
        (self.serial, self.in_file) = (serial, serial);
        Ok(usage)
    }

    /// Opens the database if it is closed, and finds out what became of the commits that failed.
    fn reopen(&mut self) -> Result<(), Failure> {
        if self.database.is_some() {
            return Ok(());
        }
        let database = (self.open)(&self.path)?;
        let in_file = load::serial(&database.begin_read()?)?;
        self.doubtful.retain(|(serial, _)| *serial == in_file);
        if in_file != self.serial && self.doubtful.is_empty() {
            return Err(Failure::Exchanged);
        }
        self.in_file = in_file;
        self.place = Place::of(&self.path)?;
        self.database = Some(database);
        Ok(())
    }

    /// Tells whether a commit of these changes would change nothing.
    fn would_change_nothing(&self, changes: &Changes) -> bool {
        let Changes {
            counters,
            endpoints,
            keys,
            events,
            queued,
            requests,
            log,
            dead,
            dead_marked,
            log_trimmed,
            dead_trimmed,
        } = changes;
        let trims_log = self.usage.oldest_log_ms;
        let trims_log = trims_log.is_some_and(|at_ms| log_trimmed.takes(0, at_ms, self.usage.log_bytes));
        let trims_dead = self.usage.oldest_dead_ms;
        let trims_dead = trims_dead.is_some_and(|at_ms| dead_trimmed.takes(0, at_ms, self.usage.dead_bytes));
        counters.is_none()
            && endpoints.is_empty()
            && keys.is_empty()
            && events.is_empty()
            && queued.is_empty()
            && requests.is_empty()
            && log.is_empty()
            && dead.is_empty()
            && dead_marked.is_empty()
            && !trims_log
            && !trims_dead
    }

    /// A page of a table whose keys are numbers.
    fn page<T>(
        &self,
        table: Table,
        page: Page,
        contents: impl Fn(u64, &[u8]) -> Result<Option<T>, RecordError>,
    ) -> Result<(Vec<T>, Option<u64>), LedgerError> {
        let page = self.readable().and_then(|database| {
            let page = read::page(database, table, page, contents);
            page.map_err(|failure| failure.to_string())
        });
        page.map_err(|reason| self.unreadable(reason))
    }

    fn unreadable(&self, reason: String) -> LedgerError {
        let path = self.path.display().to_string();
        LedgerError::Read { path, reason }
    }

    /// The database, if what is in it is what was kept.
    fn readable(&self) -> Result<&Database, String> {
        match &self.database {
            None => Err(self.failing.clone()),
            Some(_) if self.in_file != self.serial => Err(Failure::Doubtful.to_string()),
            Some(database) => Ok(database),
        }
    }
}

impl Store for Embedded {
    fn commit(&mut self, changes: &Changes) -> Result<(), LedgerError> {
        if self.would_change_nothing(changes) {
            return Ok(());
        }
        let began = clock::now().instant;
        let mut result = self.attempt(changes);
        if result.as_ref().is_err_and(Failure::is_lack_of_space) && self.reserve.give_up(began) {
            result = self.attempt(changes);
        }
        match result {
            Ok(usage) => {
                self.usage = usage;
                let ended = clock::now().instant;
                self.times.note(ended - began);
                self.reserve.keep(ended);
                Ok(())
            }
            Err(failure) => {
                let error = LedgerError::Write {
                    path: self.path.display().to_string(),
                    reason: failure.to_string(),
                };
                // So that it can be read, if not written.
                if let Err(failure) = self.reopen() {
                    self.failing = failure.to_string();
                }
                Err(error)
            }
        }
    }

    fn look(&mut self) -> Result<(), LedgerError> {
        self.look_for_file(clock::now().instant)
    }

    fn usage(&self) -> Usage {
        self.usage.clone()
    }

    fn log(&self, query: &LogQuery) -> Result<LogPage, LedgerError> {
        let (entries, next) = self.page(Table::Log, query.page, |no, value| {
            let entry = record::decode_log(no, value)?;
            Ok(query.matches(&entry).then_some(entry))
        })?;
        Ok(LogPage { entries, next })
    }

    fn dead_letters(&self, query: &DeadQuery) -> Result<DeadPage, LedgerError> {
        let (letters, next) = self.page(Table::Dead, query.page, |no, value| {
            let letter = record::decode_dead(no, value)?;
            Ok(query.matches(&letter).then_some(letter))
        })?;
        Ok(DeadPage { letters, next })
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn snapshot(&self) -> Result<Option<Snapshot>, LedgerError> {
        let snapshot = self.readable().and_then(|database| {
            let snapshot = Snapshot::of(database, &self.path);
            snapshot.map_err(|failure| failure.to_string())
        });
        snapshot.map(Some).map_err(|reason| self.unreadable(reason))
    }

    fn commits(&self) -> CommitTimes {
        self.times.summary()
    }
}

#[cfg(test)]
mod tests;
