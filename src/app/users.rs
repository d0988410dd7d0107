//! Who is signed in, and who watches whom (PROTOCOL.md sections 4.1, 4.3 and 4.5).

use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;

use crate::{
    channel::WorkerId,
    domain::{SocketId, UserId},
};

/// The signed-in users of one app and their watchlists.
///
/// It is bounded by what comes in: an entry for each signed-in connection, of which the app's and
/// the server's limits allow so many, and for each of these one for each user that it watches, at
/// most as many as the reader of its `user_data` lets through. Nothing of a connection is left
/// when it has signed out.
#[derive(Debug, Default)]
pub struct Users {
    sockets: HashMap<SocketId, SignedIn, RandomState>,
    /// Those who are signed in or watched.
    users: HashMap<UserId, User, RandomState>,
}

/// What follows from a sign-in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SignIn {
    /// Whether the user was signed in on no connection before.
    pub first: bool,
    /// The connections to tell that the user is online, in the order of their ids: those that
    /// watch it, without the one that signed in. Empty unless `first`.
    pub watchers: Vec<(SocketId, WorkerId)>,
    /// Those of the newcomer's watchlist who are signed in, in its order.
    pub online: Vec<UserId>,
    /// Those of the newcomer's watchlist who are not, in its order.
    pub offline: Vec<UserId>,
}

/// What follows from the end of a signed-in connection.
#[derive(Debug, PartialEq, Eq)]
pub struct SignOut {
    /// Who was signed in.
    pub user: UserId,
    /// Whether the user is signed in on no connection any more.
    pub last: bool,
    /// The connections to tell that the user is offline, in the order of their ids. Empty unless
    /// `last`.
    pub watchers: Vec<(SocketId, WorkerId)>,
}

#[derive(Debug)]
struct SignedIn {
    user: UserId,
    watchlist: Vec<UserId>,
}

#[derive(Debug, Default)]
struct User {
    connections: BTreeMap<SocketId, WorkerId>,
    watchers: BTreeMap<SocketId, WorkerId>,
}

impl Users {
    /// Records that a connection signed in as a user and watches the users of a list, each of whom
    /// stands there once.
    ///
    /// A connection that signs in again as the same user has its new watchlist in place of the old.
    /// As another user it may not, which its session refuses: here it changes nothing, and nothing
    /// follows.
    pub fn sign_in(&mut self, socket: SocketId, worker: WorkerId, user: UserId, watchlist: Vec<UserId>) -> SignIn {
        match self.sockets.get_mut(&socket) {
            Some(held) if held.user != user => return SignIn::default(),
            Some(held) => {
                let old = std::mem::take(&mut held.watchlist);
                self.stop_watching(socket, &old);
            }
            None => {}
        }
        let entry = self.users.entry(user.clone()).or_default();
        let first = entry.connections.is_empty();
        entry.connections.insert(socket, worker);
        let watchers = if first { listed(&entry.watchers) } else { Vec::new() };
        for watched in &watchlist {
            let watched = self.users.entry(watched.clone()).or_default();
            watched.watchers.insert(socket, worker);
        }
        let (online, offline) = watchlist.iter().cloned().partition(|watched| self.is_online(watched));
        self.sockets.insert(socket, SignedIn { user, watchlist });
        SignIn {
            first,
            watchers,
            online,
            offline,
        }
    }

    /// Ends what a connection was signed in as; none when it was not signed in.
    pub fn sign_out(&mut self, socket: SocketId) -> Option<SignOut> {
        let SignedIn { user, watchlist } = self.sockets.remove(&socket)?;
        self.stop_watching(socket, &watchlist);
        let entry = self.users.get_mut(&user)?;
        entry.connections.remove(&socket);
        let last = entry.connections.is_empty();
        let watchers = if last { listed(&entry.watchers) } else { Vec::new() };
        self.drop_if_idle(&user);
        if self.sockets.is_empty() {
            self.sockets.shrink_to_fit();
            self.users.shrink_to_fit();
        }
        Some(SignOut { user, last, watchers })
    }

