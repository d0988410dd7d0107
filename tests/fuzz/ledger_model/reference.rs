//! The rules of DESIGN.md section 5, said a second time as simply as can be.

use std::collections::BTreeMap;

use vacancy::ledger::Key;

/// What is decided of every key of one app. Times are milliseconds.
#[derive(Debug, Clone)]
pub struct Reference {
    pub keys: BTreeMap<Key, OfKey>,
    pub delay: u64,
    /// The end of the recovery window.
    pub recovered_at: Option<u64>,
}

#[derive(Debug, Clone, Default)]
pub struct OfKey {
    /// It is told occupied.
    pub decided: bool,
    /// Somebody asked for it when that was decided, so that it is stored.
    pub stored: bool,
    /// Nobody is there, and it is told vacated then.
    pub deadline: Option<u64>,
    /// It was found told occupied by the start, and nobody came back so far.
    pub recovering: bool,
    /// It was found told occupied by the start.
    pub found: bool,
}

/// What is told: the key and its new state.
pub type Told = (Key, bool);

pub fn rank(key: &Key) -> u8 {
    match key {
        Key::Member(..) => 0,
        Key::Channel(_) => 1,
        Key::User(_) => 2,
    }
}

impl Reference {
    pub fn new(delay: u64) -> Self {
        Self {
            keys: BTreeMap::new(),
            delay,
            recovered_at: None,
        }
    }

    pub fn edge(&mut self, key: &Key, entered: bool, at: u64, told: &mut Vec<Told>) {
        self.due(at, told);
        let of_key = self.keys.entry(key.clone()).or_default();
        if entered {
            of_key.deadline = None;
            of_key.recovering = false;
            if !of_key.decided {
                *of_key = OfKey {
                    decided: true,
                    ..OfKey::default()
                };
                told.push((key.clone(), true));
            }
            return;
        }
        if !of_key.decided || of_key.recovering || of_key.deadline.is_some() {
            return;
        }
        let mut until = at + self.delay;
        if of_key.found {
            until = until.max(self.recovered_at.unwrap_or(0));
        }
        of_key.deadline = Some(until);
        self.due(at, told);
    }

    pub fn due(&mut self, now: u64, told: &mut Vec<Told>) {
        let mut due: Vec<(u64, u8, Key)> = self
            .keys
            .iter()
            .filter_map(|(key, of_key)| Some((of_key.deadline.filter(|at| *at <= now)?, rank(key), key.clone())))
            .collect();
        due.sort();
        for (_, _, key) in due {
            self.vacate(&key, told);
        }
    }

    /// The app is disabled.
    pub fn vacate_all(&mut self, told: &mut Vec<Told>) {
        let mut decided: Vec<(u8, Key)> = self
            .keys
            .iter()
            .filter(|(_, of_key)| of_key.decided)
            .map(|(key, _)| (rank(key), key.clone()))
            .collect();
        decided.sort();
        for (_, key) in decided {
            self.vacate(&key, told);
        }
    }

    fn vacate(&mut self, key: &Key, told: &mut Vec<Told>) {
        self.keys.remove(key);
        told.push((key.clone(), false));
    }

    /// Somebody asks for a change, or nobody does.
    pub fn store(&mut self, key: &Key, is_asked_for: bool) {
        if let Some(of_key) = self.keys.get_mut(key) {
            of_key.stored = is_asked_for;
        }
    }

    /// What is left after a crash.
    pub fn crash(&mut self) {
        self.recovered_at = None;
        self.keys.retain(|_, of_key| of_key.decided && of_key.stored);
        for of_key in self.keys.values_mut() {
            *of_key = OfKey {
                decided: true,
                stored: true,
                deadline: None,
                recovering: true,
                found: true,
            };
        }
    }

    /// The listener accepts.
    pub fn accept(&mut self, until: u64) {
        self.recovered_at = Some(until);
        for of_key in self.keys.values_mut().filter(|of_key| of_key.recovering) {
            of_key.deadline = Some(until);
        }
    }

    pub fn is_decided(&self, key: &Key) -> bool {
        self.keys.get(key).is_some_and(|of_key| of_key.decided)
    }
}
