//! A client that a storm does not concern.

use std::{cell::Cell, rc::Rc};

use actix_rt::task::JoinHandle;

use crate::harness::{Api, Client, Frame};

/// Its channel.
const CHANNEL: &str = "aside";

/// A client that is published to and pings, one after the other, and gets every event and every
/// pong, until it is told to end.
pub(super) struct Bystander {
    has_ended: Rc<Cell<bool>>,
    task: JoinHandle<usize>,
}

impl Bystander {
    /// Subscribes it and begins. It is one connection and one channel.
    pub(super) async fn start(port: u16) -> Self {
        let mut client = Client::connect(port).await;
        client.subscribe(CHANNEL).await;
        let has_ended = Rc::new(Cell::new(false));
        let ended = Rc::clone(&has_ended);
        let task = actix_rt::spawn(async move {
            let (api, mut times) = (Api::new(port), 0);
            while times == 0 || !ended.get() {
                times += 1;
                api.trigger(CHANNEL, "e", &times.to_string()).await;
                let event = format!(r#"{{"event":"e","data":"{times}","channel":"{CHANNEL}"}}"#);
                client.expect(&event).await;
                client.send(r#"{"event":"pusher:ping","data":{}}"#).await;
                let Frame::Text(pong) = client.next().await else {
                    panic!("no pong");
                };
                assert!(pong.starts_with(r#"{"event":"pusher:pong""#), "{pong}");
            }
            times
        });
        Self { has_ended, task }
    }

    /// Ends it; gives how many events and pongs it got, at least one of each.
    pub(super) async fn end(self) -> usize {
        self.has_ended.set(true);
        self.task.await.expect("the bystander got all that was for it")
    }

    /// The webhook events that are not about it.
    pub(super) fn others(mut events: Vec<String>) -> Vec<String> {
        events.retain(|event| &event[1..] != CHANNEL);
        events
    }
}
