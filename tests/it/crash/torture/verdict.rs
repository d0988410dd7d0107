//! What an endpoint received, and whether it is what the contract promises.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use crate::harness::Delivered;

/// What an endpoint received, without what repeats an answered request.
pub(super) struct Picture {
    /// Every event, in the order of receipt.
    pub(super) events: Vec<Event>,
    /// Requests that came again after they were answered.
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
        let (mut answered, mut repeated) = (HashSet::new(), HashSet::new());
        let mut picture = Self {
            events: Vec::new(),
            repeated: 0,
            requests: requests.len(),
        };
        for request in requests {
            let id = request.header("webhook-id").expect("every request has one");
            if answered.contains(id) {
                // One that is repeated may fail, and then it is tried again.
                picture.repeated += usize::from(repeated.insert(id));
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

/// What is wrong with what an endpoint with extras and a plain one received; nothing, it should be.
pub(super) fn problems(pictures: &[Picture; 2], decided: &BTreeSet<String>, kills: u32) -> Vec<String> {
    let [with_extras, plain] = pictures;
    let mut problems = Vec::new();
    for (picture, name) in pictures.iter().zip(["extras", "plain"]) {
        for (key, states) in picture.by_key() {
            let alternates = states
                .iter()
                .enumerate()
                .all(|(at, occupied)| *occupied == (at % 2 == 0));
            if !alternates {
                problems.push(format!("{name}: {key} does not alternate: {states:?}"));
            }
        }
        // Each endpoint has one lane.
        if (kills as usize) < picture.repeated {
            problems.push(format!(
                "{name}: {} requests repeated after {kills} kills",
                picture.repeated
            ));
        }
    }
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for event in &with_extras.events {
        let (Some(seq), Some(id)) = (event.seq, event.id.clone()) else {
            problems.push(format!("extras: an event of {} without", event.key));
            continue;
        };
        let before = last.insert(&event.key, seq);
        if Some(seq) <= before {
            problems.push(format!("extras: {} has seq {before:?} and then {seq}", event.key));
        }
        if !ids.insert(id.clone()) {
            problems.push(format!("extras: {id} came in two requests"));
        }
    }
    problems.extend(
        decided
            .difference(&ids)
            .map(|id| format!("{id} was decided and not received")),
    );
    problems.extend(
        ids.difference(decided)
            .map(|id| format!("{id} was received and not decided")),
    );
    if plain
        .events
        .iter()
        .any(|event| event.seq.is_some() || event.id.is_some())
    {
        problems.push("plain: an event with extras".into());
    }
    if with_extras.by_key() != plain.by_key() {
        problems.push("the two endpoints were not told the same".into());
    }
    problems
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What an endpoint received: the key, its state, `seq` and id.
    fn picture(events: &[(&str, bool, u64)], extras: bool) -> Picture {
        let event = |(key, occupied, seq): &(&str, bool, u64)| Event {
            key: (*key).into(),
            occupied: *occupied,
            seq: extras.then_some(*seq),
            id: extras.then(|| format!("evt_{seq}")),
        };
        Picture {
            events: events.iter().map(event).collect(),
            repeated: 0,
            requests: 1,
        }
    }

    fn decided(seqs: &[u64]) -> BTreeSet<String> {
        seqs.iter().map(|seq| format!("evt_{seq}")).collect()
    }

    /// What is found in two endpoints that received the same.
    fn found(events: &[(&str, bool, u64)], seqs: &[u64]) -> Vec<String> {
        let pictures = [picture(events, true), picture(events, false)];
        problems(&pictures, &decided(seqs), 1)
    }

    #[test]
    fn a_true_story_has_no_problem() {
        let events = [("a", true, 1), ("b", true, 2), ("a", false, 3), ("a", true, 4)];
        assert_eq!(found(&events, &[1, 2, 3, 4]), Vec::<String>::new());
        assert_eq!(
            picture(&events, false).occupied(),
            BTreeSet::from(["a".into(), "b".into()])
        );
    }

    #[test]
    fn whatever_is_missing_doubled_or_out_of_order_is_found() {
        assert_eq!(
            found(&[("a", true, 1), ("a", true, 2)], &[1, 2]),
            [
                "extras: a does not alternate: [true, true]",
                "plain: a does not alternate: [true, true]"
            ]
        );
        assert_eq!(
            found(&[("a", true, 2), ("a", false, 1)], &[1, 2]),
            ["extras: a has seq Some(2) and then 1"]
        );
        assert_eq!(
            found(&[("a", true, 1)], &[1, 2]),
            ["evt_2 was decided and not received"]
        );
        assert_eq!(found(&[("a", true, 1)], &[]), ["evt_1 was received and not decided"]);
        let told = picture(&[("a", true, 1)], true);
        let not_told = picture(&[], false);
        let not_the_same = "the two endpoints were not told the same";
        assert_eq!(problems(&[told, not_told], &decided(&[1]), 0), [not_the_same]);
        let [mut twice, once] = [true, false].map(|extras| picture(&[("a", true, 1)], extras));
        twice.repeated = 2;
        assert_eq!(
            problems(&[twice, once], &decided(&[1]), 1),
            ["extras: 2 requests repeated after 1 kills"]
        );
    }
}
