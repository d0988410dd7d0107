//! What is to be sent, when, and how often it is to arrive.

use std::time::Duration;

use super::{
    args::{Args, Scenario},
    mark::{self, Mark},
};

/// The most client events that one connection may send per second (Pusher's limit).
const CLIENT_EVENTS_PER_SECOND: f64 = 10.0;

/// A run.
#[derive(Debug)]
pub struct Plan {
    /// What is done.
    pub scenario: Scenario,
    /// One kind of message each; their places are their numbers.
    pub streams: Vec<Stream>,
    /// Connections per second at the beginning.
    pub connect_rate: f64,
    /// How long messages are sent.
    pub seconds: f64,
    /// Bytes of data in an event.
    pub payload: usize,
    /// Threads of the client.
    pub threads: usize,
    /// HTTP connections of each thread.
    pub publishers: usize,
}

/// Messages of one kind at a steady rate, with the connections that take part.
#[derive(Debug, Clone)]
pub struct Stream {
    /// What it is.
    pub kind: Kind,
    /// Messages per second; 0 when none are sent.
    pub rate: f64,
    /// How many are sent.
    pub messages: u64,
    /// Connections that receive.
    pub connections: usize,
    /// Channels that they are spread over.
    pub channels: usize,
    /// Connections that join and leave.
    pub churners: usize,
}

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An event that is published by HTTP.
    Publish,
    /// An event from a client.
    ClientEvent,
    /// A join or a leave.
    Presence,
}

impl Kind {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publishes",
            Self::ClientEvent => "client events",
            Self::Presence => "joins and leaves",
        }
    }
}

impl Plan {
    /// Makes of the arguments what is to be done, or says which of them cannot be.
    pub fn new(args: &Args) -> Result<Self, String> {
        let (connections, channels, rate) = match args.scenario {
            Scenario::Ramp => (5_000, 100, 1_000.0),
            Scenario::Fanout => (1_000, 1, 100.0),
            Scenario::Channels => (1_000, 100, 1_000.0),
            Scenario::Presence => (300, 10, 200.0),
            Scenario::ClientEvents => (1_000, 100, 500.0),
            Scenario::Mixed => (1_000, 100, 600.0),
        };
        let connections = args.connections.unwrap_or(connections);
        let channels = args.channels.unwrap_or(channels);
        let rate = args.rate.unwrap_or(rate);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let plan = Self {
            scenario: args.scenario,
            streams: Vec::new(),
            connect_rate: if args.scenario == Scenario::Ramp {
                rate
            } else {
                args.connect_rate
            },
            seconds: args.seconds,
            payload: args.payload,
            threads: args.threads.unwrap_or(cores / 2).max(1),
            publishers: args.publishers,
        };
        plan.check(connections, channels, rate)?;
        let sixth = (connections / 6, (channels / 6).max(1));
        let others = (connections - 2 * sixth.0, channels.saturating_sub(2 * sixth.1).max(1));
        let all = (connections, channels);
        let one = |kind, rate, part| Stream::new((kind, rate), part, &plan);
        let streams = match args.scenario {
            Scenario::Ramp => vec![one(Kind::Publish, 0.0, all)],
            Scenario::Fanout if 1 < channels => {
                return Err("--channels: fanout has one; take the scenario `channels`".into());
            }
            Scenario::Fanout | Scenario::Channels => vec![one(Kind::Publish, rate, all)],
            Scenario::Presence => vec![one(Kind::Presence, rate, all)],
            Scenario::ClientEvents => vec![one(Kind::ClientEvent, rate, all)],
            Scenario::Mixed => vec![
                one(Kind::Publish, rate * 4.0 / 6.0, others),
                one(Kind::ClientEvent, rate / 6.0, sixth),
                one(Kind::Presence, rate / 6.0, sixth),
            ],
        };
        for stream in &streams {
            stream.check(plan.threads)?;
        }
        Ok(Self { streams, ..plan })
    }

