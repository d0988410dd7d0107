//! Who is in a channel.

use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;

use crate::domain::{Member, SocketId, UserId};

use super::messages::WorkerId;

/// The subscriptions of one channel and, on presence channels, its users.
#[derive(Debug, Default)]
pub struct Roster {
    subscriptions: HashMap<SocketId, Subscription, RandomState>,
    users: BTreeMap<UserId, User>,
    /// How many subscriptions each worker has, by its place.
    per_worker: Vec<usize>,
}

/// What must happen because a subscription began or ended, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the connection that it is subscribed; it gets events from here on.
    Confirm(SocketId, WorkerId),
    /// Tell the connection that the channel has as many users as it may; it is not subscribed.
    Refuse(SocketId, WorkerId),
    /// The connection gets nothing from here on.
    Remove(SocketId, WorkerId),
    /// Tell the others that a user joined with a first connection, which is not told itself.
    MemberAdded(Member, SocketId),
    /// Tell the others that the last connection of a user left.
    MemberRemoved(UserId),
    /// The channel was entered by its first subscription.
    ChannelEntered,
    /// The channel was left by its last subscription.
    ChannelLeft,
    /// A user entered with a first connection.
    UserEntered(UserId),
    /// A user left with the last connection.
    UserLeft(UserId),
}

#[derive(Debug)]
struct Subscription {
    worker: WorkerId,
    user_id: Option<UserId>,
}

#[derive(Debug)]
struct User {
    member: Member,
    connections: usize,
}

impl Roster {
    /// Records a subscription. The first effect is its confirmation, so that the client never sees
    /// an event before it. A connection that is in already changes nothing. A new user is refused
    /// when there are `users_max`; one who is in may always join again.
    pub fn join(
        &mut self,
        socket_id: SocketId,
        worker: WorkerId,
        member: Option<Member>,
        users_max: usize,
    ) -> Vec<Effect> {
        if self.subscriptions.contains_key(&socket_id) {
            return Vec::new();
        }
        let is_new = |member: &Member| !self.users.contains_key(member.user_id());
        if users_max <= self.users.len() && member.as_ref().is_some_and(is_new) {
            return vec![Effect::Refuse(socket_id, worker)];
        }
        let mut effects = vec![Effect::Confirm(socket_id, worker)];
        if self.subscriptions.is_empty() {
            effects.push(Effect::ChannelEntered);
        }
        let user_id = member.as_ref().map(|member| member.user_id().clone());
        if let Some(member) = member {
            self.join_user(socket_id, member, &mut effects);
        }
        self.count(worker, 1);
        self.subscriptions.insert(socket_id, Subscription { worker, user_id });
        effects
    }

    /// Ends a subscription. A connection that is not in changes nothing.
    pub fn leave(&mut self, socket_id: SocketId) -> Vec<Effect> {
        let Some(Subscription { worker, user_id }) = self.subscriptions.remove(&socket_id) else {
            return Vec::new();
        };
        self.count(worker, -1);
        let mut effects = vec![Effect::Remove(socket_id, worker)];
        if let Some(user_id) = user_id {
            self.leave_user(user_id, &mut effects);
        }
        if self.subscriptions.is_empty() {
            effects.push(Effect::ChannelLeft);
            self.subscriptions.shrink_to_fit();
        }
        effects
    }

