//! Whether the file is where it was: somebody may remove it, or put another one in its place, while
//! the server has it open. What is written then is in no file that a later start would find.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

use super::{Embedded, copy, failure::Failure, mark::Mark, open};
use crate::ledger::LedgerError;

/// How long a file is gone before it is written anew: who moves it may move it back, and who removes
/// it and restarts the server at once wants a new one.
const ANEW_AFTER: Duration = Duration::from_secs(10);

/// Which file it is, and since when it is gone.
#[derive(Debug)]
pub(super) struct Place {
    file: Identity,
    gone_since: Option<Instant>,
}

/// The device of a file and its number there. No other file gets it while this one is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    number: u64,
}

impl Place {
    /// That of a file that was opened a moment ago.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: identity(path)?,
            gone_since: None,
        })
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let file = fs::metadata(path)?;
    Ok(Identity {
        device: file.dev(),
        number: file.ino(),
    })
}

impl Embedded {
    /// Looks whether the file is in its place. One that was gone for 10 s is written anew.
    pub(super) fn look_for_file(&mut self, now: Instant) -> Result<(), LedgerError> {
        // One that is closed is looked for when it is opened.
        if self.database.is_none() {
            return Ok(());
        }
        let found = match identity(&self.path) {
            Ok(file) if file == self.place.file => {
                self.place.gone_since = None;
                return Ok(());
            }
            Ok(_) => Err(Failure::Replaced),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.write_anew_in_time(now),
            Err(error) => Err(error.into()),
        };
        found.map_err(|failure| LedgerError::Write {
            path: self.path.display().to_string(),
            reason: failure.to_string(),
        })
    }

    fn write_anew_in_time(&mut self, now: Instant) -> Result<(), Failure> {
        let since = *self.place.gone_since.get_or_insert(now);
        if now.saturating_duration_since(since) < ANEW_AFTER {
            return Err(Failure::Gone);
        }
        self.write_anew().map_err(|error| Failure::NotAnew(error.to_string()))?;
        log::warn!(
            "the ledger {} was removed while the server uses it, and was written anew: nothing of it is lost. Stop the \
             server before you move or remove its ledger",
            self.path.display()
        );
        Ok(())
    }

    /// Writes all that is in the file that is gone into a new one in its place.
    fn write_anew(&mut self) -> Result<(), Failure> {
        let folder = identity(open::folder(&self.path))?;
        if folder.device != self.place.file.device {
            // A disk that was mounted there is not.
            return Err(io::Error::new(io::ErrorKind::NotFound, "another disk is in its place").into());
        }
        if !self.mark.is_in_place() {
            self.mark = Mark::take(&self.path).map_err(|_| redb::DatabaseError::DatabaseAlreadyOpen)?;
            self.mark.write(self.serial);
        }
        let database = self.readable().map_err(io::Error::other)?;
        copy::backup(database, &self.path).map_err(io::Error::other)?;
        self.database = None;
        self.reopen()
    }
}
