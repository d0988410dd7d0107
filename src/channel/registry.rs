//! Finds channels, starts them, and decides when they end.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix::{
    Actor, Addr, Handler, Message, Recipient,
    dev::{SendError, ToEnvelope},
};
use ahash::RandomState;

use crate::{
    clock,
    domain::{ChannelKind, ChannelName, UserId},
    ledger::Observe,
    protocol::SubscribeError,
};

use super::{
    cache::{Cached, EventCache},
    channel::Channel,
    messages::{ChannelId, ListUsers, ListWorkers, Publish, Subscribe, Unsubscribe, WorkerId},
    workers::Workers,
};

/// How many parts the names are spread over, each with a lock of its own.
const SHARDS: usize = 16;
/// How long a question to a channel may take.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);

/// The live channels of one app.
///
/// An entry exists while a subscription is held or on its way: [`enter`](Self::enter) counts it
/// and sends it under the lock under which an emptied channel is removed, so that none is lost.
pub struct ChannelRegistry {
    shards: Vec<RwLock<HashMap<ChannelName, Entry, RandomState>>>,
    hasher: RandomState,
    workers: Arc<Workers>,
    observer: Recipient<Observe>,
    rules: ChannelRules,
    /// The number of live public channels, and of all others.
    live: [AtomicUsize; 2],
    /// The last events of cache channels, which outlive their channels.
    cache: Mutex<EventCache>,
}

/// What an app asks of its channels.
#[derive(Debug, Clone, Copy)]
pub struct ChannelRules {
    /// Most users in a presence channel.
    pub presence_members: usize,
    /// Whether subscribers and webhooks are told how many are subscribed.
    pub subscription_count: bool,
    /// How long the last event of a cache channel is kept.
    pub cache_ttl: Duration,
    /// Most bytes of cached events.
    pub cached_bytes: usize,
    /// Most channels at once that need a signature, and most of all kinds together.
    pub channels: usize,
}

struct Entry {
    channel: Addr<Channel>,
    id: ChannelId,
    tally: Arc<Tally>,
}

/// What a channel and its registry both count.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Subscribes that were sent and are not handled yet.
    pub(super) pending: AtomicUsize,
    /// Connections that are subscribed.
    pub(super) subscriptions: AtomicUsize,
    /// Distinct users.
    pub(super) users: AtomicUsize,
}

/// How many are in a channel now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that are subscribed.
    pub subscriptions: usize,
    /// Distinct users; 0 except on presence channels.
    pub users: usize,
}

/// What came of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It goes to the subscribers.
    Sent,
    /// Nobody is subscribed.
    NobodyThere,
    /// The channel has too much to do: nothing was sent.
    ChannelFull,
}

/// Why a channel's users could not be told.
#[derive(Debug, thiserror::Error)]
#[error("the channel did not answer in time")]
pub struct UsersError;

