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
    /// Most connections to the server; one more is closed with 4100. `None`: unlimited.
    pub connections: Option<usize>,
    /// What stands in front of `/app` in paths: empty, or like `/ws`, without a `/` at its end.
    pub path_prefix: String,
    /// Whether the HTTP fallback transports are served.
    pub fallbacks: bool,
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
    /// Its oldest public key: that of `keys[0]`.
    pub key: AppKey,
    /// What belongs to that key: webhooks are signed with it, and while there is no other key,
    /// the calls of the back end and subscriptions.
    pub secret: SecretString,
    /// All its keys, the oldest first; at least one, unique over all apps. Which of them are live
    /// is decided at use, by [`KeySettings::is_live`]: the first is live whenever one of them is,
    /// so `key` and `secret` are those of the oldest live one.
    pub keys: Vec<KeySettings>,
    /// Whether clients and API calls are served.
    pub enabled: bool,
    /// Whether clients may send events.
    pub client_events: bool,
    /// Whether clients and webhooks are told how many subscribers a channel has.
    pub subscription_count: bool,
    /// Whether signed-in users are told when those whom they watch come and go.
    pub watchlist: bool,
    /// How long a connection has to sign in or to join an authorized channel before it is closed
    /// with 4009. `None`: for ever.
    pub authorized_connections: Option<Duration>,
    /// Whether a connection without TLS is closed with 4000.
    pub tls_only: bool,
    /// How long the last event of a cache channel is kept.
    pub cache_ttl: Duration,
    /// The batch window of this app.
    pub batch_window: Duration,
    /// The vacated delay of this app.
    pub vacated_delay: Duration,
    /// How much of everything its clients and its back end may ask for.
    pub limits: LimitSettings,
    /// Its webhook endpoints, in the order of the file. Ids are unique in the app.
    pub webhooks: Vec<EndpointSettings>,
}

/// One of the keys of an app, with what belongs to it.
#[derive(Debug, Clone)]
pub struct KeySettings {
    /// The public key.
    pub key: AppKey,
    /// The secret that is signed with.
    pub secret: SecretString,
    /// From when on it is live, in milliseconds since 1970. `None`: from ever, so it is older
    /// than every key that has one.
    pub since: Option<u64>,
}

impl KeySettings {
    /// Whether it may be used at a moment of the wall clock, in milliseconds since 1970.
    #[must_use]
    pub fn is_live(&self, wall_ms: u64) -> bool {
        self.since.is_none_or(|since| since <= wall_ms)
    }
}

/// How much the clients and the back end of an app may ask for. What is more is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// Longest data of an event, in bytes of the decoded text.
    pub event_data: usize,
    /// Longest event name, in characters.
    pub event_name: usize,
    /// Longest channel name with its prefix, in bytes.
    pub channel_name: usize,
    /// Most channels that one trigger names.
    pub trigger_channels: usize,
    /// Most events in one batch.
    pub batch_events: usize,
    /// Most users in one presence channel.
    pub presence_members: usize,
    /// Longest user id, in characters.
    pub user_id: usize,
    /// Longest `user_info` of a presence member, in bytes of JSON.
    pub user_info: usize,
    /// Client events that one connection may send in a second; it may save up as many.
    pub client_events_per_second: u32,
    /// Most users whom one user watches.
    pub watchlist: usize,
    /// Most connections to the app; one more is closed with 4004. `None`: unlimited.
    pub connections: Option<usize>,
    /// Most subscriptions that one connection holds.
    pub subscriptions_per_connection: usize,
    /// Subscribe and unsubscribe commands of one connection that are read in a second.
    pub commands_per_second: u32,
    /// Commands that it may save up.
    pub commands_burst: u32,
    /// Most bytes of cached events.
    pub cached_bytes: usize,
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
    /// Whether several events may come in one request.
    pub batch: bool,
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
            .field("batch", &self.batch)
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
            batch: true,
        };
        assert_eq!(
            format!("{endpoint:?}"),
            "EndpointSettings { id: EndpointId(a), url: \"http://********@h/?********\", events: \
             [ChannelOccupied], channels: ChannelFilter { prefix: \"\", suffix: \"\" }, headers: \
             [\"X-Token\"], batch: true }"
        );
    }

    #[test]
    fn a_key_is_live_from_its_moment_on_and_without_one_always() {
        let key = |since| KeySettings {
            key: "k".parse().expect("valid"),
            secret: "hunter2".into(),
            since,
        };
        for (since, wall_ms, want) in [
            (None, 0, true),
            (Some(10), 9, false),
            (Some(10), 10, true),
            (Some(10), 11, true),
        ] {
            assert_eq!(key(since).is_live(wall_ms), want, "{since:?} {wall_ms}");
        }
        assert!(!format!("{:?}", key(None)).contains("hunter2"));
    }
}
