use proptest::{collection::vec, prelude::any};

use super::*;
use crate::{
    domain::Now,
    ledger::{
        Observed, Window,
        law::{Clients, Compared, fold_part, holds},
    },
};

/// Folds edges of channels, `+a@0` for one at 0 ms, with a delay of 3 s; compares what is left at a
/// time.
#[track_caller]
fn check(edges: &str, until_ms: u64, want: &str) {
    let start = Now::of_test();
    let mut net = NetEdges::default();
    for word in edges.split_whitespace() {
        let (edge, ms) = word.split_once('@').expect("a time");
        let (sign, channel) = edge.split_at(1);
        let edge = Edge {
            key: Key::Channel(channel.parse().expect("valid")),
            entered: sign == "+",
            at: start.ms(ms.parse().expect("a number")),
        };
        net.add(edge, Duration::from_secs(3));
    }
    net.expire(start.ms(until_ms).instant);
    let print = |edge: Edge| {
        let sign = if edge.entered { '+' } else { '-' };
        let ms = (edge.at.instant - start.instant).as_millis();
        format!("{sign}{}@{ms}", edge.key.channel().expect("a channel"))
    };
    let left: Vec<String> = net.edges().into_iter().map(print).collect();
    assert_eq!(left.join(" "), want, "{edges}");
    // What is not there any more is not remembered either.
    let with_visit = net.keys.values().filter(|net| net.left.is_some()).count();
    assert_eq!(net.visits.len(), with_visit, "{edges}");
}

#[test]
fn one_edge_is_left_as_it_is() {
    check("+a@1 -b@2", 9_000, "+a@1 -b@2");
}

#[test]
fn a_leave_and_the_return_after_it_cancel_however_much_later_it_is() {
    check("-a@0 +a@1", 1, "");
    check("-a@0 +a@10000", 10_000, "");
    check("-a@0 +a@1 -a@2", 9_000, "-a@2");
    check("-a@0 +a@1 -a@2 +a@3", 3, "");
}

#[test]
fn a_visit_stays_until_the_absence_after_it_has_lasted_for_the_delay() {
    check("+a@0 -a@10", 3_009, "+a@0 -a@10");
    check("+a@0 -a@10", 3_010, "");
    check("+a@0 -a@10 +b@3009", 0, "+a@0 -a@10 +b@3009");
    check("+a@0 -a@10 +b@3010", 0, "+b@3010");
}

#[test]
fn a_return_within_the_delay_makes_one_stay_of_two_visits() {
    check("+a@0 -a@10 +a@3009", 9_000, "+a@0");
    check("+a@0 -a@10 +a@3010", 9_000, "+a@3010");
    check("+a@0 -a@10 +a@20 -a@30", 3_029, "+a@0 -a@30");
    check("+a@0 -a@10 +a@20 -a@30", 3_030, "");
}

#[test]
fn what_is_left_of_several_keys_is_in_the_order_in_which_it_came() {
    check(
        "+z@0 -y@0 +b@0 +a@0 -b@1 -a@2 -z@3 +z@4",
        5,
        "+z@0 -y@0 +b@0 +a@0 -b@1 -a@2",
    );
}

#[test]
fn an_edge_that_does_not_alternate_changes_nothing() {
    check("+a@0 +a@1", 9_000, "+a@0");
    check("-a@0 -a@1", 9_000, "-a@0");
    check("+a@0 -a@1 -a@2", 3_000, "+a@0 -a@1");
    check("+a@0 -a@1 -a@2", 3_001, "");
}

#[test]
fn a_shorter_delay_lets_go_of_later_visits_first() {
    let start = Now::of_test();
    let mut net = NetEdges::default();
    for (ms, name, delay_ms) in [(0, "a", 9_000), (1, "b", 10)] {
        for entered in [true, false] {
            let key = Key::Channel(name.parse().expect("valid"));
            let at = start.ms(ms);
            net.add(Edge { key, entered, at }, Duration::from_millis(delay_ms));
        }
    }
    net.expire(start.ms(11).instant);
    let names: Vec<Key> = net.edges().into_iter().map(|edge| edge.key).collect();
    assert_eq!(names, ["a", "a"].map(|name| Key::Channel(name.parse().expect("valid"))));
}

