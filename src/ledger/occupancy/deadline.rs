//! When keys fall due, and in what order.

use std::time::Instant;

use crate::{domain::Now, ledger::edge::Key};

/// When a key is vacated. Of keys that fall due together, members come before their channel.
pub(super) type Deadline = (Instant, Rank, Key);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Member,
    Channel,
    User,
}

/// The order of keys that fall due together.
pub(super) const fn rank(key: &Key) -> Rank {
    match key {
        Key::Member(..) => Rank::Member,
        Key::Channel(_) => Rank::Channel,
        Key::User(_) => Rank::User,
    }
}

pub(super) fn deadline(until: Now, key: &Key) -> Deadline {
    (until.instant, rank(key), key.clone())
}
