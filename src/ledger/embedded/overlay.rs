//! A file that is read and never changed: what is written to it stays in memory. So a ledger can be
//! checked and copied as its server left it, repairs and all, by somebody who may not write there.

use std::{
    collections::HashMap,
    fs::File,
    io,
    ops::Bound,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use redb::{BackendError, Database, DatabaseError, StorageBackend, backends::FileBackend};

use super::open;

/// What is written is kept in blocks of so many bytes.
const BLOCK_BYTES: u64 = 4_096;

/// Opens a database on a file that stays as it is, and checks every page of it. While it is open,
/// no server can open it.
pub(super) fn database(path: &Path) -> Result<Database, DatabaseError> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let overlay = Overlay {
        file: FileBackend::new(file)?,
        written: Mutex::new(Written {
            len,
            file_len: len,
            blocks: HashMap::new(),
        }),
    };
    open::builder()
        .set_check_integrity_on_open(true)
        .create_with_backend(overlay)
}

#[derive(Debug)]
struct Overlay {
    file: FileBackend,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    len: u64,
    /// How much of the file still counts.
    file_len: u64,
    blocks: HashMap<u64, Vec<u8>>,
}

impl Overlay {
    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block as the file has it, with zeros where the file has ended.
    fn block_of_file(&self, block: u64, file_len: u64) -> io::Result<Vec<u8>> {
        let start = block * BLOCK_BYTES;
        let mut bytes = vec![0; BLOCK_BYTES as usize];
        let in_file = file_len.saturating_sub(start).min(BLOCK_BYTES) as usize;
        if 0 < in_file {
            self.file.read(start, &mut bytes[..in_file])?;
        }
        Ok(bytes)
    }
}

/// The parts of a range that lie in one block each: the block, where in it, and where in the range.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == len {
            return None;
        }
        let position = offset + at as u64;
        let start = (position % BLOCK_BYTES) as usize;
        let size = (BLOCK_BYTES as usize - start).min(len - at);
        let part = (position / BLOCK_BYTES, start..start + size, at..at + size);
        at += size;
        Some(part)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written();
        if written.len < offset + out.len() as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (block, in_block, in_out) in parts(offset, out.len()) {
            match written.blocks.get(&block) {
                Some(bytes) => out[in_out].copy_from_slice(&bytes[in_block]),
                None => out[in_out].copy_from_slice(&self.block_of_file(block, written.file_len)?[in_block]),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written();
        written.len = len;
        written.file_len = written.file_len.min(len);
        let file_len = written.file_len;
        written.blocks.retain(|block, _| block * BLOCK_BYTES < len);
        // What is behind the end must read as zeros when the end moves on.
        let last = len / BLOCK_BYTES;
        if let Some(bytes) = written.blocks.get_mut(&last) {
            bytes[(len % BLOCK_BYTES) as usize..].fill(0);
        } else if file_len == len && !len.is_multiple_of(BLOCK_BYTES) {
            let bytes = self.block_of_file(last, file_len)?;
            written.blocks.insert(last, bytes);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        written.len = written.len.max(offset + data.len() as u64);
        for (block, in_block, in_data) in parts(offset, data.len()) {
            if !written.blocks.contains_key(&block) {
                let bytes = self.block_of_file(block, written.file_len)?;
                written.blocks.insert(block, bytes);
            }
            if let Some(bytes) = written.blocks.get_mut(&block) {
                bytes[in_block].copy_from_slice(&data[in_data]);
            }
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    // Readers share the file with each other; a server excludes them and they exclude a server.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An overlay over a file of these bytes, with the file's path.
    fn over(bytes: &[u8], name: &str) -> (Overlay, std::path::PathBuf) {
        let path = std::env::temp_dir().join(format!("vacancy-overlay-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).expect("it can be written");
        let len = bytes.len() as u64;
        let overlay = Overlay {
            file: FileBackend::new(File::open(&path).expect("a file")).expect("a backend"),
            written: Mutex::new(Written {
                len,
                file_len: len,
                blocks: HashMap::new(),
            }),
        };
        (overlay, path)
    }

    fn contents(overlay: &Overlay) -> Vec<u8> {
        let len = overlay.len().expect("a length");
        let mut bytes = vec![0; usize::try_from(len).expect("small")];
        overlay.read(0, &mut bytes).expect("it can be read");
        bytes
    }

    #[test]
    fn what_is_written_is_read_back_and_the_file_stays_as_it_was() {
        let before: Vec<u8> = (0..10_000_u32).map(|at| at as u8).collect();
        let (overlay, path) = over(&before, "written");
        let mut want = before.clone();
        assert_eq!(contents(&overlay), want);
        for (offset, len) in [(0, 10), (4_090, 20), (4_000, 5_000), (9_990, 10)] {
            let data = vec![0xaa; len];
            overlay.write(offset as u64, &data).expect("it can be written");
            want[offset..offset + len].copy_from_slice(&data);
            assert_eq!(contents(&overlay), want);
        }
        overlay.write(12_000, &[1, 2]).expect("it can be written");
        want.resize(12_000, 0);
        want.extend([1, 2]);
        assert_eq!(contents(&overlay), want);
        assert!(overlay.read(12_000, &mut [0; 3]).is_err());
        assert_eq!(std::fs::read(&path).expect("a file"), before);
        let _ = std::fs::remove_file(path);
    }

    #[test]
    fn what_was_cut_off_is_zeros_when_the_end_moves_on() {
        for (cut, name) in [(5_000, "middle"), (4_096, "block"), (0, "all"), (9_000, "cut-written")] {
            let (overlay, path) = over(&[7; 10_000], name);
            overlay.write(8_500, &[8; 1_000]).expect("it can be written");
            let mut want = contents(&overlay);
            overlay.set_len(cut as u64).expect("it can be cut");
            overlay.set_len(10_000).expect("it can grow");
            want.truncate(cut);
            want.resize(10_000, 0);
            assert!(contents(&overlay) == want, "{cut}");
            let _ = std::fs::remove_file(path);
        }
    }
}
