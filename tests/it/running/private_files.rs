//! What holds data of clients is for its owner only, whatever made it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::harness::{BINARY, Folder, Process, Ran, config};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

/// A server whose ledger is in this folder.
fn server(folder: &Folder) -> Process {
    let sections = format!("ledger: {{path: {}}}", folder.file("vacancy.redb").display());
    Process::start_alone(&config(&sections, ""))
}

/// Runs a command of `vacancy ledger` with the widest of all umasks.
fn ledger(folder: &Folder, arguments: &str) -> Ran {
    let script = format!("umask 000; exec {BINARY} ledger --path vacancy.redb {arguments}");
    Ran::of(folder.command("sh").args(["-c", &script]))
}

#[test]
fn a_ledger_its_backup_and_what_is_compacted_are_for_their_owner_only() {
    let folder = Folder::new();
    drop(server(&folder));
    assert_eq!(mode(&folder.file("vacancy.redb")), 0o600);
    let ran = ledger(&folder, "backup copy.redb");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let checked = folder.run(&["ledger", "check", "--path", "copy.redb"], &[]);
    assert!(checked.stdout.starts_with("copy.redb: ok\n"), "{checked:?}");
    assert_eq!(mode(&folder.file("copy.redb")), 0o600);
    let ran = ledger(&folder, "compact");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(mode(&folder.file("vacancy.redb")), 0o600);
}

#[test]
fn a_start_warns_of_a_ledger_that_every_user_may_read() {
    let folder = Folder::new();
    let first = server(&folder);
    assert!(!first.log().contains("every user of this machine"), "{}", first.log());
    drop(first);
    let path = folder.file("vacancy.redb");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
    let log = server(&folder).log();
    let want = format!(
        "WARN  vacancy::ledger::embedded::open] the ledger {} holds what clients sent, and every user of this \
         machine may read it (mode 0644): chmod 600 it",
        path.display()
    );
    assert!(log.contains(&want), "{log}");
}
