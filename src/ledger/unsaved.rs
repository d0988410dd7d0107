//! What could not be stored yet: kept small, until it can be (DESIGN.md section 5).

use std::{collections::BTreeMap, time::Duration};

use crate::domain::{AppId, Now};

use super::{
    edge::Observed,
    net::NetEdges,
    window::{Answer, Control, Step, Window},
};

/// How long a key of each app stays told occupied after it was left.
pub(crate) type Delays = BTreeMap<AppId, Duration>;

/// Steps that could not be stored, as one. Its edges are folded by the law of [`NetEdges`], so that
/// carrying it out leaves the same state as carrying out the steps, folded before or not, and trying
/// again after a failure changes nothing. It is bounded by the keys that are occupied or were within
/// the delay, and by the requests under way.
///
/// Controls and answers stay as they came; either that comes twice changes nothing the second time.
/// Controls come before all windows, as in any step: with a drain, edges before it are ignored like
/// those after it, which loses what a crash would lose.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    controls: Vec<Control>,
    answers: Vec<Answer>,
    apps: BTreeMap<AppId, Net>,
    /// Events without state, which are not told.
    dropped: u64,
}

/// What became of an app's keys.
#[derive(Debug)]
struct Net {
    edges: NetEdges,
    until: Now,
}

impl Unsaved {
    /// Adds a step that could not be stored and came after all before it. An app without a delay
    /// has one of 0 s.
    pub(crate) fn add(&mut self, step: Step, delays: &Delays) {
        self.controls.extend(step.controls);
        self.answers.extend(step.answers);
        for window in step.windows {
            let delay = delays.get(&window.app).copied().unwrap_or_default();
            let net = self.apps.entry(window.app).or_insert_with(|| Net {
                edges: NetEdges::default(),
                until: window.until,
            });
            net.until = window.until;
            for observed in window.observed {
                match observed {
                    Observed::Edge(edge) => net.edges.add(edge, delay),
                    Observed::Stateless(..) => self.dropped += 1,
                }
            }
            net.edges.expire(window.until.instant);
        }
    }

    /// All of it as one step.
    pub(crate) fn step(&self) -> Step {
        let windows = self.apps.iter().map(|(app, net)| Window {
            app: app.clone(),
            observed: net.edges.edges().into_iter().map(Observed::Edge).collect(),
            until: net.until,
        });
        Step {
            controls: self.controls.clone(),
            answers: self.answers.clone(),
            windows: windows.collect(),
        }
    }

    /// How many events without state were not told.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Edge, Key, Outcome, RequestId, Stateless};

    /// A window of app 1 in which these happen, each a millisecond after the other: `+a`, `-a`, or
    /// `!a` for an event without state.
    fn window(start: Now, from_ms: u64, words: &[&str]) -> Step {
        let observed = words.iter().zip(from_ms..).map(|(word, ms)| {
            let (sign, channel) = word.split_at(1);
            let channel = channel.parse().expect("valid");
            match sign {
                "!" => Observed::Stateless(Stateless::CacheMiss(channel), start.ms(ms)),
                sign => Observed::Edge(Edge {
                    key: Key::Channel(channel),
                    entered: sign == "+",
                    at: start.ms(ms),
                }),
            }
        });
        Step {
            windows: vec![Window {
                app: "1".parse().expect("valid"),
                observed: observed.collect(),
                until: start.ms(from_ms + 50),
            }],
            ..Step::default()
        }
    }

    fn print(step: &Step, start: Now) -> Vec<String> {
        let edge = |observed: &Observed| match observed {
            Observed::Edge(edge) => {
                let sign = if edge.entered { '+' } else { '-' };
                let ms = (edge.at.instant - start.instant).as_millis();
                format!("{sign}{}@{ms}", edge.key.channel().expect("a channel"))
            }
            Observed::Stateless(..) => "!".to_owned(),
        };
        step.windows
            .iter()
            .map(|window| {
                let edges: Vec<String> = window.observed.iter().map(edge).collect();
                let until = (window.until.instant - start.instant).as_millis();
                format!("{} until {until}: {}", window.app, edges.join(" "))
            })
            .collect()
    }

    #[test]
    fn edges_of_several_windows_are_folded_into_one_in_their_order() {
        let start = Now::of_test();
        let mut unsaved = Unsaved::default();
        unsaved.add(window(start, 0, &["+a", "-a", "+b", "!c", "+c"]), &Delays::new());
        unsaved.add(window(start, 100, &["+a", "!c", "-c"]), &Delays::new());
        assert_eq!(print(&unsaved.step(), start), ["1 until 150: +b@2 +a@100"]);
        assert_eq!(unsaved.dropped(), 2);
    }

    #[test]
    fn a_key_that_was_vacant_before_and_is_again_leaves_nothing() {
        let start = Now::of_test();
        let mut unsaved = Unsaved::default();
        unsaved.add(
            window(start, 0, &["-old", "+new", "-new", "+old", "-old"]),
            &Delays::new(),
        );
        unsaved.add(window(start, 100, &["+new", "-new", "+other"]), &Delays::new());
        assert_eq!(print(&unsaved.step(), start), ["1 until 150: -old@4 +other@102"]);
    }

    #[test]
    fn a_visit_is_kept_for_the_delay_of_its_app() {
        let start = Now::of_test();
        let delays = Delays::from([("1".parse().expect("valid"), Duration::from_millis(100))]);
        let mut unsaved = Unsaved::default();
        unsaved.add(window(start, 0, &["+a", "-a"]), &delays);
        assert_eq!(print(&unsaved.step(), start), ["1 until 50: +a@0 -a@1"]);
        unsaved.add(window(start, 50, &[]), &delays);
        assert_eq!(print(&unsaved.step(), start), ["1 until 100: +a@0 -a@1"]);
        // What the window says is until when.
        unsaved.add(window(start, 51, &[]), &delays);
        assert_eq!(print(&unsaved.step(), start), ["1 until 101: "]);
    }

    #[test]
    fn an_app_of_which_nothing_is_left_is_asked_for_its_deadlines_all_the_same() {
        let start = Now::of_test();
        let mut unsaved = Unsaved::default();
        unsaved.add(window(start, 0, &[]), &Delays::new());
        assert_eq!(print(&unsaved.step(), start), ["1 until 50: "]);
    }

    #[test]
    fn controls_and_answers_wait_in_order() {
        let answer = |id| Answer {
            app: "1".parse().expect("valid"),
            endpoint: "e".parse().expect("valid"),
            request: RequestId(id),
            outcome: Outcome::Delivered,
            report: Default::default(),
        };
        let step = |id, control| Step {
            controls: vec![control],
            answers: vec![answer(id)],
            windows: Vec::new(),
        };
        let mut unsaved = Unsaved::default();
        unsaved.add(step(1, Control::Accepting), &Delays::new());
        unsaved.add(step(2, Control::Drain), &Delays::new());
        let all = unsaved.step();
        assert_eq!(all.answers, [answer(1), answer(2)]);
        assert!(matches!(all.controls[..], [Control::Accepting, Control::Drain]));
    }
}
