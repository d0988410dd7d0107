//! Which storms there are, and how large they are.

/// A kind of storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storm {
    /// Subscribed clients vanish at once, by RST.
    Vanish,
    /// Clients connect and subscribe at once.
    Reconnect,
    /// Users join one presence channel, and leave at once.
    Presence,
    /// One client subscribes to new channels and unsubscribes again.
    FloodByOne,
    /// Several do.
    Flood,
    /// One client holds many channels and vanishes.
    Channels,
    /// Half of the subscribers of a busy channel do not read.
    Stuck,
    /// Calls without end and without waiting for answers.
    Pipeline,
    /// Clients that are refused send without end.
    Refused,
}

/// A storm of a size.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Which.
    pub storm: Storm,
    /// Its clients.
    pub clients: usize,
    /// Channel names of each client, where it makes some.
    pub names: usize,
    /// Joins of a presence channel.
    pub joins_per_second: u32,
}

impl Storm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Vanish,
        Self::Reconnect,
        Self::Presence,
        Self::FloodByOne,
        Self::Flood,
        Self::Channels,
        Self::Stuck,
        Self::Pipeline,
        Self::Refused,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vanish => "vanish",
            Self::Reconnect => "reconnect",
            Self::Presence => "presence",
            Self::FloodByOne => "flood-by-one",
            Self::Flood => "flood",
            Self::Channels => "channels",
            Self::Stuck => "stuck",
            Self::Pipeline => "pipeline",
            Self::Refused => "refused",
        }
    }

    /// How often it is made before it is measured. The ledger keeps the last 100,000 vacant keys of an
    /// app for a day: a flood of names has to fill that once, and then leaves nothing more.
    pub const fn unmeasured(self) -> usize {
        match self {
            Self::FloodByOne | Self::Flood => 4,
            Self::Vanish
            | Self::Reconnect
            | Self::Presence
            | Self::Channels
            | Self::Stuck
            | Self::Pipeline
            | Self::Refused => 0,
        }
    }

    /// The storm of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|storm| storm.name() == name)
    }

    /// Its full size, or a part of it.
    pub fn plan(self, scale: f64) -> Plan {
        let part = |full: usize| ((full as f64 * scale) as usize).max(2);
        let (clients, names) = match self {
            Self::Vanish | Self::Reconnect => (part(10_000), 0),
            Self::Presence => (part(2_000), 0),
            Self::FloodByOne => (1, part(300_000)),
            Self::Flood => (20, part(20_000)),
            Self::Channels => (1, part(10_000)),
            Self::Stuck => (part(1_000), 0),
            Self::Pipeline | Self::Refused => (part(20), 0),
        };
        Plan {
            storm: self,
            clients,
            names,
            joins_per_second: 1_000,
        }
    }
}
