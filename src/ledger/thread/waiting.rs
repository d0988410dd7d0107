//! Windows that wait for their turn.

use std::collections::HashMap;

use crate::{
    domain::AppId,
    ledger::window::{Left, Window},
};

/// The windows that no step has carried out yet, in order of arrival.
///
/// A step gets all of them and carries out a share of each app. What it leaves comes back, so that an app
/// with much to tell delays the others by one share only. Their number is bounded by the windows that each
/// app may have under way.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    windows: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    window: Window,
    /// The app counts it, and waits to hear that it is done.
    is_counted: bool,
}

/// The windows of a step, while it is carried out.
#[derive(Debug, Default)]
pub(super) struct Taken {
    is_counted: Vec<bool>,
}

impl Waiting {
    /// Adds a window that its app counts as under way.
    pub(super) fn add(&mut self, window: Window) {
        self.windows.push(Entry {
            window,
            is_counted: true,
        });
    }

    /// Adds a window that no app counts.
    pub(super) fn add_uncounted(&mut self, window: Window) {
        self.windows.push(Entry {
            window,
            is_counted: false,
        });
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Gives all windows to a step.
    pub(super) fn take(&mut self) -> (Vec<Window>, Taken) {
        let (windows, is_counted) = self
            .windows
            .drain(..)
            .map(|entry| (entry.window, entry.is_counted))
            .unzip();
        (windows, Taken { is_counted })
    }

    /// Takes back what the step has left of its windows. Gives how many counted windows of each app are done.
    pub(super) fn put_back(&mut self, windows: Vec<Window>, taken: Taken, left: &[Left]) -> HashMap<AppId, usize> {
        let mut done = HashMap::new();
        let mut left = left.iter().peekable();
        for (at, (mut window, is_counted)) in windows.into_iter().zip(taken.is_counted).enumerate() {
            if let Some(left) = left.next_if(|left| left.window == at) {
                window.observed.drain(..left.observed);
                self.windows.push(Entry { window, is_counted });
            } else if is_counted {
                *done.entry(window.app).or_default() += 1;
            }
        }
        done
    }
}

impl Taken {
    /// The counted windows of each app in a step whose windows are not put back.
    pub(super) fn all(&self, windows: &[Window]) -> HashMap<AppId, usize> {
        let mut counts = HashMap::new();
        for (window, _) in windows
            .iter()
            .zip(&self.is_counted)
            .filter(|(_, is_counted)| **is_counted)
        {
            *counts.entry(window.app.clone()).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Now, ledger::Observed, ledger::Stateless};

    fn window(app: &str, channels: &[&str]) -> Window {
        let miss =
            |channel: &&str| Observed::Stateless(Stateless::CacheMiss(channel.parse().expect("valid")), Now::of_test());
        Window {
            app: app.parse().expect("valid"),
            observed: channels.iter().map(miss).collect(),
            until: Now::of_test(),
        }
    }

    fn print(windows: &[Window]) -> Vec<String> {
        let channels = |window: &Window| {
            let channels = window.observed.iter().map(|observed| match observed {
                Observed::Stateless(stateless, _) => stateless.channel().as_str().to_owned(),
                Observed::Edge(edge) => format!("{edge:?}"),
            });
            channels.collect::<Vec<_>>().join(" ")
        };
        windows
            .iter()
            .map(|window| format!("{}: {}", window.app, channels(window)))
            .collect()
    }

    #[test]
    fn what_a_step_leaves_comes_before_what_came_meanwhile_and_only_what_is_done_counts() {
        let mut waiting = Waiting::default();
        waiting.add(window("1", &["a", "b", "c"]));
        waiting.add(window("2", &["d"]));
        waiting.add(window("1", &["e"]));
        waiting.add_uncounted(window("3", &[]));
        let (windows, taken) = waiting.take();
        assert_eq!(print(&windows), ["1: a b c", "2: d", "1: e", "3: "]);
        assert!(waiting.is_empty());
        let left = [(0, 2), (2, 0)].map(|(window, observed)| Left { window, observed });
        let done = waiting.put_back(windows, taken, &left);
        assert_eq!(done, HashMap::from([("2".parse().expect("valid"), 1)]));
        waiting.add(window("1", &["f"]));
        let (windows, taken) = waiting.take();
        assert_eq!(print(&windows), ["1: c", "1: e", "1: f"]);
        let done = waiting.put_back(windows, taken, &[]);
        assert_eq!(done, HashMap::from([("1".parse().expect("valid"), 3)]));
        assert!(waiting.is_empty());
    }
}
