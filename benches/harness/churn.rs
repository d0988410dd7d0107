//! Clients that change the state of channels, and what became of it at the receivers.

use std::{
    collections::{HashMap, HashSet},
    ops::RangeBounds,
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::{io::AsyncWriteExt, net::tcp::OwnedWriteHalf, task::JoinHandle};

use super::{Received, command_frame, connected};

/// The first change of a run comes so long after its beginning.
const LEAD: Duration = Duration::from_millis(20);

/// The spacing of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At equal distances.
    Steady,
    /// At random, like those of people who act independently.
    Random,
}

/// Changes of channels, one after the other over all channels: each is entered in one round and left
/// in the next.
pub struct Churn {
    sockets: Vec<OwnedWriteHalf>,
    readers: Vec<JoinHandle<()>>,
    channels: usize,
    /// For each channel when each of its changes was to be made.
    changes: Vec<Vec<Instant>>,
    made: u64,
    random: u64,
}

impl Churn {
    /// Connects a client for each of these keys, and spreads so many channels over them.
    pub async fn connect(port: u16, keys: &[String], channels: usize) -> Self {
        let (mut sockets, mut readers) = (Vec::new(), Vec::new());
        for key in keys {
            let (mut from_server, to_server) = connected(port, key, None).await.into_split();
            readers.push(tokio::task::spawn_local(async move {
                let _ = tokio::io::copy(&mut from_server, &mut tokio::io::sink()).await;
            }));
            sockets.push(to_server);
        }
        Self {
            sockets,
            readers,
            channels,
            changes: vec![Vec::new(); channels],
            made: 0,
            random: 1,
        }
    }

    /// How many changes were made.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Makes changes at a steady rate. Each counts from when it was to be made, also if it is late.
    pub async fn at_rate(&mut self, per_second: f64, lasting: Duration) {
        self.at_pace(per_second, Pace::Steady, lasting).await;
    }

    /// Makes changes at a rate. Each is timed from when it was due, even if it is late.
    pub async fn at_pace(&mut self, per_second: f64, pace: Pace, lasting: Duration) {
        let begin = Instant::now() + LEAD;
        let mut at = begin;
        while at < begin + lasting {
            tokio::time::sleep_until(at.into()).await;
            let now = Instant::now();
            let mut due = Vec::new();
            while at <= now && at < begin + lasting {
                due.push(at);
                at += self.wait(per_second, pace);
            }
            self.make(due.into_iter()).await;
        }
    }

    /// The time from one change to the next.
    fn wait(&mut self, per_second: f64, pace: Pace) -> Duration {
        let share = match pace {
            Pace::Steady => 1.0,
            Pace::Random => -(1.0 - self.random()).ln(),
        };
        Duration::from_secs_f64(share / per_second)
    }

    /// A number from 0 to below 1; the same ones in every run.
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Makes so many changes at once, which count from now.
    pub async fn burst(&mut self, count: u64) {
        let now = Instant::now();
        self.make((0..count).map(|_| now)).await;
    }

    async fn make(&mut self, at: impl Iterator<Item = Instant>) {
        let mut frames = vec![Vec::new(); self.sockets.len()];
        for at in at {
            let channel = usize::try_from(self.made % self.channels as u64).expect("a channel");
            let of_channel = &mut self.changes[channel];
            let command = if of_channel.len().is_multiple_of(2) {
                "subscribe"
            } else {
                "unsubscribe"
            };
            of_channel.push(at);
            let frame = command_frame(command, &format!("c{channel}"));
            frames[channel % self.sockets.len()].extend_from_slice(&frame);
            self.made += 1;
        }
        for (socket, frames) in self.sockets.iter_mut().zip(frames) {
            socket.write_all(&frames).await.expect("the server reads");
        }
    }

    /// How long each change took that was to be made in this time; or what is wrong, unless
    /// each of these endpoints was told of every change of its channels once and in order.
    ///
    /// `is_told` says whether an endpoint is told of a channel.
    pub fn latencies(
        &self,
        received: &[Received],
        endpoints: &[usize],
        is_told: impl Fn(usize, usize) -> bool,
        during: impl RangeBounds<Instant>,
    ) -> Result<Latencies, String> {
        let mut seen = HashSet::new();
        let mut counts: HashMap<(usize, usize), usize> = HashMap::new();
        let mut latencies = Vec::new();
        for request in received {
            if !seen.insert((request.endpoint, request.id.as_str())) {
                continue;
            }
            let body: Body<'_> = serde_json::from_str(&request.body).expect("a webhook's body");
            for event in body.events {
                let channel: usize = event.channel[1..].parse().expect("a channel of ours");
                let count = counts.entry((request.endpoint, channel)).or_default();
                let want = ["channel_occupied", "channel_vacated"][*count % 2];
                let change = self.changes[channel].get(*count);
                let Some(change) = change.filter(|_| want == event.name) else {
                    return Err(format!("{} of {} too many", event.name, event.channel));
                };
                *count += 1;
                if during.contains(change) {
                    latencies.push(request.at.saturating_duration_since(*change));
                }
            }
        }
        for &endpoint in endpoints {
            for (channel, changes) in self.changes.iter().enumerate() {
                let got = counts.get(&(endpoint, channel)).copied().unwrap_or(0);
                let want = if is_told(endpoint, channel) { changes.len() } else { 0 };
                if got != want {
                    return Err(format!(
                        "endpoint {endpoint} was told of {got} changes of c{channel}, not {want}"
                    ));
                }
            }
        }
        Ok(Latencies::new(latencies))
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        self.readers.iter().for_each(JoinHandle::abort);
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    events: Vec<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    name: &'a str,
    channel: &'a str,
}

/// How long changes took from when they were to be made until they were received.
pub struct Latencies {
    sorted: Vec<Duration>,
}

impl Latencies {
    /// Of these latencies, of which there must be one.
    pub fn new(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        assert!(!latencies.is_empty(), "nothing was measured");
        Self { sorted: latencies }
    }

    /// The latency in milliseconds that so many of a thousand do not exceed.
    pub fn per_mille_ms(&self, per_mille: usize) -> f64 {
        let rank = (self.sorted.len() * per_mille).div_ceil(1_000).max(1);
        self.sorted[rank - 1].as_secs_f64() * 1e3
    }

    /// p50, p99 and the longest, in words.
    pub fn in_words(&self) -> String {
        let [p50, p99, max] = [500, 990, 1_000].map(|per_mille| self.per_mille_ms(per_mille));
        format!("p50 {p50:.1}, p99 {p99:.1}, max {max:.1} ms of {}", self.sorted.len())
    }
}
