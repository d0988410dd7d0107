//! Space that is kept beside the ledger for the moment when the disk is full: deleting needs space
//! too, and what is delivered then must be written down all the same.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The least time between two attempts to make the file.
const PAUSE: Duration = Duration::from_secs(60);

/// It is made only where so many times its size is free, so that it is not what fills the disk.
const FREE_TIMES: u64 = 4;

/// A file of some size that can be given up.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    is_there: bool,
    tried: Option<Instant>,
}

impl Reserve {
    /// The reserve beside a ledger, as it was left by the last run.
    pub(super) fn beside(ledger: &Path, bytes: u64) -> Self {
        let mut path = ledger.as_os_str().to_owned();
        path.push(".reserve");
        let path = PathBuf::from(path);
        let is_there = fs::metadata(&path).is_ok_and(|file| file.len() == bytes);
        Self {
            path,
            bytes,
            is_there,
            tried: None,
        }
    }

    /// Makes the file when it is not there and there is much space, at most once a minute.
    pub(super) fn keep(&mut self, now: Instant) {
        let is_too_soon = self.tried.is_some_and(|tried| now < tried + PAUSE);
        if self.is_there || self.bytes == 0 || is_too_soon {
            return;
        }
        self.tried = Some(now);
        match self.make() {
            Ok(is_there) => self.is_there = is_there,
            Err(error) => {
                log::warn!("cannot keep space in {}: {error}", self.path.display());
                let _ = fs::remove_file(&self.path);
            }
        }
    }

    /// Deletes the file; tells whether that gave space back. It is made anew a minute later at the
    /// earliest.
    pub(super) fn give_up(&mut self, now: Instant) -> bool {
        let was_there = self.is_there;
        self.is_there = false;
        self.tried = Some(now);
        let gave_space = fs::remove_file(&self.path).is_ok() && was_there;
        if gave_space {
            log::warn!(
                "the disk is full: the space kept in {} is used now",
                self.path.display()
            );
        }
        gave_space
    }

    fn make(&self) -> io::Result<bool> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let disk = rustix::fs::statvfs(folder.unwrap_or(Path::new(".")))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < self.bytes.saturating_mul(FREE_TIMES) {
            return Ok(false);
        }
        let mut file = File::create(&self.path)?;
        let mut left = self.bytes;
        let chunk = noise();
        while 0 < left {
            let part = left.min(chunk.len() as u64);
            file.write_all(&chunk[..usize::try_from(part).unwrap_or(chunk.len())])?;
            left -= part;
        }
        Ok(true)
    }
}

/// Bytes that a file system which compresses cannot make small.
fn noise() -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(128 * 1_024).flatten().collect()
}
