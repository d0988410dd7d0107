//! Random changes, crashes and failures of the disk: what is loaded equals a model.

use std::io;

use proptest::prelude::*;

use super::{
    super::{write::row_bytes, *},
    Folder,
    changes::changes,
    faulty::Disk,
};
use crate::ledger::{Counters, DeadLetter, LogEntry, Trim, store::suite};

/// What happens to a ledger.
#[derive(Debug, Clone)]
enum Happening {
    /// A step is committed; its log, its dead letters and what it trims are made from the model.
    Commit(Box<Changes>, Written),
    /// The same on a disk that fails from some call on.
    CommitOnFailingDisk(Box<Changes>, Written, u32),
    /// The same, and the process is killed then.
    CommitOnFailingDiskAndCrash(Box<Changes>, Written, u32),
    /// The process is killed and starts again.
    Crash,
    /// It ends in order and starts again.
    Restart,
}

/// How much a step writes down and trims.
#[derive(Debug, Clone)]
struct Written {
    log: u64,
    dead: u64,
    rows_max: usize,
    before_ms: u64,
    bytes_max: u64,
}

#[derive(Debug, Clone, Default)]
struct Model {
    loaded: Loaded,
    log: Vec<LogEntry>,
    dead: Vec<DeadLetter>,
    numbers: u64,
}

impl Model {
    fn write_down(&mut self, changes: &mut Changes, written: &Written) {
        let mut next = || {
            self.numbers += 1;
            self.numbers
        };
        let trim = Trim {
            rows_max: written.rows_max,
            before_ms: written.before_ms,
            bytes_max: written.bytes_max,
        };
        for _ in 0..written.log {
            let no = next();
            changes.log.push(match no % 3 {
                0 => suite::decided(no, no, "x"),
                1 => suite::attempted(no, no, "y", None),
                _ => suite::attempted(no, no, "y", Some("cannot connect: \"refused\"\n")),
            });
        }
        for _ in 0..written.dead {
            let no = next();
            changes
                .dead
                .push(suite::dead(no, no, if no % 2 == 0 { "e" } else { "f" }));
        }
        (changes.log_trimmed, changes.dead_trimmed) = (trim, trim);
    }

    fn apply(&mut self, changes: &Changes) {
        self.loaded.apply(changes);
        self.log.extend(changes.log.iter().cloned());
        self.dead.extend(changes.dead.iter().cloned());
        let log_bytes = |entry: &LogEntry| row_bytes(&record::encode_log(entry));
        trim(&mut self.log, changes.log_trimmed, |entry| entry.at_ms, log_bytes);
        let dead_bytes = |letter: &DeadLetter| row_bytes(&record::encode_dead(letter));
        trim(&mut self.dead, changes.dead_trimmed, |letter| letter.at_ms, dead_bytes);
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage {
            log_bytes: self.log.iter().map(|entry| row_bytes(&record::encode_log(entry))).sum(),
            dead_bytes: self
                .dead
                .iter()
                .map(|letter| row_bytes(&record::encode_dead(letter)))
                .sum(),
            oldest_log_ms: self.log.first().map(|entry| entry.at_ms),
            oldest_dead_ms: self.dead.first().map(|letter| letter.at_ms),
            ..Usage::default()
        };
        for entry in &self.log {
            usage.log_times.note(entry.no, entry.at_ms);
        }
        for letter in &self.dead {
            usage.dead_times.note(letter.no, letter.at_ms);
            usage.count(&letter.app, &letter.endpoint);
        }
        usage
    }

    /// Compares everything that can be read of a store without opening it anew.
    fn check(&self, store: &Embedded) {
        assert_eq!(store.usage(), self.usage());
        let forward = Page {
            limit: usize::MAX,
            from: crate::ledger::From::After(0),
        };
        let log = store.log(&LogQuery {
            page: forward,
            ..LogQuery::default()
        });
        assert_eq!(log.expect("it can be read").entries, self.log);
        let dead = store.dead_letters(&DeadQuery {
            page: forward,
            ..DeadQuery::default()
        });
        assert_eq!(dead.expect("it can be read").letters, self.dead);
    }
}