    /// The connections that are signed in as a user, in the order of their ids.
    #[must_use]
    pub fn connections_of(&self, user: &UserId) -> Vec<(SocketId, WorkerId)> {
        self.users
            .get(user)
            .map_or_else(Vec::new, |user| listed(&user.connections))
    }

    /// Tells whether nobody is signed in; nobody watches anybody then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    fn is_online(&self, user: &UserId) -> bool {
        self.users.get(user).is_some_and(|user| !user.connections.is_empty())
    }

    fn stop_watching(&mut self, socket: SocketId, watchlist: &[UserId]) {
        for watched in watchlist {
            if let Some(user) = self.users.get_mut(watched) {
                user.watchers.remove(&socket);
            }
            self.drop_if_idle(watched);
        }
    }

    /// Drops a user who is neither signed in nor watched.
    fn drop_if_idle(&mut self, user: &UserId) {
        let idle = |user: &User| user.connections.is_empty() && user.watchers.is_empty();
        if self.users.get(user).is_some_and(idle) {
            self.users.remove(user);
        }
    }
}

fn listed(sockets: &BTreeMap<SocketId, WorkerId>) -> Vec<(SocketId, WorkerId)> {
    sockets.iter().map(|(socket, worker)| (*socket, *worker)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drives the users. Connections are written `1@0`, socket 1 on worker 0; what follows as
    /// `first`, `last`, `tell` with connections, `on` and `off` with users.
    struct Check(Users);

    impl Check {
        #[track_caller]
        fn signs_in(&mut self, connection: (u128, u16), user: &str, watchlist: &[&str], want: &str) -> &mut Self {
            let (socket, worker) = connection;
            let watchlist = watchlist.iter().map(|id| id.parse().expect("valid")).collect();
            let SignIn {
                first,
                watchers,
                online,
                offline,
            } = self.0.sign_in(
                SocketId::from_random(socket),
                WorkerId(worker),
                user.parse().expect("valid"),
                watchlist,
            );
            let first = if first { "first" } else { "" };
            let users = |ids: &[UserId]| ids.iter().map(|id| format!(" {id}")).collect::<String>();
            let got = format!(
                "{first} tell{} on{} off{}",
                connections(&watchers),
                users(&online),
                users(&offline)
            );
            assert_eq!(got.trim_start(), want);
            self
        }

        #[track_caller]
        fn signs_out(&mut self, socket: u128, want: &str) -> &mut Self {
            let got = self.0.sign_out(SocketId::from_random(socket));
            let got = got.map_or_else(String::new, |SignOut { user, last, watchers }| {
                let last = if last { " last" } else { "" };
                format!("{user}{last} tell{}", connections(&watchers))
            });
            assert_eq!(got, want);
            self
        }

        #[track_caller]
        fn finds(&mut self, user: &str, want: &str) -> &mut Self {
            let got = self.0.connections_of(&user.parse().expect("valid"));
            assert_eq!(connections(&got).trim_start(), want);
            self
        }

        #[track_caller]
        fn is_empty(&mut self) -> &mut Self {
            assert!(self.0.is_empty(), "{self:?}", self = self.0);
            assert_eq!((self.0.sockets.capacity(), self.0.users.capacity()), (0, 0));
            self
        }
    }

    fn connections(list: &[(SocketId, WorkerId)]) -> String {
        let print = |(socket, WorkerId(worker)): &(SocketId, WorkerId)| {
            format!(" {}@{worker}", socket.to_string().trim_start_matches("0."))
        };
        list.iter().map(print).collect()
    }

    #[test]
    fn only_the_first_connection_and_the_last_are_told_to_watchers() {
        Check(Users::default())
            .is_empty()
            .signs_in((1, 0), "a", &["b"], "first tell on off b")
            .signs_in((2, 1), "b", &[], "first tell 1@0 on off")
            .signs_in((3, 2), "b", &[], "tell on off")
            .signs_out(2, "b tell")
            .signs_out(3, "b last tell 1@0")
            .signs_out(1, "a last tell")
            .is_empty();
    }

    #[test]
    fn a_newcomer_gets_the_state_of_its_watchlist_in_its_order() {
        Check(Users::default())
            .signs_in((1, 0), "d", &[], "first tell on off")
            .signs_in((2, 0), "b", &[], "first tell on off")
            .signs_in((3, 0), "x", &["d", "c", "b", "a"], "first tell on d b off c a");
    }

    #[test]
    fn every_connection_that_watches_is_told() {
        Check(Users::default())
            .signs_in((3, 1), "x", &["b"], "first tell on off b")
            .signs_in((1, 0), "x", &["b"], "tell on off b")
            .signs_in((2, 0), "y", &["b", "c"], "first tell on off b c")
            .signs_in((4, 0), "b", &["x"], "first tell 1@0 2@0 3@1 on x off")
            .signs_out(1, "x tell")
            .signs_out(4, "b last tell 2@0 3@1");
    }

    #[test]
    fn who_watches_itself_is_told_by_its_state_alone_but_its_other_connections_are_told() {
        Check(Users::default())
            .signs_in((1, 0), "a", &["a"], "first tell on a off")
            .signs_in((2, 0), "a", &["a"], "tell on a off")
            .signs_out(1, "a tell")
            .signs_out(2, "a last tell")
            .is_empty();
    }

    #[test]
    fn a_second_sign_in_as_the_same_user_replaces_the_watchlist() {
        Check(Users::default())
            .signs_in((1, 0), "a", &["b", "c"], "first tell on off b c")
            .signs_in((1, 0), "a", &["c", "d"], "tell on off c d")
            .signs_in((2, 0), "b", &[], "first tell on off")
            .signs_in((3, 0), "d", &[], "first tell 1@0 on off")
            .signs_in((4, 0), "c", &[], "first tell 1@0 on off")
            .finds("a", "1@0")
            .signs_out(1, "a last tell")
            .signs_out(2, "b last tell")
            .signs_out(3, "d last tell")
            .signs_out(4, "c last tell")
            .is_empty();
    }

    #[test]
    fn a_second_sign_in_as_another_user_changes_nothing() {
        Check(Users::default())
            .signs_in((1, 0), "a", &["b"], "first tell on off b")
            .signs_in((1, 0), "b", &["c"], "tell on off")
            .finds("a", "1@0")
            .finds("b", "")
            .signs_in((2, 0), "b", &[], "first tell 1@0 on off")
            .signs_out(2, "b last tell 1@0")
            .signs_out(1, "a last tell")
            .is_empty();
    }

    #[test]
    fn the_connections_of_a_user_are_found_on_their_workers() {
        Check(Users::default())
            .signs_in((2, 1), "a", &[], "first tell on off")
            .signs_in((1, 0), "a", &["w"], "tell on off w")
            .finds("a", "1@0 2@1")
            .finds("w", "")
            .finds("nobody", "")
            .signs_out(1, "a tell")
            .finds("a", "2@1");
    }

    #[test]
    fn who_was_not_signed_in_cannot_sign_out() {
        Check(Users::default())
            .signs_out(1, "")
            .signs_in((1, 0), "a", &[], "first tell on off")
            .signs_out(1, "a last tell")
            .signs_out(1, "")
            .is_empty();
    }

    #[test]
    fn a_user_who_is_watched_and_gone_is_dropped_with_the_last_watcher() {
        let mut check = Check(Users::default());
        check
            .signs_in((1, 0), "a", &["b"], "first tell on off b")
            .signs_in((2, 0), "b", &[], "first tell 1@0 on off")
            .signs_out(2, "b last tell 1@0");
        assert_eq!((check.0.sockets.len(), check.0.users.len()), (1, 2));
        assert!(!check.0.is_empty());
        check.signs_out(1, "a last tell").is_empty();
    }
}
