//! How many files the process may have open, and so how many sockets.

use std::{fs::File, io};

use rustix::{
    io::fcntl_dupfd_cloexec,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use crate::{config::Settings, connection::SocketRoom, http::admin::STREAMS_MAX};

/// Files that a server has open besides sockets and worker threads: standard streams, libraries'
/// own, the ledger with its reserve, listeners, those who are told in TLS that there is no room, and
/// some to spare.
const OWN: usize = 64;
/// Files per worker thread: its poller, its wakers.
const PER_WORKER: usize = 8;
/// Connections to the admin API: all streams that there may be, and questions beside them. More wait to
/// be accepted.
pub(super) const ADMIN_CONNECTIONS: usize = STREAMS_MAX + 32;
/// Files per webhook request that may be under way: its connection, and one that is being closed.
const PER_LANE: usize = 2;
/// One of so many sockets is for back ends and for those who are being turned away.
const SHARE_FOR_CALLS: usize = 5;
/// The most that are kept for them.
const FOR_CALLS_MAX: usize = 16_384;

/// So many files the process's table has room for from the start; half a megabyte of the kernel.
const TABLE_MAX: usize = 65_536;

/// What a limit of open files is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    limit: usize,
    /// Files that are no sockets of the listener.
    reserve: usize,
    /// The sockets of the listener.
    pub(super) room: SocketRoom,
}

impl Plan {
    fn new(limit: usize, reserve: usize) -> Self {
        // A limit that is too low for anything still lets somebody in.
        let all = limit.saturating_sub(reserve).max(2);
        let for_calls = (all / SHARE_FOR_CALLS).clamp(1, FOR_CALLS_MAX);
        let room = SocketRoom {
            clients: all - for_calls,
            all,
        };
        Self { limit, reserve, room }
    }

    /// The lowest limit that allows so many connections of clients.
    fn limit_for(&self, connections: usize) -> usize {
        let for_calls = (connections.saturating_sub(1) / (SHARE_FOR_CALLS - 1)).clamp(1, FOR_CALLS_MAX);
        connections.saturating_add(for_calls).saturating_add(self.reserve)
    }

    /// What to say at a start.
    fn summary(&self) -> String {
        let Self { limit, reserve, room } = self;
        format!(
            "the limit of {limit} open files allows {} client connections: {reserve} are kept for the ledger, \
             listeners and webhooks, {} for API connections",
            room.clients,
            room.all - room.clients
        )
    }

    /// What to say when more connections are configured than there can be.
    fn warning(&self, connections: Option<usize>) -> Option<String> {
        let connections = connections.filter(|connections| self.room.clients < *connections)?;
        Some(format!(
            "server.connections is {connections}, but the limit of {} open files allows {}; what is more is refused. \
             Raise the hard limit to {} or more: `ulimit -Hn` in the shell that starts it, `LimitNOFILE=` in a \
             systemd unit, `--ulimit nofile=` of docker",
            self.limit,
            self.room.clients,
            self.limit_for(connections)
        ))
    }
}

/// Lets this process have as many files open as the system allows, and says how many connections
/// that makes; none when there is no limit.
pub(super) fn plan(settings: &Settings) -> Option<Plan> {
    let Some(limit) = raise() else {
        log::info!("there is no limit of open files");
        return None;
    };
    make_room(limit.min(TABLE_MAX));
    let plan = Plan::new(limit, reserve(settings));
    log::info!("{}", plan.summary());
    if let Some(warning) = plan.warning(settings.server.connections) {
        log::warn!("{warning}");
    }
    Some(plan)
}

fn reserve(settings: &Settings) -> usize {
    let endpoints = settings.apps.iter().flat_map(|app| &app.webhooks);
    let lanes: usize = endpoints.map(|endpoint| endpoint.lanes as usize).sum();
    OWN + PER_WORKER * settings.server.workers + ADMIN_CONNECTIONS + PER_LANE * lanes
}

/// Raises the limit to the highest that is allowed, and gives it.
fn raise() -> Option<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            log::warn!("the limit of open files stays as it is: {}", io::Error::from(error));
            current
        }
    };
    limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Has the kernel make its table of this process's files so large at once. Else it doubles it while
/// connections come, and in a process of several threads waits each time until no processor reads
/// the old one, for which those who connect wait 10 ms and more.
fn make_room(files: usize) {
    let highest = files.saturating_sub(1).try_into().unwrap_or(i32::MAX);
    let grown = File::open("/dev/null").and_then(|file| Ok(fcntl_dupfd_cloexec(&file, highest)?));
    if let Err(error) = grown {
        log::debug!("the table of open files grows as it is needed: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_sockets_is_for_back_ends_and_a_bounded_number() {
        for (limit, clients, all) in [
            (20_000, 15_840, 19_800),
            (1_024, 660, 824),
            (1_048_576, 1_031_992, 1_048_376),
        ] {
            assert_eq!(Plan::new(limit, 200).room, SocketRoom { clients, all }, "{limit}");
        }
    }

    #[test]
    fn a_limit_below_what_is_needed_lets_one_client_in() {
        assert_eq!(Plan::new(64, 200).room, SocketRoom { clients: 1, all: 2 });
    }

    #[test]
    fn the_limit_that_is_asked_for_is_enough_and_no_more() {
        for connections in [1, 2, 5, 999, 15_000, 65_535, 65_536, 65_537, 1_000_000] {
            let needed = Plan::new(0, 200).limit_for(connections);
            let clients = |limit| Plan::new(limit, 200).room.clients;
            assert!(connections <= clients(needed), "{connections}");
            assert!(connections == 1 || clients(needed - 1) < connections, "{connections}");
        }
    }

    #[test]
    fn more_connections_than_the_files_allow_are_warned_of_with_what_to_do() {
        let plan = Plan::new(1_024, 200);
        assert_eq!(plan.warning(None), None);
        assert_eq!(plan.warning(Some(660)), None);
        let warning = plan.warning(Some(50_000)).expect("too many");
        for part in [
            "server.connections is 50000",
            "1024 open files allows 660",
            "62699 or more",
            "LimitNOFILE=",
        ] {
            assert!(warning.contains(part), "{part}: {warning}");
        }
        assert_eq!(
            plan.summary(),
            "the limit of 1024 open files allows 660 client connections: 200 are kept for the ledger, listeners and \
             webhooks, 164 for API connections"
        );
    }
}
