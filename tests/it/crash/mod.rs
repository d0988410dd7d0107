//! What a crash loses and what it does not (DESIGN.md sections 2 and 5).

mod disk;
mod faults;
mod ledger_command;
