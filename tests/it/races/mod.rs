//! Clients that come and go at random, on a server in this process, so that what it still holds
//! afterwards can be counted.

mod bystander;
mod random;
mod storms;

use std::time::Duration;

use vacancy::{Census, Server};

use crate::harness::{Api, Client, Receiver, alternating, config_of, eventually, holds_within, webhook};

/// A server in this process and the receiver of its webhooks.
pub struct Rig {
    pub server: Server,
    pub receiver: Receiver,
}

/// Runs a test in an actix system of its own.
fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

impl Rig {
    /// Two workers, and this vacated delay.
    async fn start(vacated_delay: &str) -> Self {
        let receiver = Receiver::start().await;
        // What a server of the same process left is not this one's.
        let sections = format!(
            "server: {{listen: \"127.0.0.1:0\", workers: 2, write_timeout: 1m}}\nledger: {{path: memory}}\n\
             webhooks: {{vacated_delay: {vacated_delay}}}"
        );
        let text = config_of(
            &sections,
            &["limits: {presence_members: 1000}"],
            &webhook(&receiver.url()),
        );
        let settings = vacancy::settings(&text).unwrap_or_else(|error| panic!("{error}"));
        let server = Server::start(&settings).expect("starts");
        Self { server, receiver }
    }

    fn port(&self) -> u16 {
        self.server.address().port()
    }

    async fn client(&self) -> Client {
        Client::connect(self.port()).await
    }

    /// Waits until there are so many connections.
    async fn expect_connections(&self, count: usize) {
        eventually("the others are gone", || async {
            self.server.census().await.connections == count
        })
        .await;
    }

    /// Waits until the server holds nothing, nothing is told occupied, and the last event of each key
    /// says vacated; gives the number of events. They must alternate.
    async fn expect_nothing_left(&self, patience: Duration) -> usize {
        let (mut events, mut left) = (0, None);
        let nothing_is_left = async || {
            let census = self.server.census().await;
            // Edges may still be on their way to the ledger when the last client is gone.
            let told = Api::new(self.port()).told().await;
            let received = self.receiver.events();
            events = received.len();
            let (census, told, occupied) = left.insert((census, told, alternating(&received)));
            *census == Census::default() && told.is_empty() && occupied.is_empty()
        };
        let nothing_is_left = holds_within(patience, nothing_is_left).await;
        assert!(nothing_is_left, "held, told and occupied by webhooks: {left:?}");
        events
    }
}

/// Random numbers that are the same in each run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}
