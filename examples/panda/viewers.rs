//! The viewers: WebSocket clients that each look at one job for a while, and note what they see.

use std::{
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::{
    Failure,
    check::Visit,
    journal::{Journal, Kind, Note},
    server::KEY,
    workload::{Look, channel},
};

/// How long what the server owes may take; what has not come then is lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at a job and gives what was seen.
pub(crate) async fn look(
    look: Look,
    begin: Instant,
    server: SocketAddr,
    journal: Rc<Journal>,
) -> Result<Visit, Failure> {
    tokio::time::sleep_until((begin + look.at).into()).await;
    let mut viewer = Viewer::connect(server).await?;
    let (came, came_ms) = (Instant::now(), now_ms());
    viewer.subscribe(&channel(look.job)).await?;
    let joined = Instant::now();
    viewer.see_until(begin + look.at + look.stays).await?;
    let mut visit = Visit {
        job: look.job,
        came,
        came_ms,
        joined,
        left: Instant::now(),
        gone: Instant::now(),
        seen: std::mem::take(&mut viewer.seen),
    };
    // From here on nothing more is owed. What was published before may still be under way.
    let deadline = visit.left + PATIENCE;
    while visit.waits_for_something(&journal.of(look.job)) && Instant::now() < deadline {
        viewer.see_one(deadline).await?;
        visit.seen.append(&mut viewer.seen);
    }
    viewer.close().await;
    visit.gone = Instant::now();
    Ok(visit)
}

struct Viewer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    seen: Vec<Note>,
}

impl Viewer {
    async fn connect(server: SocketAddr) -> Result<Self, Failure> {
        let url = format!("ws://{server}/app/{KEY}?protocol=7&client=panda&version=1");
        let (socket, _) = connect_async(url).await?;
        let mut viewer = Self {
            socket,
            seen: Vec::new(),
        };
        viewer.expect("pusher:connection_established").await?;
        Ok(viewer)
    }

    async fn subscribe(&mut self, channel: &str) -> Result<(), Failure> {
        let subscribe = json!({ "event": "pusher:subscribe", "data": { "channel": channel } });
        self.socket.send(Message::text(subscribe.to_string())).await?;
        self.expect("pusher_internal:subscription_succeeded").await
    }

    /// Takes in what comes until a moment.
    async fn see_until(&mut self, end: Instant) -> Result<(), Failure> {
        while Instant::now() < end {
            self.see_one(end).await?;
        }
        Ok(())
    }

    /// Takes in what comes next, if it comes before a moment; gives the name of the event.
    async fn see_one(&mut self, deadline: Instant) -> Result<Option<String>, Failure> {
        let Ok(next) = tokio::time::timeout_at(deadline.into(), self.socket.next()).await else {
            return Ok(None);
        };
        let Message::Text(text) = next.ok_or("the server has hung up on a viewer")?? else {
            return Ok(None);
        };
        let frame: Value = serde_json::from_str(&text)?;
        let name = frame["event"].as_str().ok_or("an event without a name")?;
        if let Some(kind) = Kind::of_event(name) {
            let data: Value = serde_json::from_str(frame["data"].as_str().unwrap_or_default())?;
            let step = data["step"].as_u64().and_then(|step| u8::try_from(step).ok());
            let step = step.ok_or("an event without a step")?;
            self.seen.push(Note { kind, step });
        }
        Ok(Some(name.to_owned()))
    }

    async fn expect(&mut self, event: &str) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.see_one(deadline).await?.as_deref() == Some(event) {
                return Ok(());
            }
        }
        Err(format!("no {event} came to a viewer").into())
    }

    async fn close(mut self) {
        let _ = self.socket.close(None).await;
        let end = async { while self.socket.next().await.is_some_and(|frame| frame.is_ok()) {} };
        let _ = tokio::time::timeout(PATIENCE, end).await;
    }
}

fn now_ms() -> u64 {
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}