/// The law: each two bytes of a history are a change after a while; then parts of a window of it are
/// folded, again and again.
#[test]
fn folding_any_part_of_a_history_any_number_of_times_leaves_the_same_state() {
    let changes = vec((any::<u8>(), any::<u8>()), 1..30);
    let parts = vec((any::<u8>(), any::<u8>()), 0..5);
    holds((0..4_usize, vec((changes, parts), 1..4)), |(delay, windows)| {
        let delay = Duration::from_millis([0, 10, 1_000, 3_000][*delay]);
        let keys = Clients::keys();
        let mut compared = Compared::new(delay);
        let mut clients = Clients::default();
        let mut now = Now::of_test();
        for (changes, parts) in windows {
            let mut observed = Vec::new();
            for (which, wait) in changes {
                now = now.ms([0, 0, 1, 5, 10, 300, 1_000, 2_990, 3_000, 3_010][usize::from(*wait) % 10]);
                for edge in clients.toggle(&keys[usize::from(*which) % keys.len()], now) {
                    compared.whole(&edge);
                    observed.push(Observed::Edge(edge));
                }
            }
            for (from, to) in parts {
                fold_part(&mut observed, (usize::from(*from), usize::from(*to)), delay);
            }
            let app = "1".parse().expect("valid");
            compared.folded(&Window {
                app,
                observed,
                until: now,
            });
            compared.compare(now);
        }
    });
}

/// The law of taking: every two bytes of a history are a change after a while. Now and then the first
/// remaining edges are taken out and told, while the rest is folded on.
#[test]
fn taking_the_first_edges_at_any_time_leaves_the_same_state() {
    let happenings = vec((any::<u8>(), any::<u8>(), 0..8_usize), 1..60);
    holds((0..4_usize, happenings), |(delay, happenings)| {
        let delay = Duration::from_millis([0, 10, 1_000, 3_000][*delay]);
        let keys = Clients::keys();
        let (mut compared, mut clients, mut net) = (Compared::new(delay), Clients::default(), NetEdges::default());
        let mut now = Now::of_test();
        let tell = |compared: &mut Compared, edges: Vec<Edge>, until: Now| {
            compared.folded(&Window {
                app: "1".parse().expect("valid"),
                observed: edges.into_iter().map(Observed::Edge).collect(),
                until,
            });
        };
        for (which, wait, taken) in happenings {
            now = now.ms([0, 0, 1, 5, 10, 300, 1_000, 2_990, 3_000, 3_010][usize::from(*wait) % 10]);
            for edge in clients.toggle(&keys[usize::from(*which) % keys.len()], now) {
                compared.whole(&edge);
                net.add(edge, delay);
            }
            let edges = net.take_first(*taken);
            if let Some(last) = edges.last().map(|edge| edge.at) {
                let until = if net.is_empty() { now } else { last };
                tell(&mut compared, edges, until);
            }
            let known = (net.keys.len(), net.visits.len());
            assert_eq!((net.len(), net.edges().len()), (known.0 + known.1, known.0 + known.1));
        }
        let rest = net.take_first(usize::MAX);
        assert!(net.is_empty() && net.keys.is_empty() && net.visits.is_empty());
        tell(&mut compared, rest, now);
        compared.compare(now);
    });
}

#[test]
fn the_leave_of_a_visit_stays_when_its_enter_is_taken() {
    let start = Now::of_test();
    let mut net = NetEdges::default();
    let add = |net: &mut NetEdges, entered, ms| {
        let key = Key::Channel("a".parse().expect("valid"));
        net.add(
            Edge {
                key,
                entered,
                at: start.ms(ms),
            },
            Duration::from_secs(3),
        );
    };
    add(&mut net, true, 0);
    add(&mut net, false, 1);
    let enters = |edges: Vec<Edge>| edges.iter().map(|edge| edge.entered).collect::<Vec<bool>>();
    assert_eq!(enters(net.take_first(1)), [true]);
    net.expire(start.ms(9_000).instant);
    assert_eq!(enters(net.edges()), [false]);
    add(&mut net, true, 9_001);
    assert!(net.is_empty(), "a leave and the return after it cancel");
}
