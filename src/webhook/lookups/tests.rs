use std::{
    collections::BTreeSet,
    future::Future,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;

use super::*;

/// A resolver of which each lookup hangs until it is let go; it counts them.
#[derive(Clone, Default)]
struct Held(Arc<HeldParts>);

#[derive(Default)]
struct HeldParts {
    /// The names that are answered.
    free: Mutex<BTreeSet<String>>,
    freed: std::sync::Condvar,
    begun: AtomicUsize,
    under_way: AtomicUsize,
}

impl Held {
    /// Lookups by it that find 127.0.0.1, or panic of `panics.example`.
    fn lookups(&self) -> Lookups {
        let Self(parts) = self.clone();
        Lookups::by(move |name| {
            parts.begun.fetch_add(1, Ordering::SeqCst);
            parts.under_way.fetch_add(1, Ordering::SeqCst);
            let mut free = parts.free.lock().expect("not poisoned");
            while !free.contains(name) {
                free = parts.freed.wait(free).expect("not poisoned");
            }
            drop(free);
            parts.under_way.fetch_sub(1, Ordering::SeqCst);
            assert_ne!(name, "panics.example");
            match name {
                "unknown.example" => Err(io::Error::other("nobody knows it")),
                _ => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
            }
        })
    }

    fn let_go(&self, name: &str) {
        self.0.free.lock().expect("not poisoned").insert(name.to_owned());
        self.0.freed.notify_all();
    }

    fn begun(&self) -> usize {
        self.0.begun.load(Ordering::SeqCst)
    }
}

/// What a future gives, which must be soon.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let given = tokio::time::timeout(Duration::from_secs(30), future).await;
    given.expect("it ends")
}

/// What a lookup finds, or why it finds nothing.
async fn found(lookups: &Lookups, name: &str) -> Result<Vec<SocketAddr>, String> {
    soon(lookups.lookup(name, 80)).await.map_err(|error| error.to_string())
}

/// Waits for a lookup and gives up at once.
async fn give_up(lookups: &Lookups, name: &str) {
    let gave_up = tokio::time::timeout(Duration::from_millis(1), lookups.lookup(name, 80)).await;
    assert!(gave_up.is_err(), "{name} hangs");
}

fn localhost() -> Result<Vec<SocketAddr>, String> {
    Ok(vec!["127.0.0.1:80".parse().expect("an address")])
}

#[actix_rt::test]
async fn all_who_want_a_name_wait_for_one_lookup() {
    let held = Held::default();
    let lookups = held.lookups();
    let names = ["shared.example", "Shared.Example"].repeat(32);
    let all: Vec<UnderWay> = names.iter().map(|name| lookups.of(name).expect("a thread")).collect();
    held.let_go("shared.example");
    for found in soon(join_all(all)).await {
        assert_eq!(found, Ok(Ok(Arc::from([IpAddr::from([127, 0, 0, 1])]))));
    }
    assert_eq!(held.begun(), 1);
}

#[actix_rt::test]
async fn what_was_found_is_forgotten_so_that_a_change_is_seen_by_the_next_lookup() {
    let asked = AtomicUsize::new(0);
    let lookups = Lookups::by(move |_| {
        let last = u8::try_from(asked.fetch_add(1, Ordering::SeqCst)).expect("few");
        Ok(vec![IpAddr::from([127, 0, 0, last])])
    });
    for last in 0..10 {
        let want = SocketAddr::from(([127, 0, 0, last], 80));
        assert_eq!(found(&lookups, "changing.example").await, Ok(vec![want]));
    }
    assert!(lookups.under_way().is_empty());
}

#[actix_rt::test]
async fn a_lookup_that_hangs_is_left_by_who_gives_up_joined_by_who_comes_and_delays_no_other_name() {
    let held = Held::default();
    let lookups = held.lookups();
    held.let_go("healthy.example");
    // More than the threads for blocking work that a runtime has.
    let names: Vec<String> = (0..600).map(|at| format!("hangs-{at}.example")).collect();
    for _ in 0..2 {
        join_all(names.iter().map(|name| give_up(&lookups, name))).await;
    }
    assert_eq!(found(&lookups, "healthy.example").await, localhost());
    soon(async {
        while held.begun() < names.len() + 1 {
            actix_rt::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(
        held.begun(),
        names.len() + 1,
        "one per name, however often it is asked for"
    );
    assert_eq!(held.0.under_way.load(Ordering::SeqCst), names.len());
    let joined = lookups.of(&names[7]).expect("it is under way");
    held.let_go(&names[7]);
    assert!(soon(joined).await.is_ok_and(|found| found.is_ok()));
    assert_eq!(held.begun(), names.len() + 1, "who came later waited for the same");
    names.iter().for_each(|name| held.let_go(name));
}

#[actix_rt::test]
async fn a_name_that_is_not_found_is_an_error_for_all_who_wait_and_is_asked_for_anew() {
    let held = Held::default();
    let lookups = held.lookups();
    let all: Vec<UnderWay> = (0..3)
        .map(|_| lookups.of("unknown.example").expect("a thread"))
        .collect();
    held.let_go("unknown.example");
    for found in soon(join_all(all)).await {
        assert_eq!(found, Ok(Err(Unresolved::new("nobody knows it"))));
    }
    let again = found(&lookups, "unknown.example").await;
    assert_eq!((again, held.begun()), (Err("nobody knows it".into()), 2));
}

#[actix_rt::test]
async fn a_lookup_that_breaks_is_an_error_and_the_name_is_asked_for_anew() {
    let held = Held::default();
    let lookups = held.lookups();
    held.let_go("panics.example");
    for round in 1..=2 {
        let broke = found(&lookups, "panics.example").await;
        assert_eq!(broke, Err("the lookup broke, the server's log has more".into()));
        assert_eq!(held.begun(), round);
    }
    assert!(lookups.under_way().is_empty());
}

#[actix_rt::test]
async fn an_address_in_brackets_is_no_name() {
    let held = Held::default();
    let lookups = held.lookups();
    let address = "[fd00::1]:80".parse().expect("an address");
    assert_eq!(found(&lookups, "[fd00::1]").await, Ok(vec![address]));
    assert_eq!(held.begun(), 0);
}

#[actix_rt::test]
async fn the_systems_resolver_knows_this_machine_and_not_what_is_no_name() {
    let lookups = Lookups::new();
    let known = found(&lookups, "localhost").await.expect("it is known");
    assert!(known.iter().all(|address| address.ip().is_loopback()), "{known:?}");
    assert!(found(&lookups, "no name").await.is_err());
}
