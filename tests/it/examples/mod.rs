//! The applications below `examples`, started by the commands of their READMEs.

mod filtrand;
mod panda;
mod presence;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::harness::{Program, eventually, free_port, holds_within};

/// How long an application may take until it tells its address: it builds the server first.
const START_TIMEOUT: Duration = Duration::from_mins(20);
/// How long it may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// An application of `examples` that runs together with its Vacancy; both are stopped when it is
/// dropped.
pub struct Example {
    program: Program,
    /// Holds the ledger, so that no other run's is found.
    folder: PathBuf,
}

impl Example {
    /// Starts it by the command of its README, with these environment variables besides, and waits
    /// until it tells its address.
    pub async fn start(name: &str, variables: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("vacancy-{name}-{}", free_port()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let mut command = Command::new("bash");
        command
            .args(["-c", &format!("exec {}", command_of(name))])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("PORT", free_port().to_string())
            .env("VACANCY_PORT", free_port().to_string())
            .env("VACANCY__LEDGER__PATH", folder.join("vacancy.redb"))
            .envs(variables.iter().copied());
        // What cargo tells a test of its package is not for the cargo that the example calls: it would
        // build again all that depends on it.
        for (name, _) in std::env::vars() {
            if name == "CARGO_MANIFEST_DIR" || name == "CARGO_MANIFEST_PATH" || name.starts_with("CARGO_PKG_") {
                command.env_remove(name);
            }
        }
        let mut example = Self {
            program: Program::start(without_cargo(&mut command)),
            folder,
        };
        let address = format!("{name}: http://");
        let tells = async || {
            let output = example.output();
            let tells = output.lines().any(|line| line.starts_with(&address));
            assert!(
                tells || example.program.runs(),
                "it ended:\n{}",
                example.program.everything()
            );
            tells
        };
        let tells = holds_within(START_TIMEOUT, tells).await;
        assert!(tells, "no address:\n{}", example.program.everything());
        example
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        self.program.output()
    }

    /// The address of its page: the last one that it has printed.
    pub fn page(&self) -> String {
        let output = self.output();
        let last = output
            .lines()
            .rfind(|line| line.contains("http://"))
            .expect("an address");
        let address = last.split_whitespace().find(|word| word.starts_with("http://"));
        address.expect("an address").to_owned()
    }

    /// The process that `vacancy`, or the application by its name, runs as at the moment.
    pub fn pid_of(&self, what: &str) -> u32 {
        let says = format!("{what} runs as process ");
        let output = self.output();
        let last = output.lines().filter_map(|line| line.strip_prefix(&says)).next_back();
        last.and_then(|pid| pid.parse().ok())
            .unwrap_or_else(|| panic!("no process of {what}:\n{output}"))
    }

    /// Sends a signal to `vacancy`, or to the application by its name.
    pub fn signal(&self, what: &str, signal: &str) {
        let pid = self.pid_of(what).to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Ends one of the two as a crash does, and waits until it was started again.
    pub async fn kill9(&self, what: &str) {
        let before = self.pid_of(what);
        self.signal(what, "KILL");
        eventually("a new process", || async { self.pid_of(what) != before }).await;
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.program.end(STOP_TIMEOUT);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Takes from a command's environment what cargo tells this test about itself: a build script of a
/// dependency looks at it, so that a cargo within would build that dependency, and all that needs it,
/// anew, and so would the next cargo without.
pub fn without_cargo(command: &mut Command) -> &mut Command {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let told = names.filter(|name| {
        let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"];
        prefixes.iter().any(|prefix| name.starts_with(prefix))
    });
    told.fold(command, |command, name| command.env_remove(name))
}

/// The command that the README of an example gives, from the repository's root.
pub fn command_of(name: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
        .join("README.md");
    let text = std::fs::read_to_string(&readme).unwrap_or_else(|error| panic!("{}: {error}", readme.display()));
    let (_, rest) = text
        .split_once("<!-- run -->\n```sh\n")
        .expect("a command in the README");
    let (command, _) = rest.split_once("\n```").expect("an end of the block");
    assert!(!command.contains('\n'), "one command, not\n{command}");
    let (command, _) = command.split_once('#').unwrap_or((command, ""));
    command.trim_end().to_owned()
}
