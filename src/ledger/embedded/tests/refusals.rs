//! What is refused at a start, with instructions.

use std::fs;

use super::{super::*, Folder};
use crate::ledger::store::suite;

/// A ledger with something in it, closed; its settings and its bytes.
fn a_ledger(folder: &Folder) -> (EmbeddedSettings, Vec<u8>) {
    let settings = folder.settings();
    let (mut store, _) = Embedded::open(&settings).expect("a new ledger");
    for no in (1..=200).step_by(5) {
        let changes = Changes {
            log: (no..no + 5).map(|no| suite::decided(no, no, "x")).collect(),
            ..Changes::default()
        };
        store.commit(&changes).expect("it can be written");
    }
    drop(store);
    let bytes = fs::read(&settings.path).expect("a file");
    (settings, bytes)
}

#[track_caller]
fn refused(settings: &EmbeddedSettings, want: &str) {
    let error = Embedded::open(settings).expect_err("it is refused").to_string();
    assert!(error.contains(want), "{error}");
    assert!(error.contains(&settings.path.display().to_string()), "{error}");
}

const DAMAGED: &str = "is damaged or no ledger";

#[test]
fn a_second_user_of_the_file_is_refused_at_once() {
    let folder = Folder::new();
    let settings = folder.settings();
    let (store, _) = Embedded::open(&settings).expect("a new ledger");
    refused(&settings, "is in use by another server");
    drop(store);
    Embedded::open(&settings).expect("the first one has let it go");
}

#[test]
fn a_truncated_file_is_refused() {
    let folder = Folder::new();
    let (settings, bytes) = a_ledger(&folder);
    for len in [0, 1, 8, 100, 4_096, 5_000, bytes.len() / 2, bytes.len() - 4_096] {
        fs::write(&settings.path, &bytes[..len]).expect("it can be written");
        refused(&settings, DAMAGED);
        assert!(
            fs::read(&settings.path).expect("a file") == bytes[..len],
            "it is left as it is"
        );
    }
}

#[test]
fn a_file_of_something_else_is_refused() {
    let folder = Folder::new();
    let (settings, bytes) = a_ledger(&folder);
    let mark = open::beside(&settings.path, ".mark");
    let check = |want: &str| {
        fs::remove_file(&mark).expect("the ledger of before had one");
        refused(&settings, want);
        assert!(!mark.exists(), "nothing is left beside it: {want}");
        fs::write(&mark, "").expect("it can be written");
    };
    fs::write(&settings.path, vec![0; 100_000]).expect("it can be written");
    check(DAMAGED);
    for other in [b"apps: []\n".to_vec(), vec![0x5a; bytes.len()]] {
        fs::write(&settings.path, other).expect("it can be written");
        check("is a file of another program, and was left as it is: set ledger.path to a file of its own");
    }
    fs::remove_file(&settings.path).expect("it is there");
    drop(redb::Database::create(&settings.path).expect("a database"));
    check("is a database of another program");
    fs::remove_file(&settings.path).expect("it is there");
    fs::create_dir(&settings.path).expect("a folder");
    check("is a folder, and was left as it is: set ledger.path to a file in it, like ");
}

#[test]
fn a_file_with_overwritten_pages_is_refused_or_read_and_never_breaks_the_program() {
    let folder = Folder::new();
    let (settings, bytes) = a_ledger(&folder);
    let mut refusals = 0;
    for page in 0..bytes.len() / 4_096 {
        let mut damaged = bytes.clone();
        damaged[page * 4_096..(page + 1) * 4_096].fill(0xa5);
        fs::write(&settings.path, damaged).expect("it can be written");
        if let Err(error) = Embedded::open(&settings) {
            refusals += 1;
            // Without its first page, nothing shows that the file is a ledger.
            let is_known = matches!(error, OpenError::Damaged { .. });
            assert!(is_known || page == 0, "{error}");
        }
    }
    assert!(0 < refusals);
}

#[test]
fn a_later_format_is_refused() {
    let folder = Folder::new();
    let (settings, _) = a_ledger(&folder);
    let database = redb::Database::open(&settings.path).expect("a database");
    let txn = database.begin_write().expect("it can be written");
    {
        let mut meta = txn.open_table(Table::Meta.definition()).expect("a table");
        let format = tables::number_key(tables::FORMAT + 1);
        meta.insert(tables::FORMAT_KEY, format.as_slice())
            .expect("it can be written");
    }
    txn.commit().expect("it can be written");
    drop(database);
    refused(&settings, "has format 3, and this version knows no later one than 2");
}

#[test]
fn a_folder_that_cannot_be_made_is_refused() {
    let folder = Folder::new();
    let mut settings = folder.settings();
    fs::write(folder.0.join("file"), "").expect("it can be written");
    settings.path = folder.0.join("file").join("vacancy.redb");
    refused(&settings, "cannot be used");
}

#[test]
fn what_a_start_that_was_killed_left_is_made_anew() {
    let folder = Folder::new();
    let settings = folder.settings();
    fs::create_dir_all(open::folder(&settings.path)).expect("a folder");
    let new = open::beside(&settings.path, ".new");
    fs::write(&new, [0x5a; 1_000]).expect("it can be written");
    drop(Embedded::open(&settings).expect("a new ledger"));
    assert!(settings.path.exists() && !new.exists());
}

#[test]
fn a_file_with_flipped_bits_is_refused_or_holds_what_was_committed_last_or_before() {
    let folder = Folder::new();
    let (settings, bytes) = a_ledger(&folder);
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("small")
    };
    for round in 0..100 {
        let mut damaged = bytes.clone();
        for _ in 0..=round % 3 {
            // What is at the beginning says where all else is.
            let at = random(if round % 2 == 0 { 512 } else { bytes.len() });
            damaged[at] ^= 1 << random(8);
        }
        fs::write(&settings.path, damaged).expect("it can be written");
        match Embedded::open(&settings) {
            Err(error) => assert!(matches!(error, OpenError::Damaged { .. }), "{error}"),
            Ok((store, _)) => {
                let newest = store.log(&LogQuery::default()).expect("it can be read").entries;
                assert!(
                    newest.first().is_some_and(|entry| entry.no % 5 == 0 && 195 <= entry.no),
                    "{round}"
                );
            }
        }
    }
}
