//! `vacancy why`: answers "why did I not get a webhook".

use clap::Args;

use super::{
    client::{Client, ClientArgs, plain},
    error::ClientError,
    names,
    text::{event, time},
};
use crate::{
    cli::{print, print_json},
    config::{ConfigError, Loaded},
    domain::counted,
    http::admin::{
        span,
        wire::{Delivery, Happened, Why},
    },
};

/// Tells what is known of a channel, and why its webhooks came or did not.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct WhyArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// The channel.
    #[arg(value_name = "CHANNEL")]
    channel: String,
    /// The app; needed when there are several.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
}

/// Carries out `vacancy why`.
pub(super) async fn why(args: WhyArgs, loaded: Result<Loaded, ConfigError>) -> Result<(), ClientError> {
    let client = Client::new(&args.client, loaded)?;
    let app = names::app(&client, args.app).await?;
    let path = format!("/apps/{}/channels/{}/why", plain(&app), plain(&args.channel));
    let why: Why = client.get(&path, &[]).await?;
    if client.json {
        print_json(&why);
    } else {
        print(&said(&why));
    }
    names::check_known(&client, &why).await
}

/// The answer, and below it what it is drawn from.
fn said(why: &Why) -> String {
    let mut text: String = why.answer.iter().map(|sentence| format!("{sentence}\n")).collect();
    let workers: Vec<String> = why
        .live
        .workers
        .iter()
        .map(|worker| format!("{} on worker {}", worker.subscriptions, worker.worker))
        .collect();
    if !workers.is_empty() {
        let connections = counted(why.live.subscriptions, "connection");
        text.push_str(&format!("\nSubscribed now: {connections} ({})\n", workers.join(", ")));
    }
    if !why.events.is_empty() {
        text.push_str("\nThe last events, the newest first:\n");
    }
    why.events
        .iter()
        .for_each(|happened| text.push_str(&happened_said(happened)));
    text
}

fn happened_said(happened: &Happened) -> String {
    let about = &happened.event;
    let seq = about.seq.map_or(String::new(), |seq| format!(" (seq {seq})"));
    let decided = happened.decided_ms.map_or("before the log begins".into(), time);
    let mut text = format!("  {decided}  {}  {}{seq}\n", about.id, event(about));
    for attempt in &happened.attempts {
        text.push_str(&format!("    {}  {}\n", time(attempt.at_ms), attempt_said(attempt)));
    }
    for parked in &happened.parked {
        text.push_str(&format!(
            "    {}  {}: parked, {}\n",
            time(parked.at_ms),
            parked.endpoint,
            parked.because
        ));
    }
    if happened.attempts.is_empty() && happened.parked.is_empty() {
        text.push_str("    not attempted\n");
    }
    text
}

fn attempt_said(attempt: &Delivery) -> String {
    let replay = if attempt.replay { " of a replay" } else { "" };
    let how = match (&attempt.error, attempt.status) {
        (None, Some(status)) => format!("{status} in {}", span(attempt.took_ms)),
        (None, None) => format!("received in {}", span(attempt.took_ms)),
        (Some(error), _) => error.clone(),
    };
    format!(
        "{}: attempt {}{replay} of {}: {how}",
        attempt.endpoint, attempt.attempt, attempt.request
    )
}
