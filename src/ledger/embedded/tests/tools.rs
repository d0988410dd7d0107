//! Checking, copying and making smaller.

use std::fs;

use super::{super::*, Folder, format_0};
use crate::{
    domain::AppId,
    ledger::{EventId, Key, QueuedRecord, RequestId, store::suite},
};

/// A ledger that holds one record of each kind, and its path.
fn a_ledger(folder: &Folder, change: impl FnOnce(&mut Changes)) -> PathBuf {
    let settings = folder.settings();
    let (mut store, _) = Embedded::open(&settings).expect("a new ledger");
    let mut changes = format_0();
    change(&mut changes);
    store.commit(&changes).expect("it can be written");
    settings.path
}

#[test]
fn a_check_tells_what_is_in_a_ledger_and_leaves_it_as_it_is() {
    let folder = Folder::new();
    let path = a_ledger(&folder, |_| {});
    let before = fs::read(&path).expect("a file");
    let report = Embedded::check(&path).expect("it can be read");
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(
        (report.format, report.file_bytes),
        (tables::FORMAT, before.len() as u64)
    );
    assert_eq!((report.endpoints, report.keys, report.occupied), (1, 1, 1));
    assert_eq!((report.events, report.queued, report.requests), (1, 1, 1));
    assert_eq!((report.log_lines, report.dead_letters), (3, 2));
    assert!(fs::read(&path).expect("a file") == before);
}

#[test]
fn a_check_of_a_file_that_a_killed_server_left_or_of_an_older_format_leaves_it_as_it_is() {
    let folder = Folder::new();
    let settings = folder.settings();
    let (mut store, _) = Embedded::open(&settings).expect("a new ledger");
    store.commit(&format_0()).expect("it can be written");
    let killed = folder.0.join("killed.redb");
    fs::copy(&settings.path, &killed).expect("it can be copied");
    let old = folder.0.join("old.redb");
    fs::write(&old, include_bytes!("format-0.redb")).expect("it can be written");
    for (path, format) in [(killed, tables::FORMAT), (old, 0)] {
        let before = fs::read(&path).expect("a file");
        let report = Embedded::check(&path).expect("it can be read");
        assert_eq!((report.problems, report.format, report.log_lines), (vec![], format, 3));
        assert!(fs::read(&path).expect("a file") == before);
    }
}

#[test]
fn a_check_finds_what_does_not_fit_together() {
    let folder = Folder::new();
    let app = || "a".parse::<AppId>().expect("valid");
    let stranger = || "f".parse().expect("valid");
    let entry = QueuedRecord {
        event: EventId(2),
        committed_ms: 1,
        attempted: false,
    };
    let path = a_ledger(&folder, |changes| {
        let key = (app(), Key::Channel("x".parse().expect("valid")));
        let mut record = changes.keys[&key].expect("it is set");
        record.seq = 9;
        changes.keys.insert(key, Some(record));
        changes.queued.insert((app(), stranger(), 1), Some(entry));
        let request = changes.requests.pop_first().and_then(|(_, request)| request);
        let mut request = request.expect("there is one");
        request.entries.clear();
        changes
            .requests
            .insert((app(), "e".parse().expect("valid"), RequestId(3)), Some(request));
        changes.log.push(suite::decided(4, 40, "x"));
        changes.dead.push(suite::dead(6, 60, "e"));
    });
    let problems = Embedded::check(&path).expect("it can be read").problems;
    let want = [
        "place 1 in the queue of endpoint f of app a is of an endpoint that is not known",
        "place 1 in the queue of endpoint f of app a refers to event evt_0000000000000002, which is not there",
        "request msg_0000000000000003 of endpoint e of app a has no events",
        "request msg_0000000000000003 of endpoint e of app a uses the number 3 of the counter request, which is at 2",
        "Channel(ChannelName(x)) of app a uses the number 9 of the counter seq, which is at 1",
        "the newest line of the log uses the number 4 of the counter log, which is at 3",
        "the newest dead letter uses the number 6 of the counter dead, which is at 5",
    ];
    assert_eq!(problems, want);
}

