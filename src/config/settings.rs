//! The configuration after validation: what the rest of the program sees.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;

use super::endpoint_url;
use crate::domain::{AppId, AppKey, ChannelPattern, EndpointId, WebhookEvent, guard::LinkLocal};

/// The whole configuration of a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The listener and its connections.
    pub server: ServerSettings,
    /// Where it is kept what was told.
    pub ledger: LedgerSettings,
    /// How webhooks are batched and delivered, unless an app says otherwise.
    pub webhooks: WebhookSettings,
    /// The API for operators.
    pub admin: AdminSettings,
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
    /// Silence in either direction after which we ping a client, up to 250 ms late.
    pub ping_after: Duration,
    /// How long a client has to answer that ping before it is closed with 4201, up to 250 ms late.
    pub pong_timeout: Duration,
    /// How long nothing may be written to a client that has bytes waiting before it is closed.
    pub write_timeout: Duration,
    /// Bytes that may wait for one client; past it the client is closed with 4100.
    pub outbound_limit: usize,
    /// Published bytes that may wait to be written out; past it the API answers 503.
    pub publish_backlog: usize,
    /// How long an idle HTTP connection is kept.
    pub keep_alive: Duration,
    /// How long the server announces that it leaves before it does. `None`: 5 s for the program, but zero at
    /// a terminal and for a server within another program.
    pub drain_wait: Option<Duration>,
    /// How long a drain may take.
    pub drain_timeout: Duration,
    /// Most connections to the server; one more is closed with 4100. `None`: as many as the open
    /// files allow.
    pub connections: Option<usize>,
    /// Clients that are let in in a second; one more is closed with 4100. `None`: unlimited.
    pub handshakes_per_second: Option<u32>,
    /// API calls that may be under way; one more is answered 503.
    pub api_calls: usize,
    /// What stands in front of `/app` in paths: empty, or like `/ws`, without a `/` at its end.
    pub path_prefix: String,
    /// Whether the HTTP fallback transports are served.
    pub fallbacks: bool,
    /// What TLS is spoken with; `None`: it is spoken in clear.
    pub tls: Option<ServerTls>,
}

/// The certificate that clients are shown, and where it is read again when it changes.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// The file of the certificate.
    pub cert_file: PathBuf,
    /// The file of its key.
    pub key_file: PathBuf,
    /// What was in them.
    pub identity: TlsIdentity,
}

/// Where it is kept what was told, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerSettings {
    /// Where.
    pub store: LedgerStore,
    /// Most bytes of records, the log and the dead letters included.
    pub max_bytes: u64,
    /// How long a delivery stays in the log; zero: there is no log.
    pub log_for: Duration,
    /// Most bytes of the log; no more than `max_bytes`.
    pub log_bytes: u64,
    /// How long a dead letter is kept.
    pub dead_letters_for: Duration,
}

/// Where a ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerStore {
    /// In memory: nothing survives a restart.
    Memory,
    /// In this file. A relative path starts at the folder of the configuration file, or at the
    /// current folder when there is none.
    File(PathBuf),
}

/// How webhooks are batched and delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Least time between two steps of an app.
    pub batch_window: Duration,
    /// How long a channel stays told occupied after its last subscriber left; zero: not at all.
    pub vacated_delay: Duration,
    /// How long after a start a channel that was told occupied may take to come back.
    pub recovery_window: Duration,
    /// Most events in one request.
    pub max_batch_events: usize,
    /// Most bytes in one request body; a single larger event still goes, alone.
    pub max_batch_bytes: usize,
    /// How long an endpoint has to answer.
    pub timeout: Duration,
    /// How long an event is retried before it is parked.
    pub retry_for: Duration,
    /// The longest `Retry-After` of an endpoint that is honoured.
    pub retry_after_max: Duration,
}

