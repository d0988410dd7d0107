//! What is left of edges when what was undone in between counts for nothing.

use std::collections::HashMap;

use super::edge::{Edge, Key};

/// Of each key the last edge. A key that was entered first and left last was vacant and is again, so
/// nothing is left of it, and what is kept is bounded by the live keys and those that were live when
/// it began.
#[derive(Debug, Default)]
pub struct NetEdges {
    keys: HashMap<Key, Net>,
}

#[derive(Debug)]
struct Net {
    entered_first: bool,
    last: Edge,
}

impl NetEdges {
    /// Takes in an edge that is later than all before it.
    pub fn take_in(&mut self, edge: Edge) {
        match self.keys.get_mut(&edge.key) {
            Some(net) if net.entered_first && !edge.entered => {
                self.keys.remove(&edge.key);
            }
            Some(net) => net.last = edge,
            None => {
                let net = Net {
                    entered_first: edge.entered,
                    last: edge,
                };
                self.keys.insert(net.last.key.clone(), net);
            }
        }
    }

    /// What is left, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Edge> {
        self.keys.values().map(|net| &net.last)
    }

    /// Takes out what is left of a key.
    pub fn take_out(&mut self, key: &Key) -> Option<Edge> {
        self.keys.remove(key).map(|net| net.last)
    }
}
