//! A program that runs beside a test.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::eventually;

/// A program of which the output is kept; killed when dropped.
pub struct Program {
    child: Child,
    output: Arc<Mutex<String>>,
    errors: Arc<Mutex<String>>,
}

impl Program {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let name = command.get_program().to_string_lossy();
        let mut child = child.unwrap_or_else(|error| {
            panic!("{name} does not start ({error}); run ./test, which installs what the tests need")
        });
        let output = keep(child.stdout.take().expect("piped"));
        let errors = keep(child.stderr.take().expect("piped"));
        Self { child, output, errors }
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        self.output.lock().expect("not poisoned").clone()
    }

    /// The same, and what it wrote to its standard error.
    pub fn everything(&self) -> String {
        format!("{}\n{}", self.output(), self.errors.lock().expect("not poisoned"))
    }

    /// Whether it has not ended.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Has it end as SIGTERM asks, or by force when it takes too long.
    pub fn end(&mut self, patience: Duration) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill")
            .args(["-s", "TERM", &id])
            .stderr(Stdio::null())
            .status();
        let deadline = Instant::now() + patience;
        while let Ok(None) = self.child.try_wait() {
            if deadline < Instant::now() {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it has printed exactly this.
    pub async fn prints(&self, want: &str) {
        let what = format!("the output {want:?}");
        let printed = eventually(&what, || async { want.len() <= self.output().len() });
        if tokio::time::timeout(Duration::from_secs(25), printed).await.is_err() {
            let errors = self.errors.lock().expect("not poisoned");
            panic!("want {want:?}, got {:?} and\n{errors}", self.output());
        }
        assert_eq!(self.output(), want);
    }

    /// Waits until it has ended, with exit code 0.
    pub async fn ends_well(&mut self) {
        let child = tokio::sync::Mutex::new(&mut self.child);
        eventually("the program to end", || async {
            let ended = child.lock().await.try_wait().expect("a child");
            ended.is_some_and(|status| {
                assert!(status.success(), "{status}");
                true
            })
        })
        .await;
    }
}

/// Keeps the lines that come, until their end.
fn keep(from: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let kept = Arc::new(Mutex::new(String::new()));
    let lines = Arc::clone(&kept);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            lines.lock().expect("not poisoned").push_str(&format!("{line}\n"));
        }
    });
    kept
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
