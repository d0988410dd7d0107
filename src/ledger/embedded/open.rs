//! Opening the file, or making a new one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, backends::FileBackend};

use super::{
    failure::{self, Failure},
    load, migrate, overlay,
    tables::{self, FORMAT, FORMAT_KEY, SERIAL_KEY, Table},
};

/// Most bytes of the file that are kept in memory.
const CACHE_BYTES: usize = 64 * 1_024 * 1_024;

/// The first bytes of a database file.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// Why a ledger cannot be opened, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "the ledger {path} is in use by another server, and only one may use it; stop that one, or set ledger.path \
         to another file for this one"
    )]
    InUse {
        /// The file.
        path: String,
    },
    /// It can be read or written no more, or not be made.
    #[error(
        "the ledger {path} cannot be used: {reason}. Make it writable, set ledger.path to another file, or to memory \
         if nothing has to survive a restart"
    )]
    Unusable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
        /// Whether it is that the disk is full.
        is_full: bool,
    },
    /// The file at its path never was a ledger.
    #[error("the ledger {path} is {what}, and was left as it is: {advice}")]
    NotALedger {
        /// The path.
        path: String,
        /// What the file is.
        what: &'static str,
        /// What to do.
        advice: String,
    },
    /// There is none.
    #[error("there is no ledger {path}; a server makes it when it starts")]
    Missing {
        /// The file.
        path: String,
    },
    /// It is not what was written.
    #[error(
        "the ledger {path} is damaged or no ledger: {detail}. Put a backup in its place; or move it away and start \
         with an empty one, which loses what was not yet delivered, the log and the dead letters: receivers are told \
         of every channel that is occupied then, but not that others were vacated, so they should read the told list \
         (GET /apps/ID/occupancy) anew. What of it can be read, `vacancy ledger check` tells"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A later version has written it.
    #[error(
        "the ledger {path} has format {found}, and this version knows no later one than {known}; start the version \
         that wrote it, or put a backup of format {known} in its place"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: u64,
        /// The latest format that is known.
        known: u64,
    },
}

impl OpenError {
    /// Another process uses it.
    pub(super) fn in_use(path: &Path) -> Self {
        Self::InUse {
            path: path.display().to_string(),
        }
    }

    /// Tells whether it is that the disk is full.
    pub(super) const fn is_lack_of_space(&self) -> bool {
        match self {
            Self::Unusable { is_full, .. } => *is_full,
            Self::InUse { .. }
            | Self::NotALedger { .. }
            | Self::Missing { .. }
            | Self::Damaged { .. }
            | Self::Newer { .. } => false,
        }
    }

    /// Another kind of file is at the path.
    fn other(path: &Path, what: &'static str) -> Self {
        Self::NotALedger {
            path: path.display().to_string(),
            what,
            advice: "set ledger.path to a file of its own".to_owned(),
        }
    }

    /// Says what a failure means for the one who opens.
    pub(super) fn new(path: &Path, failure: Failure) -> Self {
        let path = path.display().to_string();
        match failure {
            Failure::Database(redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch) => {
                Self::InUse { path }
            }
            Failure::Database(redb::Error::Io(error)) if !is_damage(&error) => Self::Unusable {
                path,
                reason: failure::io_fault(&error),
                is_full: failure::is_lack_of_space(&error),
            },
            failure @ (Failure::Database(_)
            | Failure::Record { .. }
            | Failure::Exchanged
            | Failure::Gone
            | Failure::NotAnew(_)
            | Failure::Replaced
            | Failure::Doubtful) => Self::Damaged {
                path,
                detail: failure.to_string(),
            },
        }
    }
}

/// Opens a database that exists.
pub(super) fn database(path: &Path) -> Result<Database, DatabaseError> {
    builder().open(path)
}

/// Opens a database, or makes a new one that only its owner may read: it holds what clients sent.
pub(super) fn private(path: &Path) -> Result<Database, DatabaseError> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).mode(0o600).open(path)?;
    builder().create_with_backend(FileBackend::new(file)?)
}

/// Logs a warning about a ledger that every user of the machine may read.
fn warn_of_readers(path: &Path) {
    let mode = fs::metadata(path).map_or(0, |file| file.permissions().mode());
    if mode & 0o004 != 0 {
        log::warn!(
            "the ledger {} holds what clients sent, and every user of this machine may read it (mode {:04o}): \
             chmod 600 it",
            path.display(),
            mode & 0o7777
        );
    }
}

