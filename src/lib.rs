//! Vacancy: a realtime server that speaks the Pusher Channels protocol, and whose webhooks can be
//! trusted. It tells an application when a channel becomes occupied and when it becomes vacant.
//!
//! The modules are layers; each imports only from those above it in this list (`tests/it/tidy.rs`
//! holds the table). `ARCHITECTURE.md` shows the house in a page.

//!
//! A program can run a server within itself: [`Server`].

pub mod domain;

pub mod protocol;
pub mod signature;

pub mod clock;
pub mod ledger;
pub mod wire;

pub mod channel;
pub mod webhook;

pub mod app;
pub mod connection;
pub mod http;

pub mod config;

pub mod cli;
pub mod server;

pub use config::{ConfigError, Settings};
pub use server::{Census, Server, settings};
