//! What the tests of laws share: histories at random, and an occupancy that gets all of a history
//! beside one that gets what folding leaves of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fmt,
    time::Duration,
};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngSeed, TestRunner},
};

use super::{
    Counters, Edge, EventId, Key, KeyRecord, KeyState, NetEdges, Observed, Occupancy, Transition, Window,
    edge::Key::{Channel, Member, User},
};
use crate::domain::{ChannelName, Now};

/// How many histories a law is tested with, unless `VACANCY_FUZZ_CASES` says otherwise.
const CASES: u32 = 3_000;

/// Runs `check`, which panics when the law does not hold, with random histories: always the same, or
/// as many others as `VACANCY_FUZZ_CASES` says.
#[track_caller]
pub(crate) fn holds<S: Strategy<Value: fmt::Debug>>(histories: S, check: impl Fn(&S::Value)) {
    let told: Option<u32> = env::var("VACANCY_FUZZ_CASES")
        .ok()
        .map(|cases| cases.parse().expect("VACANCY_FUZZ_CASES is a number"));
    let mut runner = TestRunner::new(Config {
        cases: told.unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        rng_seed: told.map_or(RngSeed::Fixed(4), |_| RngSeed::Random),
        ..Config::default()
    });
    let outcome = runner.run(&histories, |history| {
        check(&history);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}\n{runner}");
    }
}

/// Clients of one app at random: its keys are entered by the first and left by the last.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    live: BTreeSet<Key>,
}

impl Clients {
    /// All keys, those of members after their channel.
    pub(crate) fn keys() -> Vec<Key> {
        let name = |name: &str| name.parse().expect("valid");
        let member = |channel: &str, user: &str| Member(name(channel), user.parse().expect("valid"));
        vec![
            Channel(name("a")),
            Channel(name("presence-b")),
            member("presence-b", "7"),
            member("presence-b", "8"),
            User("7".parse().expect("valid")),
        ]
    }

    /// Somebody comes to a key that nobody is at, or everybody leaves; members come after their
    /// channel was entered and leave before it is left. Gives the edges.
    pub(crate) fn toggle(&mut self, key: &Key, at: Now) -> Vec<Edge> {
        let mut keys = vec![key.clone()];
        let entered = !self.live.contains(key);
        match key {
            Member(channel, _) if entered => {
                let channel = Channel(channel.clone());
                if !self.live.contains(&channel) {
                    keys.insert(0, channel);
                }
            }
            Channel(name) if !entered => {
                let is_its = |key: &&Key| matches!(key, Member(channel, _) if channel == name);
                let members: Vec<Key> = self.live.iter().filter(is_its).cloned().collect();
                keys.splice(0..0, members);
            }
            Channel(_) | Member(..) | User(_) => {}
        }
        for key in &keys {
            if entered {
                self.live.insert(key.clone());
            } else {
                self.live.remove(key);
            }
        }
        let edge = |key| Edge { key, entered, at };
        keys.into_iter().map(edge).collect()
    }

    /// The server ends, and with it the connections.
    pub(crate) fn vanish(&mut self) {
        self.live.clear();
    }
}

/// Folds a part of what was observed, between two places.
pub(crate) fn fold_part(observed: &mut Vec<Observed>, places: (usize, usize), delay: Duration) {
    let end = observed.len() + 1;
    let (a, b) = (places.0 % end, places.1 % end);
    let part = a.min(b)..a.max(b);
    let mut net = NetEdges::default();
    for observed in &observed[part.clone()] {
        if let Observed::Edge(edge) = observed {
            net.add(edge.clone(), delay);
        }
    }
    observed.splice(part, net.edges().into_iter().map(Observed::Edge));
}

/// An occupancy, and what it told.
#[derive(Debug)]
struct Side {
    occupancy: Occupancy,
    counters: Counters,
    /// What was told since the last comparison.
    told: Vec<Transition>,
    occupied: BTreeSet<Key>,
    seqs: BTreeMap<Key, u64>,
}

/// What can be told apart of a key: not at all, or until when it is told occupied without a client.
type Shown = Option<Option<u64>>;

impl Side {
    fn new(delay: Duration) -> Self {
        Self {
            occupancy: Occupancy::new(delay),
            counters: Counters::new(0),
            told: Vec::new(),
            occupied: BTreeSet::new(),
            seqs: BTreeMap::new(),
        }
    }

