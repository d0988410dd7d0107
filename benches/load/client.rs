//! A client on a raw socket, which looks for marks in what it receives and at nothing else.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Poll, ready},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};

use super::{
    api::sign,
    mark::{self, Mark},
    target::{Socket, Target},
};

/// How long the server may take to answer a handshake or a subscribe.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// What is read at once, by all clients of a thread.
const SCRATCH: usize = 64 * 1_024;

thread_local! {
    static SCRATCH_BYTES: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// The half that is read, and what was read of it already.
pub struct Incoming {
    half: ReadHalf<Box<dyn Socket>>,
    read: Vec<u8>,
}

/// The half that is written to.
#[derive(Clone)]
pub struct Outgoing {
    half: Rc<RefCell<WriteHalf<Box<dyn Socket>>>>,
    socket_id: Rc<str>,
}

/// Connects, and waits for `connection_established`.
pub async fn connect(target: &Target) -> Result<(Incoming, Outgoing), String> {
    let Target { key, place, .. } = target;
    let host = &place.host;
    let request = format!(
        "GET /app/{key}?protocol=7&client=bench&version=1 HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let handshake = async {
        let mut socket = target.connect().await.map_err(|error| format!("connecting: {error}"))?;
        let sent = async {
            socket.write_all(request.as_bytes()).await?;
            socket.flush().await
        };
        sent.await.map_err(|error| format!("the handshake: {error}"))?;
        let (half, write) = tokio::io::split(socket);
        let mut incoming = Incoming {
            half,
            read: Vec::with_capacity(512),
        };
        incoming.skip_head().await?;
        let established = incoming.message(&["connection_established"]).await?;
        let socket_id = established
            .split_once("socket_id")
            .map(|(_, rest)| rest.trim_start_matches(['\\', '"', ':', ' ']))
            .and_then(|rest| rest.split(['\\', '"']).next())
            .ok_or_else(|| format!("no socket_id in: {established}"))?;
        let half = Rc::new(RefCell::new(write));
        Ok((
            incoming,
            Outgoing {
                half,
                socket_id: socket_id.into(),
            },
        ))
    };
    within(handshake).await
}

async fn within<T>(what: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, what).await;
    answer.unwrap_or_else(|_| Err(format!("no answer in {ANSWER_TIMEOUT:?}")))
}

