//! What an endpoint received, and whether it is what the contract promises.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use crate::harness::Delivered;

/// What an endpoint received, without what repeats an answered request.
pub(super) struct Picture {
    /// Every event, in the order of receipt.
    pub(super) events: Vec<Event>,
    /// Requests that repeat an answered one.
    pub(super) repeated: usize,
    /// All requests, failed and repeated ones too.
    pub(super) requests: usize,
}

/// An event as it was received.
pub(super) struct Event {
    /// The channel, or the channel and its user.
    key: String,
    occupied: bool,
    seq: Option<u64>,
    id: Option<String>,
}

impl Picture {
    /// Takes what was answered 2xx, each `webhook-id` once.
    pub(super) fn of(requests: &[Delivered]) -> Self {
        let mut answered = HashSet::new();
        let mut picture = Self {
            events: Vec::new(),
            repeated: 0,
            requests: requests.len(),
        };
        for request in requests {
            let id = request.header("webhook-id").expect("every request has one");
            if answered.contains(id) {
                picture.repeated += 1;
            } else if request.answer.accepts() {
                answered.insert(id.to_owned());
                picture.events.extend(events(&request.body));
            }
        }
        picture
    }

    /// The keys of which the last event says that they are occupied.
    pub(super) fn occupied(&self) -> BTreeSet<String> {
        let last: BTreeMap<&str, bool> = self
            .events
            .iter()
            .map(|event| (event.key.as_str(), event.occupied))
            .collect();
        let occupied = last.into_iter().filter(|(_, occupied)| *occupied);
        occupied.map(|(key, _)| key.to_owned()).collect()
    }

    /// What was told of each key, in order.
    fn by_key(&self) -> BTreeMap<&str, Vec<bool>> {
        let mut by_key: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
        for event in &self.events {
            by_key.entry(&event.key).or_default().push(event.occupied);
        }
        by_key
    }
}

fn events(body: &str) -> Vec<Event> {
    let body: Value = serde_json::from_str(body).expect("JSON");
    let events = body["events"].as_array().expect("an array").iter();
    let event = |event: &Value| {
        let text = |key: &str| event[key].as_str().map(ToOwned::to_owned);
        let channel = text("channel").expect("each is about a channel");
        let (key, occupied) = match event["name"].as_str() {
            Some("channel_occupied") => (channel, true),
            Some("channel_vacated") => (channel, false),
            Some(name @ ("member_added" | "member_removed")) => {
                let user = text("user_id").expect("each is about a user");
                (format!("{channel}/{user}"), name == "member_added")
            }
            other => panic!("not asked for: {other:?}"),
        };
        Event {
            key,
            occupied,
            seq: event["seq"].as_u64(),
            id: text("id"),
        }
    };
    events.map(event).collect()
}

/// Checks what an endpoint with extras and a plain one received.
pub(super) fn check(pictures: &[Picture; 2], decided: &BTreeSet<String>, kills: u32) {
    let [with_extras, plain] = pictures;
    for picture in pictures {
        for (key, states) in picture.by_key() {
            let alternates = states
                .iter()
                .enumerate()
                .all(|(at, occupied)| *occupied == (at % 2 == 0));
            assert!(alternates, "{key}: {states:?}");
        }
        // Each endpoint has one lane.
        assert!(
            picture.repeated <= kills as usize,
            "{} requests repeated after {kills} kills",
            picture.repeated
        );
    }
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for event in &with_extras.events {
        let seq = event.seq.expect("it has extras");
        let before = last.insert(&event.key, seq);
        assert!(before < Some(seq), "{}: seq {before:?}, then {seq}", event.key);
        let id = event.id.clone().expect("it has extras");
        assert!(ids.insert(id), "{:?} came in two requests", event.id);
    }
    let never_received: Vec<&String> = decided.difference(&ids).collect();
    let never_decided: Vec<&String> = ids.difference(decided).collect();
    assert!(
        never_received.is_empty() && never_decided.is_empty(),
        "decided and not received: {never_received:?}; received and not decided: {never_decided:?}"
    );
    assert!(
        plain
            .events
            .iter()
            .all(|event| event.seq.is_none() && event.id.is_none())
    );
    assert_eq!(with_extras.by_key(), plain.by_key());
}

/// Checks that the told list is the truth.
pub(super) fn check_told(told: &BTreeSet<String>, truth: &BTreeSet<String>) {
    assert!(told == truth, "the told list: {}", difference(told, truth));
}

/// In which way a picture is not the truth.
pub(super) fn difference(picture: &BTreeSet<String>, truth: &BTreeSet<String>) -> String {
    let missing: Vec<&String> = truth.difference(picture).collect();
    let surplus: Vec<&String> = picture.difference(truth).collect();
    format!("missing {missing:?}, surplus {surplus:?}")
}
