//! HTTP, read in turns.
//!
//! actix-http reads until the kernel has no more, up to 128 KB, and answers all requests in it before
//! the thread's other tasks run: of the shortest requests that is thousands, for which nobody needs a
//! key.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use actix_rt::net::{ActixStream, Ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Wire;

/// Most bytes that are read before others have their turn: a call with the longest data whole, or some
/// hundreds of the shortest.
const TURN_BYTES: usize = 16 * 1_024;

/// A [`Wire`] that gives its reader a few bytes at a time.
pub struct Paced {
    wire: Wire,
    /// What may still be read before others have their turn.
    left: usize,
}

impl Paced {
    /// Begins with a turn.
    #[must_use]
    pub const fn new(wire: Wire) -> Self {
        Self { wire, left: TURN_BYTES }
    }

    /// The wire itself, to which everything that was not read still comes.
    #[must_use]
    pub fn into_wire(self) -> Wire {
        self.wire
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.left == 0 {
            this.left = TURN_BYTES;
            // Has this task woken once the others have run and the kernel was asked for news.
            return pin!(tokio::task::yield_now()).poll(cx).map(Ok);
        }
        let before = buffer.filled().len();
        let Poll::Ready(result) = this.wire.poll_read_some(cx, buffer, this.left) else {
            this.left = TURN_BYTES;
            return Poll::Pending;
        };
        this.left -= buffer.filled().len() - before;
        Poll::Ready(result)
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

    /// A paced socket to which so many bytes have come.
    async fn with_bytes(count: usize) -> (Paced, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let tcp = TcpStream::connect(address).await.expect("connects");
        let (mut peer, _) = listener.accept().expect("a connection");
        peer.write_all(&vec![b'x'; count]).expect("sends");
        while tcp.peek(&mut vec![0; count + 1]).await.expect("reads") < count {}
        (Paced::new(Wire::Plain(tcp)), peer)
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
