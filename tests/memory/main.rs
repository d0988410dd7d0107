//! What the ledger says that it holds, beside what it holds: its heap, by an allocator that counts.
//!
//! A bound on memory is worth what its sum is. Each test has an engine on a store in memory hold
//! one kind of record and compares; `-- --nocapture` shows the bytes of each, which
//! `docs/webhooks.md` quotes.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests are documented by their names"
)]

mod world;

use std::{hint::black_box, time::Duration};

use alloc_tracker::{Allocator, Session};
use vacancy::{
    domain::{ChannelName, UserId},
    ledger::{ClientEvent, DisabledBecause, Key, Mode, Stateless},
};

use world::World;

#[global_allocator]
static ALLOCATOR: Allocator<std::alloc::System> = Allocator::system();

const KEYS: usize = 10_000;
/// More than anything here holds for a moment.
const BALLAST: u64 = 1 << 30;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Compares what a world says that it holds with what it holds: at most a quarter more or less.
#[track_caller]
fn check(what: &str, records: usize, fill: impl FnOnce() -> World) {
    let (empty, base) = held(|| World::new(1, Duration::ZERO));
    let (world, bytes) = held(fill);
    let held = (bytes - base) / records as u64;
    let counted = (world.bytes() - empty.bytes()) / records as u64;
    println!("{what}: holds {held} bytes each, counted {counted}");
    assert!(held * 3 / 4 <= counted, "{what}: holds {held}, counted {counted}");
    assert!(counted <= held * 5 / 4, "{what}: holds {held}, counted {counted}");
}

/// Makes something and gives it with the bytes of the heap that it holds. The allocator tells the
/// peak alone, which is while the ballast is there.
fn held<T>(make: impl FnOnce() -> T) -> (T, u64) {
    let session = Session::new().no_stdout().no_file();
    let operation = session.operation("held");
    let span = operation.measure_thread().iterations(1);
    let made = make();
    black_box(Vec::<u8>::with_capacity(BALLAST as usize));
    drop(span);
    let report = session.to_report();
    let (_, operation) = report.operations().next().unwrap();
    (made, operation.peak_outstanding_bytes().unwrap() as u64 - BALLAST)
}

/// The name of a channel, of 24 bytes; with `mixed` in no order.
fn channel(no: usize, mixed: bool) -> ChannelName {
    let no = if mixed { no * 7_919 % KEYS } else { no };
    format!("presence-{no:015}").parse().unwrap()
}

fn channels(mixed: bool) -> Vec<Key> {
    (0..KEYS).map(|no| Key::Channel(channel(no, mixed))).collect()
}

/// The id of a user, of 9 bytes.
fn user(no: usize) -> UserId {
    format!("user-{no:04}").parse().unwrap()
}

fn occupied(keys: &[Key]) -> World {
    let mut world = World::new(1, Duration::ZERO);
    world.edges(keys, true).delivered().housekept();
    world
}

fn vacant(make: impl Fn() -> Vec<Key>) -> World {
    let mut world = World::new(1, Duration::ZERO);
    // Each time with names of their own, as clients send them.
    for _ in 0..2 {
        let keys = make();
        for some in keys.chunks(1_000) {
            world.edges(some, true).delivered();
            world.edges(some, false).delivered();
        }
    }
    world.housekept();
    world
}

#[test]
fn occupied_channels_are_counted_with_what_they_hold() {
    check("an occupied channel", KEYS, || occupied(&channels(false)));
    check("an occupied channel, in no order", KEYS, || occupied(&channels(true)));
}

#[test]
fn vacant_channels_are_counted_with_what_they_hold() {
    check("a vacant channel", KEYS, || vacant(|| channels(false)));
    check("a vacant channel, in no order", KEYS, || vacant(|| channels(true)));
}

#[test]
fn users_of_channels_are_counted_with_what_they_hold_however_many_a_channel_has() {
    for each in [1, 2, 10, 1_000] {
        let make = || -> Vec<Key> {
            let names = (0..KEYS / each).map(|no| channel(no, true));
            let keys = names.flat_map(|name| {
                let members = (0..each).map(user).collect::<Vec<_>>();
                let own = Key::Channel(name.clone());
                let members = members.into_iter().map(move |id| Key::Member(name.clone(), id));
                std::iter::once(own).chain(members)
            });
            keys.collect()
        };
        check(&format!("a user of {each} in a channel, with its share"), KEYS, || {
            occupied(&make())
        });
        check(&format!("a vacant user of {each}, with its share"), KEYS, || {
            vacant(make)
        });
    }
}

#[test]
fn signed_in_users_are_counted_with_what_they_hold() {
    let make = || (0..KEYS).map(|no| Key::User(user(no))).collect::<Vec<_>>();
    check("a signed-in user", KEYS, || occupied(&make()));
    check("a user who was signed in", KEYS, || vacant(make));
}

#[test]
fn events_that_wait_are_counted_with_what_they_hold_however_many_wait_for_them() {
    for endpoints in [1, 3] {
        let what = format!("an occupied channel with its event, for {endpoints}");
        check(&what, KEYS, || {
            let mut world = World::new(endpoints, Duration::ZERO);
            world.edges(&channels(true), true).housekept();
            world
        });
    }
    for keys in [1, 100] {
        check(&format!("a change of one of {keys} channels that waits"), KEYS, || {
            let mut world = World::new(1, Duration::ZERO);
            let channels = &channels(true)[..keys];
            for no in 0..KEYS / keys {
                world.edges(channels, no.is_multiple_of(2));
            }
            world.housekept();
            world
        });
    }
    for data in [10, 1_000] {
        check(&format!("a client event of {data} bytes that waits"), KEYS, || {
            let mut world = World::new(1, Duration::ZERO);
            world.stateless((0..KEYS).map(|no| client_event(no, data))).housekept();
            world
        });
    }
}

#[test]
fn the_log_and_the_dead_letters_are_counted_with_what_they_hold() {
    check("an occupied channel with its lines of the log", KEYS, || {
        let mut world = World::new(1, DAY);
        world.edges(&channels(true), true).delivered();
        world
    });
    for data in [10, 1_000] {
        check(&format!("a client event of {data} bytes in the log"), KEYS, || {
            let mut world = World::new(1, DAY);
            world.stateless((0..KEYS).map(|no| client_event(no, data))).delivered();
            world
        });
        // Of one event, the line of the log and the dead letter are each counted with its data, since
        // either may be the one that stays.
        check(&format!("a dead letter of {data} bytes"), KEYS, || {
            let mut world = World::new(1, Duration::ZERO);
            world.mode(Mode::Disabled(DisabledBecause::Operator));
            world.stateless((0..KEYS).map(|no| client_event(no, data))).housekept();
            world
        });
    }
}

fn client_event(no: usize, data: usize) -> Stateless {
    Stateless::Client(ClientEvent {
        channel: channel(no, false),
        event: "client-typing".into(),
        data: "x".repeat(data),
        socket_id: "123.456".parse().unwrap(),
        user_id: Some(user(no)),
    })
}
