//! Copies of what is posted, for those who look on.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::{
    domain::{AppId, EndpointId},
    ledger::RequestId,
};

/// Most copies that wait for a listener; one that is slower loses the oldest.
const WAITING_MAX: usize = 256;
/// Most bytes of copies that wait, over all listeners. What would be more is lost to all of them, so
/// that one who reads nothing does not hold the memory of 256 large bodies.
const WAITING_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Where copies of posted requests can be had. Without listeners none are made. Cloning it copies a
/// pointer.
#[derive(Debug, Clone)]
pub struct Tap {
    copies: broadcast::Sender<Option<Waiting>>,
    /// Bytes of the copies that wait.
    bytes: Arc<AtomicUsize>,
}

/// A copy that waits for a listener. What is sent instead of one that is lost is none.
#[derive(Debug, Clone)]
struct Waiting {
    copied: Arc<Copied>,
    _room: Arc<Room>,
}

/// So many bytes are taken until this is dropped.
#[derive(Debug)]
struct Room {
    bytes: usize,
    of: Arc<AtomicUsize>,
}

/// An attempt as it was posted.
#[derive(Debug, PartialEq, Eq)]
pub struct Copied {
    /// The app.
    pub app: AppId,
    /// The endpoint that it was posted to.
    pub endpoint: EndpointId,
    /// The request.
    pub request: RequestId,
    /// Which attempt it was; the first is 1.
    pub attempt: u32,
    /// The headers that are ours, with the names as they stand on the wire. Those of the endpoint
    /// are left out, since they may be secret.
    pub headers: Vec<(&'static str, String)>,
    /// The body: exactly the bytes that were signed.
    pub body: Bytes,
}

/// Hears what is posted from its making on.
#[derive(Debug)]
pub struct Listener {
    copies: broadcast::Receiver<Option<Waiting>>,
}

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// An attempt.
    Posted(Arc<Copied>),
    /// It was too slow, and so many attempts are lost to it.
    Missed(u64),
}

impl Tap {
    /// A tap that nobody listens to.
    #[must_use]
    pub fn new() -> Self {
        Self {
            copies: broadcast::Sender::new(WAITING_MAX),
            bytes: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// Listens from here on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener {
            copies: self.copies.subscribe(),
        }
    }

    /// Gives a copy to those who listen, and makes it only if someone does.
    pub(super) fn copy(&self, make: impl FnOnce() -> Copied) {
        if 0 < self.copies.receiver_count() {
            let copied = make();
            let room = Room::take(&self.bytes, copied.body.len());
            let waiting = room.map(|room| Waiting {
                copied: Arc::new(copied),
                _room: Arc::new(room),
            });
            // The last listener may be leaving at this moment.
            let _ = self.copies.send(waiting);
        }
    }
}

impl Room {
    /// Takes so many bytes, if they are there.
    fn take(of: &Arc<AtomicUsize>, bytes: usize) -> Option<Self> {
        let before = of.fetch_add(bytes, Ordering::Relaxed);
        // Dropping it gives them back.
        let room = Self {
            bytes,
            of: Arc::clone(of),
        };
        (before + bytes <= WAITING_BYTES_MAX).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Default for Tap {
    fn default() -> Self {
        Self::new()
    }
}

impl Listener {
    /// Waits for the next; none when the server has stopped posting for good.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.copies.recv().await {
            Ok(Some(waiting)) => Some(Heard::Posted(waiting.copied)),
            Ok(None) => Some(Heard::Missed(1)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Heard::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(attempt: u32) -> Copied {
        Copied {
            app: "1".parse().expect("valid"),
            endpoint: "e".parse().expect("valid"),
            request: RequestId(1),
            attempt,
            headers: vec![("Webhook-Id", "msg_0000000000000001".into())],
            body: Bytes::from_static(b"{}"),
        }
    }

    fn posted(heard: Option<Heard>) -> u32 {
        match heard {
            Some(Heard::Posted(copied)) => copied.attempt,
            Some(Heard::Missed(_)) | None => panic!("{heard:?}"),
        }
    }

    #[test]
    fn nothing_is_copied_without_a_listener() {
        let tap = Tap::new();
        tap.copy(|| panic!("nobody listens"));
        drop(tap.listen());
        tap.copy(|| panic!("nobody listens any more"));
    }

    #[actix_rt::test]
    async fn every_listener_hears_every_attempt_since_it_listens_in_order() {
        let tap = Tap::new();
        let mut first = tap.listen();
        tap.copy(|| copied(1));
        let mut second = tap.listen();
        tap.clone().copy(|| copied(2));
        assert_eq!(posted(first.next().await), 1);
        assert_eq!(posted(first.next().await), 2);
        assert_eq!(posted(second.next().await), 2);
        drop(tap);
        assert_eq!(first.next().await, None);
    }

    #[actix_rt::test]
    async fn a_slow_listener_loses_the_oldest_and_learns_how_many() {
        let tap = Tap::new();
        let mut slow = tap.listen();
        for attempt in 1..=300 {
            tap.copy(|| copied(attempt));
        }
        assert_eq!(slow.next().await, Some(Heard::Missed(44)));
        assert_eq!(posted(slow.next().await), 45);
    }

    #[actix_rt::test]
    async fn copies_of_more_than_16_mb_do_not_wait() {
        let tap = Tap::new();
        let mut slow = tap.listen();
        let large = |attempt| Copied {
            body: Bytes::from(vec![b'x'; 6_000_000]),
            ..copied(attempt)
        };
        for attempt in 1..=3 {
            tap.copy(|| large(attempt));
        }
        tap.copy(|| copied(4));
        assert_eq!(posted(slow.next().await), 1);
        tap.copy(|| large(5));
        assert_eq!(posted(slow.next().await), 2);
        assert_eq!(slow.next().await, Some(Heard::Missed(1)));
        assert_eq!(posted(slow.next().await), 4);
        assert_eq!(posted(slow.next().await), 5);
        assert_eq!(tap.bytes.load(Ordering::Relaxed), 0);
        tap.copy(|| copied(6));
        drop(slow);
        assert_eq!(tap.bytes.load(Ordering::Relaxed), 0, "who leaves holds nothing");
    }
}
