//! `docs/webhooks.md` against what the real server sends.

use std::collections::BTreeSet;

use serde_json::{Value, value::RawValue};

use crate::harness::{Process, Receiver, config_of, eventually};

const PAGE: &str = include_str!("../../docs/webhooks.md");

/// The JSON blocks of the page.
fn samples() -> Vec<&'static str> {
    let blocks = PAGE.split("\n```json\n").skip(1);
    blocks.filter_map(|block| block.split("\n```").next()).collect()
}

#[derive(serde::Deserialize)]
struct Body {
    time_ms: u64,
    events: Vec<Box<RawValue>>,
}

/// What is the same in all events of a kind: the keys in their order, each with its type, the name
/// with its value.
fn shape(event: &str) -> String {
    let Ok(Value::Object(values)) = serde_json::from_str(event) else {
        panic!("not an object: {event}");
    };
    let mut keys: Vec<(Option<usize>, String)> = values
        .iter()
        .map(|(key, value)| {
            let words = if key == "name" {
                format!("name {}", value.as_str().expect("a name"))
            } else if value.is_string() {
                format!("{key}: string")
            } else {
                assert!(value.is_u64(), "{key} is {value} in {event}");
                format!("{key}: number")
            };
            (event.find(&format!("\"{key}\":")), words)
        })
        .collect();
    keys.sort();
    let words: Vec<String> = keys.into_iter().map(|(_, words)| words).collect();
    words.join(", ")
}

/// The shapes of a body's events.
fn shapes(body: &str) -> BTreeSet<String> {
    let body: Body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert!(1_700_000_000_000 < body.time_ms);
    body.events.iter().map(|event| shape(event.get())).collect()
}

/// Makes an event of every kind that there is.
async fn make_events(server: &Process) {
    let mut client = server.client().await;
    client.sign_in(r#"{"id":"7"}"#).await;
    for (channel, user) in [
        ("demo", None),
        ("private-room", None),
        ("presence-room", Some("7")),
        ("cache-prices", None),
    ] {
        let text = client.subscription(channel, user);
        client.send(&text).await;
        loop {
            let frame = client.next_json().await;
            if frame["event"] == "pusher_internal:subscription_succeeded" {
                break;
            }
        }
    }
    for channel in ["private-room", "presence-room"] {
        let event = format!(r#"{{"event":"client-typing","channel":"{channel}","data":{{"on":true}}}}"#);
        client.send(&event).await;
    }
    client.close().await;
}

#[tokio::test]
async fn every_sample_has_the_keys_that_the_server_sends_and_no_kind_is_missing() {
    let [plain, with_extras] = [Receiver::start().await, Receiver::start().await];
    let events = "events: [existence, presence, client, cache, subscription_count, user_online, user_offline]";
    let webhooks = format!(
        "[{{url: \"{}\", {events}}}, {{url: \"{}\", {events}, extras: true}}]",
        plain.url(),
        with_extras.url()
    );
    let settings = ["subscription_count: true", "client_events: true"];
    let server = Process::start(&config_of("webhooks: {vacated_delay: 0s}", &settings, &webhooks));
    make_events(&server).await;

    let is_extra = |sample: &&str| sample.contains("\"id\":");
    let (extra, pure): (Vec<&str>, Vec<&str>) = samples().into_iter().partition(is_extra);
    for (receiver, samples) in [(plain, pure), (with_extras, extra)] {
        let want: BTreeSet<String> = samples.into_iter().flat_map(shapes).collect();
        assert_eq!(want.len(), 10, "nine kinds, client_event in two forms: {want:#?}");
        let got = || {
            let requests = receiver.requests();
            requests
                .iter()
                .flat_map(|request| shapes(&request.body))
                .collect::<BTreeSet<String>>()
        };
        let all = eventually("an event of each kind", || async { want.len() <= got().len() });
        if tokio::time::timeout(std::time::Duration::from_secs(25), all)
            .await
            .is_err()
        {
            panic!("want {want:#?}, got {:#?}", got());
        }
        assert_eq!(got(), want);
    }
}

#[test]
fn the_samples_are_compact_and_every_file_that_the_page_links_is_there() {
    for sample in samples() {
        let value: Value = serde_json::from_str(sample).expect("JSON");
        assert_eq!(value.to_string().len(), sample.len(), "{sample}");
    }
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut receivers = 0;
    for link in PAGE.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if let Some(anchor) = link.strip_prefix('#') {
            let title = anchor.replace('-', " ");
            let is_there = PAGE
                .lines()
                .any(|line| line.trim_start_matches('#').trim().to_lowercase() == title);
            assert!(is_there, "no title for {link}");
        } else if !link.starts_with("https://") {
            let file = link.split('#').next().expect("a first part");
            assert!(docs.join(file).exists(), "{link}");
            receivers += usize::from(file.starts_with("receivers/"));
        }
    }
    assert_eq!(receivers, 5);
}

/// The commands of the page, each with its sub-command and its options.
fn commands() -> BTreeSet<(Vec<&'static str>, Vec<&'static str>)> {
    let spans = PAGE.split('`').skip(1).step_by(2);
    let commands = spans.filter_map(|span| span.strip_prefix("vacancy "));
    let words = commands.map(|command| command.split(' ').collect::<Vec<&str>>());
    words
        .map(|words| {
            let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
            let names = words.iter().copied().take_while(is_name).collect();
            let options = words.into_iter().filter(|word| word.starts_with("--")).collect();
            (names, options)
        })
        .collect()
}

#[test]
fn every_command_of_the_page_is_one_of_the_program() {
    let commands = commands();
    assert!(16 <= commands.len(), "{commands:?}");
    for (names, options) in commands {
        let help = std::process::Command::new(env!("CARGO_BIN_EXE_vacancy"))
            .args(&names)
            .arg("--help")
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&help.stdout).into_owned();
        assert!(
            help.status.success() && text.contains(&format!("Usage: vacancy {}", names.join(" "))),
            "{names:?}: {text}"
        );
        for option in options {
            assert!(text.contains(option), "{names:?} has no {option}");
        }
    }
}
