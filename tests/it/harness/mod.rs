//! What the tests drive the real server with: the binary as a process, raw clients, signed API
//! calls, and a receiver of webhooks that answers as it is told.

mod api;
mod client;
mod clock;
mod fallback;
mod folder;
mod neighbour;
mod process;
mod program;
mod raw;
mod receiver;
mod tls;
mod wait;

pub use api::{Api, Response};
pub use client::{Client, Frame};
pub use clock::WallClock;
pub use fallback::{Fallback, Receiving};
pub use folder::{BINARY, Folder, Ran};
pub use process::Process;
pub use program::Program;
pub use raw::{Raw, client_frame, client_text, upgrade_request};
pub use receiver::{Answer, Body, Delivered, Receiver, alternating};
pub use tls::{TlsSocket, certificate_files, tls_connect, tls_connector, tls_shown, tls_try_connect, trust};
pub use wait::{eventually, holds_within, within};

pub use api::{now_s, signed_query};

use std::sync::atomic::{AtomicU16, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The id of the app that most tests use.
pub const APP_ID: &str = "1";
/// Its key.
pub const KEY: &str = "app-key";
/// Its secret.
pub const SECRET: &str = "app-secret";

/// An app of a test server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct App {
    pub id: &'static str,
    pub key: &'static str,
    pub secret: &'static str,
}

/// The app that most tests use.
pub const APP: App = App {
    id: APP_ID,
    key: KEY,
    secret: SECRET,
};
/// The app beside it, of which nothing may show in the other.
pub const NEIGHBOUR: App = App {
    id: "neighbour",
    key: "neighbour-key",
    secret: "neighbour-secret",
};

/// Hex of the HMAC-SHA256, made here and not by the code under test.
pub fn hmac_hex(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// A port that nobody listens on, and that nobody is given before it is used: it lies below those
/// that the kernel gives to outgoing connections (32768 and up), and no two tests get the same.
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another run of the tests beside this one begins elsewhere.
    let begin = std::process::id() % u32::from(COUNT);
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = u16::try_from((begin + step) % u32::from(COUNT)).expect("below COUNT");
        if std::net::TcpListener::bind(("127.0.0.1", FIRST + offset)).is_ok() {
            return FIRST + offset;
        }
    }
    panic!("no free port from {FIRST} on");
}

/// A configuration of one app with these top-level sections besides, and these webhooks (YAML of a
/// list in flow style, or empty for none).
pub fn config(sections: &str, webhooks: &str) -> String {
    let webhooks = if webhooks.is_empty() { "[]" } else { webhooks };
    format!("{sections}\napps:\n  - id: \"{APP_ID}\"\n    key: {KEY}\n    secret: {SECRET}\n    webhooks: {webhooks}\n")
}

/// A configuration of the test app and of its neighbour, each with webhooks to a URL of its own, with
/// these top-level sections besides and these lines of YAML among the settings of both.
pub fn config_of_two(sections: &str, settings: &[&str], urls: [&str; 2]) -> String {
    let mut text = format!("{sections}\napps:\n");
    for (App { id, key, secret }, url) in [APP, NEIGHBOUR].into_iter().zip(urls) {
        text.push_str(&format!("  - id: \"{id}\"\n    key: {key}\n    secret: {secret}\n"));
        text.push_str(&format!(
            "    webhooks: [{{url: \"{url}\", events: [existence, presence, client, cache, subscription_count, \
             user_online, user_offline]}}]\n"
        ));
        for line in settings {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

/// The same with these lines of YAML among the settings of the app.
pub fn config_of(sections: &str, settings: &[&str], webhooks: &str) -> String {
    let mut text = config(sections, webhooks);
    for line in settings {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// A webhook that asks for these events, with other settings besides (like `, batch: false`), for
/// [`config`].
pub fn webhook_of(url: &str, events: &str, settings: &str) -> String {
    format!("[{{url: \"{url}\", events: [{events}]{settings}}}]")
}

/// A webhook that asks for everything, for [`config`].
pub fn webhook(url: &str) -> String {
    format!(
        "[{{url: \"{url}\", events: [channel_occupied, channel_vacated, member_added, member_removed, client_event]}}]"
    )
}
