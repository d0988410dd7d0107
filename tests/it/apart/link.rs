//! A client of an app over either transport.

use std::collections::VecDeque;

use crate::harness::{App, Client, Fallback, Frame, Receiving};

/// A connection that has read its handshake.
pub(super) enum Link {
    Socket(Box<Client>),
    Fallback {
        session: Fallback,
        receiving: Box<Receiving>,
        socket_id: String,
        /// Messages of a line that was received, of which the first are given.
        waiting: VecDeque<String>,
    },
}

/// What came over a link.
pub(super) enum Input {
    Text(String),
    /// The server has closed it with this code; 0 when it gave none.
    Closed(u16),
}

impl Link {
    /// Connects for the `life`th time: one of four over `xhr_streaming`, in sessions that have the same
    /// ids in every app.
    pub(super) async fn open(port: u16, app: App, at: usize, life: usize) -> Self {
        if at % 4 != 3 {
            return Self::Socket(Box::new(Client::connect_as(port, app).await));
        }
        let session = Fallback::of_key(port, app.key, &format!("{at}/{life:08}"));
        let mut receiving = session.receive("xhr_streaming").await;
        receiving.expect("o").await;
        Self::Fallback {
            socket_id: receiving.established().await,
            session,
            receiving: Box::new(receiving),
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn socket_id(&self) -> &str {
        match self {
            Self::Socket(client) => &client.socket_id,
            Self::Fallback { socket_id, .. } => socket_id,
        }
    }

    pub(super) async fn send(&mut self, text: &str) {
        match self {
            // It may be closed by the server meanwhile; the next read says so.
            Self::Socket(client) => {
                let _ = client.try_send(text).await;
            }
            Self::Fallback { session, .. } => {
                session.post(&serde_json::json!([text]).to_string()).await;
            }
        }
    }

    pub(super) async fn next(&mut self) -> Input {
        loop {
            match self {
                Self::Socket(client) => match client.next().await {
                    Frame::Text(text) => return Input::Text(text),
                    Frame::Ping | Frame::Pong(_) => {}
                    Frame::Close(code, _) => return Input::Closed(code),
                    Frame::End => return Input::Closed(0),
                },
                Self::Fallback {
                    session,
                    receiving,
                    waiting,
                    ..
                } => {
                    if let Some(text) = waiting.pop_front() {
                        return Input::Text(text);
                    }
                    match receiving.line().await {
                        // A long answer ends, and the next goes on.
                        None => **receiving = session.receive("xhr_streaming").await,
                        Some(line) => match line.split_at(1) {
                            ("a", messages) => {
                                waiting.extend(serde_json::from_str::<Vec<String>>(messages).expect("JSON"));
                            }
                            ("c", close) => {
                                let close: (u16, String) = serde_json::from_str(close).expect("JSON");
                                return Input::Closed(close.0);
                            }
                            _ => {}
                        },
                    }
                }
            }
        }
    }

    /// Ends it without a word.
    pub(super) fn vanish(self) {
        if let Self::Socket(client) = self {
            client.reset();
        }
    }
}
