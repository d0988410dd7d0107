//! Apps beside each other: nothing of one shows in another.

mod crowds;
mod link;
mod names;
