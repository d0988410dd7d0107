//! The engine of the ledger over random histories: clients that come and go, endpoints that answer
//! in every way, time, crashes, commits that fail and changed configurations. What it decides is
//! compared with the rules said a second time; what the endpoints get with the contract of DESIGN.md
//! section 2.
//!
//! An input is bytes: how it begins, then two for each thing that happens.

mod receiver;
mod reference;
mod store;
mod world;

use std::{env, fs, path::PathBuf, process};

use proptest::{collection::vec, prelude::*};
use vacancy::ledger::{DisabledBecause, Embedded, EmbeddedSettings, MemoryStore, Mode};

use crate::runner::run_up_to;

use store::{Kept, Watched};
use world::{AppConf, Conf, ENDPOINTS, Open, Reply, World, keys};

/// Histories of each test on a store in memory, in every run of the tests.
const HISTORIES: u32 = 10_000;
/// The most of them when more are asked for.
const HISTORIES_MAX: u32 = 200_000;
/// Histories on a real file.
const IN_A_FILE: u32 = 150;
/// The most of them when more are asked for.
const IN_A_FILE_MAX: u32 = 2_000;

#[test]
fn the_contract_holds_over_random_histories_without_a_delay() {
    run_up_to("ledger_model", HISTORIES, HISTORIES_MAX, histories(0), |input| {
        play(input, in_memory());
    });
}

#[test]
fn the_contract_holds_over_random_histories_with_a_delay() {
    run_up_to("ledger_model", HISTORIES, HISTORIES_MAX, histories(1), |input| {
        play(input, in_memory());
    });
}

#[test]
fn the_contract_holds_over_random_histories_in_a_file() {
    let folder = env::temp_dir().join(format!("vacancy-model-{}", process::id()));
    let inputs = prop_oneof![histories(0), histories(1)];
    run_up_to("ledger_model", IN_A_FILE, IN_A_FILE_MAX, inputs, |input| {
        let _ = fs::remove_dir_all(&folder);
        play(input, in_file(folder.join("ledger.redb")));
    });
    let _ = fs::remove_dir_all(&folder);
}

fn in_memory() -> Open {
    Box::new(|kept: &Kept| {
        let store = Watched {
            kept: kept.clone(),
            inner: Box::new(MemoryStore::new()),
        };
        let loaded = kept.records().loaded.clone();
        (store, loaded)
    })
}

fn in_file(path: PathBuf) -> Open {
    Box::new(move |kept: &Kept| {
        let settings = EmbeddedSettings {
            reserve_bytes: 0,
            ..EmbeddedSettings::new(path.clone())
        };
        let (store, loaded) = Embedded::open(&settings).unwrap();
        assert_eq!(loaded, kept.records().loaded, "what is read is what was written");
        let store = Watched {
            kept: kept.clone(),
            inner: Box::new(store),
        };
        (store, loaded)
    })
}

/// Histories without a delay (0) or with one (1).
fn histories(delay: u8) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 3..100).prop_map(move |rest| [vec![delay], rest].concat())
}

fn play(input: &[u8], open: Open) {
    let [delay, endpoints @ ..] = input.first_chunk::<4>().copied().unwrap_or_default();
    let mut conf = AppConf {
        is_there: true,
        enabled: true,
        endpoints: Default::default(),
    };
    for (id, byte) in ENDPOINTS.into_iter().zip(endpoints) {
        change(&mut conf, id, byte);
    }
    let mut world = World::new(open, if delay % 2 == 0 { 0 } else { 3_000 }, conf);
    for op in input.get(4..).unwrap_or_default().chunks_exact(2) {
        happen(&mut world, op[0], op[1]);
    }
    world.settle();
}

/// Configures an endpoint, or removes it.
fn change(conf: &mut AppConf, id: &'static str, byte: u8) {
    if byte % 8 == 7 {
        conf.endpoints.remove(id);
        return;
    }
    let of_endpoint = Conf {
        filter: (byte >> 3) % 4,
        lanes: 1 + u32::from(byte >> 5) % 3,
        compact: byte % 8 == 6,
    };
    conf.endpoints.insert(id, of_endpoint);
}

fn happen(world: &mut World, what: u8, how: u8) {
    let keys = keys();
    let key = &keys[usize::from(how) % keys.len()];
    let id = ENDPOINTS[usize::from(how) % ENDPOINTS.len()];
    match what {
        0..=69 => world.toggle(key),
        70..=79 => world.client_event(key),
        80..=119 => {
            world.step(true);
        }
        120..=124 => {
            world.step(false);
        }
        125..=154 => {
            world.advance(
                [1, 50, 1_000, 1_000, 3_000, 3_000, 31_000, 61_000, 250_000, 90_000_000][usize::from(how) % 10],
            );
        }
        155..=189 => world.reply(usize::from(how), Reply::Delivers, 0),
        190..=209 => {
            let reply = match how % 4 {
                0 => Reply::TakesAndFails,
                1 => Reply::Refuses,
                _ => Reply::Fails,
            };
            let retry_ms = [0, 1_000, 1_000, 60_000][usize::from(how >> 2) % 4];
            world.reply(usize::from(how), reply, retry_ms);
        }
        210..=213 => world.reply(usize::from(how), Reply::Gone, 0),
        214..=222 => {
            let conf = world.conf();
            world.restart(conf);
        }
        223..=225 => {
            let mut conf = world.conf();
            if conf.is_there {
                change(&mut conf, id, how);
            }
            world.restart(conf);
        }
        226..=229 => world.drain(),
        230..=237 => {
            let mut conf = world.conf();
            if conf.is_there {
                change(&mut conf, id, how);
            }
            world.configure(conf);
        }
        238..=239 => {
            let mut conf = world.conf();
            if how.is_multiple_of(2) {
                conf.is_there = !conf.is_there;
            } else {
                conf.enabled = !conf.enabled;
            }
            if conf.is_there && conf.endpoints.is_empty() {
                change(&mut conf, id, how);
            }
            world.configure(conf);
        }
        240..=246 => {
            let mode = match how >> 4 {
                0..=5 => Mode::Enabled,
                6..=9 => Mode::Paused,
                _ => Mode::Disabled(DisabledBecause::Operator),
            };
            world.set_mode(id, mode);
        }
        247..=250 => world.fail_next_commit(),
        253 => world.refuse(id, key),
        251..=252 => world.replay(id, usize::from(how), 1 + usize::from(how) % 3),
        254..=255 => world.jump(how.is_multiple_of(2), [1, 5_000, 600_000][usize::from(how >> 1) % 3]),
    }
}
