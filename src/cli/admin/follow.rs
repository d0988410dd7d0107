//! Reads a stream for as long as it is wanted, whatever becomes of the server.

use std::{
    io::{self, Write},
    time::Duration,
};

use awc::ws::{Frame, Message};
use futures_util::{SinkExt, StreamExt};

use super::{
    client::{Client, Messages},
    error::ClientError,
};
use crate::{cli::escape, clock, http::admin::wire::Lost};

/// How long to wait before a server that went away is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// Silence after which a server is given up; it pings every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// How often the server is told that somebody is here, while much comes from it.
const SIGN_EVERY: Duration = Duration::from_secs(10);

/// Prints to the standard output.
///
/// # Errors
/// When nobody reads it any more.
pub(super) fn say(text: &str) -> Result<(), ClientError> {
    let mut out = io::stdout().lock();
    let done = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    done.map_err(|_| ClientError::ReaderGone)
}

/// Tells about the connection, apart from what is printed.
pub(super) fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "vacancy: {}", escape::lines(text));
}

/// Opens a stream and hands on its messages. When it ends it is opened again, until the server
/// refuses it.
///
/// # Errors
/// When the server cannot be reached at first or refuses, or a message cannot be handed on.
pub(super) async fn stream(
    client: &Client,
    open: impl AsyncFn() -> Result<Messages, ClientError>,
    on_text: impl AsyncFn(&str) -> Result<(), ClientError>,
) -> Result<(), ClientError> {
    let mut stream = open().await?;
    loop {
        let ended = read(stream, &on_text).await?;
        tell(&format!(
            "{} is gone ({ended}), trying again until it is back",
            client.base()
        ));
        stream = loop {
            actix_rt::time::sleep(PAUSE).await;
            match open().await {
                Ok(stream) => break stream,
                Err(ClientError::Unreachable { .. }) => {}
                Err(other) => return Err(other),
            }
        };
        tell(&format!("{} is back", client.base()));
    }
}

/// Hands on the messages of a stream until it ends; tells why it did.
async fn read(
    mut stream: Messages,
    on_text: &impl AsyncFn(&str) -> Result<(), ClientError>,
) -> Result<String, ClientError> {
    let mut text = Vec::new();
    let mut signed_at = clock::now().instant;
    loop {
        let Ok(next) = actix_rt::time::timeout(SILENCE_MAX, stream.next()).await else {
            return Ok("it is silent".into());
        };
        let message = match next {
            None => return Ok("it closed the connection".into()),
            Some(Err(error)) => return Ok(error.to_string()),
            Some(Ok(frame)) => frame,
        };
        match message {
            Frame::Text(bytes) => hand_on(&bytes, on_text).await?,
            Frame::Binary(_) | Frame::Pong(_) => {}
            Frame::Continuation(part) => {
                if let Some(whole) = collect(&mut text, part) {
                    hand_on(&whole, on_text).await?;
                }
            }
            Frame::Ping(payload) => {
                if stream.send(Message::Pong(payload)).await.is_err() {
                    return Ok("it closed the connection".into());
                }
            }
            Frame::Close(reason) => {
                let why = reason.and_then(|reason| reason.description);
                return Ok(why.unwrap_or("it closed the stream".into()));
            }
        }
        let now = clock::now().instant;
        if signed_at + SIGN_EVERY <= now {
            signed_at = now;
            if stream.send(Message::Ping(bytes::Bytes::new())).await.is_err() {
                return Ok("it closed the connection".into());
            }
        }
    }
}

/// Puts a message together that came in parts.
fn collect(text: &mut Vec<u8>, part: actix_http::ws::Item) -> Option<Vec<u8>> {
    use actix_http::ws::Item;
    match part {
        Item::FirstText(bytes) | Item::FirstBinary(bytes) => {
            text.clear();
            text.extend_from_slice(&bytes);
            None
        }
        Item::Continue(bytes) => {
            text.extend_from_slice(&bytes);
            None
        }
        Item::Last(bytes) => {
            text.extend_from_slice(&bytes);
            Some(std::mem::take(text))
        }
    }
}

async fn hand_on(bytes: &[u8], on_text: &impl AsyncFn(&str) -> Result<(), ClientError>) -> Result<(), ClientError> {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(Lost { lost }) = serde_json::from_str(&text) {
        tell(&format!(
            "{lost} messages are lost, since they were not read fast enough"
        ));
        return Ok(());
    }
    on_text(&text).await
}
