//! Apps beside each other: nothing of one shows in another.

mod names;
