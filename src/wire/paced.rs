//! HTTP, read in turns, one request at a time.
//!
//! actix-http reads until the kernel has no more, up to 128 KB, and answers all requests in it before
//! the thread's other tasks run: of the shortest requests that is thousands, for which nobody needs a
//! key.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_http::Uri;
use actix_rt::{
    net::{ActixStream, Ready},
    time::{Sleep, sleep},
};
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    Wire,
    requests::{Followed, Follower, Refusal, Targets},
};

/// Most bytes that are read before others have their turn: a call with the longest data whole, or some
/// hundreds of the shortest.
const TURN_BYTES: usize = 16 * 1_024;
/// How long the head of a request may take. The time of the first starts with its connection, that of a later
/// one with its first byte.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The paths on which a GET may open a WebSocket.
pub type MayUpgrade = Rc<dyn Fn(&str) -> bool>;

/// A [`Wire`] that gives its reader a few bytes at a time, and only requests that can be served.
pub struct Paced {
    wire: Wire,
    may_upgrade: MayUpgrade,
    follower: Follower,
    /// The beginning of a head.
    held: BytesMut,
    /// Bytes to read before anything else.
    ready: BytesMut,
    /// What may still be read before others have their turn.
    left: usize,
    /// The deadline of the awaited head.
    too_late: Option<Pin<Box<Sleep>>>,
    has_begun: bool,
    link: Rc<Link>,
}

/// What requests know about their connection.
#[derive(Debug, Default)]
pub struct Link {
    refusal: Cell<Option<Refusal>>,
    has_ended: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Link {
    /// Why the connection's last request was refused, if it was.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal.get()
    }

