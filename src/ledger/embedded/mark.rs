//! A small file beside the ledger: who uses it, and how far it was written.
//!
//! A ledger can lose its last commits and show no trace of it: an older copy is put in its place, or a
//! bit of the newest commit flips, and redb goes back to the one before. So the number of each commit
//! is written here too. Nobody waits for the disk to have it: after a kill it is right, and after a
//! power cut it may be an earlier one, which reports nothing that is not so.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::open;

/// The digits of a number, with zeros before it, and the end of the line.
const BYTES: usize = 21;

/// The file, locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Mark {
    path: PathBuf,
    /// None where it cannot be made or written. The ledger can be used without it.
    file: Option<File>,
}

/// Another process holds the mark.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken;

impl Mark {
    /// Locks the mark beside a ledger, which is made if it is missing. Does not wait for the lock.
    ///
    /// The lock is on a file of its own, since the one on the ledger goes with it when it is removed.
    pub(super) fn take(ledger: &Path) -> Result<Self, Taken> {
        let path = open::beside(ledger, ".mark");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = match options.open(&path) {
            Ok(file) => file,
            Err(error) => {
                warn(&path, &error);
                return Ok(Self { path, file: None });
            }
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Taken),
            // Not every file system has locks; redb takes one on the ledger itself.
            Err(TryLockError::Error(error)) => log::debug!("cannot lock {}: {error}", path.display()),
        }
        Ok(Self { path, file: Some(file) })
    }

    /// Logs an error if the ledger is at an earlier commit than the last one that was marked.
    pub(super) fn warn_if_short(&self, ledger: &Path, serial: u64) {
        // A new ledger is at 0: the one before was moved away.
        if let Some(marked) = self.read().filter(|marked| serial != 0 && serial < *marked) {
            log::error!(
                "the ledger {} lacks its last commits: it was at commit {marked} and is at {serial}. An older copy was \
                 put in its place, or its end was damaged. What was decided since then is lost; no id is given twice, but \
                 receivers may be wrong until they read the told list (GET /apps/ID/occupancy) anew",
                ledger.display()
            );
        }
    }

    /// Removes the file if no ledger has written to it, so that none stays beside a file that is not a
    /// ledger.
    pub(super) fn discard_if_new(&self) {
        let is_empty = |file: &File| file.metadata().is_ok_and(|file| file.len() == 0);
        if self.file.as_ref().is_some_and(is_empty) && self.is_in_place() {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Tells whether the file that is locked is the one that others would find.
    pub(super) fn is_in_place(&self) -> bool {
        let own = self.file.as_ref().and_then(|file| file.metadata().ok());
        let found = std::fs::metadata(&self.path).ok();
        own.zip(found)
            .is_some_and(|(own, found)| (own.dev(), own.ino()) == (found.dev(), found.ino()))
    }

    /// The number that was written last, if the file holds one.
    pub(super) fn read(&self) -> Option<u64> {
        let mut bytes = [0; BYTES];
        self.file.as_ref()?.read_exact_at(&mut bytes, 0).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        text.strip_suffix('\n')?.parse().ok()
    }

    /// Writes the number of a commit that is kept.
    pub(super) fn write(&mut self, serial: u64) {
        let Some(file) = &self.file else { return };
        if let Err(error) = file.write_all_at(format!("{serial:020}\n").as_bytes(), 0) {
            // What it holds is not the last number any more, and would be believed at the next start.
            warn(&self.path, &error);
            let _ = file.set_len(0);
        }
    }
}

fn warn(path: &Path, error: &io::Error) {
    log::warn!(
        "cannot write {}, so that it is not noticed if the ledger loses its last commits: {error}",
        path.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(name: &str) -> PathBuf {
        let ledger = std::env::temp_dir().join(format!("vacancy-mark-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(open::beside(&ledger, ".mark"));
        ledger
    }

    #[test]
    fn the_last_number_is_there_for_the_next_one_who_takes_it() {
        let ledger = ledger("number");
        let mut mark = Mark::take(&ledger).expect("nobody has it");
        assert_eq!(mark.read(), None);
        for serial in [7, u64::MAX, 12] {
            mark.write(serial);
            assert_eq!(mark.read(), Some(serial));
        }
        drop(mark);
        assert_eq!(Mark::take(&ledger).expect("it was let go").read(), Some(12));
        for other in ["", "12", "00000000000000000x12\n"] {
            std::fs::write(open::beside(&ledger, ".mark"), other).expect("it can be written");
            assert_eq!(Mark::take(&ledger).expect("nobody has it").read(), None, "{other:?}");
        }
        let _ = std::fs::remove_file(open::beside(&ledger, ".mark"));
    }

    #[test]
    fn only_one_has_it_whether_the_ledger_is_there_or_not() {
        let ledger = ledger("lock");
        let mark = Mark::take(&ledger).expect("nobody has it");
        assert_eq!(Mark::take(&ledger).map(|_| ()), Err(Taken));
        drop(mark);
        assert!(Mark::take(&ledger).is_ok());
        let _ = std::fs::remove_file(open::beside(&ledger, ".mark"));
    }

    #[test]
    fn where_it_cannot_be_made_the_ledger_is_used_without_it() {
        let mut mark = Mark::take(Path::new("/no/such/folder/ledger")).expect("nobody has it");
        mark.write(1);
        assert_eq!(mark.read(), None);
    }
}