impl Outgoing {
    /// The frame that subscribes it, with what the channel asks for; `user` as whom.
    pub fn subscribe_frame(&self, target: &Target, channel: &str, user: Option<&str>) -> Vec<u8> {
        let Target { key, secret, .. } = target;
        let Self { socket_id, .. } = self;
        let data = match user {
            Some(user) => {
                let data = format!(r#"{{"user_id":"{user}"}}"#);
                let auth = sign(secret, &format!("{socket_id}:{channel}:{data}"));
                let data = data.replace('"', "\\\"");
                format!(r#"{{"channel":"{channel}","auth":"{key}:{auth}","channel_data":"{data}"}}"#)
            }
            None if channel.starts_with("private-") => {
                let auth = sign(secret, &format!("{socket_id}:{channel}"));
                format!(r#"{{"channel":"{channel}","auth":"{key}:{auth}"}}"#)
            }
            None => format!(r#"{{"channel":"{channel}"}}"#),
        };
        text_frame(&format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#))
    }

    /// Subscribes, and waits until that is confirmed.
    pub async fn subscribe(
        &self,
        incoming: &mut Incoming,
        target: &Target,
        channel: &str,
        user: Option<&str>,
    ) -> Result<(), String> {
        self.send(&self.subscribe_frame(target, channel, user))?;
        let confirmation = incoming.message(&["subscription_succeeded", "subscription_error"]);
        let confirmation = within(confirmation).await?;
        if confirmation.contains("subscription_error") {
            return Err(format!("subscribing to {channel}: {confirmation}"));
        }
        Ok(())
    }

    /// Sends a short frame, which has room in the socket unless the server stopped reading.
    pub fn send(&self, frame: &[u8]) -> Result<(), String> {
        let mut half = self.half.try_borrow_mut().map_err(|_| "a write is under way")?;
        let written = async {
            half.write_all(frame).await?;
            half.flush().await
        };
        match written.now_or_never() {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(format!("sending: {error}")),
            None => Err("the server does not read".into()),
        }
    }
}

/// A text frame of a client. The mask is zero, so the payload stands as it is.
pub fn text_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(text.len()) {
        Ok(len @ ..126) => frame.push(0x80 | len as u8),
        Ok(len) => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&len.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(text.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

impl Incoming {
    async fn more(&mut self) -> Result<(), String> {
        match self.half.read_buf(&mut self.read).await {
            Ok(0) if self.read.is_empty() => Err("the server closed and did not say why".into()),
            Ok(0) => Err(format!("the server closed after: {}", self.readable())),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{error} after: {}", self.readable())),
        }
    }

    fn readable(&self) -> String {
        let text = String::from_utf8_lossy(&self.read);
        text.chars().filter(|letter| !letter.is_control()).take(200).collect()
    }

    async fn skip_head(&mut self) -> Result<(), String> {
        let end = loop {
            match memchr::memmem::find(&self.read, b"\r\n\r\n") {
                Some(end) => break end,
                None => self.more().await?,
            }
        };
        let status = self.read.get(9..12).unwrap_or_default();
        if status != b"101" {
            return Err(format!("the handshake was refused: {}", self.readable()));
        }
        self.read.drain(..end + 4);
        Ok(())
    }

    /// Reads messages up to one that has one of these words in it.
    async fn message(&mut self, words: &[&str]) -> Result<String, String> {
        loop {
            let Some((begin, end)) = frame_bounds(&self.read) else {
                self.more().await?;
                continue;
            };
            let is_close = self.read[0] & 0x0f == 8;
            let text = String::from_utf8_lossy(&self.read[begin..end]).into_owned();
            self.read.drain(..end);
            if words.iter().any(|word| text.contains(word)) {
                return Ok(text);
            }
            if is_close || text.contains("pusher:error") {
                return Err(format!("the server refused: {text}"));
            }
        }
    }

    /// Receives until the connection ends, and tells of each mark.
    pub async fn receive(self, mut found: impl FnMut(Mark)) {
        let Self {
            mut half,
            read: mut carry,
        } = self;
        let read = poll_fn(|cx| {
            SCRATCH_BYTES.with_borrow_mut(|scratch| {
                loop {
                    let carried = carry.len();
                    scratch[..carried].copy_from_slice(&carry);
                    let mut buffer = ReadBuf::new(&mut scratch[carried..]);
                    let is_read = ready!(Pin::new(&mut half).poll_read(cx, &mut buffer)).is_ok();
                    let read = buffer.filled().len();
                    if !is_read || read == 0 {
                        return Poll::Ready(());
                    }
                    let filled = &scratch[..carried + read];
                    let rest = mark::find(filled, &mut found);
                    carry.clear();
                    carry.extend_from_slice(&filled[rest..]);
                }
            })
        });
        read.await;
    }

    /// Receives until the connection ends, and looks at nothing.
    pub async fn ignore(self) -> io::Result<()> {
        let mut half = self.half;
        let read = poll_fn(|cx| {
            SCRATCH_BYTES.with_borrow_mut(|scratch| {
                loop {
                    let mut buffer = ReadBuf::new(scratch);
                    ready!(Pin::new(&mut half).poll_read(cx, &mut buffer))?;
                    if buffer.filled().is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                }
            })
        });
        read.await
    }
}

/// Where the payload of the first frame begins and ends, when all of it is there.
fn frame_bounds(bytes: &[u8]) -> Option<(usize, usize)> {
    let (begin, len) = match bytes.get(1)? & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        len => (2, u64::from(len)),
    };
    let end = begin + usize::try_from(len).ok()?;
    (end <= bytes.len()).then_some((begin, end))
}
