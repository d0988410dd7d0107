//! What can go wrong with the file, in words that help.

use std::io::{Error as IoError, ErrorKind};

use super::{record::RecordError, tables::Table};

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The file system, or the database on it.
    #[error("{}", reason(.0))]
    Database(redb::Error),
    /// A record is not what this version writes.
    #[error("a record of the table {table} cannot be read: {error}")]
    Record {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        error: RecordError,
    },
    /// The file is not the one that was written last.
    #[error("the file is not the one that was written last, somebody has exchanged it; restart the server")]
    Exchanged,
    /// The file was removed.
    #[error(
        "it was removed while the server uses it: move it back, and it is used again; else it is written anew, with \
         all that was in it, 10 s after it went"
    )]
    Gone,
    /// The file was removed, and no new one can be written.
    #[error(
        "it was removed while the server uses it, and cannot be written anew: {0}. Make its folder, on the same disk, \
         or move it back; a restart would lose what was in it"
    )]
    NotAnew(String),
    /// Another file is in its place.
    #[error(
        "another file was put in its place while the server uses it. Move that away, and the ledger of this server back \
         if you have it (else it is written anew, with all that was in it). After a restart the server would go on \
         with the file that is there, and not know what it was told since that was made"
    )]
    Replaced,
    /// What a failed write left is still in the file.
    #[error("a write that failed is not undone yet")]
    Doubtful,
}

/// Lets `?` turn each of redb's errors into ours.
macro_rules! from_redb {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Database(error.into())
            }
        })*
    };
}

from_redb!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError,
    redb::CompactionError
);

impl From<IoError> for Failure {
    fn from(error: IoError) -> Self {
        Self::Database(redb::Error::Io(error))
    }
}

impl Failure {
    /// A record of a table that cannot be read.
    pub(super) const fn of_record(table: Table, error: RecordError) -> Self {
        Self::Record {
            table: table.name(),
            error,
        }
    }

    /// Tells whether it is that the disk is full.
    pub(super) fn is_lack_of_space(&self) -> bool {
        match self {
            Self::Database(redb::Error::Io(error)) => is_lack_of_space(error),
            Self::Database(_)
            | Self::Record { .. }
            | Self::Exchanged
            | Self::Gone
            | Self::NotAnew(_)
            | Self::Replaced
            | Self::Doubtful => false,
        }
    }
}

/// Tells whether the disk is full.
pub(super) fn is_lack_of_space(error: &IoError) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Says why in words, with what to do.
fn reason(error: &redb::Error) -> String {
    if let redb::Error::Io(error) = error {
        return io_reason(error);
    }
    error.to_string()
}

/// What the system's errors mean here, and their cures while the ledger is in use.
const KNOWN: [(ErrorKind, &str, &str); 5] = [
    (
        ErrorKind::StorageFull,
        "the disk is full",
        "; once there is space, it is used again without a restart",
    ),
    (
        ErrorKind::QuotaExceeded,
        "the disk quota is used up",
        "; once there is space, it is used again without a restart",
    ),
    (
        ErrorKind::ReadOnlyFilesystem,
        "the file system is read-only",
        "; once it can be written, it is used again without a restart",
    ),
    (
        ErrorKind::PermissionDenied,
        "it may not be written: look at its owner, its mode and its attributes (lsattr)",
        "",
    ),
    (ErrorKind::NotFound, "it is gone", "; put it back or restart the server"),
];

/// Explains an error while the ledger is in use, with the cure.
pub(super) fn io_reason(error: &IoError) -> String {
    in_words(error, |words, cure| format!("{words}{cure}"))
}

/// Explains an error at a start, which ends with it.
pub(super) fn io_fault(error: &IoError) -> String {
    in_words(error, |words, _| words.to_owned())
}

fn in_words(error: &IoError, say: impl Fn(&str, &str) -> String) -> String {
    match KNOWN.iter().find(|(kind, ..)| *kind == error.kind()) {
        Some((_, words, cure)) => format!("{} ({error})", say(words, cure)),
        None => error.to_string(),
    }
}
