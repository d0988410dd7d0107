//! `vacancy webhooks replay`.

use clap::Args;

use super::{client::Client, error::ClientError, names};
use crate::{
    cli::{print, print_json},
    domain::counted,
    http::admin::wire::{EndpointMode, Replay, Replayed},
};

/// What is delivered once more.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(required = true, multiple = true)]
pub(super) struct ReplayArgs {
    /// An event (evt_…), to the endpoints that ask for it, or a request (msg_…), to its endpoint.
    #[arg(value_name = "ID", conflicts_with_all = ["dead", "since", "until"])]
    id: Option<String>,
    /// The dead letters: all, or those of an endpoint or app.
    #[arg(long)]
    dead: bool,
    /// Those dead letters too that were replayed already.
    #[arg(long, requires = "dead")]
    again: bool,
    /// Only to this endpoint.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
    /// Only of this app.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// What the endpoint was to be told from this time on: as 2026-11-24T18:00:00Z, or 10m for so
    /// long ago.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time; without, until now.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// Has events delivered once more and says how many to which endpoint.
pub(super) async fn replay(client: &Client, args: ReplayArgs) -> Result<(), ClientError> {
    names::check(client, args.app.as_deref(), args.endpoint.as_deref()).await?;
    let wanted = Replay {
        id: args.id,
        dead: args.dead,
        again: args.again,
        app: args.app,
        endpoint: args.endpoint,
        since: args.since,
        until: args.until,
    };
    let replayed: Replayed = client.post("/webhooks/replay", &wanted).await?;
    if client.json {
        print_json(&replayed);
    } else {
        print(&said(&replayed));
    }
    Ok(())
}

fn said(replayed: &Replayed) -> String {
    let mut text = String::new();
    for to in &replayed.endpoints {
        let verb = if to.events == 1 { "goes" } else { "go" };
        let events = counted(to.events, "event");
        let when = match to.mode {
            EndpointMode::Enabled => "",
            EndpointMode::Paused => ", when it is resumed",
            // Somebody was quicker.
            EndpointMode::Disabled => ", but it was disabled meanwhile, so they are parked",
        };
        text.push_str(&format!(
            "{events} {verb} to {} (app {}) once more{when}.\n",
            to.endpoint, to.app
        ));
    }
    if replayed.events == 0 {
        text.push_str("There is nothing to deliver once more.\n");
    }
    if 0 < replayed.skipped {
        text.push_str(&format!(
            "{} left out: the endpoint is not configured any more, or the log does not hold them any more.\n",
            counted(replayed.skipped, "event")
        ));
    }
    if 0 < replayed.disabled {
        text.push_str(&format!(
            "{} left out: the endpoint is disabled, enable it first.\n",
            counted(replayed.disabled, "event")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::admin::wire::ReplayedTo;

    #[test]
    fn it_is_said_how_many_events_go_where() {
        let to = |endpoint: &str, mode, events| ReplayedTo {
            app: "1".into(),
            endpoint: endpoint.into(),
            mode,
            events,
        };
        let replayed = Replayed {
            events: 3,
            skipped: 1,
            disabled: 2,
            endpoints: vec![to("a", EndpointMode::Enabled, 1), to("b", EndpointMode::Paused, 2)],
        };
        assert_eq!(
            said(&replayed),
            "1 event goes to a (app 1) once more.\n2 events go to b (app 1) once more, when it is resumed.\n1 event left out: the \
             endpoint is not configured any more, or the log does not hold them any more.\n2 events left out: the endpoint is \
             disabled, enable it first.\n"
        );
    }
}