#[test]
fn what_is_used_missing_or_damaged_is_not_checked_copied_or_made_smaller() {
    let folder = Folder::new();
    let settings = folder.settings();
    let to = folder.0.join("copy.redb");
    let check = |want: &str| {
        let errors = [
            Embedded::check(&settings.path).expect_err("it is refused").to_string(),
            Embedded::backup_file(&settings.path, &to)
                .expect_err("it is refused")
                .to_string(),
            Embedded::compact(&settings.path)
                .expect_err("it is refused")
                .to_string(),
        ];
        for error in errors {
            assert!(error.contains(want), "{error}");
        }
        assert!(!to.exists());
    };
    check("there is no ledger");
    let (store, _) = Embedded::open(&settings).expect("a new ledger");
    check("is in use by another server");
    drop(store);
    fs::write(&settings.path, [0; 10_000]).expect("it can be written");
    check("is damaged or no ledger");
}

#[test]
fn a_copy_holds_the_same_and_overwrites_nothing() {
    let folder = Folder::new();
    let path = a_ledger(&folder, |_| {});
    let copy = folder.0.join("copy.redb");
    Embedded::backup_file(&path, &copy).expect("it can be copied");
    let error = Embedded::backup_file(&path, &copy).expect_err("it exists").to_string();
    assert!(error.contains("exists already"), "{error}");
    let open = |path: PathBuf| {
        let settings = EmbeddedSettings { path, reserve_bytes: 0 };
        Embedded::open(&settings).expect("it can be opened")
    };
    let again = folder.0.join("copy-of-copy.redb");
    Embedded::backup_file(&copy, &again).expect("it can be copied");
    let (store, loaded) = open(path);
    for copy in [copy, again] {
        let (copied, copied_loaded) = open(copy);
        assert_eq!((copied_loaded, copied.usage()), (loaded.clone(), store.usage()));
    }
    let nowhere = folder.0.join("no-folder").join("copy.redb");
    let error = store.backup(&nowhere).expect_err("there is no such folder").to_string();
    assert!(error.contains("cannot copy the ledger to"), "{error}");
}

#[test]
fn a_copy_is_of_one_moment_while_commits_go_on() {
    let folder = Folder::new();
    let (mut store, _) = Embedded::open(&folder.settings()).expect("a new ledger");
    store.commit(&format_0()).expect("it can be written");
    let path = folder.0.join("copy.redb");
    store.backup(&path).expect("it can be copied");
    let more = Changes {
        log: vec![suite::decided(9, 90, "x")],
        ..Changes::default()
    };
    store.commit(&more).expect("it can be written");
    let report = Embedded::check(&path).expect("it can be read");
    assert_eq!((report.log_lines, report.problems), (3, vec![]));
}

#[test]
fn a_ledger_whose_log_was_trimmed_becomes_smaller_and_keeps_the_rest() {
    let folder = Folder::new();
    let settings = folder.settings();
    let (mut store, _) = Embedded::open(&settings).expect("a new ledger");
    let mut changes = format_0();
    changes.log = (1..=5_000).map(|no| suite::decided(no, no, "x")).collect();
    store.commit(&changes).expect("it can be written");
    let trim = crate::ledger::Trim {
        rows_max: 4_997,
        before_ms: u64::MAX,
        bytes_max: 0,
    };
    let changes = Changes {
        log_trimmed: trim,
        ..Changes::default()
    };
    store.commit(&changes).expect("it can be written");
    drop(store);
    let compacted = Embedded::compact(&settings.path).expect("it can be made smaller");
    assert_eq!(fs::metadata(&settings.path).expect("a file").len(), compacted.after);
    assert!(compacted.after < compacted.before / 2, "{compacted:?}");
    let report = || Embedded::check(&settings.path).expect("it can be read");
    let first = report();
    assert_eq!((first.log_lines, first.dead_letters, first.keys), (3, 2, 1));
    let again = Embedded::compact(&settings.path).expect("it can be made smaller");
    assert!(again.after <= compacted.after, "{again:?}");
    assert_eq!((report().log_lines, report().dead_letters, report().keys), (3, 2, 1));
}
