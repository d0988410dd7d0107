//! Reads the apps of a text, for the tests of all that stands in one.

use std::{io, path::Path, time::Duration};

use super::{Around, apps};
use crate::config::{
    error::Problem,
    files::Files,
    parse::parse,
    reader::{self, Findings},
    settings::{AppSettings, WebhookSettings},
};

fn files(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("/etc/vacancy/secret") => Ok("hunter2\n".into()),
        Some("/etc/vacancy/crlf") => Ok("hunter2\r\n".into()),
        Some("/etc/vacancy/lines") => Ok("hunter\n2\n".into()),
        Some("/etc/vacancy/spaced") => Ok("hunter2-hunter2-hunter2 \n".into()),
        Some("/etc/vacancy/sample") => Ok("app-secret\n".into()),
        Some("/run/secret") => Ok("hunter3".into()),
        Some("/etc/vacancy/empty") => Ok("\n".into()),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    }
}

/// Reads `apps` of a server that listens here.
pub(in crate::config) fn read_on(listen: &str, yaml: &str) -> (Vec<AppSettings>, Findings) {
    let webhooks = WebhookSettings {
        batch_window: Duration::from_millis(50),
        vacated_delay: Duration::from_secs(3),
        recovery_window: Duration::from_secs(30),
        max_batch_events: 100,
        max_batch_bytes: 1,
        timeout: Duration::ZERO,
        retry_for: Duration::ZERO,
        retry_after_max: Duration::ZERO,
    };
    let around = Around {
        webhooks: &webhooks,
        outbound_limit: 1 << 20,
        listen: listen.parse().expect("valid"),
        files: Files {
            folder: Path::new("/etc/vacancy"),
            read: &files,
        },
    };
    let mut findings = Findings::default();
    let tree = parse(yaml).expect(yaml);
    let apps = reader::read(tree, &mut findings, |root| apps(root, &around));
    (apps, findings)
}

/// Reads `apps` in which nothing is wrong.
#[track_caller]
pub(in crate::config) fn accepted(yaml: &str) -> Vec<AppSettings> {
    let (apps, findings) = read_on("127.0.0.1:1", yaml);
    assert_eq!(findings.problems, [], "{yaml}");
    apps
}

/// Checks what is wrong with `apps`.
#[track_caller]
pub(in crate::config) fn refused(yaml: &str, want: &[&str]) {
    let (_, findings) = read_on("127.0.0.1:1", yaml);
    let said: Vec<_> = findings.problems.iter().map(Problem::to_string).collect();
    assert_eq!(said, want, "{yaml}");
}
