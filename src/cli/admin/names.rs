//! Names in the arguments of a command. A name that does not exist is an error with a suggestion.

use super::{
    client::{Client, plain},
    error::ClientError,
};
use crate::{
    config::nearest,
    http::admin::wire::{App, Apps, ChannelList, Endpoint, Endpoints, LogLines, StateName, Why},
};

/// Most names that an error lists.
const LISTED: usize = 10;

/// Refuses an app or an endpoint that the server does not have.
pub(super) async fn check(client: &Client, app: Option<&str>, endpoint: Option<&str>) -> Result<(), ClientError> {
    match endpoint {
        Some(id) => named(client, app, id).await.map(|_| ()),
        None => check_app(client, app).await,
    }
}

async fn check_app(client: &Client, app: Option<&str>) -> Result<(), ClientError> {
    let Some(app) = app else { return Ok(()) };
    let apps = apps(client).await?;
    exists("app", app, apps.iter().map(|app| app.id.as_str()))
}

/// Refuses a channel that is neither told occupied nor subscribed to and has no line in the log.
pub(super) async fn check_channel(client: &Client, app: Option<&str>, channel: &str) -> Result<(), ClientError> {
    let parameters = [("app", app), ("channel", Some(channel)), ("limit", Some("1"))];
    let lines: LogLines = client.get("/webhooks/log", &parameters).await?;
    if lines.lines.is_empty() {
        exists(
            "channel",
            channel,
            channels(client, app).await?.iter().map(String::as_str),
        )?;
    }
    Ok(())
}

/// Refuses a channel if this answer shows that nothing is known about it.
pub(super) async fn check_known(client: &Client, why: &Why) -> Result<(), ClientError> {
    let state = &why.state;
    let was_told = state.seq.is_some() || state.since_ms.is_some() || 0 < state.flaps;
    if state.state != StateName::Vacant || was_told || 0 < why.live.subscriptions || !why.events.is_empty() {
        return Ok(());
    }
    let known = channels(client, Some(&why.app)).await?;
    exists("channel", &why.channel, known.iter().map(String::as_str))
}

/// The app to use: the named one, or else the only one.
pub(super) async fn app(client: &Client, named: Option<String>) -> Result<String, ClientError> {
    if let Some(app) = named {
        check(client, Some(&app), None).await?;
        return Ok(app);
    }
    let mut apps = apps(client).await?;
    match apps.len() {
        1 => Ok(apps.remove(0).id),
        _ => Err(ClientError::SeveralApps(apps.into_iter().map(|app| app.id).collect())),
    }
}

/// The endpoints of an app, which must exist, or of all apps.
pub(super) async fn endpoints(client: &Client, app: Option<&str>) -> Result<Vec<Endpoint>, ClientError> {
    check_app(client, app).await?;
    let Endpoints { mut endpoints } = client.get("/webhooks/endpoints", &[]).await?;
    endpoints.retain(|endpoint| app.is_none_or(|app| app == endpoint.app));
    Ok(endpoints)
}

/// The endpoints of this name: at least one, and of several apps if none is named.
async fn named(client: &Client, app: Option<&str>, id: &str) -> Result<Vec<Endpoint>, ClientError> {
    let mut endpoints = endpoints(client, app).await?;
    exists("endpoint", id, endpoints.iter().map(|endpoint| endpoint.id.as_str()))?;
    endpoints.retain(|endpoint| endpoint.id == id);
    Ok(endpoints)
}

/// The endpoint to use.
pub(super) async fn endpoint(client: &Client, app: Option<&str>, id: &str) -> Result<Endpoint, ClientError> {
    let mut found = named(client, app, id).await?;
    match found.len() {
        1 => Ok(found.remove(0)),
        _ => Err(ClientError::SeveralEndpoints {
            id: id.to_owned(),
            apps: found.into_iter().map(|endpoint| endpoint.app).collect(),
        }),
    }
}

async fn apps(client: &Client) -> Result<Vec<App>, ClientError> {
    let answer: Apps = client.get("/apps", &[]).await?;
    Ok(answer.apps)
}

/// The names of the first thousand channels.
async fn channels(client: &Client, app: Option<&str>) -> Result<Vec<String>, ClientError> {
    let answer: ChannelList = client
        .get("/channels", &[("app", app), ("limit", Some("1000"))])
        .await?;
    Ok(answer.channels.into_iter().map(|channel| channel.channel).collect())
}

fn exists<'n>(what: &'static str, name: &str, names: impl Iterator<Item = &'n str>) -> Result<(), ClientError> {
    let mut names: Vec<&str> = names.collect();
    if names.contains(&name) {
        return Ok(());
    }
    names.sort_unstable();
    names.dedup();
    Err(no_such(what, name, &names))
}

fn no_such(what: &'static str, name: &str, names: &[&str]) -> ClientError {
    let hint = match nearest(name, names) {
        Some(meant) => format!(", did you mean {meant}?"),
        None if names.is_empty() => String::new(),
        None => {
            let more = if LISTED < names.len() { ", …" } else { "" };
            let listed: Vec<&str> = names.iter().copied().take(LISTED).collect();
            format!("; there are: {}{more}", listed.join(", "))
        }
    };
    ClientError::NoSuch {
        what,
        name: name.to_owned(),
        hint,
    }
}

/// The path of an action on an endpoint.
pub(super) fn path(endpoint: &Endpoint, verb: &str) -> String {
    format!(
        "/webhooks/endpoints/{}/{}/{verb}",
        plain(&endpoint.app),
        plain(&endpoint.id)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_exist_comes_with_the_nearest_one_or_with_all() {
        let said = |name: &str, names: &[&str]| {
            let refused = exists("endpoint", name, names.iter().copied());
            refused.map_err(|error| error.to_string())
        };
        assert_eq!(said("main", &["main", "billing"]), Ok(()));
        let no = |text: &str| Err(format!("there is no endpoint {text}"));
        assert_eq!(
            said("biling", &["main", "billing"]),
            no("biling, did you mean billing?")
        );
        assert_eq!(
            said("x", &["main", "billing", "main"]),
            no("x; there are: billing, main")
        );
        assert_eq!(said("x", &[]), no("x"));
        let many: Vec<String> = (10..30).map(|number| format!("e{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(said("other", &many).is_err_and(|text| text.ends_with("e18, e19, …")));
    }
}