/// Opens the file of a ledger, in this version's format, or makes a new one. Every page is checked
/// first, so that a damaged file is left as it is: redb writes to what it repairs.
pub(super) fn ledger(
    path: &Path,
    open: impl Fn(&Path) -> Result<Database, DatabaseError>,
) -> Result<Database, OpenError> {
    let failed = |failure| OpenError::new(path, failure);
    let database = match must_exist(path) {
        Ok(()) => {
            drop(overlay::database(path).map_err(|error| failed(error.into()))?);
            open(path).map_err(|error| failed(error.into()))?
        }
        Err(OpenError::Missing { .. }) => return create(path).map_err(failed),
        Err(error) => return Err(error),
    };
    warn_of_readers(path);
    let found = format(path, &database)?;
    migrate::migrate(&database, found).map_err(failed)?;
    Ok(database)
}

/// The format of a ledger, if this version knows it.
pub(super) fn format(path: &Path, database: &Database) -> Result<u64, OpenError> {
    let read = || load::format(&database.begin_read()?);
    let found = read().map_err(|failure| OpenError::new(path, failure))?;
    match found {
        Some(found) if found <= FORMAT => Ok(found),
        Some(found) => Err(OpenError::Newer {
            path: path.display().to_string(),
            found,
            known: FORMAT,
        }),
        None => Err(OpenError::other(path, "a database of another program")),
    }
}

/// Refuses a path without a file that can be a ledger, for callers that do not make one.
pub(super) fn must_exist(path: &Path) -> Result<(), OpenError> {
    let failed = |failure| Err(OpenError::new(path, failure));
    match fs::metadata(path) {
        Ok(file) if file.is_dir() => Err(OpenError::NotALedger {
            path: path.display().to_string(),
            what: "a folder",
            advice: format!(
                "set ledger.path to a file in it, like {}",
                path.join("vacancy.redb").display()
            ),
        }),
        Ok(file) if !file.is_file() => Err(OpenError::other(path, "not a regular file")),
        // redb would make a new database in it. A ledger of ours is never empty.
        Ok(file) if file.len() == 0 => failed(damage("it is empty")),
        Ok(_) if is_of_another_kind(path) => Err(OpenError::other(path, "a file of another program")),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(OpenError::Missing {
            path: path.display().to_string(),
        }),
        Err(error) => failed(error.into()),
    }
}

/// Tells whether a file begins unlike any ledger, even a damaged one. A power cut can leave zeros in a
/// ledger.
fn is_of_another_kind(path: &Path) -> bool {
    let mut begin = [0; MAGIC.len()];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut begin, 0));
    let alike = MAGIC.iter().zip(&begin).filter(|(a, b)| a == b).count();
    read.is_ok() && alike < MAGIC.len() / 2 && begin != [0; MAGIC.len()]
}

/// The builder of all databases here.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// A path beside another, with something added to its name.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Sees to it that a name that was made or changed in a folder survives a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// The folder of a file.
pub(super) fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Makes the folder of a ledger, if it is missing. Refuses a path with another kind of file before it makes
/// anything beside it.
pub(super) fn make_folder(path: &Path) -> Result<(), OpenError> {
    if let Err(error @ OpenError::NotALedger { .. }) = must_exist(path) {
        return Err(error);
    }
    let folder = folder(path);
    fs::create_dir_all(folder).map_err(|error| OpenError::Unusable {
        path: path.display().to_string(),
        reason: format!("its folder {} cannot be made: {error}", folder.display()),
        is_full: failure::is_lack_of_space(&error),
    })
}

/// Makes a new ledger under another name and gives it its own when it is whole, so that a crash
/// meanwhile leaves nothing that looks like a damaged one.
fn create(path: &Path) -> Result<Database, Failure> {
    let new = beside(path, ".new");
    if new.exists() {
        match private(&new) {
            Err(error @ (DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch)) => {
                return Err(error.into());
            }
            Ok(_) | Err(_) => fs::remove_file(&new)?,
        }
    }
    let database = private(&new)?;
    let txn = database.begin_write()?;
    for table in Table::ALL {
        let mut rows = txn.open_table(table.definition())?;
        if table == Table::Meta {
            rows.insert(FORMAT_KEY, tables::number_key(FORMAT).as_slice())?;
            rows.insert(SERIAL_KEY, tables::number_key(0).as_slice())?;
        }
    }
    txn.commit()?;
    // The lock is on the file and goes with it. A link, unlike a rename, replaces nothing: another
    // server may have made one at the same time.
    match fs::hard_link(&new, path) {
        Ok(()) => fs::remove_file(&new)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(DatabaseError::DatabaseAlreadyOpen.into());
        }
        // Not every file system has links.
        Err(_) => fs::rename(&new, path)?,
    }
    sync_folder(path)?;
    Ok(database)
}

fn damage(detail: &str) -> Failure {
    Failure::Database(redb::Error::Corrupted(detail.to_owned()))
}

/// Tells whether an error is about what is in the file.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
}
