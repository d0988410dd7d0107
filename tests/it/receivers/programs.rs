//! How each receiver is started.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The command that starts the receiver in this language.
pub(super) fn command(language: &str, port: u16) -> Command {
    let program = |interpreter: &str, file: &str| {
        let mut command = Command::new(interpreter);
        command.arg(receiver(file));
        command
    };
    match language {
        "node" => program("node", "receiver.mjs"),
        "python" => program("python3", "receiver.py"),
        "ruby" => program("ruby", "receiver.rb"),
        "php" => {
            let mut command = Command::new("php");
            command
                .args(["-S", &format!("127.0.0.1:{port}")])
                .arg(receiver("receiver.php"));
            let state = format!("vacancy-php-{}-{port}.json", std::process::id());
            command.env("STATE_FILE", built().join(state));
            command
        }
        "go" => Command::new(go()),
        other => panic!("no receiver in {other}"),
    }
}

fn receiver(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/receivers").join(file)
}

/// Where what is built and stored for the receivers lies.
fn built() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("receivers");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The receiver in Go, built once.
fn go() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let program = built().join("receiver-go");
        let status = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(receiver("receiver.go"))
            .env("GO111MODULE", "off")
            .env("GOCACHE", built().join("go-cache"))
            .status()
            .expect("go starts; run ./test, which installs it");
        assert!(status.success(), "{status}");
        program
    })
}
