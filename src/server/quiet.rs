//! Ends HTTP connections on which nothing is asked.
//!
//! The wire bounds how long the head of a request may take, and actix-http how long a connection may be idle
//! between requests. Neither bounds the rest of a chunked body that the answer did not wait for: it is read
//! and thrown away before the next request, and may never come.

use std::{
    cell::Cell,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_rt::time::sleep;
use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};
use futures_util::future::{Either, select};

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Requests {
    under_way: Cell<u32>,
    /// How often one began or ended.
    changes: Cell<u32>,
}

/// A request that is under way while this exists.
#[derive(Debug)]
pub(super) struct UnderWay(Rc<Requests>);

/// A body whose request is under way until it was taken.
pub(super) struct Held<B> {
    body: B,
    under_way: Option<UnderWay>,
}

impl Requests {
    /// Counts a request, whose head has come.
    pub(super) fn begin(self: &Rc<Self>) -> UnderWay {
        self.under_way.set(self.under_way.get() + 1);
        self.changes.set(self.changes.get().wrapping_add(1));
        UnderWay(Rc::clone(self))
    }

    /// Serves a connection to its end, or until no request was under way for `quiet_max`, which is
    /// found out at most as much later; then it gives none.
    pub(super) async fn serve<T>(&self, serving: impl Future<Output = T>, quiet_max: Duration) -> Option<T> {
        let mut serving = pin!(serving);
        loop {
            let before = self.changes.get();
            match select(serving.as_mut(), pin!(sleep(quiet_max))).await {
                Either::Left((served, _)) => return Some(served),
                Either::Right(_) if self.under_way.get() == 0 && self.changes.get() == before => return None,
                Either::Right(_) => {}
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Self(requests) = self;
        requests.under_way.set(requests.under_way.get() - 1);
        requests.changes.set(requests.changes.get().wrapping_add(1));
    }
}

impl<B> Held<B> {
    pub(super) const fn new(body: B, under_way: Option<UnderWay>) -> Self {
        Self { body, under_way }
    }
}

impl<B: MessageBody + Unpin> MessageBody for Held<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, under_way } = self;
        body.try_into_bytes().map_err(|body| Self { body, under_way })
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const QUIET: Duration = Duration::from_millis(20);

    #[actix_rt::test]
    async fn a_connection_is_served_to_its_end() {
        assert_eq!(Requests::default().serve(ready(7), QUIET).await, Some(7));
    }

    #[actix_rt::test]
    async fn a_connection_on_which_nothing_is_asked_is_ended() {
        assert_eq!(Requests::default().serve(pending::<()>(), QUIET).await, None);
    }

    #[actix_rt::test]
    async fn a_request_may_take_as_long_as_it_takes_its_body_included() {
        let requests = Rc::new(Requests::default());
        let mut body = Some(Held::new(Bytes::from_static(b"x"), Some(requests.begin())));
        let serving = async {
            sleep(QUIET * 5).await;
            assert_eq!(
                body.take().map(MessageBody::try_into_bytes).and_then(Result::ok),
                Some("x".into())
            );
            pending::<()>().await;
        };
        let mut served = pin!(requests.serve(serving, QUIET));
        let mut early = pin!(sleep(QUIET * 4));
        assert!(matches!(
            select(served.as_mut(), early.as_mut()).await,
            Either::Right(_)
        ));
        assert_eq!(served.await, None);
        assert_eq!(requests.under_way.get(), 0);
    }

    #[actix_rt::test]
    async fn what_was_asked_in_between_puts_the_end_off() {
        let requests = Rc::new(Requests::default());
        let asking = async {
            for _ in 0..10 {
                sleep(QUIET / 2).await;
                drop(requests.begin());
            }
            7
        };
        assert_eq!(requests.serve(asking, QUIET).await, Some(7));
    }
}
