//! Tests of the whole server, in one binary: clients, back ends and receivers against the real
//! program.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests read clocks, and are documented by their names"
)]

mod admin;
mod apart;
mod conformance;
mod crash;
mod delivery;
mod docs;
mod examples;
mod front;
mod harness;
mod includes;
mod occupancy;
mod overload;
mod races;
mod receivers;
mod rows;
mod running;
mod smoke;
mod tidy;
mod tls;
mod webhooks_page;
