//! `examples/presence`: its table against what real clients did, through outages and crashes.

mod site;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use self::site::{PAGES, SLACK_MS, Site, listens, now_ms, port_of};
use super::Example;
use crate::{
    conformance::clients::{clients, node_modules},
    harness::eventually,
};

/// A process that is stopped, and goes on when this is dropped.
struct Stopped(u32);

impl Stopped {
    fn new(pid: u32) -> Self {
        signal(pid, "STOP");
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, "CONT");
    }
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// The example is killed, and not started again until this is dropped.
async fn held_down(example: &Example) -> Stopped {
    let pid = example.pid_of("presence");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
    let parent = status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:"))
        .expect("a parent");
    let keeper = Stopped::new(parent.trim().parse().expect("a number"));
    signal(pid, "KILL");
    let port = port_of(&example.page());
    eventually("its end", async || !listens(port).await).await;
    keeper
}

/// The rest of an outage that began then.
async fn rest_of(began: Instant, length: Duration) {
    tokio::time::sleep(length.saturating_sub(began.elapsed())).await;
}

#[tokio::test]
async fn the_table_is_what_the_clients_did_through_crashes_and_an_outage_of_20_s() {
    let mut site = Site::start("24h").await;
    site.open("ada", "home").await;
    site.open("ada", "docs").await;
    site.open("bob", "prices").await;
    site.open("cleo", "home").await;
    site.agrees().await;

    // Departures: of a tab, of a user, and of one that only loads its page anew.
    site.close("ada", "docs").await;
    site.close("bob", "prices").await;
    site.close("cleo", "home").await;
    site.open("cleo", "home").await;
    site.agrees().await;

    // More users than a presence channel may have, over several pages.
    let crowd: Vec<String> = (0..130).map(|at| format!("crowd-{at:03}")).collect();
    for (at, user) in crowd.iter().enumerate() {
        site.open(user, PAGES[at % 4]).await;
        site.open(user, PAGES[(at + 1) % 4]).await;
    }
    site.agrees().await;

    // Dead for 20 s. What is told of these is delivered later, all of it: the totals are exact.
    let began = Instant::now();
    let down = held_down(&site.example).await;
    site.close_all("cleo").await;
    for user in &crowd[..20] {
        site.close_all(user).await;
    }
    site.close("crowd-020", "docs").await;
    site.open("dora", "docs").await;
    rest_of(began, Duration::from_secs(8)).await;
    site.open("bob", "home").await;
    site.open("cleo", "prices").await;
    site.close_all("dora").await;
    rest_of(began, Duration::from_secs(20)).await;
    drop(down);
    site.agrees().await;

    // It hangs until requests time out: these come again.
    let began = Instant::now();
    let hangs = Stopped::new(site.example.pid_of("presence"));
    site.close_all("ada").await;
    site.open("emil", "home").await;
    rest_of(began, Duration::from_secs(6)).await;
    drop(hangs);
    site.agrees().await;

    // It crashes in the middle of changes.
    for (at, user) in crowd[20..].iter().enumerate() {
        if at == 20 {
            signal(site.example.pid_of("presence"), "KILL");
        }
        if at % 2 == 0 {
            site.close_all(user).await;
        }
    }
    site.agrees().await;

    // Vacancy crashes. Some come back, one to another page, and some do not.
    let tabs = site.crash_vacancy().await;
    for tab in tabs.iter().filter(|(user, _)| ["bob", "cleo"].contains(&user.as_str())) {
        site.reopen(tab).await;
    }
    site.reopen(&("emil".into(), "docs")).await;
    site.open("fred", "home").await;
    site.agrees().await;
}

