//! One thread of the client: its share of the connections and of the messages.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::{
    Mutex,
    mpsc::{UnboundedReceiver, unbounded_channel},
    watch,
};

use super::{
    api::Publisher,
    client::{self, Outgoing, text_frame},
    mark::{self, Mark},
    plan::{Kind, Plan, Stream},
    tally::{Latencies, OwnCpu, Shared},
    target::Target,
};

/// So often every connection shows the server that it is there.
const PING_EVERY: Duration = Duration::from_secs(30);

/// What all threads have in common.
pub struct Context {
    /// What is to be done.
    pub plan: Plan,
    /// To whom.
    pub target: Target,
    /// What came of it.
    pub shared: Shared,
}

/// What a thread is to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Open its connections.
    Connect,
    /// Send what is due, counted from a moment.
    Send(Instant),
    /// Wait for what was sent.
    Drain,
    /// End.
    Stop,
}

/// What a thread has measured.
#[derive(Default)]
pub struct Driven {
    /// From when a connection was due until the server confirmed it.
    pub connects: Latencies,
    /// From when a message was due until it was received, of each stream.
    pub streams: Vec<Latencies>,
    /// From when a message was due until this client took it up.
    pub late: Latencies,
    /// Its processor time while it connected, and how long that took.
    pub connecting: (OwnCpu, Duration),
    /// The same while it sent.
    pub sending: (OwnCpu, Duration),
}

/// The thread's own, shared by its tasks.
struct Own {
    at: usize,
    context: Arc<Context>,
    driven: RefCell<Driven>,
    begin: Cell<Option<Instant>>,
    /// The connections of each stream that receive, with their channels.
    receivers: RefCell<Vec<Vec<(Outgoing, usize)>>>,
    /// Those that join and leave.
    churners: RefCell<Vec<Vec<Option<Outgoing>>>>,
}

/// A connection to be made.
#[derive(Debug, Clone, Copy)]
struct Seat {
    stream: usize,
    is_churner: bool,
    /// Its place among those of its kind.
    index: usize,
}

/// Connects from `begin` on, and goes through the phases.
pub async fn drive(at: usize, context: Arc<Context>, begin: Instant, mut phase: watch::Receiver<Phase>) -> Driven {
    let streams = context.plan.streams.len();
    let own = Rc::new(Own {
        at,
        driven: RefCell::default(),
        begin: Cell::new(None),
        receivers: RefCell::new((0..streams).map(|_| Vec::new()).collect()),
        churners: RefCell::new(
            context
                .plan
                .streams
                .iter()
                .map(|stream| vec![None; stream.churners])
                .collect(),
        ),
        context,
    });
    own.driven.borrow_mut().streams.resize(streams, Latencies::default());
    tokio::task::spawn_local(Rc::clone(&own).ping());
    let since = (OwnCpu::now(), Instant::now());
    own.connect_all(begin).await;
    own.driven.borrow_mut().connecting = spent(since);
    own.context.shared.ready.fetch_add(1, Ordering::Relaxed);

    let begun = phase.wait_for(|phase| *phase != Phase::Connect).await;
    let since = (OwnCpu::now(), Instant::now());
    if let Ok(Phase::Send(begin)) = begun.map(|phase| *phase) {
        own.begin.set(Some(begin));
        for stream in 0..streams {
            tokio::task::spawn_local(Rc::clone(&own).send_all(stream, begin));
        }
        let _ = phase
            .wait_for(|phase| matches!(phase, Phase::Drain | Phase::Stop))
            .await;
        own.driven.borrow_mut().sending = spent(since);
    }
    let _ = phase.wait_for(|phase| *phase == Phase::Stop).await;
    own.driven.take()
}

fn spent((cpu, since): (OwnCpu, Instant)) -> (OwnCpu, Duration) {
    (OwnCpu::now().since(cpu), since.elapsed())
}

impl Own {
    fn seats(&self) -> Vec<(usize, Seat)> {
        let Plan { streams, threads, .. } = &self.context.plan;
        let all = streams.iter().enumerate().flat_map(|(at, stream)| {
            let seat = move |is_churner| {
                move |index| Seat {
                    stream: at,
                    is_churner,
                    index,
                }
            };
            (0..stream.connections)
                .map(seat(false))
                .chain((0..stream.churners).map(seat(true)))
        });
        let is_mine = |(_, seat): &(usize, Seat)| seat.index % threads == self.at;
        all.enumerate().filter(is_mine).collect()
    }

