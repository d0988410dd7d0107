//! Folding: what is left of edges when what was undone in between makes no difference.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    time::{Duration, Instant},
};

use super::edge::{Edge, Key};

/// Edges of any keys, folded. Two edges of a key cancel, whichever comes first.
///
/// Edges of one key alternate, as `Channel` and `Users` report them, so that an even number leaves
/// the key as it was before and an odd number leaves one edge. Folding relies on that, and on what
/// came before having been applied: a leave that is first here leaves a key that is occupied there.
/// An edge that does not alternate changes nothing, as in [`Occupancy`](super::Occupancy).
///
/// A leave goes with the return that undoes it. A visit, which is an enter and the leave after it,
/// may have ended an absence that nobody is told of yet, so it stays until its own absence has
/// lasted for the delay, and a return before that goes with its leave. Without it, a key that was
/// left, visited and entered again, each within the delay, would be told vacated in between.
///
/// **The law:** fold any part of a history, any number of times, at any place. An occupancy that
/// gets what is left has the same keys occupied and the same deadlines as one that gets all of it,
/// and tells of each key the same changes, but for pairs that undo each other.
///
/// What is left is in the order in which it came, so that a channel is entered before its members
/// and left after them. It is bounded by the keys that an occupancy has to hold as occupied, those
/// that were left within the delay included, and by those that were occupied when folding began.
#[derive(Debug, Default)]
pub struct NetEdges {
    keys: HashMap<Key, Net>,
    /// The key of each remaining edge, by the number of the edge.
    order: BTreeMap<u64, Key>,
    /// The visits, by when their absence has lasted for the delay and the number of the leave.
    visits: BTreeMap<(Instant, u64), Key>,
    /// The number of the next edge.
    next: u64,
}

/// What is left of a key: an enter, a leave, or a visit.
#[derive(Debug)]
struct Net {
    first: Numbered,
    left: Option<Left>,
}

/// The leave that ends a visit.
#[derive(Debug)]
struct Left {
    edge: Numbered,
    /// When the absence has lasted for the delay.
    until: Instant,
}

/// An edge and its place in the order.
#[derive(Debug)]
struct Numbered {
    no: u64,
    edge: Edge,
}

impl NetEdges {
    /// Folds an edge that is later than all before it. `delay` is how long a key stays told occupied
    /// after it was left.
    pub fn add(&mut self, edge: Edge, delay: Duration) {
        let at = edge.at.instant;
        self.expire(at);
        let no = self.next;
        self.next += 1;
        let mut known = match self.keys.entry(edge.key.clone()) {
            Entry::Occupied(known) => known,
            Entry::Vacant(vacant) => {
                self.order.insert(no, edge.key.clone());
                let first = Numbered { no, edge };
                vacant.insert(Net { first, left: None });
                return;
            }
        };
        let net = known.get_mut();
        match (net.first.edge.entered, net.left.take(), edge.entered) {
            (true, None, false) => {
                let until = at + delay;
                self.visits.insert((until, no), edge.key.clone());
                self.order.insert(no, edge.key.clone());
                let edge = Numbered { no, edge };
                net.left = Some(Left { edge, until });
                self.expire(at);
            }
            (true, Some(left), true) => {
                self.visits.remove(&(left.until, left.edge.no));
                self.order.remove(&left.edge.no);
            }
            (false, _, true) => {
                self.order.remove(&known.remove().first.no);
            }
            (_, left, _) => net.left = left,
        }
    }

    /// Lets go of visits whose absence has lasted for the delay by `now`.
    pub fn expire(&mut self, now: Instant) {
        while let Some(visit) = self.visits.first_entry()
            && visit.key().0 <= now
        {
            let Some(net) = self.keys.remove(&visit.remove()) else {
                continue;
            };
            self.order.remove(&net.first.no);
            if let Some(left) = net.left {
                self.order.remove(&left.edge.no);
            }
        }
    }

    /// The number of remaining edges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Tells whether no edge remains.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Takes out the first edges, at most `count`, in order of arrival. The rest is folded on as if it had
    /// come alone: a visit whose enter was taken becomes a leave.
    pub fn take_first(&mut self, count: usize) -> Vec<Edge> {
        let mut taken = Vec::with_capacity(count.min(self.len()));
        while taken.len() < count
            && let Some((no, key)) = self.order.pop_first()
        {
            let Entry::Occupied(mut known) = self.keys.entry(key) else {
                continue;
            };
            debug_assert_eq!(known.get().first.no, no, "the enter of a visit comes before its leave");
            match known.get_mut().left.take() {
                None => taken.push(known.remove().first.edge),
                Some(left) => {
                    self.visits.remove(&(left.until, left.edge.no));
                    taken.push(std::mem::replace(&mut known.get_mut().first, left.edge).edge);
                }
            }
        }
        taken
    }

    /// What is left, in the order in which it came.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge> {
        let numbered = |(no, key): (&u64, &Key)| {
            let net = self.keys.get(key)?;
            let left = net.left.as_ref().map(|left| &left.edge);
            let edge = left.filter(|left| left.no == *no).unwrap_or(&net.first);
            Some(edge.edge.clone())
        };
        self.order.iter().filter_map(numbered).collect()
    }
}

#[cfg(test)]
mod tests;
