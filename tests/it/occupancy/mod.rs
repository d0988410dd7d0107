//! The occupancy contract (DESIGN.md section 2), clause by clause, and every way to leave.

mod contract;
mod exits;
mod flaps;
mod members;
mod storm;
mod told_list;
