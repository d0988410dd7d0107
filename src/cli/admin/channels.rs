//! `vacancy channels`: the channels that are told occupied or have subscribers.

use clap::Args;

use super::{
    client::{Client, ClientArgs},
    error::ClientError,
    follow::say,
    names,
    table::table,
    text::ago,
};
use crate::{
    cli::json,
    clock,
    config::{ConfigError, Loaded},
    http::admin::wire::{Channel, ChannelList},
};

/// Most channels that are asked for at once.
const PAGE: usize = 1_000;

/// Lists channels, as they were told and as they are.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ChannelsArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Only those whose names begin so.
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Only those of this app.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Most channels.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    limit: usize,
}

/// Carries out `vacancy channels`.
pub(super) async fn channels(args: ChannelsArgs, loaded: Result<Loaded, ConfigError>) -> Result<(), ClientError> {
    let client = Client::new(&args.client, loaded)?;
    names::check(&client, args.app.as_deref(), None).await?;
    let mut channels: Vec<Channel> = Vec::new();
    let mut after: Option<String> = None;
    while channels.len() < args.limit {
        let limit = (args.limit - channels.len()).min(PAGE).to_string();
        let parameters = [
            ("prefix", args.prefix.as_deref()),
            ("app", args.app.as_deref()),
            ("limit", Some(limit.as_str())),
            ("after", after.as_deref()),
        ];
        let page: ChannelList = client.get("/channels", &parameters).await?;
        channels.extend(page.channels);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if client.json {
        return channels.iter().try_for_each(|channel| say(&json(channel)));
    }
    if channels.is_empty() {
        return say("No such channel is told occupied or has subscribers.\n");
    }
    say(&listed(&channels, clock::now().wall_ms))?;
    match after {
        Some(_) => say("There are more: narrow them down with --prefix, or raise --limit.\n"),
        None => Ok(()),
    }
}

fn listed(channels: &[Channel], now_ms: u64) -> String {
    let rows: Vec<Vec<String>> = channels
        .iter()
        .map(|channel| {
            vec![
                channel.app.clone(),
                channel.channel.clone(),
                if channel.told { "occupied" } else { "vacant" }.into(),
                channel.since_ms.map_or("-".into(), |at| ago(at, now_ms)),
                channel.seq.map_or("-".into(), |seq| seq.to_string()),
                channel.subscriptions.to_string(),
                channel.users.to_string(),
            ]
        })
        .collect();
    let head = ["APP", "CHANNEL", "TOLD", "SINCE", "SEQ", "SUBSCRIBED", "USERS"];
    table(&head, &rows)
}
