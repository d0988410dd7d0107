//! `vacancy listen`: brings copies of a server's webhooks to a developer's machine.

use std::time::Duration;

use clap::Args;

use super::{
    client::{Client, ClientArgs, https, reason, trusted},
    error::ClientError,
    follow::{self, say, tell},
    names,
    text::time,
};
use crate::{
    cli::{escape, json},
    clock,
    config::{ConfigError, Loaded},
    http::admin::{span, wire::Posted},
};

/// How long the local receiver may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts copies of a server's webhooks to a URL near you, as the server signed them. They are
/// posted once each; the endpoints of the server get theirs as ever.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ListenArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Where copies are posted.
    #[arg(long, value_name = "URL")]
    forward: String,
    /// Only of this app.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Only of this endpoint: with several, an event comes once for each.
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
}

/// Carries out `vacancy listen`.
pub(super) async fn listen(args: ListenArgs, loaded: Result<Loaded, ConfigError>) -> Result<(), ClientError> {
    let client = Client::new(&args.client, loaded)?;
    names::check(&client, args.app.as_deref(), args.endpoint.as_deref()).await?;
    let (target, local) = https(&args.forward, &trusted(&args.client)?);
    let local = local.timeout(TIMEOUT).no_default_headers().finish();
    let parameters = [("app", args.app.as_deref()), ("endpoint", args.endpoint.as_deref())];
    let open = async || {
        let stream = client.stream("/webhooks/listen", &parameters).await?;
        tell(&format!("listening at {}, posting to {}", client.base(), args.forward));
        Ok(stream)
    };
    follow::stream(&client, open, async |text| {
        let Ok(posted) = serde_json::from_str::<Posted>(text) else {
            return Ok(());
        };
        let line = forward(&local, &target, &posted).await;
        say(&if client.json { json(&line) } else { line.said(&posted) })
    })
    .await
}

/// What came of a copy.
#[derive(Debug, serde::Serialize)]
struct Forwarded {
    at_ms: u64,
    app: String,
    endpoint: String,
    id: String,
    attempt: u32,
    events: Vec<String>,
    status: Option<u16>,
    error: Option<String>,
    took_ms: u64,
}

impl Forwarded {
    fn said(&self, posted: &Posted) -> String {
        let answer = match (self.status, &self.error) {
            (Some(status), _) => format!("{status} in {}", span(self.took_ms)),
            (None, Some(error)) => format!("not posted: {}", escape::line(error)),
            (None, None) => String::new(),
        };
        let attempt = if posted.attempt == 1 {
            String::new()
        } else {
            format!(" (attempt {})", posted.attempt)
        };
        format!(
            "{}  {}/{}  {}{attempt}  {}  -> {answer}\n",
            time(self.at_ms),
            self.app,
            self.endpoint,
            self.id,
            if self.events.is_empty() {
                "a test".into()
            } else {
                escape::line(&self.events.join(", "))
            }
        )
    }
}

/// Posts a copy once, body and headers as they are.
async fn forward(local: &awc::Client, url: &str, posted: &Posted) -> Forwarded {
    let begun = clock::now();
    let mut request = local.post(url).camel_case();
    for (name, value) in &posted.headers {
        request = request.insert_header((name.as_str(), value.as_str()));
    }
    let sent = request.send_body(posted.body.clone()).await;
    let (status, error) = match sent {
        Ok(response) => (Some(response.status().as_u16()), None),
        Err(error) => (None, Some(reason(&error))),
    };
    let took = clock::now().instant.saturating_duration_since(begun.instant);
    Forwarded {
        at_ms: begun.wall_ms,
        app: posted.app.clone(),
        endpoint: posted.endpoint.clone(),
        id: posted.id.clone(),
        attempt: posted.attempt,
        events: names(&posted.body),
        status,
        error,
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    }
}

/// The events in a body: each its name, with its channel or user.
fn names(body: &str) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let events = body["events"].as_array().cloned().unwrap_or_default();
    let name = |event: &serde_json::Value| {
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let of = if event["channel"].is_string() {
            text("channel")
        } else {
            text("user_id")
        };
        format!("{} {of}", text("name")).trim_end().to_owned()
    };
    events.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_a_body_are_named() {
        let body = r#"{"time_ms":1,"events":[{"name":"channel_occupied","channel":"a"},{"name":"user_online","user_id":"7"}]}"#;
        assert_eq!(names(body), ["channel_occupied a", "user_online 7"]);
        assert_eq!(names("{"), [""; 0]);
    }
}
