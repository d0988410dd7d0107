//! Copying a ledger into a new file, and making one smaller.

use std::{
    fs,
    path::{Path, PathBuf},
};

use redb::{Database, ReadableDatabase, ReadableTable};

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

/// Copies a ledger that no server uses, and leaves it as it is.
pub(super) fn backup_file(path: &Path, to: &Path) -> Result<(), BackupError> {
    open::must_exist(path)?;
    let database = overlay::database(path).map_err(|error| OpenError::new(path, error.into()))?;
    open::format(path, &database)?;
    backup(&database, to)
}

/// Copies all that is in a database at one moment. The copy has its name when it is whole.
pub(super) fn backup(database: &Database, to: &Path) -> Result<(), BackupError> {
    if to.exists() {
        return Err(BackupError::Exists {
            path: to.display().to_string(),
        });
    }
    let part = open::beside(to, ".part");
    let done = copy(database, &part).and_then(|()| {
        fs::rename(&part, to)?;
        open::sync_folder(to)?;
        Ok(())
    });
    done.map_err(|failure| {
        let _ = fs::remove_file(&part);
        BackupError::Failed {
            path: to.display().to_string(),
            reason: failure.to_string(),
        }
    })
}

fn copy(database: &Database, to: &PathBuf) -> Result<(), Failure> {
    let _ = fs::remove_file(to);
    let copy = open::private(to)?;
    let (reading, writing) = (database.begin_read()?, copy.begin_write()?);
    for table in Table::ALL {
        let mut rows = writing.open_table(table.definition())?;
        let Some(source) = load::table(&reading, table)? else {
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
