//! The example, those who visit it, and what they really did.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    examples::Example,
    harness::{Api, Client, Program, free_port, holds_within},
};

/// What an endpoint of Vacancy waits before it tries again is up to a minute, and some.
const PATIENCE: Duration = Duration::from_secs(100);
/// `webhooks.vacated_delay`: so much later than the last tab closed a user is told offline.
const VACATED_DELAY_MS: u64 = 3_000;
/// `recovery_window` of the example's configuration, and what it takes to start Vacancy again.
const RECOVERY_MS: u64 = 10_000 + 10_000;
/// By how much a busy machine may be late.
pub const SLACK_MS: u64 = 2_500;
const DAY_MS: u64 = 86_400_000;
pub const PAGES: [&str; 4] = ["home", "docs", "prices", "contact"];

/// A time of which we know that it lies between two others, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    earliest: u64,
    latest: u64,
}

/// What a user really did.
#[derive(Debug, Default)]
pub struct Truth {
    /// Each time that it was online: from when, and until when unless it is.
    pub visits: Vec<(Moment, Option<Moment>)>,
    /// Milliseconds that it may be counted as online although it was not, because what was told of
    /// them was given up.
    pub given_up: u64,
}

/// The example, those who visit it, and what they really did.
pub struct Site {
    pub example: Example,
    pub vacancy: u16,
    own: Api,
    tabs: BTreeMap<(String, &'static str), Client>,
    pub truth: BTreeMap<String, Truth>,
    pub folder: PathBuf,
    admin: u16,
    markers: u32,
}

pub fn now_ms() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    u64::try_from(since.as_millis()).expect("not so late")
}