impl ChannelRegistry {
    /// A registry without channels, whose channels run on `workers` and report to `observer`.
    #[must_use]
    pub fn new(workers: Arc<Workers>, observer: Recipient<Observe>, rules: ChannelRules) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
            workers,
            observer,
            rules,
            live: Default::default(),
            cache: Mutex::new(EventCache::new(rules.cached_bytes, rules.cache_ttl)),
        }
    }

    /// Subscribes to a channel. A channel that does not exist yet is started if `may_start` allows it.
    ///
    /// # Errors
    /// The error of `may_start`, or that the limit of channels is reached.
    pub fn enter(
        self: &Arc<Self>,
        name: &ChannelName,
        subscribe: Subscribe,
        may_start: impl FnOnce() -> Result<(), SubscribeError>,
    ) -> Result<(), SubscribeError> {
        let subscribe = {
            let shard = self.shard(name).read().unwrap_or_else(PoisonError::into_inner);
            match shard.get(name) {
                Some(entry) => {
                    entry.enter(subscribe);
                    return Ok(());
                }
                None => subscribe,
            }
        };
        let mut shard = self.shard(name).write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = shard.get(name) {
            entry.enter(subscribe);
            return Ok(());
        }
        self.check_room(name)?;
        may_start()?;
        let Some(entry) = self.start(name) else {
            log::error!("no worker thread is up, a subscription to {name} is lost");
            return Ok(());
        };
        entry.enter(subscribe);
        self.live_like(name).fetch_add(1, Ordering::Relaxed);
        shard.insert(name.clone(), entry);
        Ok(())
    }

    /// Checks that one more channel may start. All channels count against a new public one, but only channels
    /// that need a signature against another of those. So public channels never take their room.
    fn check_room(&self, name: &ChannelName) -> Result<(), SubscribeError> {
        let [public, others] = self.live.each_ref().map(|live| live.load(Ordering::Relaxed));
        let live = match name.kind() {
            ChannelKind::Public => public + others,
            ChannelKind::Private
            | ChannelKind::PrivateEncrypted
            | ChannelKind::Presence
            | ChannelKind::ServerToUser => others,
        };
        let limit = self.rules.channels;
        if limit <= live {
            return Err(SubscribeError::TooManyChannels(limit));
        }
        Ok(())
    }

    /// The count of live channels of its kind.
    fn live_like(&self, name: &ChannelName) -> &AtomicUsize {
        &self.live[usize::from(name.kind() != ChannelKind::Public)]
    }

    /// Ends a subscription that [`enter`](Self::enter) began.
    pub fn leave(&self, name: &ChannelName, unsubscribe: Unsubscribe) {
        let shard = self.shard(name).read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = shard.get(name) {
            entry.channel.do_send(unsubscribe);
        }
    }

    /// Sends a frame to the subscribers of a channel, and keeps it when it is to be cached.
    ///
    /// A live channel keeps it itself, in the order of its mailbox, so that a subscriber gets it
    /// either as cached or as published.
    pub fn publish(&self, name: &ChannelName, publish: Publish) -> Published {
        let shard = self.shard(name).read().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = shard.get(name) else {
            self.keep(name, &publish);
            return Published::NobodyThere;
        };
        // Counted like a subscribe: a channel that is about to end must keep it first.
        let is_kept = publish.cached.is_some();
        if is_kept {
            entry.tally.pending.fetch_add(1, Ordering::SeqCst);
        }
        let published = match entry.channel.try_send(publish) {
            Ok(()) => return Published::Sent,
            Err(SendError::Full(_)) => Published::ChannelFull,
            Err(SendError::Closed(publish)) => {
                self.keep(name, &publish);
                Published::NobodyThere
            }
        };
        if is_kept {
            entry.tally.pending.fetch_sub(1, Ordering::SeqCst);
        }
        published
    }

    /// Whether a channel is live: somebody is subscribed or about to be.
    #[must_use]
    pub fn has(&self, name: &ChannelName) -> bool {
        let shard = self.shard(name).read().unwrap_or_else(PoisonError::into_inner);
        shard.contains_key(name)
    }

    /// How many are in a channel now.
    #[must_use]
    pub fn counts(&self, name: &ChannelName) -> Counts {
        let shard = self.shard(name).read().unwrap_or_else(PoisonError::into_inner);
        shard.get(name).map(Entry::counts).unwrap_or_default()
    }

    /// The data of the event that is cached for a channel, and how long it is kept.
    #[must_use]
    pub fn cached(&self, name: &ChannelName, now: Instant) -> Option<(Cached, Duration)> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(name, now).map(|(cached, left)| (cached.clone(), left))
    }

    /// The channels with subscribers whose names begin with `prefix`, in the order of their names.
    /// Those of users are left out.
    #[must_use]
    pub fn occupied(&self, prefix: &str) -> Vec<(ChannelName, Counts)> {
        let mut occupied = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            let matching = shard
                .iter()
                .filter(|(name, _)| name.as_str().starts_with(prefix))
                .filter(|(name, _)| name.kind() != ChannelKind::ServerToUser)
                .map(|(name, entry)| (name.clone(), entry.counts()))
                .filter(|(_, counts)| 0 < counts.subscriptions);
            occupied.extend(matching);
        }
        occupied.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        occupied
    }

    /// The distinct users of a presence channel, in the order of their ids.
    ///
    /// # Errors
    /// When the channel does not answer in time.
    pub async fn users(&self, name: &ChannelName) -> Result<Vec<UserId>, UsersError> {
        self.ask(name, ListUsers).await
    }

    /// The workers whose connections are subscribed to a channel, each with how many.
    ///
    /// # Errors
    /// When the channel does not answer in time.
    pub async fn per_worker(&self, name: &ChannelName) -> Result<Vec<(WorkerId, usize)>, UsersError> {
        self.ask(name, ListWorkers).await
    }

    /// Asks a channel for a list; one that is not there has an empty one.
    async fn ask<M, T>(&self, name: &ChannelName, question: M) -> Result<Vec<T>, UsersError>
    where
        M: Message<Result = Vec<T>> + Send + 'static,
        T: Send + 'static,
        Channel: Handler<M>,
        <Channel as Actor>::Context: ToEnvelope<Channel, M>,
    {
        let question = {
            let shard = self.shard(name).read().unwrap_or_else(PoisonError::into_inner);
            match shard.get(name) {
                Some(entry) => entry.channel.send(question).timeout(QUESTION_TIMEOUT),
                None => return Ok(Vec::new()),
            }
        };
        match question.await {
            Ok(list) => Ok(list),
            Err(actix::MailboxError::Closed) => Ok(Vec::new()),
            Err(actix::MailboxError::Timeout) => Err(UsersError),
        }
    }

    /// How many channels are live.
    #[must_use]
    pub fn len(&self) -> usize {
        let count = |shard: &RwLock<HashMap<_, _, _>>| shard.read().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(count).sum()
    }

    /// Tells whether no channel is live.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the app asks of its channels.
    pub(super) const fn rules(&self) -> &ChannelRules {
        &self.rules
    }

    /// Caches what is published, when it is to be.
    pub(super) fn keep(&self, name: &ChannelName, publish: &Publish) {
        let Some(data) = &publish.cached else { return };
        let cached = Cached {
            frame: publish.frame.clone(),
            data: Arc::clone(data),
        };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.put(name, cached, clock::now().instant);
    }

    /// Takes in that a subscriber found nothing cached; tells whether that is to be reported.
    pub(super) fn missed(&self, name: &ChannelName, now: Instant) -> bool {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.missed(name, now)
    }

    /// Removes an emptied channel, unless a subscription to it is on its way; tells whether it did.
    pub(super) fn retire(&self, name: &ChannelName, id: ChannelId) -> bool {
        let mut shard = self.shard(name).write().unwrap_or_else(PoisonError::into_inner);
        let is_unused = shard
            .get(name)
            .is_some_and(|entry| entry.id == id && entry.tally.pending.load(Ordering::SeqCst) == 0);
        if is_unused {
            shard.remove(name);
            self.live_like(name).fetch_sub(1, Ordering::Relaxed);
        }
        is_unused
    }

    /// Removes a channel that broke, whatever is on its way to it.
    pub(super) fn forget(&self, name: &ChannelName, id: ChannelId) {
        let mut shard = self.shard(name).write().unwrap_or_else(PoisonError::into_inner);
        if shard.get(name).is_some_and(|entry| entry.id == id) {
            shard.remove(name);
            self.live_like(name).fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn start(self: &Arc<Self>, name: &ChannelName) -> Option<Entry> {
        let arbiter = self.workers.arbiter(self.hasher.hash_one(name))?;
        let id = ChannelId::next();
        let tally = Arc::new(Tally::default());
        let channel = Channel::new(
            name.clone(),
            id,
            Arc::clone(&tally),
            Arc::clone(self),
            Arc::clone(&self.workers),
            self.observer.clone(),
        );
        let channel = Channel::start_in_arbiter(&arbiter, |_| channel);
        Some(Entry { channel, id, tally })
    }

    fn shard(&self, name: &ChannelName) -> &RwLock<HashMap<ChannelName, Entry, RandomState>> {
        // The high bits: the low ones choose the worker.
        let hash = self.hasher.hash_one(name) >> 32;
        &self.shards[usize::try_from(hash).unwrap_or_default() % SHARDS]
    }
}

impl Entry {
    fn enter(&self, subscribe: Subscribe) {
        self.tally.pending.fetch_add(1, Ordering::SeqCst);
        self.channel.do_send(subscribe);
    }

    fn counts(&self) -> Counts {
        Counts {
            subscriptions: self.tally.subscriptions.load(Ordering::Acquire),
            users: self.tally.users.load(Ordering::Acquire),
        }
    }
}
