//! The configuration after validation: what the rest of the program sees.

use std::{fmt, net::SocketAddr, time::Duration};

use secrecy::SecretString;

use super::endpoint_url;
use crate::domain::{AppId, AppKey, EndpointId, WebhookEvent};

/// The whole configuration of a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The listener and its connections.
    pub server: ServerSettings,
    /// Where it is kept what was told.
    pub ledger: LedgerSettings,
    /// How webhooks are batched and delivered, unless an app says otherwise.
    pub webhooks: WebhookSettings,
    /// The apps, in the order of the file. Ids and keys are unique.
    pub apps: Vec<AppSettings>,
}

/// The listener and its connections.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Worker threads, 1 or more.
    pub workers: usize,
    /// Silence after which a client pings us, as told to it; 1 s or more.
    pub activity_timeout: Duration,
    /// Silence of a client after which we ping it.
    pub ping_after: Duration,
    /// How long a client has to answer that ping before it is closed with 4201.
    pub pong_timeout: Duration,
    /// How long nothing may be written to a client that has bytes waiting before it is closed.
    pub write_timeout: Duration,
    /// Bytes that may wait for one client; past it the client is closed with 4100.
    pub outbound_limit: usize,
    /// Published bytes that may wait to be written out; past it the API answers 503.
    pub publish_backlog: usize,
    /// How long a drain may take.
    pub drain_timeout: Duration,
}

/// Where it is kept what was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerSettings {
    /// In memory: nothing survives a restart.
    Memory,
}

/// How webhooks are batched and delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Least time between two steps of an app.
    pub batch_window: Duration,
    /// How long a channel stays told occupied after its last subscriber left; zero: not at all.
    pub vacated_delay: Duration,
    /// Most events in one request.
    pub max_batch_events: usize,
    /// Most bytes in one request body; a single larger event still goes, alone.
    pub max_batch_bytes: usize,
    /// How long an endpoint has to answer.
    pub timeout: Duration,
    /// How long an event is retried before it is parked.
    pub retry_for: Duration,
}

/// One app.
#[derive(Debug, Clone)]
pub struct AppSettings {
    /// Its id in API paths.
    pub id: AppId,
    /// Its public key.
    pub key: AppKey,
    /// What its back end, its webhooks and its subscriptions are signed with.
    pub secret: SecretString,
    /// Whether clients and API calls are served.
    pub enabled: bool,
    /// Whether clients may send events.
    pub client_events: bool,
    /// The batch window of this app.
    pub batch_window: Duration,
    /// The vacated delay of this app.
    pub vacated_delay: Duration,
    /// Its webhook endpoints, in the order of the file. Ids are unique in the app.
    pub webhooks: Vec<EndpointSettings>,
}

/// One webhook endpoint. Its `Debug` hides what may be a secret in the URL and the headers.
#[derive(Clone)]
pub struct EndpointSettings {
    /// Its id: as given, or made of app and URL, with a count from the second of one URL on.
    pub id: EndpointId,
    /// Where requests go: `http` or `https`, absolute.
    pub url: String,
    /// The kinds of event that it asks for, without repetition.
    pub events: Vec<WebhookEvent>,
    /// Which channels it asks for.
    pub channels: ChannelFilter,
    /// Headers of its own, sent besides ours; names that we set are refused.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for EndpointSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("EndpointSettings")
            .field("id", &self.id)
            .field("url", &endpoint_url::shown(&self.url))
            .field("events", &self.events)
            .field("channels", &self.channels)
            .field("headers", &headers)
            .finish()
    }
}

/// Which channels an endpoint asks for: those whose names have both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelFilter {
    /// What the name must begin with; empty matches all.
    pub prefix: String,
    /// What the name must end with; empty matches all.
    pub suffix: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_of_an_endpoint_holds_no_secret() {
        let endpoint = EndpointSettings {
            id: "a".parse().expect("valid"),
            url: "http://u:hunter2@h/?k=hunter2".into(),
            events: vec![WebhookEvent::ChannelOccupied],
            channels: ChannelFilter::default(),
            headers: vec![("X-Token".into(), "hunter2".into())],
        };
        assert_eq!(
            format!("{endpoint:?}"),
            "EndpointSettings { id: EndpointId(a), url: \"http://********@h/?********\", events: \
             [ChannelOccupied], channels: ChannelFilter { prefix: \"\", suffix: \"\" }, headers: \
             [\"X-Token\"] }"
        );
    }
}
