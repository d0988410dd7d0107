//! `examples/filtrand`: the browser's side is `tests/clients/node/filtrand.mjs`; what that cannot do
//! itself, to kill and to stop processes, it asks for by a line of its output.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::Example;
use crate::{
    conformance::clients::{clients, node_modules},
    harness::{APP_ID, Program, holds_within},
};

const CHECKS: usize = 20;
const TIMEOUT: Duration = Duration::from_mins(5);

#[tokio::test]
async fn visitors_see_items_of_the_subjects_that_are_open_through_every_crash() {
    node_modules();
    let example = Example::start("filtrand", &[("FILTRAND_RATE", "100")]).await;
    let mut browser = Program::start(
        Command::new("node")
            .arg(clients("node").join("filtrand.mjs"))
            .env("PAGE", example.page())
            .env("SCREENSHOTS", screenshots())
            .env("VACANCY_HOST", "127.0.0.1")
            .env("VACANCY_PORT", vacancy_port(&example))
            .env("VACANCY_APP_ID", APP_ID)
            .env("VACANCY_APP_KEY", "app-key")
            .env("VACANCY_APP_SECRET", "app-secret"),
    );
    let mut granted = 0;
    let ends = async || {
        grant_wishes(&example, &browser.output(), &mut granted).await;
        !browser.runs()
    };
    let ends = holds_within(TIMEOUT, ends).await;
    assert!(ends, "it does not end:\n{}", browser.everything());
    let output = browser.output();
    let passed = output.lines().filter(|line| line.starts_with("ok - ")).count();
    assert!(
        passed == CHECKS && !output.contains("not ok - "),
        "{passed} of {CHECKS} ok\n{}\nfiltrand:\n{}",
        browser.everything(),
        example.output()
    );
}

/// Does what the browser's program asked for and did not get yet.
async fn grant_wishes(example: &Example, output: &str, granted: &mut usize) {
    let wishes = output.lines().filter_map(|line| line.strip_prefix("please: "));
    for wish in wishes.skip(*granted) {
        match wish.split_once(' ') {
            Some(("kill", what)) => example.kill9(what).await,
            Some(("stop", what)) => example.signal(what, "STOP"),
            Some(("continue", what)) => example.signal(what, "CONT"),
            _ => panic!("what is {wish:?}?"),
        }
        *granted += 1;
    }
}

fn vacancy_port(example: &Example) -> String {
    let output = example.output();
    let line = output.lines().find_map(|line| line.strip_prefix("vacancy: http://"));
    let (address, _) = line.and_then(|rest| rest.split_once(',')).expect("Vacancy's address");
    let (_, port) = address.split_once(':').expect("a port");
    port.to_owned()
}

/// Where the pictures go, so that one can look at them.
fn screenshots() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}
