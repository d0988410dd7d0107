//! The body of a response that receives from a session.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;

use super::{DETACHED_FOR, queue::STREAM_CHARS_MAX, session::Session};
use crate::connection::reassembly::Assembled;

/// The body of a response that receives from a session.
pub struct ReceiveStream {
    session: Arc<Session>,
    receiver: u64,
    is_streaming: bool,
    /// How much was received, in the client's unit.
    chars: usize,
    /// Nothing more comes in this response: its client is about to ask for another.
    is_over: bool,
}

impl ReceiveStream {
    /// Receives as the request of this number.
    pub(super) const fn new(session: Arc<Session>, receiver: u64, is_streaming: bool) -> Self {
        Self {
            session,
            receiver,
            is_streaming,
            chars: 0,
            is_over: false,
        }
    }
}

impl Stream for ReceiveStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over && !self.is_streaming {
            return Poll::Ready(None);
        }
        let session = Arc::clone(&self.session);
        let mut queue = session.queue();
        if queue.receiver != self.receiver {
            return Poll::Ready(None);
        }
        // A streaming response must not end before its client has asked for the next one.
        if !self.is_over
            && let Some(chunk) = queue.take(&mut self.chars)
        {
            self.is_over = !self.is_streaming || STREAM_CHARS_MAX < self.chars;
            return Poll::Ready(Some(Ok(chunk)));
        }
        if queue.is_closed && queue.lines.is_empty() {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for ReceiveStream {
    /// A client has gone when it drops a response before its end, or does not come back after it.
    fn drop(&mut self) {
        let mut queue = self.session.queue();
        if queue.receiver != self.receiver {
            return;
        }
        queue.is_attached = false;
        if !self.is_over {
            let is_known = queue.is_closed || queue.is_left;
            queue.leave();
            if !is_known {
                self.session.put_last(Assembled::Close(None));
            }
            return;
        }
        if queue.is_closed {
            return;
        }
        drop(queue);
        let (session, receiver) = (Arc::clone(&self.session), self.receiver);
        actix_rt::spawn(async move {
            actix_rt::time::sleep(DETACHED_FOR).await;
            if session.is_left_by(receiver) {
                session.put_last(Assembled::Close(None));
            }
        });
    }
}
