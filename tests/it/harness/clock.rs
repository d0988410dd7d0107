//! A wall clock that a test can move, for the real binary.

use std::{path::PathBuf, process::Command};

/// The wall clock of a [`Process`](super::Process) that was started with its variables, by Debian's
/// `faketime`. Its monotonic clock is the true one.
pub struct WallClock {
    file: PathBuf,
    library: String,
}

impl WallClock {
    /// One that is right; it is kept in this file.
    pub fn new(file: PathBuf) -> Self {
        let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1".to_owned();
        let library = if PathBuf::from(&library).exists() {
            library
        } else {
            found_by_dpkg()
        };
        let clock = Self { file, library };
        clock.set("+0");
        clock
    }

    /// From here on it is so far off: `+2h`, `-31d`, `+0`.
    pub fn set(&self, offset: &str) {
        // Renamed, so that nobody reads a half of it.
        let part = self.file.with_extension("part");
        std::fs::write(&part, format!("{offset}\n")).expect("it can be written");
        std::fs::rename(part, &self.file).expect("it can be moved");
    }

    /// What a process needs to see it.
    pub fn variables(&self) -> [(&str, &str); 5] {
        [
            ("LD_PRELOAD", &self.library),
            ("FAKETIME_TIMESTAMP_FILE", self.file.to_str().expect("UTF-8")),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ]
    }
}

/// Where the package has put its library on this machine.
fn found_by_dpkg() -> String {
    let output = Command::new("dpkg").args(["-L", "libfaketime"]).output();
    let files = String::from_utf8(output.expect("Debian").stdout).expect("UTF-8");
    let library = files.lines().find(|line| line.ends_with("libfaketimeMT.so.1"));
    library.expect("apt-get install faketime").to_owned()
}