fn trim<T>(rows: &mut Vec<T>, trim: Trim, at_ms: impl Fn(&T) -> u64, bytes: impl Fn(&T) -> u64) {
    for _ in 0..trim.rows_max {
        let sum: u64 = rows.iter().map(&bytes).sum();
        match rows.first() {
            Some(row) if at_ms(row) < trim.before_ms || trim.bytes_max < sum => rows.remove(0),
            Some(_) | None => return,
        };
    }
}

fn written() -> impl Strategy<Value = Written> {
    (0..6_u64, 0..4_u64, 0..8_usize, 0..30_u64, 0..2_000_u64).prop_map(|(log, dead, rows_max, before_ms, bytes_max)| {
        Written {
            log,
            dead,
            rows_max,
            before_ms,
            bytes_max,
        }
    })
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (changes(), written()).prop_map(|(changes, written)| Happening::Commit(changes, written)),
        3 => (changes(), written(), 1..16_u32)
            .prop_map(|(changes, written, calls)| Happening::CommitOnFailingDisk(changes, written, calls)),
        1 => (changes(), written(), 1..16_u32)
            .prop_map(|(changes, written, calls)| Happening::CommitOnFailingDiskAndCrash(changes, written, calls)),
        1 => Just(Happening::Crash),
        1 => Just(Happening::Restart),
    ]
}

/// Opens what a process that is killed at this moment leaves: what its file holds.
fn killed(folder: &Folder, settings: &mut EmbeddedSettings, at: usize, disk: &Disk) -> (Embedded, Loaded) {
    let copy = folder.0.join(format!("{at}.redb"));
    std::fs::copy(&settings.path, &copy).expect("it can be copied");
    settings.path = copy;
    disk.mend();
    Embedded::open_by(settings, disk.opener()).expect("it can be opened")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_loaded_equals_what_was_committed(happenings in prop::collection::vec(happening(), 1..16)) {
        let (folder, disk) = (Folder::new(), Disk::default());
        let mut settings = folder.settings();
        let mut model = Model::default();
        drop(Embedded::open(&settings).expect("a new ledger"));
        let (mut store, _) = Embedded::open_by(&settings, disk.opener()).expect("a new ledger");
        for (at, happening) in happenings.into_iter().chain([Happening::Restart]).enumerate() {
            match happening {
                Happening::Commit(mut changes, written) => {
                    model.write_down(&mut changes, &written);
                    store.commit(&changes).expect("it can be written");
                    model.apply(&changes);
                }
                Happening::CommitOnFailingDisk(mut changes, written, calls) => {
                    model.write_down(&mut changes, &written);
                    disk.fail_in(calls, if calls % 2 == 0 { io::ErrorKind::StorageFull } else { io::ErrorKind::Other });
                    let done = store.commit(&changes);
                    disk.mend();
                    if done.is_ok() {
                        model.apply(&changes);
                    } else {
                        // The next one must take back what is left of it.
                        prop_assert_eq!(store.usage(), model.usage());
                        let nothing = Changes { counters: model.loaded.counters, ..Changes::default() };
                        let nothing = Changes { counters: nothing.counters.or(Some(Counters::default())), ..nothing };
                        store.commit(&nothing).expect("the disk is mended");
                        model.apply(&nothing);
                    }
                }
                Happening::CommitOnFailingDiskAndCrash(mut changes, written, calls) => {
                    model.write_down(&mut changes, &written);
                    disk.fail_in(calls, io::ErrorKind::Other);
                    let done = store.commit(&changes);
                    let loaded;
                    (store, loaded) = killed(&folder, &mut settings, at, &disk);
                    let mut committed = model.clone();
                    committed.apply(&changes);
                    // Of a commit that failed, all is in the file or nothing.
                    if done.is_ok() || store.usage() == committed.usage() && loaded == committed.loaded {
                        model = committed;
                    }
                    prop_assert_eq!(&loaded, &model.loaded);
                }
                Happening::Crash => {
                    let loaded;
                    (store, loaded) = killed(&folder, &mut settings, at, &disk);
                    prop_assert_eq!(&loaded, &model.loaded);
                }
                Happening::Restart => {
                    drop(store);
                    let (reopened, loaded) = Embedded::open_by(&settings, disk.opener()).expect("it can be opened");
                    store = reopened;
                    prop_assert_eq!(&loaded, &model.loaded);
                }
            }
            model.check(&store);
        }
    }
}
