//! What operators meet: files, signals, the environment, messages.

mod backup;
mod ledger_path;
mod mistakes;
mod private_files;
mod sdk_blocks;
mod signals;
