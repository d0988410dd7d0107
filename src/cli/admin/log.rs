//! `vacancy webhooks log` and `vacancy webhooks dead`.

use std::cell::Cell;

use clap::{Args, builder::PossibleValuesParser};

use super::{
    client::Client,
    error::ClientError,
    follow::{self, say},
    names, text,
};
use crate::{
    cli::json,
    domain::{WebhookEvent, counted},
    http::admin::wire::{Dead, DeadLetters, Deleted, LogLine, LogLines},
};

/// Most lines that are asked for at once.
const PAGE: usize = 1_000;

/// Which lines of the log are shown.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(super) struct LogArgs {
    /// Go on with the lines that are written from here on, until it is interrupted.
    #[arg(long, short)]
    follow: bool,
    /// Only of this app.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Only about this endpoint.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
    /// Only about this channel.
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// Only about this kind of event, as channel_occupied.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(WebhookEvent::ALL.map(WebhookEvent::as_str)))]
    event: Option<String>,
    /// Only what was decided, delivered, failed or parked.
    #[arg(long, value_name = "STATUS", value_parser = ["decided", "delivered", "failed", "parked"])]
    status: Option<String>,
    /// Only about this event (evt_…) or request (msg_…).
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// From this time on: as 2026-11-24T18:00:00Z, or 10m for so long ago.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    until: Option<String>,
    /// Most lines, the newest; 100 unless given, and 10 with --follow.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

/// Which dead letters are shown.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(super) struct DeadArgs {
    /// Only of this app.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Only of this endpoint.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
    /// Parked at this time or later: as 2026-11-24T18:00:00Z, or 10m for so long ago.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Parked before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those that were replayed, or with `false` only those that were not.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    replayed: Option<bool>,
    /// Most dead letters, the newest.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
    /// Delete all that match instead.
    #[arg(long, conflicts_with = "limit")]
    delete: bool,
}

type Parameters<'a> = Vec<(&'a str, Option<&'a str>)>;

/// Shows lines of the log, the oldest of them first.
pub(super) async fn log(client: &Client, args: &LogArgs) -> Result<(), ClientError> {
    let parameters = vec![
        ("app", args.app.as_deref()),
        ("endpoint", args.endpoint.as_deref()),
        ("channel", args.channel.as_deref()),
        ("event", args.event.as_deref()),
        ("status", args.status.as_deref()),
        ("id", args.id.as_deref()),
        ("since", args.since.as_deref()),
        ("until", args.until.as_deref()),
    ];
    if !args.follow {
        let lines = newest(client, &parameters, args.limit.unwrap_or(100), None).await?;
        if lines.is_empty() {
            check(client, args).await?;
        }
        if lines.is_empty() && !client.json {
            return say("The log has no such line.\n");
        }
        return lines.iter().try_for_each(|line| show(client, line));
    }
    names::check(client, args.app.as_deref(), args.endpoint.as_deref()).await?;
    // First what is there, up to a line; then what comes after it.
    let head: LogLines = client.get("/webhooks/log", &[("limit", Some("1"))]).await?;
    let head = head.lines.first().map_or(0, |line| line.no);
    for line in newest(client, &parameters, args.limit.unwrap_or(10), Some(head + 1)).await? {
        show(client, &line)?;
    }
    let after = Cell::new(head);
    follow::stream(
        client,
        async || {
            let after = after.get().to_string();
            let mut parameters = parameters.clone();
            parameters.push(("after", Some(&after)));
            client.stream("/webhooks/log/stream", &parameters).await
        },
        async |text| {
            if let Ok(line) = client.parse::<LogLine>(text.as_bytes()) {
                after.set(line.no);
                show(client, &line)?;
            }
            Ok(())
        },
    )
    .await
}

/// Refuses names that do not exist. The log may have lines about an endpoint that is no longer configured, so
/// call this only when no line was found.
async fn check(client: &Client, args: &LogArgs) -> Result<(), ClientError> {
    let app = args.app.as_deref();
    names::check(client, app, args.endpoint.as_deref()).await?;
    match &args.channel {
        Some(channel) => names::check_channel(client, app, channel).await,
        None => Ok(()),
    }
}

fn show(client: &Client, line: &LogLine) -> Result<(), ClientError> {
    say(&if client.json { json(line) } else { text::line(line) })
}

/// The newest lines before a number, the oldest of them first.
async fn newest(
    client: &Client,
    parameters: &Parameters<'_>,
    count: usize,
    before: Option<u64>,
) -> Result<Vec<LogLine>, ClientError> {
    let mut lines: Vec<LogLine> = Vec::new();
    let mut before = before;
    while lines.len() < count {
        let limit = (count - lines.len()).min(PAGE).to_string();
        let from = before.map(|no| no.to_string());
        let mut parameters = parameters.clone();
        parameters.push(("limit", Some(&limit)));
        parameters.push(("before", from.as_deref()));
        let page: LogLines = client.get("/webhooks/log", &parameters).await?;
        lines.extend(page.lines);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    lines.reverse();
    Ok(lines)
}

/// Shows dead letters, the oldest of them first.
pub(super) async fn dead(client: &Client, args: &DeadArgs) -> Result<(), ClientError> {
    let replayed = args.replayed.map(|replayed| replayed.to_string());
    let wanted = [
        ("app", args.app.as_deref()),
        ("endpoint", args.endpoint.as_deref()),
        ("since", args.since.as_deref()),
        ("until", args.until.as_deref()),
        ("replayed", replayed.as_deref()),
    ];
    if args.delete {
        names::check(client, args.app.as_deref(), args.endpoint.as_deref()).await?;
        let deleted: Deleted = client.delete("/webhooks/dead", &wanted).await?;
        return say(&match client.json {
            true => json(&deleted),
            false => format!("Deleted: {}.\n", counted(deleted.letters, "dead letter")),
        });
    }
    let mut letters: Vec<Dead> = Vec::new();
    let mut before: Option<u64> = None;
    while letters.len() < args.limit {
        let limit = (args.limit - letters.len()).min(PAGE).to_string();
        let from = before.map(|no| no.to_string());
        let page = [("limit", Some(limit.as_str())), ("before", from.as_deref())];
        let page: DeadLetters = client.get("/webhooks/dead", &[&wanted[..], &page].concat()).await?;
        letters.extend(page.letters);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    if letters.is_empty() {
        names::check(client, args.app.as_deref(), args.endpoint.as_deref()).await?;
    }
    if letters.is_empty() && !client.json {
        return say("There is no such dead letter.\n");
    }
    let show = |letter: &Dead| say(&if client.json { json(letter) } else { text::dead(letter) });
    letters.iter().rev().try_for_each(show)
}
