//! Clients that wander through channels and come back when the server does.

use std::{collections::BTreeSet, time::Duration};

use futures_util::SinkExt;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use super::{CHANNELS, Random};
use crate::harness::{APP, Client, Frame, within};

/// Most channels that a client is in: 40 clients leave about half of 200 channels empty.
const HELD_MAX: usize = 5;
/// One of so many moves ends the connection.
const MOVES_PER_END: u64 = 60;

/// A client. It begins anew whenever its connection ends, and stays where it is when it is told to
/// stop.
pub(super) struct Wanderer {
    user: String,
    random: Random,
    port: watch::Receiver<Option<u16>>,
    stopped: watch::Receiver<bool>,
}

/// A client that has stopped, still connected.
pub(super) struct Stayed {
    held: BTreeSet<String>,
    user: String,
    _client: Client,
}

impl Stayed {
    /// What is occupied because of it: its channels, and its user in the presence channels.
    pub(super) fn keys(&self) -> Vec<String> {
        let users = self.held.iter().filter(|channel| is_presence(channel));
        let users = users.map(|channel| format!("{channel}/{}", self.user));
        users.chain(self.held.iter().cloned()).collect()
    }
}

fn is_presence(channel: &str) -> bool {
    channel.starts_with("presence-")
}

impl Wanderer {
    /// Every third client shares its user with others.
    pub(super) fn new(
        number: u64,
        seed: u64,
        port: watch::Receiver<Option<u16>>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            user: if number.is_multiple_of(3) {
                "shared".into()
            } else {
                format!("u{number}")
            },
            random: Random::new(seed),
            port,
            stopped,
        }
    }

    /// Wanders until it is to stop.
    pub(super) async fn wander(mut self) -> Stayed {
        loop {
            let Some(mut client) = self.connect().await else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let mut held = BTreeSet::new();
            while self.moves(&mut client, &mut held).await {
                if *self.stopped.borrow() && is_heard(&mut client).await {
                    let user = self.user;
                    return Stayed {
                        held,
                        user,
                        _client: client,
                    };
                }
                let pause = 5 + self.random.below(45);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
    }

    async fn connect(&self) -> Option<Client> {
        let port = (*self.port.borrow())?;
        within("the handshake, or its refusal", Client::try_connect_as(port, APP)).await
    }

    /// Enters or leaves a channel; false when the connection has ended.
    async fn moves(&mut self, client: &mut Client, held: &mut BTreeSet<String>) -> bool {
        if self.random.below(MOVES_PER_END) == 0 && !*self.stopped.borrow() {
            // Half of them say that they go.
            if self.random.below(2) == 0 {
                let _ = client.socket.close(None).await;
            }
            return false;
        }
        let channel = self.random.below(CHANNELS);
        let channel = if channel.is_multiple_of(4) {
            format!("presence-{channel}")
        } else {
            format!("c{channel}")
        };
        let leaves = HELD_MAX <= held.len() || (!held.is_empty() && self.random.below(2) == 0);
        if leaves {
            let at = usize::try_from(self.random.below(held.len() as u64)).expect("small");
            let channel = held.iter().nth(at).cloned().expect("it is held");
            held.remove(&channel);
            let text = format!(r#"{{"event":"pusher:unsubscribe","data":{{"channel":"{channel}"}}}}"#);
            client.socket.send(Message::text(text)).await.is_ok()
        } else if held.contains(&channel) {
            true
        } else {
            let user = is_presence(&channel).then_some(self.user.as_str());
            let text = client.subscription(&channel, user);
            let is_sent = client.socket.send(Message::text(text)).await.is_ok();
            let confirmed = [
                r#"{"event":"pusher_internal:subscription_succeeded","#,
                &format!(r#","channel":"{channel}"}}"#),
            ];
            if !is_sent || !receives(client, confirmed).await {
                return false;
            }
            held.insert(channel)
        }
    }
}

/// Tells whether the server has read all that the client sent.
async fn is_heard(client: &mut Client) -> bool {
    let ping = Message::text(r#"{"event":"pusher:ping","data":{}}"#);
    client.socket.send(ping).await.is_ok() && receives(client, [r#"{"event":"pusher:pong","#, "}"]).await
}

/// Reads until a frame that begins and ends so; false when the connection ends before.
async fn receives(client: &mut Client, [beginning, end]: [&str; 2]) -> bool {
    loop {
        match client.next().await {
            Frame::Text(text) if text.starts_with(beginning) && text.ends_with(end) => return true,
            Frame::Text(text) => assert!(!text.contains("pusher:error"), "{text}"),
            Frame::Ping | Frame::Pong(_) => {}
            Frame::Close(..) | Frame::End => return false,
        }
    }
}
