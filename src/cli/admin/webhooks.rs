//! `vacancy webhooks`: endpoints, their queues, and what became of their events.

use clap::{Args, Subcommand};

use super::{
    EndpointArgs,
    client::{Client, ClientArgs},
    error::ClientError,
    log::{self, DeadArgs, LogArgs},
    names,
    replay::{self, ReplayArgs},
    table::table,
    text::{ago, aside, doing, stuck, time},
};
use crate::{
    cli::{escape, print, print_json},
    clock,
    config::{ConfigError, Loaded},
    domain::counted,
    http::admin::{
        span,
        wire::{Endpoint, EndpointMode, Tested},
    },
};

/// Looks after webhook endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct WebhooksArgs {
    #[command(flatten)]
    client: ClientArgs,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
enum What {
    /// List the endpoints with their queues.
    #[command(after_help = "Example: vacancy webhooks list --app 1")]
    List {
        /// Only those of this app.
        #[arg(long, value_name = "APP")]
        app: Option<String>,
    },
    /// Show all of one endpoint.
    #[command(after_help = "Example: vacancy webhooks show billing")]
    Show(EndpointArgs),
    /// Show the delivery log: what was decided, delivered, failed and parked.
    #[command(after_help = "Example: vacancy webhooks log --endpoint billing --status failed --since 1h")]
    Log(LogArgs),
    /// Show the dead letters: events that were parked.
    #[command(after_help = "Example: vacancy webhooks dead --endpoint billing --replayed false")]
    Dead(DeadArgs),
    /// Deliver events once more.
    #[command(override_usage = "vacancy webhooks replay [OPTIONS] <ID | --endpoint ENDPOINT --since TIME | --dead>")]
    #[command(after_help = "Example: vacancy webhooks replay --endpoint billing --since 2h")]
    Replay(ReplayArgs),
    /// Post a signed request without events to an endpoint and show how it was answered.
    #[command(after_help = "Example: vacancy webhooks test billing")]
    Test(EndpointArgs),
    /// Try now what waits for an endpoint after a failure.
    #[command(after_help = "Example: vacancy webhooks retry billing")]
    Retry(EndpointArgs),
    /// Deliver to an endpoint again that was disabled.
    #[command(after_help = "Example: vacancy webhooks enable billing")]
    Enable(EndpointArgs),
    /// Park what an endpoint is to be told, until it is enabled.
    #[command(after_help = "Example: vacancy webhooks disable billing --app 1")]
    Disable(EndpointArgs),
    /// Let the queue of an endpoint grow, until it is resumed.
    #[command(after_help = "Example: vacancy webhooks pause billing")]
    Pause(EndpointArgs),
    /// Deliver what waited while an endpoint was paused.
    #[command(after_help = "Example: vacancy webhooks resume billing")]
    Resume(EndpointArgs),
}

/// Carries out `vacancy webhooks`.
pub(super) async fn webhooks(args: WebhooksArgs, loaded: Result<Loaded, ConfigError>) -> Result<(), ClientError> {
    let client = Client::new(&args.client, loaded)?;
    match args.what {
        What::List { app } => list(&client, app.as_deref()).await,
        What::Show(endpoint) => show(&client, &endpoint).await,
        What::Log(args) => log::log(&client, &args).await,
        What::Dead(args) => log::dead(&client, &args).await,
        What::Replay(args) => replay::replay(&client, args).await,
        What::Test(endpoint) => test(&client, &endpoint).await,
        What::Retry(endpoint) => act(&client, &endpoint, "retry", tried).await,
        What::Enable(endpoint) => act(&client, &endpoint, "enable", set).await,
        What::Disable(endpoint) => act(&client, &endpoint, "disable", set).await,
        What::Pause(endpoint) => act(&client, &endpoint, "pause", set).await,
        What::Resume(endpoint) => act(&client, &endpoint, "resume", set).await,
    }
}

async fn list(client: &Client, app: Option<&str>) -> Result<(), ClientError> {
    let endpoints = names::endpoints(client, app).await?;
    if client.json {
        endpoints.iter().for_each(print_json);
        return Ok(());
    }
    if endpoints.is_empty() {
        print("No endpoint is configured.\n");
        return Ok(());
    }
    let now_ms = clock::now().wall_ms;
    let rows: Vec<Vec<String>> = endpoints
        .iter()
        .map(|endpoint| {
            vec![
                endpoint.app.clone(),
                endpoint.id.clone(),
                doing(endpoint, now_ms),
                endpoint.queued.to_string(),
                endpoint.oldest_ms.map_or("-".into(), |at| ago(at, now_ms)),
                endpoint.dead_letters.to_string(),
                endpoint.since_start.delivered.to_string(),
                endpoint.url.clone().unwrap_or("(not configured any more)".into()),
            ]
        })
        .collect();
    let head = [
        "APP",
        "ENDPOINT",
        "STATE",
        "QUEUED",
        "OLDEST",
        "DEAD",
        "DELIVERED",
        "URL",
    ];
    print(&table(&head, &rows));
    Ok(())
}