pub async fn listens(port: u16) -> bool {
    tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

pub fn port_of(address: &str) -> u16 {
    let (_, port) = address.trim_end_matches(',').rsplit_once(':').expect("a port");
    port.parse().expect("a port")
}

impl Site {
    pub async fn start(retry_for: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("presence-test-{}", free_port()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let database = folder.join("presence.db");
        let admin = free_port();
        let variables = [
            ("PRESENCE_DB", database.to_str().expect("UTF-8")),
            ("RETRY_FOR", retry_for),
            // The clients here do not answer pings.
            ("VACANCY__SERVER__PING_AFTER", "1h"),
            ("VACANCY__SERVER__ACTIVITY_TIMEOUT", "2h"),
            ("VACANCY__ADMIN__LISTEN", &format!("127.0.0.1:{admin}")),
            ("VACANCY__ADMIN__TOKEN", TOKEN),
        ];
        let example = Example::start("presence", &variables).await;
        let output = example.output();
        let line = output.lines().find_map(|line| line.strip_prefix("vacancy: "));
        let vacancy = port_of(line.and_then(|line| line.split(' ').next()).expect("an address"));
        Self {
            own: Api::new(port_of(&example.page())),
            example,
            vacancy,
            tabs: BTreeMap::new(),
            truth: BTreeMap::new(),
            folder,
            admin,
            markers: 0,
        }
    }

    /// A user opens a page in a tab of its own, as pusher-js does it: signs in, and joins the page.
    pub async fn open(&mut self, user: &str, page: &'static str) {
        let earliest = now_ms();
        let mut tab = Client::connect(self.vacancy).await;
        tab.sign_in(&format!(r#"{{"id":"{user}"}}"#)).await;
        let latest = now_ms();
        tab.subscribe_as(&format!("presence-page-{page}"), Some(user)).await;
        self.tabs.insert((user.to_owned(), page), tab);
        let visits = &mut self.truth.entry(user.to_owned()).or_default().visits;
        match visits.last_mut() {
            Some((_, until @ Some(_))) if until.is_some_and(|it| earliest <= it.latest) => {
                let told = until.take().expect("checked").earliest;
                assert!(latest < told, "{user}: was it told offline? The test cannot know");
            }
            Some((_, None)) => {}
            Some((_, Some(_))) | None => visits.push((Moment { earliest, latest }, None)),
        }
    }

    pub async fn close(&mut self, user: &str, page: &'static str) {
        let tab = self.tabs.remove(&(user.to_owned(), page)).expect("an open tab");
        let earliest = now_ms();
        tab.close().await;
        self.left(
            user,
            earliest + VACATED_DELAY_MS,
            now_ms() + VACATED_DELAY_MS + SLACK_MS,
        );
    }

    /// Notes when a user whose last tab may have gone is told offline.
    fn left(&mut self, user: &str, earliest: u64, latest: u64) {
        if self.tabs.keys().any(|(of, _)| of == user) {
            return;
        }
        let (_, until) = self
            .truth
            .get_mut(user)
            .and_then(|it| it.visits.last_mut())
            .expect("a visit");
        *until = Some(Moment { earliest, latest });
    }

    pub async fn close_all(&mut self, user: &str) {
        for page in PAGES {
            if self.tabs.contains_key(&(user.to_owned(), page)) {
                self.close(user, page).await;
            }
        }
    }

    /// Waits until the table is what the clients did, and is it still after everything that was
    /// queued has come.
    pub async fn agrees(&mut self) {
        self.wait_until("the example to read the told list", async |site| site.has_read().await)
            .await;
        self.wait_until("the table to agree", async |site| site.differences().await.is_empty())
            .await;
        self.markers += 1;
        let marker = format!("marker-{}", self.markers);
        self.open(&marker, "contact").await;
        let joined =
            |table: &Value| row(table, &marker).is_some_and(|row| row["pages"] == serde_json::json!(["contact"]));
        self.wait_until("the marker", async |site| joined(&site.table().await))
            .await;
        let differences = self.differences().await;
        assert!(differences.is_empty(), "{differences:#?}");
    }

    pub async fn wait_until(&self, what: &str, condition: impl AsyncFn(&Self) -> bool) {
        if !holds_within(PATIENCE, async || condition(self).await).await {
            println!("{what}: not within {PATIENCE:?}\n{}", self.example.output());
            panic!("{:#?}", self.differences().await);
        }
    }

    /// Whether the example listens and has read the told list since it was started.
    async fn has_read(&self) -> bool {
        let output = self.example.output();
        let (_, since) = output.rsplit_once("presence runs as process").expect("a process");
        since.contains("agrees with Vacancy's list") && listens(port_of(&self.example.page())).await
    }

    async fn table(&self) -> Value {
        let answer = self.own.raw("GET", "/online", "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Everything in which the table, the told list of Vacancy and the truth differ.
    pub async fn differences(&self) -> Vec<String> {
        let told = Api::new(self.vacancy)
            .get("/occupancy", &[("of", "users")])
            .await
            .json();
        let table = self.table().await;
        let at = table["as_of_ms"].as_u64().expect("a time");
        let mut all = Vec::new();
        for (user, truth) in &self.truth {
            let tabs = self.tabs.keys().filter(|(of, _)| of == user);
            let pages: BTreeSet<&str> = tabs.map(|(_, page)| *page).collect();
            let row = row(&table, user).unwrap_or(&Value::Null);
            if told["users"][user].is_null() == (row["online"] == true) {
                all.push(format!("{user}: told {}, but in the table {row}", told["users"][user]));
            }
            if !truth.fits(row, &pages, at) {
                all.push(format!("{user}: {row}\n  but {pages:?} and {truth:?}\n  at {at}"));
            }
        }
        let rows = table["users"].as_array().expect("a list");
        let others = rows
            .iter()
            .filter(|row| !self.truth.contains_key(row["user_id"].as_str().expect("an id")));
        all.extend(others.map(|row| format!("who is {row}?")));
        all
    }

    /// Lets everything that was given up be sent again.
    pub async fn replay_dead_letters(&self) {
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(target);
        let mut command = Command::new(target.join("quick/vacancy"));
        let url = format!("http://127.0.0.1:{}", self.admin);
        command.args(["webhooks", "replay", "--dead", "--url", &url]);
        Program::start(command.env("VACANCY_ADMIN_TOKEN", TOKEN))
            .ends_well()
            .await;
    }

    /// Ends Vacancy as a crash does: every connection is lost.
    pub async fn crash_vacancy(&mut self) -> Vec<(String, &'static str)> {
        let earliest = now_ms();
        self.example.kill9("vacancy").await;
        let tabs: Vec<_> = std::mem::take(&mut self.tabs).into_keys().collect();
        self.wait_until("Vacancy to listen again", async |site| {
            tokio::net::TcpStream::connect(("127.0.0.1", site.vacancy))
                .await
                .is_ok()
        })
        .await;
        let users: BTreeSet<&String> = tabs.iter().map(|(user, _)| user).collect();
        for user in users {
            self.left(user, earliest, now_ms() + RECOVERY_MS + SLACK_MS);
        }
        tabs
    }

    /// A tab that connects again after a crash of Vacancy, within the window for that.
    pub async fn reopen(&mut self, (user, page): &(String, &'static str)) {
        let visits = &mut self.truth.get_mut(user).expect("a visitor").visits;
        visits.last_mut().expect("a visit").1 = None;
        self.open(user, page).await;
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const TOKEN: &str = "a-token-for-the-test";

fn row<'t>(table: &'t Value, user: &str) -> Option<&'t Value> {
    table["users"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|row| row["user_id"] == user)
}

impl Truth {
    /// Whether a row says of it what it did.
    fn fits(&self, row: &Value, pages: &BTreeSet<&str>, at: u64) -> bool {
        let online = matches!(self.visits.last(), Some((_, None)));
        let said: Option<BTreeSet<&str>> = row["pages"]
            .as_array()
            .map(|all| all.iter().filter_map(Value::as_str).collect());
        let since_fits = match self.visits.last() {
            Some((from, None)) => row["since_ms"].as_u64().is_some_and(|since| from.has(since)),
            _ => row["since_ms"].is_null(),
        };
        let midnight = at - at % DAY_MS;
        let sum = |until: fn(&Moment) -> u64, from: fn(&Moment) -> u64| -> u64 {
            let visits = self.visits.iter();
            let each =
                visits.map(|(came, went)| went.as_ref().map_or(at, until).saturating_sub(from(came).max(midnight)));
            each.sum()
        };
        let least = sum(|went| went.earliest, |came| came.latest + SLACK_MS);
        let most = sum(|went| went.latest, |came| came.earliest) + self.given_up;
        let total_fits = row["today_ms"]
            .as_u64()
            .is_some_and(|today| (least..=most).contains(&today));
        row["online"] == online && said.as_ref() == Some(pages) && since_fits && total_fits
    }
}

impl Moment {
    fn has(self, ms: u64) -> bool {
        (self.earliest..=self.latest + SLACK_MS).contains(&ms)
    }
}