    /// Is ready when the client has closed its side. Only the last task that polled is woken.
    pub fn poll_end(&self, cx: &Context<'_>) -> Poll<()> {
        if self.has_ended.get() {
            return Poll::Ready(());
        }
        *self.waiting.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    fn end(&self) {
        self.has_ended.set(true);
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

impl Paced {
    /// Begins with a turn.
    #[must_use]
    pub fn new(wire: Wire, may_upgrade: MayUpgrade) -> Self {
        Self {
            wire,
            may_upgrade,
            follower: Follower::default(),
            held: BytesMut::new(),
            ready: BytesMut::new(),
            left: TURN_BYTES,
            too_late: None,
            has_begun: false,
            link: Rc::default(),
        }
    }

    /// The link for its requests.
    #[must_use]
    pub fn link(&self) -> Rc<Link> {
        Rc::clone(&self.link)
    }

    /// The wire itself, and the bytes that were read from it but not handed on.
    #[must_use]
    pub fn into_wire(self) -> (Wire, BytesMut) {
        let mut rest = self.ready;
        rest.unsplit(self.held);
        (self.wire, rest)
    }

    /// Follows the bytes that were read into a buffer, and leaves there those that may be handed on.
    fn follow(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let targets = Targets {
            may_upgrade: &*self.may_upgrade,
            is_target: |target| Uri::try_from(target).is_ok(),
        };
        self.has_begun = true;
        let refusal;
        if self.held.is_empty() {
            let bytes = &mut buffer.filled_mut()[before..];
            let followed = self.follower.follow(bytes, &targets);
            self.held.extend_from_slice(&bytes[followed.ready..]);
            buffer.set_filled(before + followed.ready);
            refusal = followed.refusal;
        } else {
            self.held.extend_from_slice(&buffer.filled()[before..]);
            buffer.set_filled(before);
            let Followed {
                ready,
                refusal: refused,
            } = self.follower.follow(&mut self.held, &targets);
            self.ready = self.held.split_to(ready);
            refusal = refused;
        }
        if let Some(refusal) = refusal {
            self.refuse(refusal);
        } else if self.held.is_empty() {
            self.held = BytesMut::new();
            self.too_late = None;
        }
    }

    /// Hands on a stand-in for a refused request.
    fn refuse(&mut self, refusal: Refusal) {
        self.follower.end();
        self.link.refusal.set(Some(refusal));
        self.held = BytesMut::new();
        self.too_late = None;
        self.ready.extend_from_slice(Refusal::STAND_IN);
    }

    /// Refuses a head that comes too late. Gives whether it did so now.
    fn poll_too_late(&mut self, cx: &mut Context<'_>) -> bool {
        let is_awaited = self.follower.awaits_head() && (!self.has_begun || !self.held.is_empty());
        if !is_awaited {
            return false;
        }
        let too_late = self
            .too_late
            .get_or_insert_with(|| Box::pin(sleep(REQUEST_HEAD_TIMEOUT)));
        if too_late.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.refuse(Refusal::HeadTooSlow);
        true
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.ready.is_empty() {
                let length = this.ready.len().min(buffer.remaining());
                buffer.put_slice(&this.ready.split_to(length));
                return Poll::Ready(Ok(()));
            }
            if this.left == 0 {
                this.left = TURN_BYTES;
                // Wakes this task once the others have run and the kernel was polled.
                return pin!(tokio::task::yield_now()).poll(cx).map(Ok);
            }
            let before = buffer.filled().len();
            let Poll::Ready(result) = this.wire.poll_read_some(cx, buffer, this.left) else {
                this.left = TURN_BYTES;
                if this.poll_too_late(cx) {
                    continue;
                }
                return Poll::Pending;
            };
            result?;
            let read = buffer.filled().len() - before;
            if read == 0 {
                this.link.end();
                return Poll::Ready(Ok(()));
            }
            this.left -= read;
            this.follow(buffer, before);
            if before < buffer.filled().len() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

impl ActixStream for Paced {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.wire.tcp(), cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.wire.tcp(), cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, io::Write};

    use actix_rt::net::TcpStream;

    use super::*;

    /// A paced socket in the middle of a body.
    fn paced(tcp: TcpStream) -> Paced {
        let mut paced = Paced::new(Wire::Plain(tcp), Rc::new(|_| false));
        paced.follower.end();
        paced
    }

    /// A paced socket to which so many bytes have come.
    async fn with_bytes(count: usize) -> (Paced, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let tcp = TcpStream::connect(address).await.expect("connects");
        let (mut peer, _) = listener.accept().expect("a connection");
        peer.write_all(&vec![b'x'; count]).expect("sends");
        while tcp.peek(&mut vec![0; count + 1]).await.expect("reads") < count {}
        (paced(tcp), peer)
    }

    /// Reads until it would wait; gives how many bytes each read gave.
    async fn turn(paced: &mut Paced) -> Vec<usize> {
        let mut reads = Vec::new();
        poll_fn(|cx| {
            loop {
                let mut bytes = [0; 12_000];
                let mut buffer = ReadBuf::new(&mut bytes);
                match Pin::new(&mut *paced).poll_read(cx, &mut buffer) {
                    Poll::Ready(result) => {
                        result.expect("reads");
                        reads.push(buffer.filled().len());
                    }
                    Poll::Pending => return Poll::Ready(()),
                }
            }
        })
        .await;
        reads
    }

    #[actix_rt::test]
    async fn a_reader_gets_16_kb_and_the_rest_in_its_next_turn() {
        let (mut paced, _peer) = with_bytes(40_000).await;
        assert_eq!(turn(&mut paced).await, [12_000, 4_384]);
        assert_eq!(turn(&mut paced).await, [12_000, 4_384]);
        assert_eq!(turn(&mut paced).await, [7_232]);
    }

    #[actix_rt::test]
    async fn a_reader_that_had_all_begins_its_next_turn_anew() {
        let (mut paced, mut peer) = with_bytes(12_000).await;
        assert_eq!(turn(&mut paced).await, [12_000]);
        peer.write_all(&[b'x'; 16_384]).expect("sends");
        paced.wire.tcp().readable().await.expect("reads");
        assert_eq!(turn(&mut paced).await.iter().sum::<usize>(), 16_384);
    }

    #[actix_rt::test]
    async fn who_waits_for_the_next_turn_is_woken_for_it() {
        let (mut paced, _peer) = with_bytes(60_000).await;
        let mut read = 0;
        while read < 60_000 {
            let mut bytes = [0; 60_000];
            let mut buffer = ReadBuf::new(&mut bytes);
            poll_fn(|cx| Pin::new(&mut paced).poll_read(cx, &mut buffer))
                .await
                .expect("reads");
            read += buffer.filled().len();
        }
        assert_eq!(read, 60_000);
    }
}