async fn show(client: &Client, args: &EndpointArgs) -> Result<(), ClientError> {
    let found = names::endpoint(client, args.app.as_deref(), &args.id).await?;
    if client.json {
        print_json(&found);
    } else {
        print(&described(&found, clock::now().wall_ms));
    }
    Ok(())
}

/// All of an endpoint, a line each.
fn described(endpoint: &Endpoint, now_ms: u64) -> String {
    let counts = &endpoint.since_start;
    let oldest = endpoint
        .oldest_ms
        .map_or(String::new(), |at| format!(", the oldest {}", ago(at, now_ms)));
    let retry = endpoint.retry_ms.map_or("-".into(), time);
    let failing = endpoint.failing.iter().flat_map(|failing| {
        let last = format!("{}: {}", ago(failing.last_ms, now_ms), failing.error);
        let requests = failing.requests.iter().map(|it| ("stuck on", stuck(it, now_ms)));
        std::iter::once(("last failure", last)).chain(requests)
    });
    let asides = endpoint.aside.iter().map(|it| ("aside", aside(it, now_ms)));
    let bytes = endpoint
        .body_bytes_max
        .map(|bytes| format!("{bytes} bytes, since it answered 413"));
    let lines = [
        ("endpoint", endpoint.id.clone()),
        ("app", endpoint.app.clone()),
        ("url", endpoint.url.clone().unwrap_or("not configured any more".into())),
        ("state", doing(endpoint, now_ms)),
        ("asks for", endpoint.events.join(", ")),
        ("of", endpoint.channels.in_words()),
        ("lanes", endpoint.lanes.to_string()),
        (
            "queue",
            format!(
                "{} ({} bytes){oldest}; {} under way",
                counted(endpoint.queued, "event"),
                endpoint.queued_bytes,
                counted(endpoint.under_way, "request")
            ),
        ),
        ("next retry", retry),
        ("dead letters", endpoint.dead_letters.to_string()),
        (
            "since start",
            format!(
                "{} events queued, {} delivered, {} parked, {} folded, {} dropped; {} flaps not told; attempts: {} \
                 delivered, {} failed",
                counts.created,
                counts.delivered,
                counts.parked,
                counts.compacted,
                counts.dropped,
                counts.suppressed_flaps,
                counts.attempts_delivered,
                counts.attempts_failed
            ),
        ),
    ];
    let refused = asides.chain(bytes.map(|bytes| ("largest body", bytes)));
    lines
        .into_iter()
        .chain(failing)
        .chain(refused)
        .map(|(name, value)| format!("{name:<13} {value}\n"))
        .collect()
}

/// What came of it that an endpoint was acted on, by how it was before and how it is now.
type Outcome = fn(&Endpoint, &Endpoint) -> String;

/// Has an endpoint enabled, disabled, paused, resumed or tried.
async fn act(client: &Client, args: &EndpointArgs, verb: &str, outcome: Outcome) -> Result<(), ClientError> {
    let found = names::endpoint(client, args.app.as_deref(), &args.id).await?;
    let now: Endpoint = client.post(&names::path(&found, verb), &()).await?;
    if client.json {
        print_json(&now);
        return Ok(());
    }
    print(&format!("{} (app {}) {}.\n", now.id, now.app, outcome(&found, &now)));
    Ok(())
}

fn set(before: &Endpoint, now: &Endpoint) -> String {
    match now.mode {
        EndpointMode::Enabled if 0 < before.queued => {
            format!("is enabled; {} waited for it", counted(before.queued, "event"))
        }
        EndpointMode::Enabled => "is enabled".into(),
        EndpointMode::Paused => "is paused: its events wait until it is resumed".into(),
        EndpointMode::Disabled => "is disabled: its events are parked until it is enabled".into(),
    }
}

fn tried(before: &Endpoint, _: &Endpoint) -> String {
    match before.queued {
        0 => "has nothing waiting".into(),
        queued => format!("is tried now; {} waited for it", counted(queued, "event")),
    }
}

async fn test(client: &Client, args: &EndpointArgs) -> Result<(), ClientError> {
    let found = names::endpoint(client, args.app.as_deref(), &args.id).await?;
    let tested: Tested = client.post(&names::path(&found, "test"), &()).await?;
    if client.json {
        print_json(&tested);
    }
    let url = found.url.unwrap_or_default();
    match &tested.error {
        Some(error) if client.json => Err(ClientError::Failed(escape::line(error))),
        Some(error) => Err(ClientError::Failed(format!(
            "{} at {url}: the test failed after {}: {error}",
            tested.endpoint,
            span(tested.took_ms)
        ))),
        None if client.json => Ok(()),
        None => {
            let status = tested.status.map_or("2xx".into(), |status| status.to_string());
            print(&format!(
                "{} at {url} answered {status} within {}.\n",
                tested.endpoint,
                span(tested.took_ms)
            ));
            if found.failing.is_some() || !found.aside.is_empty() {
                let wait = if found.queued == 1 { "waits" } else { "wait" };
                print(&format!(
                    "{} {wait} for its next attempt; `vacancy webhooks retry {}` makes it now.\n",
                    counted(found.queued, "event"),
                    tested.endpoint
                ));
            }
            Ok(())
        }
    }
}