#[tokio::test]
async fn the_table_is_right_after_an_outage_longer_than_webhooks_are_retried() {
    // Requests fail after 4, 9, 15 and 23 s, give or take a second and a half for the last. So the
    // fourth failure gives up what is older, by then also what happened 3 s after the outage began.
    let mut site = Site::start("17s").await;
    site.open("ada", "home").await;
    site.open("bob", "home").await;
    site.open("bob", "docs").await;
    site.open("cleo", "docs").await;
    site.open("dora", "prices").await;
    site.agrees().await;

    // It hangs. Emil comes: this is the request that waits for its answer, and what follows waits
    // behind it, so that nothing of that is in what the example finds when it goes on. Bob leaves a
    // page, cleo leaves. Dora is away for a while and back before anything is given up, so that her
    // going is no newest state then.
    let began = Instant::now();
    let hangs = Stopped::new(site.example.pid_of("presence"));
    site.open("emil", "home").await;
    site.close("bob", "docs").await;
    site.close_all("cleo").await;
    site.close_all("dora").await;
    rest_of(began, Duration::from_secs(9)).await;
    site.open("dora", "home").await;
    site.truth.get_mut("dora").expect("she came").given_up = 9_000;
    rest_of(began, Duration::from_secs(30)).await;
    drop(hangs);
    site.agrees().await;

    // What was given up is sent again, and her total is exact.
    site.truth.get_mut("dora").expect("she came").given_up = 0;
    let differences = site.differences().await;
    assert!(
        matches!(&differences[..], [one] if one.starts_with("dora")),
        "{differences:#?}"
    );
    site.replay_dead_letters().await;
    site.agrees().await;

    // It is dead, and reads the told list when it starts.
    let began = Instant::now();
    let down = held_down(&site.example).await;
    site.close_all("ada").await;
    site.open("fred", "contact").await;
    site.open("cleo", "home").await;
    site.open("emil", "prices").await;
    rest_of(began, Duration::from_secs(20)).await;
    drop(down);
    site.agrees().await;
}

#[tokio::test]
async fn a_lost_or_restored_database_is_mended_from_the_told_list() {
    let mut site = Site::start("24h").await;
    site.open("ada", "home").await;
    site.open("bob", "docs").await;
    site.open("bob", "home").await;
    site.agrees().await;

    // A backup of now. Then bob leaves and cleo comes, and that was told.
    let down = held_down(&site.example).await;
    for (own, kept) in database_files() {
        let _ = std::fs::copy(site.folder.join(own), site.folder.join(kept));
    }
    drop(down);
    site.agrees().await;
    site.close_all("bob").await;
    let left = now_ms();
    site.open("cleo", "prices").await;
    site.agrees().await;

    // The backup knows nothing of it. When bob left is not known either.
    let down = held_down(&site.example).await;
    for (own, kept) in database_files() {
        let _ = std::fs::remove_file(site.folder.join(&own));
        let _ = std::fs::copy(site.folder.join(kept), site.folder.join(own));
    }
    drop(down);
    site.wait_until("the table to agree", async |site| {
        listens(port_of(&site.example.page())).await
    })
    .await;
    site.truth.get_mut("bob").expect("he came").given_up = now_ms() + SLACK_MS - left;
    site.agrees().await;

    // Everything is lost: who is there is known again, since when too, but not who was there.
    let down = held_down(&site.example).await;
    for (own, _) in database_files() {
        let _ = std::fs::remove_file(site.folder.join(own));
    }
    drop(down);
    site.truth
        .retain(|_, truth| matches!(truth.visits.last(), Some((_, None))));
    site.agrees().await;
}

/// The files of the database, each with the name of its copy.
fn database_files() -> Vec<(String, String)> {
    ["", "-wal", "-shm"]
        .map(|end| (format!("presence.db{end}"), format!("backup.db{end}")))
        .into()
}

/// The page, in a browser, with both processes killed beneath it.
#[tokio::test]
async fn the_page_shows_the_table_live() {
    node_modules();
    let site = Site::start("24h").await;
    let mut browser = Command::new("node");
    browser
        .arg(clients("node").join("presence_page.mjs"))
        .env("PAGE", site.example.page())
        .env("PRESENCE_PID", site.example.pid_of("presence").to_string())
        .env("VACANCY_PID", site.example.pid_of("vacancy").to_string())
        .env("VACANCY_PORT", site.vacancy.to_string())
        .env("VACANCY_APP_ID", crate::harness::APP_ID)
        .env("VACANCY_APP_KEY", crate::harness::KEY)
        .env("VACANCY_APP_SECRET", crate::harness::SECRET);
    let output = browser.output().expect("node runs");
    let (told, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let passed = told.lines().filter(|line| line.starts_with("ok - ")).count();
    assert!(
        output.status.success() && passed == 9,
        "{told}\n{errors}\n{}",
        site.example.output()
    );
}
