//! The webhook endpoints of an app.

use sha2::{Digest, Sha256};

use super::{
    endpoint_url,
    files::Files,
    filters, headers,
    nearest::nearest,
    reader::{Section, hidden},
    settings::{BreakerSettings, EndpointSettings},
    source::{Origin, Value},
    tls,
    values::{self, MOMENT, Wrong},
    webhook_secret::webhook_secret,
};
use crate::domain::{
    AppId, ChannelPattern, EndpointId, WebhookEvent,
    guard::{self, LinkLocal},
};

/// Hexadecimal digits of the hash that an endpoint without an id is named by.
const HASH_DIGITS: usize = 12;
/// Most lanes of an endpoint.
const LANES_MAX: i128 = 64;
/// Most failures in a row that a breaker may wait for.
const BREAKER_AFTER_MAX: i128 = 10_000;

/// Pusher's groups of events, each a word for all of its own. The fifth, `subscription_count`, is
/// called as its only event is.
const GROUPS: [(&str, &[WebhookEvent]); 4] = [
    (
        "existence",
        &[WebhookEvent::ChannelOccupied, WebhookEvent::ChannelVacated],
    ),
    ("presence", &[WebhookEvent::MemberAdded, WebhookEvent::MemberRemoved]),
    ("client", &[WebhookEvent::ClientEvent]),
    ("cache", &[WebhookEvent::CacheMiss]),
];

/// Reads `webhooks` of an app. An endpoint with a problem is left out.
pub(super) fn endpoints(app: &mut Section<'_>, app_id: Option<&AppId>, files: &Files<'_>) -> Vec<EndpointSettings> {
    let mut earlier: Vec<Identity> = Vec::new();
    let app_path = app.path_of("webhooks");
    let endpoints = app.sections("webhooks", None, |section| {
        let url = section.required("url", url, shown_url);
        let given = section.optional("id", values::id::<EndpointId>, Value::shown);
        let id = identify(section, &app_path, app_id, url.as_deref(), given, &mut earlier);
        let events = events(section);
        let channels = channels(section);
        let headers = read_headers(section);
        let secrets = section.one_or_more("secrets", webhook_secret, hidden);
        let batch = section.or_default("batch", "true", values::boolean);
        let extras = section.or_default("extras", "false", values::boolean);
        let compact = section.or_default("compact", "false", values::boolean);
        let announce = section.or_default("announce", "true", values::boolean);
        let link_local = if section.or_default("link_local", "false", values::boolean) {
            LinkLocal::Allowed
        } else {
            LinkLocal::Refused
        };
        warn_of_address(section, url.as_deref(), link_local);
        let lanes = section.or_default("lanes", "1", values::integer(1..=LANES_MAX));
        let breaker = breaker(section);
        let tls = tls::tls(section, files, url.as_deref());
        Some(EndpointSettings {
            id: id?,
            url: url?,
            events,
            channels,
            headers,
            secrets,
            batch,
            extras,
            compact,
            announce,
            link_local,
            lanes,
            breaker,
            tls,
        })
    });
    endpoints.into_iter().flatten().collect()
}

/// Warns about a URL to which nothing is ever sent.
fn warn_of_address(section: &mut Section<'_>, url: Option<&str>, link_local: LinkLocal) {
    let address = url.and_then(endpoint_url::address);
    if let Some(Err(refused)) = address.map(|address| guard::permit(address, link_local)) {
        section.warning("url", format!("{refused}"));
    }
}

/// What an earlier endpoint of the app is known by.
struct Identity {
    url: Option<String>,
    id: Option<EndpointId>,
    explicit: bool,
}

/// Gives an endpoint its id and reports one that is taken or that is better given.
fn identify(
    section: &mut Section<'_>,
    path: &str,
    app_id: Option<&AppId>,
    url: Option<&str>,
    given: Option<EndpointId>,
    earlier: &mut Vec<Identity>,
) -> Option<EndpointId> {
    let explicit = given.is_some();
    let same_url = |other: &Identity| url.is_some() && other.url.as_deref() == url;
    let id = match (given, app_id, url) {
        (Some(id), _, _) => Some(id),
        (None, Some(app_id), Some(url)) => {
            let nth = earlier.iter().filter(|other| same_url(other)).count() + 1;
            let id = default_id(app_id, url, nth);
            section.note("id", id.to_string(), Origin::Default);
            Some(id)
        }
        (None, _, _) => None,
    };
    let doubtful = |other: &Identity| same_url(other) && !(explicit && other.explicit);
    if let Some(first) = earlier.iter().position(doubtful) {
        let what = format!(
            "{path}[{first}] has the same, give both an `id`: without, removing one hands its queue \
             to the other"
        );
        section.warning("url", what);
    }
    if id.is_some()
        && let Some(first) = earlier.iter().position(|other| other.id == id)
    {
        section.problem("id", format!("{path}[{first}] has the same, give each webhook its own"));
    }
    earlier.push(Identity {
        url: url.map(str::to_owned),
        id: id.clone(),
        explicit,
    });
    id
}

