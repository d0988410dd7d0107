//! Clients on both workers join and leave one channel for 20 s.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::{Random, Rig, run};
use crate::harness::Client;

const FOR: Duration = Duration::from_secs(20);

/// What the clients of a run share.
#[derive(Clone)]
struct Run {
    port: u16,
    until: Instant,
    /// Most milliseconds in and out.
    stay_ms: u64,
    joins: Rc<Cell<usize>>,
    closes: Rc<Cell<usize>>,
    from: Instant,
    /// When all stay away, from and to milliseconds after the start.
    quiets: &'static [(u64, u64)],
}

impl Run {
    fn new(rig: &Rig, stay_ms: u64, quiets: &'static [(u64, u64)]) -> Self {
        let from = Instant::now();
        Self {
            port: rig.port(),
            until: from + FOR,
            stay_ms,
            joins: Rc::default(),
            closes: Rc::default(),
            from,
            quiets,
        }
    }

    /// How long a client is to stay away now, besides its own pause.
    fn quiet_left(&self) -> Duration {
        let passed = self.from.elapsed();
        let at = passed.as_millis();
        let quiet = self
            .quiets
            .iter()
            .find(|(from, to)| (u128::from(*from)..u128::from(*to)).contains(&at));
        quiet.map_or(Duration::ZERO, |(_, to)| {
            Duration::from_millis(*to).saturating_sub(passed)
        })
    }

    /// One client, which joins and leaves until the time is over.
    async fn client(self, seed: u64) {
        let mut random = Random::new(seed);
        let mut client = Client::connect(self.port).await;
        let mut is_in = false;
        while Instant::now() < self.until {
            let stay = Duration::from_millis(random.below(self.stay_ms + 1));
            if is_in {
                tokio::time::sleep(stay).await;
                match random.below(10) {
                    0 => {
                        client.close().await;
                        client = Client::connect(self.port).await;
                        self.closes.set(self.closes.get() + 1);
                    }
                    1 => {
                        client.reset();
                        client = Client::connect(self.port).await;
                        self.closes.set(self.closes.get() + 1);
                    }
                    // Leaves before it knows that it is in, and joins again.
                    2 => {
                        client.unsubscribe("race").await;
                        client.subscribe("race").await;
                        client.unsubscribe("race").await;
                        self.joins.set(self.joins.get() + 1);
                    }
                    _ => client.unsubscribe("race").await,
                }
                is_in = false;
            } else {
                tokio::time::sleep(stay + self.quiet_left()).await;
                client.subscribe("race").await;
                self.joins.set(self.joins.get() + 1);
                is_in = true;
            }
        }
        match seed % 3 {
            0 => client.close().await,
            1 => client.reset(),
            _ => drop(client),
        }
    }
}

#[test]
fn four_clients_on_one_channel_without_a_delay() {
    run(async {
        let rig = Rig::start("0s").await;
        let race = Run::new(&rig, 25, &[]);
        join_all((0..4).map(|seed| race.clone().client(seed))).await;
        let events = rig.expect_nothing_left(Duration::from_secs(30)).await;
        println!(
            "race a: 4 clients, {} joins, {} closes, {events} transitions",
            race.joins.get(),
            race.closes.get()
        );
        assert!(50 <= events, "{events} transitions");
        rig.server.stop().await.expect("stops");
    });
}

/// Joins the presence channel and reads until that is confirmed.
async fn enter(client: &mut Client, user: &str) {
    let text = client.subscription("presence-race", Some(user));
    client.send(&text).await;
    while client.next_json().await["event"] != "pusher_internal:subscription_succeeded" {}
}

#[test]
fn six_connections_of_two_users_on_a_presence_channel_without_a_delay() {
    run(async {
        let rig = Rig::start("0s").await;
        let until = Instant::now() + Duration::from_secs(6);
        let port = rig.port();
        join_all((0..6).map(|seed| async move {
            let mut random = Random::new(seed);
            let user = if seed % 2 == 0 { "even" } else { "odd" };
            let mut client = Client::connect(port).await;
            while Instant::now() < until {
                enter(&mut client, user).await;
                tokio::time::sleep(Duration::from_millis(random.below(15))).await;
                if random.below(3) == 0 {
                    client.reset();
                    client = Client::connect(port).await;
                } else {
                    client.unsubscribe("presence-race").await;
                }
                tokio::time::sleep(Duration::from_millis(random.below(40))).await;
            }
        }))
        .await;
        let events = rig.expect_nothing_left(Duration::from_secs(30)).await;
        println!("race of users: {events} transitions");
        check_channel_encloses_members(&rig.receiver.events());
        rig.server.stop().await.expect("stops");
    });
}

/// Without a delay a member is there only while the channel is.
#[track_caller]
fn check_channel_encloses_members(events: &[String]) {
    let mut occupied = false;
    let mut members = 0;
    for (at, event) in events.iter().enumerate() {
        let is_member = event.contains('/');
        match (event.starts_with('+'), is_member) {
            (true, false) => occupied = true,
            (false, false) => occupied = false,
            (true, true) => members += 1,
            (false, true) => members -= 1,
        }
        assert!(
            occupied || members == 0,
            "{event} at {at}: {:?}",
            &events[at.saturating_sub(5)..=at]
        );
    }
}

#[test]
fn sixty_four_clients_on_one_channel_with_a_delay_of_3_s() {
    run(async {
        let rig = Rig::start("3s").await;
        // All are away for a little less than the delay, for about the delay, and for longer.
        let race = Run::new(&rig, 6, &[(2_000, 4_900), (7_000, 10_150), (13_000, 16_500)]);
        join_all((0..64).map(|seed| race.clone().client(seed))).await;
        let events = rig.expect_nothing_left(Duration::from_secs(15)).await;
        println!(
            "race b: 64 clients, {} joins, {} closes, {events} transitions",
            race.joins.get(),
            race.closes.get()
        );
        assert!(500 <= race.joins.get(), "{} joins", race.joins.get());
        assert!(2 <= events, "{events} transitions");
        rig.server.stop().await.expect("stops");
    });
}
