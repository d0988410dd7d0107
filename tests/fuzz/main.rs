//! Fuzz targets: inputs that nobody wrote by hand, against the properties that every input has.
//!
//! Each target is a function of bytes. It gets the kept corpus, `corpus/{target}/*`, and then random
//! inputs: 2,000 or fewer (of histories of the ledger 20,000), always the same, or as many as
//! `VACANCY_FUZZ_CASES` says, always others. An input that fails is made small and added to the corpus.
//! The properties compare with a second reading of the same bytes, written here without the code
//! under test.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests are documented by their names"
)]

mod channel_name;
mod client_message;
mod fallback;
mod frame;
mod http_signature;
mod ledger_model;
mod query;
mod runner;
mod server_message;
mod session;
