//! A disk that fails when it is told to, and what the store does about it.

use std::{
    io,
    ops::Bound,
    path::Path,
    sync::{Arc, Mutex},
};

use redb::{BackendError, DatabaseError, StorageBackend, backends::FileBackend};

use super::{super::*, Folder};
use crate::ledger::store::suite;

/// When a disk fails: the calls that change something are counted down to it, and all fail from
/// there until it is mended.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    fails_in: Option<u32>,
    kind: Option<io::ErrorKind>,
}

impl Disk {
    /// From the call of this number on, all fail so.
    pub(super) fn fail_in(&self, calls: u32, kind: io::ErrorKind) {
        *self.0.lock().expect("not poisoned") = State {
            fails_in: Some(calls),
            kind: Some(kind),
        };
    }

    pub(super) fn mend(&self) {
        *self.0.lock().expect("not poisoned") = State::default();
    }

    /// Tells whether it has failed at least once.
    pub(super) fn has_failed(&self) -> bool {
        self.0.lock().expect("not poisoned").fails_in == Some(0)
    }

    fn call(&self) -> io::Result<()> {
        let mut state = self.0.lock().expect("not poisoned");
        match (state.fails_in, state.kind) {
            (Some(0), Some(kind)) => Err(kind.into()),
            (Some(calls), _) => {
                state.fails_in = Some(calls - 1);
                if calls == 1 {
                    return Err(state.kind.unwrap_or(io::ErrorKind::Other).into());
                }
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    /// Opens databases on this disk.
    pub(super) fn opener(&self) -> Opener {
        let disk = self.clone();
        Box::new(move |path: &Path| {
            let file = fs_open(path)?;
            let backend = Faulty {
                inner: FileBackend::new(file)?,
                disk: disk.clone(),
            };
            open::builder().create_with_backend(backend)
        })
    }
}

fn fs_open(path: &Path) -> Result<std::fs::File, DatabaseError> {
    Ok(std::fs::OpenOptions::new().read(true).write(true).open(path)?)
}

/// A file on a [`Disk`].
#[derive(Debug)]
struct Faulty {
    inner: FileBackend,
    disk: Disk,
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.call()?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.call()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if let Err(error) = self.disk.call() {
            // A disk may have written a part of it.
            let _ = self.inner.write(offset, &data[..data.len() / 2]);
            return Err(error);
        }
        self.inner.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }
}

fn line(no: u64) -> Changes {
    Changes {
        log: vec![suite::decided(no, no, "x")],
        events: [(crate::ledger::EventId(no), Some(suite::event(no, "x", true)))].into(),
        ..Changes::default()
    }
}

/// Opens a ledger on a disk.
fn on_disk(folder: &Folder, disk: &Disk) -> (Embedded, Loaded) {
    let settings = folder.settings();
    if !settings.path.exists() {
        drop(Embedded::open(&settings).expect("a new ledger"));
    }
    Embedded::open_by(&settings, disk.opener()).expect("it can be opened")
}

#[test]
fn a_commit_that_fails_at_any_call_keeps_nothing_and_the_next_one_succeeds() {
    let mut found_in_file = 0;
    for calls in 1.. {
        let (folder, disk) = (Folder::new(), Disk::default());
        let (mut store, _) = on_disk(&folder, &disk);
        store.commit(&line(1)).expect("it can be written");
        let usage = store.usage();
        disk.fail_in(calls, io::ErrorKind::Other);
        let done = store.commit(&line(2));
        let has_failed = disk.has_failed();
        disk.mend();
        let Err(error) = done else {
            // The calls that a commit makes are all tried.
            assert!(!has_failed || 2 < calls);
            if has_failed {
                continue;
            }
            break;
        };
        assert!(matches!(error, LedgerError::Write { .. }), "{error}");
        assert_eq!(store.usage(), usage, "call {calls}");
        let _ = store.reopen();
        found_in_file += u32::from(store.in_file != store.serial);
        store.commit(&line(3)).expect("the disk is mended");
        let page = store.log(&LogQuery::default()).expect("it can be read");
        let numbers: Vec<u64> = page.entries.iter().map(|entry| entry.no).collect();
        assert_eq!(numbers, [3, 1], "call {calls}");
        drop(store);
        let (store, loaded) = on_disk(&folder, &disk);
        let events: Vec<u64> = loaded.events.keys().map(|id| id.0).collect();
        assert_eq!(
            (events, store.usage().log_bytes),
            (vec![1, 3], 2 * usage.log_bytes),
            "call {calls}"
        );
    }
    assert!(
        0 < found_in_file,
        "when only the flush fails, the commit is in the file and must be taken back"
    );
}

#[test]
fn while_the_disk_fails_the_log_can_be_read_or_says_why_not() {
    let (folder, disk) = (Folder::new(), Disk::default());
    let (mut store, _) = on_disk(&folder, &disk);
    store.commit(&line(1)).expect("it can be written");
    disk.fail_in(1, io::ErrorKind::ReadOnlyFilesystem);
    for _ in 0..3 {
        let error = store.commit(&line(2)).expect_err("the disk fails").to_string();
        assert!(error.contains("the file system is read-only"), "{error}");
        match store.log(&LogQuery::default()) {
            Ok(page) => assert_eq!(page.entries.len(), 1),
            Err(error) => assert!(error.to_string().contains("the file system is read-only"), "{error}"),
        }
    }
    disk.mend();
    store.commit(&line(2)).expect("the disk is mended");
    assert_eq!(
        store.log(&LogQuery::default()).expect("it can be read").entries.len(),
        2
    );
}

#[test]
fn when_the_disk_is_full_the_reserve_is_given_up_and_the_commit_tried_once_more() {
    let (folder, disk) = (Folder::new(), Disk::default());
    let settings = EmbeddedSettings {
        reserve_bytes: 100_000,
        ..folder.settings()
    };
    drop(Embedded::open(&settings).expect("a new ledger"));
    let reserve = open::beside(&settings.path, ".reserve");
    let (disk_of_store, opener) = (disk.clone(), disk.opener());
    let opener: Opener = Box::new(move |path| {
        // Space is there again as soon as the reserve is gone.
        if !open::beside(path, ".reserve").exists() {
            disk_of_store.mend();
        }
        opener(path)
    });
    let (mut store, _) = Embedded::open_by(&settings, opener).expect("it can be opened");
    disk.fail_in(1, io::ErrorKind::StorageFull);
    store.commit(&line(1)).expect("the reserve is used");
    assert!(!reserve.exists());
    disk.fail_in(1, io::ErrorKind::StorageFull);
    let error = store
        .commit(&line(2))
        .expect_err("there is no reserve any more")
        .to_string();
    assert!(error.contains("the disk is full; once there is space"), "{error}");
}

#[test]
fn a_file_that_was_exchanged_is_not_written_to() {
    let (folder, disk) = (Folder::new(), Disk::default());
    let (mut store, _) = on_disk(&folder, &disk);
    let path = folder.settings().path;
    let old = std::fs::read(&path).expect("a file");
    store.commit(&line(1)).expect("it can be written");
    disk.fail_in(1, io::ErrorKind::Other);
    store.commit(&line(2)).expect_err("the disk fails");
    store.database = None;
    std::fs::write(&path, old).expect("it can be written");
    disk.mend();
    let error = store.commit(&line(2)).expect_err("it is another file").to_string();
    assert!(error.contains("somebody has exchanged it"), "{error}");
}

#[test]
fn a_file_that_is_gone_is_an_error_until_it_is_back() {
    let (folder, disk) = (Folder::new(), Disk::default());
    let (mut store, _) = on_disk(&folder, &disk);
    let path = folder.settings().path;
    store.commit(&line(1)).expect("it can be written");
    disk.fail_in(1, io::ErrorKind::Other);
    let away = open::beside(&path, ".away");
    std::fs::rename(&path, &away).expect("it can be moved");
    store.commit(&line(2)).expect_err("the disk fails");
    disk.mend();
    let error = store.commit(&line(2)).expect_err("it is gone").to_string();
    assert!(error.contains("it is gone"), "{error}");
    std::fs::rename(&away, &path).expect("it can be moved");
    store.commit(&line(2)).expect("it is back");
}