/// The API for operators.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What a request must bear. `None`: the API is off and nothing listens.
    pub token: Option<SecretString>,
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
    /// The recovery window of this app.
    pub recovery_window: Duration,
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
    /// Most channels at once that need a signature, and most of all kinds together.
    pub channels: usize,
    /// Public channels that may begin per second. `None`: unlimited.
    pub public_channels_per_second: Option<u32>,
    /// Such channels that may begin at once.
    pub public_channels_burst: u32,
    /// Subscriptions to public channels per second. `None`: unlimited.
    pub public_subscriptions_per_second: Option<u32>,
    /// Such subscriptions at once.
    pub public_subscriptions_burst: u32,
    /// Most bytes of cached events.
    pub cached_bytes: usize,
    /// API calls that the back end may make in a second; it may save up as many. `None`: unlimited.
    pub api_calls_per_second: Option<u32>,
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
    pub channels: ChannelPattern,
    /// Headers of its own, sent besides ours; names that we set are refused.
    pub headers: Vec<(String, String)>,
    /// Secrets of Standard Webhooks that its requests are signed with: `whsec_` and base64 of 24 to
    /// 64 bytes each.
    pub secrets: Vec<SecretString>,
    /// Whether several events may come in one request.
    pub batch: bool,
    /// Whether its events carry `seq`, `id` and `at_ms`.
    pub extras: bool,
    /// Whether queued pairs of occupied and vacated that were never attempted are folded.
    pub compact: bool,
    /// Whether it is told of the channels that are occupied already when it is added.
    pub announce: bool,
    /// Whether it may be at a link-local address, other than a metadata service.
    pub link_local: LinkLocal,
    /// Requests that may be under way at once, each of channels of its own; 1 to 64.
    pub lanes: u32,
    /// When it is left alone for a while.
    pub breaker: BreakerSettings,
    /// How TLS is spoken with it, if otherwise than by default.
    pub tls: TlsSettings,
}

/// When an endpoint that fails is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row after which it is; 1 or more.
    pub after: u32,
    /// For how long, until one request is let through.
    pub open_for: Duration,
}

/// How TLS is spoken with an endpoint. What is here was read and is usable.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    /// The certificates, as PEM, one of which that of the endpoint must lead to. `None`: Mozilla's.
    pub roots: Option<String>,
    /// What we show the endpoint of ourselves.
    pub identity: Option<TlsIdentity>,
}

/// A certificate and its key: for an endpoint that asks who is calling, or for clients.
#[derive(Debug, Clone)]
pub struct TlsIdentity {
    /// Our certificate and those between it and a root, as PEM.
    pub cert: String,
    /// The private key of the first of them, as PEM.
    pub key: SecretString,
}

impl fmt::Debug for EndpointSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("EndpointSettings")
            .field("id", &self.id)
            .field("url", &endpoint_url::shown(&self.url))
            .field("events", &self.events)
            .field("channels", self.channels.source())
            .field("headers", &headers)
            .field("secrets", &self.secrets.len())
            .field("batch", &self.batch)
            .field("extras", &self.extras)
            .field("compact", &self.compact)
            .field("announce", &self.announce)
            .field("link_local", &self.link_local)
            .field("lanes", &self.lanes)
            .field("breaker", &self.breaker)
            .field("roots", &self.tls.roots.is_some())
            .field("identity", &self.tls.identity.is_some())
            .finish()
    }
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
            channels: ChannelPattern::default(),
            headers: vec![("X-Token".into(), "hunter2".into())],
            secrets: vec!["whsec_hunter2".into()],
            batch: true,
            extras: false,
            compact: false,
            announce: true,
            link_local: LinkLocal::Refused,
            lanes: 1,
            breaker: BreakerSettings {
                after: 10,
                open_for: Duration::from_secs(30),
            },
            tls: TlsSettings {
                roots: None,
                identity: Some(TlsIdentity {
                    cert: "cert".into(),
                    key: "hunter2".into(),
                }),
            },
        };
        let shown = format!("{endpoint:?} {:?}", endpoint.tls);
        assert!(!shown.contains("hunter2"), "{shown}");
        for part in [
            "http://********@h/?********",
            "[\"X-Token\"]",
            "secrets: 1,",
            "identity: true",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
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