    /// The members, one per user, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.users.values().map(|user| &user.member)
    }

    /// How many connections are subscribed.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        self.subscriptions.len()
    }

    /// How many distinct users are in.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// The workers that have subscriptions.
    pub fn workers(&self) -> impl Iterator<Item = WorkerId> {
        self.per_worker().map(|(worker, _)| worker)
    }

    /// The workers that have subscriptions, each with how many.
    pub fn per_worker(&self) -> impl Iterator<Item = (WorkerId, usize)> {
        let at = |at| WorkerId(u16::try_from(at).expect("the index was made from a WorkerId"));
        self.per_worker
            .iter()
            .enumerate()
            .filter(|(_, count)| 0 < **count)
            .map(move |(place, count)| (at(place), *count))
    }

    /// Tells whether a connection is subscribed.
    #[must_use]
    pub fn contains(&self, socket_id: SocketId) -> bool {
        self.subscriptions.contains_key(&socket_id)
    }

    /// Tells whether nobody is subscribed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subscriptions.is_empty()
    }

    fn join_user(&mut self, socket_id: SocketId, member: Member, effects: &mut Vec<Effect>) {
        if let Some(user) = self.users.get_mut(member.user_id()) {
            user.connections += 1;
            user.member = member;
            return;
        }
        let user_id = member.user_id().clone();
        effects.insert(1, Effect::MemberAdded(member.clone(), socket_id));
        effects.push(Effect::UserEntered(user_id.clone()));
        self.users.insert(user_id, User { member, connections: 1 });
    }

    fn leave_user(&mut self, user_id: UserId, effects: &mut Vec<Effect>) {
        let Some(user) = self.users.get_mut(&user_id) else {
            return;
        };
        user.connections -= 1;
        if user.connections == 0 {
            self.users.remove(&user_id);
            effects.push(Effect::MemberRemoved(user_id.clone()));
            effects.push(Effect::UserLeft(user_id));
        }
    }

    fn count(&mut self, WorkerId(at): WorkerId, change: isize) {
        let at = usize::from(at);
        if self.per_worker.len() <= at {
            self.per_worker.resize(at + 1, 0);
        }
        self.per_worker[at] = self.per_worker[at].saturating_add_signed(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drives a roster and compares effects: `ok1` confirmed, `x1` removed, `+m7` and `-m7` told
    /// to members, `+c` and `-c` edges of the channel, `+u7` and `-u7` edges of a user.
    struct Check(Roster);

    impl Check {
        #[track_caller]
        fn joins(&mut self, socket: u128, worker: u16, user: Option<&str>, want: &str) -> &mut Self {
            let member = user.map(|id| Member::new(id.parse().expect("valid"), None));
            let effects = self.0.join(SocketId::from_random(socket), WorkerId(worker), member, 2);
            assert_eq!(print(&effects), want);
            self
        }

        #[track_caller]
        fn leaves(&mut self, socket: u128, want: &str) -> &mut Self {
            let effects = self.0.leave(SocketId::from_random(socket));
            assert_eq!(print(&effects), want);
            self
        }

        #[track_caller]
        fn counts(&mut self, subscriptions: usize, users: usize, workers: &[u16]) -> &mut Self {
            let got: Vec<u16> = self.0.workers().map(|WorkerId(at)| at).collect();
            let roster = &self.0;
            assert_eq!(
                roster.per_worker().map(|(_, count)| count).sum::<usize>(),
                subscriptions
            );
            assert_eq!(
                (
                    roster.subscription_count(),
                    roster.user_count(),
                    got.as_slice(),
                    roster.is_empty()
                ),
                (subscriptions, users, workers, subscriptions == 0)
            );
            self
        }
    }

    fn print(effects: &[Effect]) -> String {
        let number = |id: &SocketId| id.to_string().trim_start_matches("0.").to_owned();
        let words: Vec<String> = effects
            .iter()
            .map(|effect| match effect {
                Effect::Confirm(id, WorkerId(worker)) => format!("ok{}@{worker}", number(id)),
                Effect::Refuse(id, WorkerId(worker)) => format!("no{}@{worker}", number(id)),
                Effect::Remove(id, WorkerId(worker)) => format!("x{}@{worker}", number(id)),
                Effect::MemberAdded(member, id) => format!("+m{}!{}", member.user_id(), number(id)),
                Effect::MemberRemoved(user) => format!("-m{user}"),
                Effect::ChannelEntered => "+c".into(),
                Effect::ChannelLeft => "-c".into(),
                Effect::UserEntered(user) => format!("+u{user}"),
                Effect::UserLeft(user) => format!("-u{user}"),
            })
            .collect();
        words.join(" ")
    }

    #[test]
    fn only_the_first_and_the_last_subscription_are_edges() {
        Check(Roster::default())
            .counts(0, 0, &[])
            .joins(1, 0, None, "ok1@0 +c")
            .joins(2, 1, None, "ok2@1")
            .counts(2, 0, &[0, 1])
            .leaves(1, "x1@0")
            .counts(1, 0, &[1])
            .leaves(2, "x2@1 -c")
            .counts(0, 0, &[])
            .joins(1, 0, None, "ok1@0 +c");
    }

    #[test]
    fn a_second_join_or_leave_of_a_connection_changes_nothing() {
        Check(Roster::default())
            .joins(1, 0, None, "ok1@0 +c")
            .joins(1, 1, None, "")
            .counts(1, 0, &[0])
            .leaves(2, "")
            .leaves(1, "x1@0 -c")
            .leaves(1, "");
    }

    #[test]
    fn a_member_is_told_after_the_confirmation_and_before_the_edges() {
        Check(Roster::default())
            .joins(1, 0, Some("7"), "ok1@0 +m7!1 +c +u7")
            .joins(2, 0, Some("8"), "ok2@0 +m8!2 +u8")
            .leaves(1, "x1@0 -m7 -u7")
            .leaves(2, "x2@0 -m8 -u8 -c");
    }

    #[test]
    fn several_connections_of_a_user_are_one_member() {
        Check(Roster::default())
            .joins(1, 0, Some("7"), "ok1@0 +m7!1 +c +u7")
            .joins(2, 1, Some("7"), "ok2@1")
            .counts(2, 1, &[0, 1])
            .leaves(1, "x1@0")
            .counts(1, 1, &[1])
            .leaves(2, "x2@1 -m7 -u7 -c");
    }

    #[test]
    fn a_new_user_is_refused_when_the_channel_is_full_and_one_who_is_in_is_not() {
        Check(Roster::default())
            .joins(1, 0, Some("7"), "ok1@0 +m7!1 +c +u7")
            .joins(2, 0, Some("8"), "ok2@0 +m8!2 +u8")
            .joins(3, 1, Some("9"), "no3@1")
            .counts(2, 2, &[0])
            .leaves(3, "")
            .joins(4, 1, Some("8"), "ok4@1")
            .leaves(1, "x1@0 -m7 -u7")
            .joins(3, 1, Some("9"), "ok3@1 +m9!3 +u9");
    }

    #[test]
    fn a_users_later_connection_replaces_its_info() {
        let mut roster = Roster::default();
        let member = |info| Member::new("7".parse().expect("valid"), Some(info));
        roster.join(SocketId::from_random(1), WorkerId(0), Some(member("{\"a\":1}")), 2);
        assert!(roster.contains(SocketId::from_random(1)) && !roster.contains(SocketId::from_random(2)));
        roster.join(SocketId::from_random(2), WorkerId(0), Some(member("{\"a\":2}")), 2);
        let infos: Vec<_> = roster.members().filter_map(Member::user_info).collect();
        assert_eq!(infos, ["{\"a\":2}"]);
    }
}
