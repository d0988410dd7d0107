use super::*;

struct Sink {
    frames: RefCell<Vec<Bytes>>,
    closed: RefCell<Option<CloseCode>>,
}

impl Outlet for Sink {
    fn write(&self, frame: &Bytes) {
        self.frames.borrow_mut().push(frame.clone());
    }

    fn close(&self, code: CloseCode) {
        *self.closed.borrow_mut() = Some(code);
    }

    fn refuse(&self, attempt: &Attempt, frames: &Bytes) {
        let text = format!("refused {} {}: ", attempt.channel, attempt.number);
        self.frames.borrow_mut().push([text.as_bytes(), frames].concat().into());
    }
}

fn sockets(outlets: &Outlets, count: u128) -> Vec<Rc<Sink>> {
    (0..count)
        .map(|at| {
            let sink = Rc::new(Sink {
                frames: RefCell::default(),
                closed: RefCell::default(),
            });
            outlets.add(SocketId::from_random(at), Rc::clone(&sink) as Rc<dyn Outlet>);
            sink
        })
        .collect()
}

fn publish(channel: ChannelId, frame: &'static str, except: Option<SocketId>) -> ToRelay {
    ToRelay::Publish {
        channel,
        frame: Bytes::from_static(frame.as_bytes()),
        except,
        charge: None,
    }
}

fn join(channel: ChannelId, at: u128) -> ToRelay {
    ToRelay::Join(channel, SocketId::from_random(at), Bytes::from_static(b"ok"))
}

#[actix_rt::test]
async fn every_subscriber_gets_every_frame_in_order_in_several_turns() {
    let outlets = Rc::new(Outlets::default());
    let sinks = sockets(&outlets, 1_000);
    let relay = Relay::new(Rc::clone(&outlets)).start();
    let channel = ChannelId::next();
    for at in 0..1_000 {
        relay.do_send(join(channel, at));
    }
    relay.do_send(publish(channel, "a", None));
    relay.do_send(publish(channel, "b", Some(SocketId::from_random(3))));
    relay.do_send(ToRelay::Leave(channel, SocketId::from_random(5)));
    relay.do_send(publish(channel, "c", None));
    let written = || sinks.iter().map(|sink| sink.frames.borrow().len()).sum::<usize>();
    while written() < 4_000 - 2 {
        tokio::task::yield_now().await;
    }
    for (at, sink) in sinks.iter().enumerate() {
        let want: &[&str] = match at {
            3 => &["ok", "a", "c"],
            5 => &["ok", "a", "b"],
            _ => &["ok", "a", "b", "c"],
        };
        assert_eq!(*sink.frames.borrow(), want, "{at}");
    }
}

#[actix_rt::test]
async fn a_socket_that_is_gone_joins_nothing_and_an_empty_channel_leaves_no_entry() {
    let outlets = Rc::new(Outlets::default());
    let sinks = sockets(&outlets, 2);
    let relay = Relay::new(Rc::clone(&outlets)).start();
    let channel = ChannelId::next();
    outlets.remove(SocketId::from_random(1));
    relay.do_send(join(channel, 0));
    relay.do_send(join(channel, 1));
    relay.do_send(publish(channel, "a", None));
    relay.do_send(ToRelay::Leave(channel, SocketId::from_random(0)));
    relay.do_send(ToRelay::Leave(channel, SocketId::from_random(0)));
    let none = CloseSome {
        count: 0,
        code: CloseCode::GoingAway,
    };
    assert_eq!(relay.send(none).await.ok(), Some(1));
    assert_eq!(*sinks[0].frames.borrow(), ["ok", "a"]);
    assert!(sinks[1].frames.borrow().is_empty());
    let holding = relay.send(CountHolding).await.expect("runs");
    assert_eq!((holding.sockets, holding.channels), (1, 0));
}

#[actix_rt::test]
async fn one_socket_is_sent_to_refused_or_closed_alone() {
    let outlets = Rc::new(Outlets::default());
    let sinks = sockets(&outlets, 2);
    let relay = Relay::new(Rc::clone(&outlets)).start();
    let id = SocketId::from_random(0);
    let gone = SocketId::from_random(9);
    for id in [id, gone] {
        relay.do_send(ToRelay::Send(id, Bytes::from_static(b"a")));
        relay.do_send(ToRelay::Refuse(
            id,
            Attempt {
                channel: "presence-x".parse().expect("valid"),
                number: 3,
            },
            Bytes::from_static(b"no"),
        ));
        relay.do_send(ToRelay::Close(id, CloseCode::Terminated));
    }
    relay.send(CountHolding).await.expect("runs");
    assert_eq!(*sinks[0].frames.borrow(), ["a", "refused presence-x 3: no"]);
    assert_eq!(*sinks[0].closed.borrow(), Some(CloseCode::Terminated));
    assert!(sinks[1].frames.borrow().is_empty() && sinks[1].closed.borrow().is_none());
}

#[actix_rt::test]
async fn a_broken_channel_closes_its_sockets_and_a_drain_closes_some_at_a_time() {
    let outlets = Rc::new(Outlets::default());
    let sinks = sockets(&outlets, 5);
    let relay = Relay::new(Rc::clone(&outlets)).start();
    let channel = ChannelId::next();
    relay.do_send(join(channel, 0));
    relay.do_send(ToRelay::Evict(channel, CloseCode::GoingAway));
    let two = || CloseSome {
        count: 2,
        code: CloseCode::GoingAway,
    };
    assert_eq!(relay.send(two()).await.ok(), Some(3));
    assert_eq!(*sinks[0].closed.borrow(), Some(CloseCode::GoingAway));
    assert_eq!(relay.send(two()).await.ok(), Some(1));
    assert_eq!(relay.send(two()).await.ok(), Some(0));
    assert!(sinks.iter().all(|sink| sink.closed.borrow().is_some()));
}

#[actix_rt::test]
async fn what_one_channel_is_sent_reaches_no_other_channel() {
    let outlets = Rc::new(Outlets::default());
    let sinks = sockets(&outlets, 2);
    let relay = Relay::new(Rc::clone(&outlets)).start();
    let [first, second] = [ChannelId::next(), ChannelId::next()];
    relay.do_send(join(first, 0));
    relay.do_send(join(second, 1));
    relay.do_send(publish(first, "a", None));
    relay.do_send(ToRelay::Evict(first, CloseCode::GoingAway));
    relay.do_send(publish(second, "b", None));
    let holding = relay.send(CountHolding).await.expect("runs");
    assert_eq!((holding.sockets, holding.channels), (2, 1));
    assert_eq!(*sinks[0].frames.borrow(), ["ok", "a"]);
    assert_eq!(*sinks[1].frames.borrow(), ["ok", "b"]);
    assert!(sinks[0].closed.borrow().is_some() && sinks[1].closed.borrow().is_none());
}