    async fn connect_all(self: &Rc<Self>, begin: Instant) {
        let seats = self.seats();
        let rate = self.context.plan.connect_rate;
        let due = move |at: usize| Duration::from_secs_f64(at as f64 / rate);
        let dues: Vec<_> = seats
            .iter()
            .enumerate()
            .map(|(nth, (at, _))| (nth as u64, due(*at)))
            .collect();
        let mut beats = metronome(begin, dues.into_iter());
        let mut under_way = Vec::new();
        while let Some(nth) = beats.recv().await {
            let (at, seat) = seats[usize::try_from(nth).expect("a seat")];
            under_way.push(tokio::task::spawn_local(Rc::clone(self).sit(seat, begin + due(at))));
        }
        for sitting in under_way {
            let _ = sitting.await;
        }
    }

    /// Opens one connection and subscribes it.
    async fn sit(self: Rc<Self>, seat: Seat, due: Instant) {
        let Context { plan, target, shared } = &*self.context;
        let stream = &plan.streams[seat.stream];
        let channel = stream.channel_of(seat.index);
        let opened = async {
            let (mut incoming, outgoing) = client::connect(target).await?;
            self.driven.borrow_mut().connects.add(due, Instant::now());
            if !seat.is_churner {
                let user = format!("stays-{}", seat.index);
                let user = (stream.kind == Kind::Presence).then_some(user.as_str());
                outgoing
                    .subscribe(&mut incoming, target, &stream.channel_name(channel), user)
                    .await?;
            }
            Ok((incoming, outgoing))
        };
        let (incoming, outgoing) = match opened.await {
            Ok(opened) => opened,
            Err(error) => {
                shared.failed.fetch_add(1, Ordering::Relaxed);
                return shared.on_error(error);
            }
        };
        shared.open.fetch_add(1, Ordering::Relaxed);
        if seat.is_churner {
            self.churners.borrow_mut()[seat.stream][seat.index] = Some(outgoing);
        } else {
            self.receivers.borrow_mut()[seat.stream].push((outgoing, channel));
        }
        let own = Rc::clone(&self);
        tokio::task::spawn_local(async move {
            if seat.is_churner {
                let _ = incoming.ignore().await;
            } else {
                incoming.receive(|mark| own.on_mark(mark)).await;
            }
            own.context.shared.open.fetch_sub(1, Ordering::Relaxed);
            own.context.shared.ended.fetch_add(1, Ordering::Relaxed);
        });
    }

    fn on_mark(&self, mark: Mark) {
        let Context { plan, shared, .. } = &*self.context;
        let (Some(stream), Some(begin)) = (plan.streams.get(mark.stream), self.begin.get()) else {
            return;
        };
        let due = begin + stream.due_of(mark);
        self.driven.borrow_mut().streams[mark.stream].add(due, Instant::now());
        shared.streams[mark.stream].received.fetch_add(1, Ordering::Relaxed);
    }

    /// Sends this thread's share of a stream's messages, each when it is due.
    async fn send_all(self: Rc<Self>, stream_at: usize, begin: Instant) {
        let Plan {
            streams,
            threads,
            publishers,
            ..
        } = &self.context.plan;
        let stream = streams[stream_at].clone();
        let of_thread = (self.at as u64..stream.messages).step_by(*threads);
        let dues = {
            let stream = stream.clone();
            of_thread.map(move |message| (message, stream.due(message)))
        };
        let mut beats = metronome(begin, dues);
        let (to_publishers, publishes) = unbounded_channel();
        if stream.kind == Kind::Publish {
            let publishes = Rc::new(Mutex::new(publishes));
            for _ in 0..*publishers {
                tokio::task::spawn_local(Rc::clone(&self).publish_all(stream_at, Rc::clone(&publishes)));
            }
        }
        while let Some(message) = beats.recv().await {
            let due = begin + stream.due(message);
            self.driven.borrow_mut().late.add(due, Instant::now());
            match stream.kind {
                Kind::Publish => {
                    let _ = to_publishers.send(message);
                }
                Kind::ClientEvent => self.client_event(stream_at, message),
                Kind::Presence => self.join_or_leave(stream_at, message),
            }
        }
    }

