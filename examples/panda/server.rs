//! The server: in this process, on a free port, its ledger in memory.

use std::error::Error;

use vacancy::Server;

pub(crate) const KEY: &str = "app-key";
pub(crate) const SECRET: &str = "app-secret";

/// Starts a server that posts its webhooks to a URL, if there is one. `Server::stop` stops it.
pub(crate) fn start(webhook_url: Option<&str>) -> Result<Server, Box<dyn Error>> {
    let webhooks = webhook_url.map_or_else(
        || "[]".to_owned(),
        |url| format!("[{{ url: \"{url}\", events: [existence], extras: true }}]"),
    );
    let yaml = format!(
        "
server: {{ listen: \"127.0.0.1:0\" }}
ledger: {{ path: memory }}
webhooks: {{ vacated_delay: 1s }}
apps: [{{ id: \"1\", key: {KEY}, secret: {SECRET}, webhooks: {webhooks} }}]
"
    );
    let settings = vacancy::settings(&yaml)?;
    Ok(Server::start(&settings)?)
}
