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

/// Drives what is delivered turn by turn, without an actor.
struct Turns {
    sinks: Vec<Rc<Sink>>,
    delivery: Rc<RefCell<Delivery>>,
}

impl Turns {
    /// A relay with `sockets_count` sockets, each subscribed to all of the channels.
    fn new(sockets_count: u128, channels: &[ChannelId]) -> Self {
        let outlets = Rc::new(Outlets::default());
        let sinks = sockets(&outlets, sockets_count);
        for channel in channels {
            let mut table = outlets.table.borrow_mut();
            let of_socket = |(id, outlet): (&SocketId, &Rc<dyn Outlet>)| (*id, Rc::clone(outlet));
            let mut subscribers: Vec<_> = table.sockets.iter().map(of_socket).collect();
            subscribers.sort_by_key(|(id, _)| *id);
            table.channels.insert(*channel, subscribers.into_iter().collect());
        }
        let delivery = Relay::new(outlets).delivery;
        Self { sinks, delivery }
    }

    fn sends(&mut self, messages: impl IntoIterator<Item = ToRelay>) -> &mut Self {
        self.delivery.borrow_mut().waiting.extend(messages);
        self
    }

    /// Takes a turn; compares how many frames were written since the last, and how many messages wait.
    #[track_caller]
    fn turn(&mut self, written: usize, waiting: usize) -> &mut Self {
        let frames = |turns: &Self| turns.sinks.iter().map(|sink| sink.frames.borrow().len()).sum::<usize>();
        let before = frames(self);
        self.delivery.borrow_mut().turn();
        let after = frames(self);
        assert_eq!(
            (after - before, self.delivery.borrow().waiting.len()),
            (written, waiting)
        );
        self
    }

    /// Every socket got exactly these.
    #[track_caller]
    fn all_have(&self, want: &[&str]) {
        for (at, sink) in self.sinks.iter().enumerate() {
            assert_eq!(*sink.frames.borrow(), want, "{at}");
        }
    }
}

fn send(at: u128) -> ToRelay {
    ToRelay::Send(SocketId::from_random(at), Bytes::from_static(b"s"))
}

fn refuse(at: u128) -> ToRelay {
    let attempt = Attempt {
        channel: "presence-x".parse().expect("valid"),
        number: 1,
    };
    ToRelay::Refuse(SocketId::from_random(at), attempt, Bytes::from_static(b"no"))
}

#[test]
fn a_turn_writes_256_frames_at_most_and_the_next_goes_on_where_it_ended() {
    let channel = ChannelId::next();
    let mut turns = Turns::new(600, &[channel]);
    turns
        .sends([publish(channel, "a", None), publish(channel, "b", None)])
        .turn(256, 2)
        .turn(256, 2)
        .turn(88 + 168, 1)
        .turn(256, 1)
        .turn(176, 0)
        .turn(0, 0);
    turns.all_have(&["a", "b"]);
}

#[test]
fn a_publish_that_fills_a_turn_exactly_is_done_with_it() {
    let channel = ChannelId::next();
    let mut turns = Turns::new(256, &[channel]);
    turns.sends([publish(channel, "a", None), publish(channel, "b", None)]);
    turns.turn(256, 1).turn(256, 0).all_have(&["a", "b"]);
}

#[test]
fn who_does_not_get_a_publish_counts_as_written_to_and_gets_the_next() {
    let channel = ChannelId::next();
    let mut turns = Turns::new(257, &[channel]);
    let except = Some(SocketId::from_random(0));
    turns.sends([publish(channel, "a", except), publish(channel, "b", None)]);
    turns.turn(255, 2).turn(1 + 255, 1).turn(2, 0);
    assert_eq!(*turns.sinks[0].frames.borrow(), ["b"]);
    assert_eq!(*turns.sinks[256].frames.borrow(), ["a", "b"]);
}