/// The id of the nth endpoint of one URL in an app that gives it none; the first is 1.
fn default_id(app_id: &AppId, url: &str, nth: usize) -> EndpointId {
    let digest = hex::encode(Sha256::digest(format!("{app_id}\n{url}")));
    let hash = &digest[..HASH_DIGITS];
    let id = if nth == 1 {
        hash.to_owned()
    } else {
        format!("{hash}-{nth}")
    };
    id.parse().expect("a hash and a number are an endpoint id")
}

fn url(value: &Value) -> Result<String, Wrong> {
    let url = values::filled(value)?;
    endpoint_url::check(url)?;
    Ok(url.to_owned())
}

fn shown_url(value: &Value) -> String {
    values::text(value).map_or_else(|_| value.shown(), endpoint_url::shown)
}

/// Whether a key is typed as soketi spells it. Both spellings at once are a problem, and ours is
/// read.
fn is_soketis(section: &mut Section<'_>, ours: &'static str, soketis: &'static str) -> bool {
    let other = section.has(soketis);
    if other && section.has(ours) {
        section.problem(
            soketis,
            format!("says the same as `{ours}`, keep `{ours}` and remove this"),
        );
    }
    if other && !section.has(ours) {
        section.skip(ours);
        return true;
    }
    section.skip(soketis);
    false
}

/// Reads `channels`, or soketi's `filter`.
fn channels(section: &mut Section<'_>) -> ChannelPattern {
    if is_soketis(section, "channels", "filter") {
        filters::soketis(section)
    } else {
        filters::channels(section)
    }
}

fn breaker(section: &mut Section<'_>) -> BreakerSettings {
    section.section("breaker", |breaker| BreakerSettings {
        after: breaker.or_default("after", "10", values::integer(1..=BREAKER_AFTER_MAX)),
        open_for: breaker.or_default("open_for", "30s", values::duration(MOMENT)),
    })
}

/// Reads `events`, or soketi's `event_types`.
fn events(section: &mut Section<'_>) -> Vec<WebhookEvent> {
    let key = if is_soketis(section, "events", "event_types") {
        "event_types"
    } else {
        "events"
    };
    let known = known_events();
    let mut events = Vec::new();
    section.values(key, &format!("names no event, {known}"), |value| {
        let text = values::text(value)?;
        let named = named(text)?;
        if let Some(event) = named.iter().copied().find(|event| events.contains(event)) {
            return Err(if event.as_str() == text {
                Wrong::Repeated
            } else {
                Wrong::RepeatedInGroup { event }
            });
        }
        events.extend(named);
        Ok(())
    });
    events
}

/// The event of a name, or the events of a group.
fn named(text: &str) -> Result<Vec<WebhookEvent>, Wrong> {
    if let Ok(event) = text.parse::<WebhookEvent>() {
        return Ok(vec![event]);
    }
    if let Some((_, events)) = GROUPS.into_iter().find(|(group, _)| *group == text) {
        return Ok(events.to_vec());
    }
    let groups = GROUPS.map(|(group, _)| group);
    let names = [&WebhookEvent::ALL.map(WebhookEvent::as_str)[..], &groups].concat();
    let hint = match nearest(text, &names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => known_events(),
    };
    Err(Wrong::Event { hint })
}

fn known_events() -> String {
    let events = WebhookEvent::ALL.map(WebhookEvent::as_str).join(", ");
    let groups = GROUPS.map(|(group, _)| group).join(", ");
    format!("known are {events} and the groups {groups}")
}

fn read_headers(section: &mut Section<'_>) -> Vec<(String, String)> {
    let mut names = Vec::new();
    section.hidden_pairs("headers", |name, value| {
        let header = headers::header(name, value, &names)?;
        names.push(name.to_owned());
        Ok(header)
    })
}

#[cfg(test)]
mod tests;