    fn check(&self, connections: usize, channels: usize, rate: f64) -> Result<(), String> {
        let is_positive = |name: &str, value: f64| match value {
            value if value.is_finite() && 0.0 < value => Ok(()),
            value => Err(format!("--{name} {value}: a number above 0 is needed")),
        };
        is_positive("rate", rate)?;
        is_positive("connect-rate", self.connect_rate)?;
        is_positive("seconds", self.seconds)?;
        is_positive("connections", connections as f64)?;
        is_positive("channels", channels as f64)?;
        is_positive("publishers", self.publishers as f64)?;
        if connections < channels {
            return Err(format!(
                "--channels {channels}: each needs a connection, and there are {connections} (--connections)"
            ));
        }
        if self.payload < mark::LEN {
            return Err(format!(
                "--payload {}: {} or more are needed, for the number of a message is in its data",
                self.payload,
                mark::LEN
            ));
        }
        Ok(())
    }

    /// All connections.
    pub fn connections(&self) -> usize {
        self.streams
            .iter()
            .map(|stream| stream.connections + stream.churners)
            .sum()
    }
}

impl Stream {
    fn new((kind, rate): (Kind, f64), (connections, channels): (usize, usize), plan: &Plan) -> Self {
        let churners = match kind {
            // Each stays for a second or less, and belongs to one thread.
            Kind::Presence => (rate.ceil() as usize)
                .min(connections / 2)
                .next_multiple_of(plan.threads),
            Kind::Publish | Kind::ClientEvent => 0,
        };
        let connections = connections.saturating_sub(churners);
        Self {
            kind,
            rate,
            messages: (rate * plan.seconds) as u64,
            connections,
            channels,
            churners,
        }
    }

    fn check(&self, threads: usize) -> Result<(), String> {
        let Self {
            kind,
            rate,
            connections,
            channels,
            ..
        } = self;
        if *connections < (*channels).max(threads) {
            return Err(format!(
                "--connections: too few for the {} in {channels} channels",
                kind.name()
            ));
        }
        match kind {
            Kind::ClientEvent if CLIENT_EVENTS_PER_SECOND < rate / *connections as f64 => Err(format!(
                "--rate: {rate:.0} client events per second are more than {CLIENT_EVENTS_PER_SECOND} for each of {connections} connections, which is what one may send"
            )),
            Kind::Publish | Kind::ClientEvent | Kind::Presence => Ok(()),
        }
    }

    /// When a message is due, from the beginning.
    pub fn due(&self, message: u64) -> Duration {
        Duration::from_secs_f64(message as f64 / self.rate)
    }

    /// The channel of a connection, or of one who joins and leaves.
    pub const fn channel_of(&self, connection: usize) -> usize {
        connection % self.channels
    }

    /// How many connections receive what is sent in a channel.
    pub const fn receivers(&self, channel: usize) -> usize {
        let more = channel < self.connections % self.channels;
        self.connections / self.channels + more as usize
    }

    /// The name of a channel; other runs have others.
    pub fn channel_name(&self, channel: usize) -> String {
        let run = std::process::id();
        match self.kind {
            Kind::Publish => format!("bench-{run}-{channel}"),
            Kind::ClientEvent => format!("private-bench-{run}-{channel}"),
            Kind::Presence => format!("presence-bench-{run}-{channel}"),
        }
    }

    /// Who joins or leaves as a message of a presence stream, and whether it is a join.
    pub const fn turn(&self, message: u64) -> (usize, bool) {
        let churners = self.churners as u64;
        ((message % churners) as usize, (message / churners).is_multiple_of(2))
    }

    /// When the message was due of which a mark tells. One who leaves has the mark with which it had
    /// joined, a turn before.
    pub fn due_of(&self, mark: Mark) -> Duration {
        self.due(match mark.is_leave {
            true => mark.message + self.churners as u64,
            false => mark.message,
        })
    }
}