    /// Publishes what is in the queue until that ends.
    async fn publish_all(self: Rc<Self>, stream_at: usize, queue: Rc<Mutex<UnboundedReceiver<u64>>>) {
        let Context { plan, target, .. } = &*self.context;
        let stream = &plan.streams[stream_at];
        let mut publisher = Publisher::new(target);
        loop {
            let next = queue.lock().await.recv().await;
            let Some(message) = next else { return };
            let channel = usize::try_from(message % stream.channels as u64).expect("a channel");
            let data = self.data(stream_at, message);
            let published = publisher.publish(&stream.channel_name(channel), &data).await;
            self.count(stream_at, stream.receivers(channel), published);
        }
    }

    fn client_event(&self, stream_at: usize, message: u64) {
        let Plan { streams, threads, .. } = &self.context.plan;
        let stream: &Stream = &streams[stream_at];
        let receivers = self.receivers.borrow();
        let all = &receivers[stream_at];
        let turn = usize::try_from(message).expect("few messages") / threads;
        let (outgoing, channel) = &all[turn % all.len()];
        let name = stream.channel_name(*channel);
        let data = self.data(stream_at, message);
        let text = format!(r#"{{"event":"client-bench","channel":"{name}","data":{{"d":"{data}"}}}}"#);
        let sent = outgoing.send(&text_frame(&text));
        self.count(stream_at, stream.receivers(*channel) - 1, sent);
    }

    fn join_or_leave(&self, stream_at: usize, message: u64) {
        let Context { plan, target, .. } = &*self.context;
        let stream = &plan.streams[stream_at];
        let (churner, is_join) = stream.turn(message);
        let channel = stream.channel_of(churner);
        let name = stream.channel_name(channel);
        let sent = match &self.churners.borrow()[stream_at][churner] {
            Some(outgoing) if is_join => {
                let user = mark::text(stream_at, message);
                outgoing.send(&outgoing.subscribe_frame(target, &name, Some(&user)))
            }
            Some(outgoing) => {
                let text = format!(r#"{{"event":"pusher:unsubscribe","data":{{"channel":"{name}"}}}}"#);
                outgoing.send(&text_frame(&text))
            }
            None => Err("it has no connection".into()),
        };
        self.count(stream_at, stream.receivers(channel), sent);
    }

    fn data(&self, stream_at: usize, message: u64) -> String {
        let mark = mark::text(stream_at, message);
        format!("{mark:x<width$}", width = self.context.plan.payload)
    }

    fn count(&self, stream_at: usize, receivers: usize, sent: Result<(), String>) {
        let messages = &self.context.shared.streams[stream_at];
        match sent {
            Ok(()) => {
                messages.expected.fetch_add(receivers as u64, Ordering::Relaxed);
                messages.sent.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                self.context.shared.on_error(error);
                messages.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Has the server know that all are there, in a long run.
    async fn ping(self: Rc<Self>) {
        let ping = text_frame(r#"{"event":"pusher:ping","data":{}}"#);
        loop {
            tokio::time::sleep(PING_EVERY).await;
            for (outgoing, _) in self.receivers.borrow().iter().flatten() {
                let _ = outgoing.send(&ping);
            }
            for outgoing in self.churners.borrow().iter().flatten().flatten() {
                let _ = outgoing.send(&ping);
            }
        }
    }
}

/// Gives each number when it is due. A thread of its own, for a runtime's timers are only good to a
/// millisecond.
fn metronome(begin: Instant, dues: impl Iterator<Item = (u64, Duration)> + Send + 'static) -> UnboundedReceiver<u64> {
    let (beat, beats) = unbounded_channel();
    std::thread::spawn(move || {
        for (number, due) in dues {
            std::thread::sleep((begin + due).saturating_duration_since(Instant::now()));
            if beat.send(number).is_err() {
                return;
            }
        }
    });
    beats
}
