//! Paths that cannot be a ledger.

use crate::harness::Folder;

/// The output of a start that refuses the ledger at a path.
fn refused(folder: &Folder, path: &str) -> String {
    let variables = [
        ("VACANCY__SERVER__LISTEN", "127.0.0.1:0"),
        ("VACANCY__LEDGER__PATH", path),
        ("VACANCY__APPS__0__ID", "1"),
        ("VACANCY__APPS__0__KEY", "k"),
        ("VACANCY__APPS__0__SECRET", "0123456789abcdef"),
        ("RUST_LOG", "error"),
    ];
    let ran = folder.run(&["serve"], &variables);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    ran.stderr
}

fn files(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_path_with_something_else_is_refused_with_one_thing_to_do_and_nothing_is_left() {
    let folder = Folder::new().with("notes.txt", "remember the milk\n");
    std::fs::create_dir(folder.file("data")).expect("a folder");
    assert_eq!(
        refused(&folder, "data"),
        "vacancy: the ledger data is a folder, and was left as it is: set ledger.path to a file in it, like \
         data/vacancy.redb\n"
    );
    assert_eq!(
        refused(&folder, "notes.txt"),
        "vacancy: the ledger notes.txt is a file of another program, and was left as it is: set ledger.path to a file \
         of its own\n"
    );
    assert_eq!(files(&folder), ["data", "notes.txt"]);
    assert_eq!(std::fs::read_dir(folder.file("data")).expect("a folder").count(), 0);
    let notes = std::fs::read_to_string(folder.file("notes.txt")).expect("a file");
    assert_eq!(notes, "remember the milk\n");
}