    fn apply(&mut self, edge: &Edge) {
        let before = self.told.len();
        self.occupancy.apply(edge, &mut self.counters, &mut self.told);
        self.tell(before);
    }

    fn due(&mut self, until: Now) {
        let before = self.told.len();
        self.occupancy.due(until.instant, &mut self.counters, &mut self.told);
        self.tell(before);
    }

    /// Changes alternate, their numbers rise, and members are told after their channel is and before
    /// it is not.
    fn tell(&mut self, from: usize) {
        for Transition { key, occupied, seq, .. } in &self.told[from..] {
            self.occupancy.told(key, *seq, Some(EventId(1)));
            let is_news = if *occupied {
                self.occupied.insert(key.clone())
            } else {
                self.occupied.remove(key)
            };
            assert!(is_news, "told again: {key:?} {occupied}");
            let last = self.seqs.insert(key.clone(), *seq);
            assert!(last.is_none_or(|last| last < *seq), "seq of {key:?}");
            match key {
                Member(channel, _) if *occupied => {
                    assert!(self.occupied.contains(&Channel(channel.clone())), "{key:?} came first");
                }
                Channel(name) if !*occupied => {
                    let is_its = |key: &Key| matches!(key, Member(channel, _) if channel == name);
                    assert!(!self.occupied.iter().any(is_its), "{key:?} went first");
                }
                Channel(_) | Member(..) | User(_) => {}
            }
        }
    }

    fn shown(&self) -> BTreeMap<String, Shown> {
        let mut shown = BTreeMap::new();
        let state = |state: &KeyState| match *state {
            KeyState::Vacant => None,
            KeyState::Occupied => Some(None),
            KeyState::Pending { until_ms } => Some(Some(until_ms)),
            KeyState::Recovering { until_ms } => Some(until_ms),
        };
        let channels: BTreeSet<ChannelName> = Clients::keys()
            .iter()
            .filter_map(|key| key.channel().cloned())
            .collect();
        for name in channels {
            let view = self.occupancy.channel_view(&name);
            shown.insert(name.to_string(), state(&view.channel.state));
            for (user, view) in view.users {
                shown.insert(format!("{name} {user}"), state(&view.state));
            }
        }
        shown
    }
}

/// An occupancy that gets everything, and one that gets what is left.
#[derive(Debug)]
pub(crate) struct Compared {
    delay: Duration,
    whole: Side,
    folded: Side,
}

impl Compared {
    pub(crate) fn new(delay: Duration) -> Self {
        Self {
            delay,
            whole: Side::new(delay),
            folded: Side::new(delay),
        }
    }

    /// It happened.
    pub(crate) fn whole(&mut self, edge: &Edge) {
        self.whole.apply(edge);
    }

    /// It is left.
    pub(crate) fn folded(&mut self, window: &Window) {
        for observed in &window.observed {
            if let Observed::Edge(edge) = observed {
                self.folded.apply(edge);
            }
        }
        self.folded.due(window.until);
    }

    /// Both have had everything until now: they have the same keys occupied and the same deadlines,
    /// and what one told of a key since the last comparison is what the other told, but for pairs.
    #[track_caller]
    pub(crate) fn compare(&mut self, now: Now) {
        self.whole.due(now);
        self.folded.due(now);
        assert_eq!(self.folded.shown(), self.whole.shown());
        assert_eq!(self.folded.occupied, self.whole.occupied);
        assert_eq!(self.folded.occupancy.next_due(), self.whole.occupancy.next_due());
        let count = |side: &Side, key: &Key| side.told.iter().filter(|told| told.key == *key).count();
        for key in Clients::keys() {
            let (folded, whole) = (count(&self.folded, &key), count(&self.whole, &key));
            assert!(folded <= whole, "{key:?}: {folded} changes were told, not {whole}");
        }
        self.folded.told.clear();
        self.whole.told.clear();
    }

    /// The server ends and starts again with what was told.
    pub(crate) fn restart(&mut self, now: Now, recovery: Duration) {
        for side in [&mut self.whole, &mut self.folded] {
            side.occupancy = Occupancy::new(self.delay);
            for key in &side.occupied {
                let record = KeyRecord {
                    occupied: true,
                    seq: side.seqs[key],
                    since_ms: now.wall_ms,
                    event: EventId(1),
                };
                side.occupancy.restore(key, &record);
            }
            side.occupancy.recover(now, recovery);
        }
    }
}
