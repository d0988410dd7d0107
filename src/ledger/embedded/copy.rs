//! Copying a ledger into a new file, and making one smaller.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};

use super::{
    failure::Failure,
    load,
    open::{self, OpenError},
    overlay,
    tables::Table,
};

/// Why a ledger was not copied.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file of that name.
    #[error("{path} exists already, and a backup does not overwrite anything")]
    Exists {
        /// The file.
        path: String,
    },
    /// The ledger cannot be read.
    #[error(transparent)]
    Source(#[from] OpenError),
    /// The copy cannot be written, or the ledger not be read to its end.
    #[error("cannot copy the ledger to {path}: {reason}")]
    Failed {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// How large a ledger was and is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Before.
    pub before: u64,
    /// After.
    pub after: u64,
}

/// All that a ledger held at one moment. Commits go on meanwhile; the space of what they replace is used
/// again when this is dropped.
pub struct Snapshot {
    reading: ReadTransaction,
    path: PathBuf,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Holds what is in a database now. The copy will be made beside `path`.
    pub(super) fn of(database: &Database, path: &Path) -> Result<Self, Failure> {
        Ok(Self {
            reading: database.begin_read()?,
            path: path.to_owned(),
        })
    }

    /// Writes a copy beside the ledger, and gives it, open and without a name: it vanishes when it is
    /// closed. It blocks for as long as the disk needs.
    ///
    /// # Errors
    /// When it cannot be written, or the ledger was closed meanwhile, as after a failed commit.
    pub fn write(self) -> Result<File, BackupError> {
        let part = part_beside(&self.path);
        let written = copy(&self.reading, &part).and_then(|()| Ok(File::open(&part)?));
        let _ = fs::remove_file(&part);
        written.map_err(|failure| BackupError::Failed {
            path: part.display().to_string(),
            reason: failure.to_string(),
        })
    }
}

/// Where a copy is written that is to have no name.
pub(super) fn part_beside(path: &Path) -> PathBuf {
    open::beside(path, ".backup")
}

/// Copies a ledger that no server uses, and leaves it as it is.
pub(super) fn backup_file(path: &Path, to: &Path) -> Result<(), BackupError> {
    open::must_exist(path)?;
    let database = overlay::database(path).map_err(|error| OpenError::new(path, error.into()))?;
    open::format(path, &database)?;
    backup(&database, to)
}

/// A file that gets its name when it is whole. Dropped before that, it vanishes.
#[derive(Debug)]
pub struct NewBackup {
    part: PathBuf,
    to: PathBuf,
}

impl NewBackup {
    /// Begins one; nothing is written yet.
    ///
    /// # Errors
    /// When there is such a file.
    pub fn new(to: &Path) -> Result<Self, BackupError> {
        if to.exists() {
            return Err(BackupError::Exists {
                path: to.display().to_string(),
            });
        }
        Ok(Self {
            part: open::beside(to, ".part"),
            to: to.to_owned(),
        })
    }

    /// Makes the file empty, for its owner only. What an earlier try has left is gone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self) -> io::Result<File> {
        let _ = fs::remove_file(&self.part);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).open(&self.part)
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn finish(&self) -> io::Result<()> {
        fs::rename(&self.part, &self.to)?;
        open::sync_folder(&self.to)
    }

    /// Why it could not be written.
    #[must_use]
    pub fn failed(&self, reason: String) -> BackupError {
        BackupError::Failed {
            path: self.to.display().to_string(),
            reason,
        }
    }
}

impl Drop for NewBackup {
    fn drop(&mut self) {
        // After `finish` this file no longer exists.
        let _ = fs::remove_file(&self.part);
    }
}

/// Copies all that is in a database at one moment. The copy has its name when it is whole.
pub(super) fn backup(database: &Database, to: &Path) -> Result<(), BackupError> {
    let new = NewBackup::new(to)?;
    let reading = database.begin_read().map_err(Failure::from);
    let done = reading
        .and_then(|reading| copy(&reading, &new.part))
        .and_then(|()| Ok(new.finish()?));
    done.map_err(|failure| new.failed(failure.to_string()))
}

fn copy(reading: &ReadTransaction, to: &Path) -> Result<(), Failure> {
    let _ = fs::remove_file(to);
    let copy = open::private(to)?;
    let writing = copy.begin_write()?;
    for table in Table::ALL {
        let mut rows = writing.open_table(table.definition())?;
        let Some(source) = load::table(reading, table)? else {
            continue;
        };
        for row in source.iter()? {
            let (key, value) = row?;
            rows.insert(key.value(), value.value())?;
        }
    }
    writing.commit()?;
    Ok(copy.close()?)
}

/// Gives the space that a ledger does not use back to the disk. No server may use it meanwhile.
pub(super) fn compact(path: &Path) -> Result<Compacted, OpenError> {
    let failed = |failure| OpenError::new(path, failure);
    let size = || {
        fs::metadata(path)
            .map(|file| file.len())
            .map_err(|error| failed(error.into()))
    };
    open::must_exist(path)?;
    let before = size()?;
    let mut database = open::ledger(path, open::database)?;
    while database.compact().map_err(|error| failed(error.into()))? {}
    database.close().map_err(|error| failed(error.into()))?;
    Ok(Compacted { before, after: size()? })
}
