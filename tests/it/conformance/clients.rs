//! The unchanged client libraries and server SDKs against the real program: one test per program in
//! `tests/clients`, which prints a line for each of its checks.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::harness::{APP_ID, KEY, Process, SECRET, config, free_port};

const INSTALL: &str = "run ./test, which installs what the client tests need";

pub(crate) fn clients(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(language)
}

/// The folder of the npm packages; fails when they are not installed.
pub(crate) fn node_modules() -> PathBuf {
    let folder = clients("node").join("node_modules");
    for package in [
        "pusher",
        "pusher-js",
        "laravel-echo",
        "playwright-core",
        "standardwebhooks",
    ] {
        assert!(
            folder.join(package).is_dir(),
            "{package} is not in {}: {INSTALL}",
            folder.display()
        );
    }
    folder
}

pub(crate) fn python() -> PathBuf {
    let python = std::env::var_os("VACANCY_CLIENTS_PYTHON").map_or_else(
        || {
            let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
            let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(target);
            target.join("clients-venv/bin/python")
        },
        PathBuf::from,
    );
    assert!(python.is_file(), "{} is not there: {INSTALL}", python.display());
    python
}

/// Runs a program against a server whose webhooks go to the program; all its checks must be ok, and
/// at least so many.
fn check(interpreter: &Path, program: &Path, at_least: usize) {
    let port = free_port();
    let webhooks = format!("[{{url: \"http://127.0.0.1:{port}/\", events: [channel_occupied, channel_vacated]}}]");
    let config = config("webhooks: {vacated_delay: 300ms}", &webhooks);
    check_with(&config, port, interpreter, program, at_least);
}

fn check_with(config: &str, port: u16, interpreter: &Path, program: &Path, at_least: usize) {
    check_in(&[], config, port, interpreter, program, at_least);
}

/// The same with environment variables of the program besides.
pub(crate) fn check_in(
    variables: &[(&str, &str)],
    config: &str,
    port: u16,
    interpreter: &Path,
    program: &Path,
    at_least: usize,
) {
    let server = Process::start(config);
    let output = Command::new(interpreter)
        .arg(program)
        .envs(variables.iter().copied())
        .env("VACANCY_HOST", "127.0.0.1")
        .env("VACANCY_PORT", server.port.to_string())
        .env("VACANCY_APP_ID", APP_ID)
        .env("VACANCY_APP_KEY", KEY)
        .env("VACANCY_APP_SECRET", SECRET)
        .env("WEBHOOK_PORT", port.to_string())
        .output();
    let Output { status, stdout, stderr } =
        output.unwrap_or_else(|error| panic!("{} does not start ({error}): {INSTALL}", interpreter.display()));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let passed = stdout.lines().filter(|line| line.starts_with("ok - ")).count();
    let others: Vec<&str> = stdout.lines().filter(|line| !line.starts_with("ok - ")).collect();
    assert!(
        status.success() && others.is_empty() && at_least <= passed,
        "{}: {status}, {passed} of at least {at_least} ok\n{stdout}\n{stderr}\nserver:\n{}",
        program.display(),
        server.log()
    );
}

fn check_node(program: &str, at_least: usize) {
    node_modules();
    check(Path::new("node"), &clients("node").join(program), at_least);
}

fn check_python(program: &str, at_least: usize) {
    check(&python(), &clients("python").join(program), at_least);
}

#[test]
fn pusher_js() {
    check_node("pusher_js.mjs", 13);
}

#[test]
fn pusher_js_over_fallbacks_loses_nothing_of_what_it_sends_at_once() {
    check_node("fallback_storm.mjs", 6);
}

#[test]
fn laravel_echo() {
    check_node("laravel_echo.mjs", 5);
}

#[test]
fn pusher_for_node() {
    check_node("pusher_server.mjs", 21);
}

/// pusher-js over WebSocket and over each of its HTTP fallbacks, as a page loads it.
#[test]
fn a_real_browser_gets_in_by_each_transport() {
    let chromium = Path::new("/usr/bin/chromium");
    assert!(chromium.exists(), "{} is not there: {INSTALL}", chromium.display());
    node_modules();
    // It receives no webhooks, but all programs are told a port for them.
    let switches = "    subscription_count: true\n    watchlist: true\n    client_events: true\n";
    let config = config("", "") + switches;
    let program = clients("node").join("browser.mjs");
    check_with(&config, free_port(), Path::new("node"), &program, 71);
}

#[test]
fn pysher() {
    check_python("pysher_client.py", 9);
}

#[test]
fn pusher_for_python() {
    check_python("pusher_server.py", 16);
}
