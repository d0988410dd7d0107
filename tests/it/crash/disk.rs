//! Disks that tests can fill, and files that tests can make unwritable. The tests run as root, whom
//! file modes do not stop.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::Folder;

/// A small file system in memory; unmounted when dropped.
pub struct Disk {
    folder: Folder,
}

impl Disk {
    /// Mounts one of so many megabytes.
    pub fn mount(megabytes: u32) -> Self {
        let folder = Folder::new();
        run(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                &format!("size={megabytes}m"),
                "vacancy",
                text(folder.path()),
            ],
        );
        Self { folder }
    }

    /// From here on nothing can be written.
    pub fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro", text(self.folder.path())]);
    }

    /// Makes the disk writable again.
    pub fn make_writable(&self) {
        run("mount", &["-o", "remount,rw", text(self.folder.path())]);
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }

    /// Writes until there is no space left.
    pub fn fill(&self) {
        let mut filler = fs::OpenOptions::new();
        let mut filler = filler
            .create(true)
            .append(true)
            .open(self.file("filler"))
            .expect("a file");
        for size in [1 << 20, 4_096, 1] {
            let block = vec![0x5a; size];
            while filler.write_all(&block).is_ok() {}
        }
    }

    /// Gives the space back.
    pub fn free(&self) {
        fs::remove_file(self.file("filler")).expect("it is there");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", text(self.folder.path())]).status();
    }
}

/// A file that nobody can write; it can be written again when this is dropped.
pub struct Immutable(PathBuf);

impl Immutable {
    pub fn new(path: PathBuf) -> Self {
        run("chattr", &["+i", text(&path)]);
        Self(path)
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        let _ = Command::new("chattr").args(["-i", text(&self.0)]).status();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
}