#[test]
fn what_goes_to_one_socket_is_one_write_of_a_turn_also_when_the_socket_is_gone() {
    let channel = ChannelId::next();
    let gone = 9;
    for message in [send, refuse, |at| join(ChannelId::next(), at)] {
        let mut turns = Turns::new(1, &[channel]);
        turns
            .sends((0..300).map(|_| message(0)))
            .turn(256, 44)
            .turn(44, 0)
            .sends((0..300).map(|_| message(gone)))
            .turn(0, 44)
            .turn(0, 0)
            .sends([message(0), publish(channel, "a", None)])
            .turn(2, 0);
    }
}

#[test]
fn a_publish_that_nobody_gets_is_one_write_of_a_turn() {
    let nobody = ChannelId::next();
    let mut turns = Turns::new(1, &[]);
    turns
        .sends((0..257).map(|_| publish(nobody, "a", None)))
        .turn(0, 1)
        .turn(0, 0);
}

#[test]
fn what_writes_nothing_costs_nothing_of_a_turn() {
    let channel = ChannelId::next();
    let mut turns = Turns::new(1, &[channel]);
    let none = |at: u32| match at % 3 {
        0 => ToRelay::Close(SocketId::from_random(9), CloseCode::Terminated),
        1 => ToRelay::Leave(channel, SocketId::from_random(9)),
        _ => ToRelay::Evict(ChannelId::next(), CloseCode::Terminated),
    };
    turns.sends((0..900).map(none)).sends([send(0)]).turn(1, 0);
    assert!(turns.sinks[0].closed.borrow().is_none());
}

#[test]
fn the_bytes_of_a_publish_are_counted_until_its_last_part_was_written() {
    let channel = ChannelId::next();
    let backlog = Arc::new(crate::channel::backlog::Backlog::new(100));
    let charged = ToRelay::Publish {
        channel,
        frame: Bytes::from_static(b"a"),
        except: None,
        charge: backlog.charge(7),
    };
    let mut turns = Turns::new(257, &[channel]);
    turns.sends([charged]).turn(256, 1);
    assert_eq!(backlog.bytes(), 7);
    turns.turn(1, 0);
    assert_eq!(backlog.bytes(), 0);
}

#[actix_rt::test]
async fn what_comes_after_several_turns_is_written_at_once_and_what_comes_between_them_in_its_order() {
    let channel = ChannelId::next();
    let mut turns = Turns::new(600, &[channel]);
    let relay = Relay {
        delivery: Rc::clone(&turns.delivery),
    };
    let relay = relay.start();
    relay.send(publish(channel, "a", None)).await.expect("it runs");
    // It goes on beside the relay; this comes between.
    relay.send(publish(channel, "b", None)).await.expect("it runs");
    while !turns.delivery.borrow().waiting.is_empty() {
        tokio::task::yield_now().await;
    }
    turns.all_have(&["a", "b"]);
    assert!(!turns.delivery.borrow().has_task);
    relay.send(send(0)).await.expect("it runs");
    assert_eq!(*turns.sinks[0].frames.borrow(), ["a", "b", "s"]);
    turns.turn(0, 0);
}

#[actix_rt::test]
async fn a_thousand_messages_find_room_in_the_mailbox_before_the_first_is_read() {
    let relay = Relay::new(Rc::new(Outlets::default())).start();
    relay.send(CountHolding).await.expect("it runs");
    let taken = (0..1_000).filter(|_| relay.try_send(send(9)).is_ok()).count();
    assert_eq!(taken, 1_000);
}

#[actix_rt::test]
async fn who_joins_twice_is_in_once_and_leaves_once() {
    let outlets = Rc::new(Outlets::default());
    let sinks = sockets(&outlets, 2);
    let relay = Relay::new(Rc::clone(&outlets)).start();
    let channel = ChannelId::next();
    for at in [0, 0, 1] {
        relay.do_send(join(channel, at));
    }
    relay.do_send(publish(channel, "a", None));
    relay.do_send(ToRelay::Leave(channel, SocketId::from_random(0)));
    relay.do_send(publish(channel, "b", None));
    relay.send(CountHolding).await.expect("it runs");
    assert_eq!(*sinks[0].frames.borrow(), ["ok", "ok", "a"]);
    assert_eq!(*sinks[1].frames.borrow(), ["ok", "a", "b"]);
    assert_eq!(
        outlets.holding(),
        Holding {
            sockets: 2,
            channels: 1
        }
    );
}
