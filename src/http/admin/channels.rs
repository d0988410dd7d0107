//! Channels, as they were told and as they are.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{get, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    endpoints::endpoint,
    error::AdminError,
    query::{self, QueryError},
    state::AdminState,
    why::{Evidence, explain},
    wire,
};
use crate::{
    app::App,
    channel::Counts,
    clock,
    domain::ChannelName,
    ledger::{From as PageFrom, LogEntry, LogQuery, Page, Told},
};

/// Most lines of the log that are looked at for one channel.
const LINES: usize = 300;
/// Most pages in which they are looked for.
const PAGES: usize = 20;

/// Which channels are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ChannelParams {
    /// Of this app.
    app: Option<String>,
    /// Whose names begin so.
    prefix: Option<String>,
    /// Most channels, 1 to 1000; 100 unless given.
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// The apps, by id.
#[utoipa::path(tag = "channels", responses(
    (status = 200, description = "The apps", body = wire::Apps),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[get("/apps")]
pub(super) async fn list_apps(state: web::Data<AdminState>) -> web::Json<wire::Apps> {
    let about = |app: &Arc<App>| wire::App {
        id: app.id().to_string(),
        connections: app.connection_count(),
        channels: app.channels().len(),
    };
    let mut apps: Vec<wire::App> = state.apps.iter().map(about).collect();
    apps.sort_by(|a, b| a.id.cmp(&b.id));
    web::Json(wire::Apps { apps })
}

/// The channels that are told occupied or have subscribers, by app and name.
#[utoipa::path(tag = "channels", params(ChannelParams), responses(
    (status = 200, description = "A page of channels", body = wire::ChannelList),
    (status = "default", description = "Refused", body = wire::Problem),
))]
#[get("/channels")]
pub(super) async fn list_channels(
    state: web::Data<AdminState>,
    params: web::Query<ChannelParams>,
) -> Result<web::Json<wire::ChannelList>, AdminError> {
    let limit = query::page(params.limit, None, None)?.limit;
    let prefix = params.prefix.as_deref().unwrap_or_default();
    let after = params.after.as_deref().map(cursor).transpose()?;
    if let Some(app) = &params.app {
        state.app(app)?;
    }
    let wanted = |app: &App| params.app.as_deref().is_none_or(|wanted| wanted == app.id().as_str());
    let mut apps: Vec<_> = state.apps.iter().filter(|app| wanted(app)).collect();
    apps.sort_by(|a, b| a.id().cmp(b.id()));
    let mut channels = Vec::new();
    for app in apps {
        let from = match after {
            Some((at, _)) if app.id().as_str() < at => continue,
            Some((at, name)) if app.id().as_str() == at => Some(name),
            Some(_) | None => None,
        };
        // One more than asked for, to know whether there is more.
        let left = limit + 1 - channels.len();
        channels.extend(channels_of(&state, app, prefix, from, left).await?);
        if limit < channels.len() {
            break;
        }
    }
    let has_more = limit < channels.len();
    channels.truncate(limit);
    let last = channels.last().filter(|_| has_more);
    let next = last.map(|channel: &wire::Channel| format!("{}/{}", channel.app, channel.channel));
    Ok(web::Json(wire::ChannelList { channels, next }))
}

fn cursor(text: &str) -> Result<(&str, &str), QueryError> {
    text.split_once('/')
        .ok_or_else(|| QueryError::new("after", "the `next` of the page before", text))
}

/// At most so many channels of an app, told or with subscribers, whose names come after one.
async fn channels_of(
    state: &AdminState,
    app: &App,
    prefix: &str,
    after: Option<&str>,
    count: usize,
) -> Result<Vec<wire::Channel>, AdminError> {
    let start = after.map(ToOwned::to_owned);
    let told = state.ledger.told_page(app.id().clone(), prefix.into(), start, count);
    let mut found: BTreeMap<ChannelName, (Option<Told>, Counts)> = BTreeMap::new();
    for (channel, told) in told.await?.told {
        let counts = app.channels().counts(&channel);
        found.insert(channel, (Some(told), counts));
    }
    let live = app.channels().occupied(prefix).into_iter();
    // Untold ones after the last of a full page of told ones come with the next page.
    let end = (count <= found.len())
        .then(|| found.keys().next_back().cloned())
        .flatten();
    let live = live.filter(|(name, _)| after.is_none_or(|after| after < name.as_str()));
    let live = live.filter(|(name, _)| end.as_ref().is_none_or(|end| name <= end));
    for (channel, counts) in live {
        found.entry(channel).or_insert((None, counts));
    }
    let channels = found
        .into_iter()
        .take(count)
        .map(|(channel, (told, counts))| wire::Channel {
            app: app.id().to_string(),
            channel: channel.to_string(),
            told: told.is_some(),
            seq: told.map(|told| told.seq),
            since_ms: told.map(|told| told.since_ms),
            subscriptions: counts.subscriptions,
            users: counts.users,
        });
    Ok(channels.collect())
}

/// All that is known of a channel, and in words why its webhooks came or did not.
#[utoipa::path(tag = "channels",
    params(("app" = String, Path, description = "The app"), ("channel" = String, Path, description = "The channel")),
    responses(
        (status = 200, description = "What is known of it", body = wire::Why),
        (status = "default", description = "Refused", body = wire::Problem),
    ),
)]
#[get("/apps/{app}/channels/{channel}/why")]
pub(super) async fn why(
    state: web::Data<AdminState>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<wire::Why>, AdminError> {
    let app = state.app(&path.0)?;
    let channel = query::channel(&path.1)?;
    let view = state.ledger.channel(app.id().clone(), channel.clone()).await?;
    let views = state.ledger.endpoints().await?;
    let endpoints: Vec<_> = views
        .iter()
        .filter(|view| view.app == *app.id())
        .map(|view| (endpoint(&state, view), state.info(&view.app, &view.id)))
        .collect();
    let entries = entries(&state, app, &channel).await?;
    let status = state.ledger.status().await?;
    let evidence = Evidence {
        app: app.id(),
        channel: &channel,
        view: &view,
        live: members(app, &channel).await?,
        endpoints: &endpoints,
        entries: &entries,
        failing: status.failing.as_deref(),
        now_ms: clock::now().wall_ms,
    };
    Ok(web::Json(explain(evidence)))
}

/// The last lines of the log about a channel, the newest first.
async fn entries(state: &AdminState, app: &App, channel: &ChannelName) -> Result<Vec<LogEntry>, AdminError> {
    let mut query = LogQuery {
        app: Some(app.id().clone()),
        channel: Some(channel.clone()),
        ..LogQuery::default()
    };
    let mut entries = Vec::new();
    let mut from = PageFrom::Newest;
    for _ in 0..PAGES {
        let limit = LINES - entries.len();
        query.page = Page { limit, from };
        let page = state.ledger.log(query.clone()).await?;
        entries.extend(page.entries);
        match page.next {
            Some(next) if entries.len() < LINES => from = PageFrom::Before(next),
            Some(_) | None => break,
        }
    }
    Ok(entries)
}

/// Who is in a channel now, and on which workers.
async fn members(app: &App, channel: &ChannelName) -> Result<wire::Members, AdminError> {
    let counts = app.channels().counts(channel);
    let workers = app.channels().per_worker(channel).await?;
    let workers = workers.into_iter().map(|(worker, subscriptions)| wire::Worker {
        worker: worker.0,
        subscriptions,
    });
    Ok(wire::Members {
        subscriptions: counts.subscriptions,
        users: counts.users,
        workers: workers.collect(),
    })
}
