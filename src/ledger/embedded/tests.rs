//! Tests of the embedded store: the model it must equal, what it does when the disk fails, and what
//! it refuses.

mod changes;
mod faulty;
mod model;
mod refusals;
mod tools;

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use super::*;
use crate::ledger::store::suite;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A folder of its own for a test; removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vacancy-embedded-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a temporary folder");
        Self(folder)
    }

    fn settings(&self) -> EmbeddedSettings {
        EmbeddedSettings {
            path: self.0.join("data").join("vacancy.redb"),
            reserve_bytes: 0,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn it_does_what_every_store_does() {
    let mut folders = Vec::new();
    suite::keeps_the_contract(|| {
        let folder = Folder::new();
        let (store, _) = Embedded::open(&folder.settings()).expect("a new ledger");
        folders.push(folder);
        Box::new(store)
    });
}

#[test]
fn a_new_ledger_is_empty_and_its_folder_is_made() {
    let folder = Folder::new();
    let settings = folder.settings();
    let (store, loaded) = Embedded::open(&settings).expect("a new ledger");
    assert_eq!(loaded, Loaded::default());
    assert_eq!(store.path(), Some(settings.path.as_path()));
    assert!(settings.path.is_file());
}

#[test]
fn commits_are_counted_and_those_that_change_nothing_are_none() {
    let folder = Folder::new();
    let (mut store, _) = Embedded::open(&folder.settings()).expect("a new ledger");
    store.commit(&Changes::default()).expect("nothing to do");
    let trim = crate::ledger::Trim {
        rows_max: 10,
        before_ms: 1,
        bytes_max: 1_000,
    };
    let changes = Changes {
        log_trimmed: trim,
        dead_trimmed: trim,
        ..Changes::default()
    };
    store.commit(&changes).expect("nothing to do");
    assert_eq!(store.commits().count, 0);
    let changes = Changes {
        log: vec![suite::decided(1, 1, "x")],
        ..Changes::default()
    };
    store.commit(&changes).expect("it can be written");
    let times = store.commits();
    assert!(times.count == 1 && 0 < times.p50_us && times.p50_us == times.p99_us);
}

#[test]
fn space_is_kept_beside_the_ledger_and_given_up_once() {
    let folder = Folder::new();
    let settings = EmbeddedSettings {
        reserve_bytes: 100_000,
        ..folder.settings()
    };
    let reserve = open::beside(&settings.path, ".reserve");
    let (mut store, _) = Embedded::open(&settings).expect("a new ledger");
    assert_eq!(fs::metadata(&reserve).expect("it is kept").len(), 100_000);
    let now = clock::now().instant;
    assert!(store.reserve.give_up(now) && !reserve.exists() && !store.reserve.give_up(now));
    store.reserve.keep(now);
    assert!(!reserve.exists(), "too soon");
    store.reserve.keep(now + std::time::Duration::from_secs(61));
    assert!(reserve.exists() && store.reserve.give_up(now));
}

#[test]
fn a_file_of_an_older_format_is_brought_to_the_present_one() {
    // Each was made when there was no later format: 3 lines of the log, 2 dead letters, and a record
    // of each other kind.
    let files: [&[u8]; FORMATS_BEFORE] = [
        include_bytes!("tests/format-0.redb"),
        include_bytes!("tests/format-1.redb"),
    ];
    for file in files {
        is_brought_to_the_present_format(file);
    }
}

/// There is a file of each format before this one.
const FORMATS_BEFORE: usize = tables::FORMAT as usize;

#[track_caller]
fn is_brought_to_the_present_format(file: &[u8]) {
    let folder = Folder::new();
    let settings = folder.settings();
    fs::create_dir_all(open::folder(&settings.path)).expect("a folder");
    fs::write(&settings.path, file).expect("it can be written");
    let wanted = format_0();
    for _ in 0..2 {
        let (store, loaded) = Embedded::open(&settings).expect("it is brought to this format");
        assert_eq!(loaded.counters, wanted.counters);
        assert_eq!(
            (loaded.endpoints.len(), loaded.keys.len(), loaded.events.len()),
            (1, 1, 1)
        );
        assert_eq!((loaded.queued.len(), loaded.requests.len()), (1, 1));
        for (id, request) in &loaded.requests {
            assert_eq!(Some(request), wanted.requests[id].as_ref());
        }
        let log = store.log(&LogQuery::default()).expect("it can be read").entries;
        assert!(log.iter().rev().eq(&wanted.log), "{log:?}");
        let dead = store
            .dead_letters(&DeadQuery::default())
            .expect("it can be read")
            .letters;
        assert!(dead.iter().rev().eq(&wanted.dead), "{dead:?}");
        assert_eq!(
            (store.usage().oldest_log_ms, store.usage().oldest_dead_ms),
            (Some(10), Some(40))
        );
    }
}

#[test]
fn records_that_are_kept_twice_are_kept_once() {
    let folder = Folder::new();
    let settings = folder.settings();
    let (mut store, _) = Embedded::open(&settings).expect("a new ledger");
    store.commit(&format_0()).expect("it can be written");
    let usage = store.usage();
    let records = Changes {
        log: Vec::new(),
        dead: Vec::new(),
        ..format_0()
    };
    store.commit(&records).expect("it can be written");
    assert_eq!(store.usage(), usage);
    drop(store);
    let (_, loaded) = Embedded::open(&settings).expect("it can be opened");
    let mut want = crate::ledger::Loaded::default();
    want.apply(&format_0());
    assert_eq!(loaded, want);
}

/// The content of the files of older formats.
fn format_0() -> Changes {
    use crate::ledger::{Counters, EndpointRecord, EventId, Filter, Key, KeyRecord, Mode, QueuedRecord, RequestRecord};
    let app = || suite::app("a");
    let endpoint = || "e".parse::<crate::domain::EndpointId>().expect("valid");
    let queued = QueuedRecord {
        event: EventId(1),
        committed_ms: 10,
        attempted: true,
    };
    let endpoint_record = EndpointRecord {
        filter: Filter::default(),
        lanes: 1,
        mode: Mode::Enabled,
        is_removed: false,
        announcing: None,
    };
    let key_record = KeyRecord {
        occupied: true,
        seq: 1,
        since_ms: 10,
        event: EventId(1),
    };
    let request = RequestRecord {
        lane: 0,
        time_ms: 10,
        attempt: 1,
        retry_ms: None,
        replay: false,
        aside: None,
        entries: vec![(0, queued)],
    };
    Changes {
        counters: Some(Counters {
            seq: 1,
            event: 3,
            request: 2,
            log: 3,
            dead: 5,
            time_ms: 10,
            lived_ms: 0,
        }),
        endpoints: [((app(), endpoint()), Some(endpoint_record))].into(),
        keys: [((app(), Key::Channel("x".parse().expect("valid"))), Some(key_record))].into(),
        events: [(EventId(1), Some(suite::event(1, "x", true)))].into(),
        queued: [((app(), endpoint(), 1), Some(queued))].into(),
        requests: [((app(), endpoint(), crate::ledger::RequestId(2)), Some(request))].into(),
        log: vec![
            suite::decided(1, 10, "x"),
            suite::attempted(2, 20, "x", None),
            suite::attempted(3, 30, "x", Some("answered 500")),
        ],
        dead: vec![suite::dead(4, 40, "e"), suite::dead(5, 50, "e")],
        ..Changes::default()
    }
}
