use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc,
    time::Duration,
};

use super::*;
use crate::{
    domain::{AppKey, ChannelName, WebhookEvent, guard::LinkLocal},
    ledger::{AppRules, Control, Edge, EndpointRules, Engine, Key, LedgerThread, Observed, Query, ToldChannel, View},
    signature::SigningKey,
    webhook::{Signer, Tls},
};

/// The webhooks of app `1` with one endpoint on a ledger of their own.
struct Rig {
    webhooks: Addr<Webhooks>,
    ledger: LedgerThread,
}

fn app() -> AppId {
    "1".parse().expect("valid")
}

fn channel(name: &str) -> ChannelName {
    name.parse().expect("valid")
}

impl Rig {
    fn start(url: &str, window: Duration, vacated_delay: Duration) -> Self {
        let ledger = crate::ledger::spawn(Box::new(Engine::of_test())).expect("a thread");
        let id: EndpointId = "e".parse().expect("valid");
        let mut endpoint = EndpointRules::of_test("e");
        endpoint.filter.events = vec![WebhookEvent::ChannelOccupied, WebhookEvent::ChannelVacated];
        let mut rules = AppRules::of_test("1", vec![endpoint]);
        rules.vacated_delay = vacated_delay;
        ledger.handle().control(Control::Configure(vec![rules]));
        let key: AppKey = "key".parse().expect("valid");
        let endpoint = EndpointSettings {
            app: app(),
            id,
            url: url.into(),
            headers: Vec::new(),
            timeout: Duration::from_secs(4),
            retry_after_max: Duration::from_secs(600),
            signer: Signer {
                key,
                signing: SigningKey::new(&"secret".into()),
                standard: Vec::new(),
            },
            extras: false,
            tls: Tls::public(),
            link_local: LinkLocal::Refused,
        };
        let limits = BatchLimits {
            window,
            events_max: 100,
            observed_max: 1_000,
            fold_from: 200,
            vacated_delay: Duration::ZERO,
        };
        let (tap, lookups) = (Tap::new(), Lookups::new());
        let webhooks = Webhooks::new(app(), limits, vec![endpoint], ledger.handle(), tap, lookups).start();
        Self { webhooks, ledger }
    }

    fn observe(&self, name: &str, entered: bool, at: Now) {
        let edge = Edge {
            key: Key::Channel(channel(name)),
            entered,
            at,
        };
        self.webhooks.do_send(Observe(Observed::Edge(edge)));
    }

    async fn told(&self, name: &str) -> ToldChannel {
        let question = Query::ToldChannel {
            app: app(),
            channel: channel(name),
        };
        match self.ledger.handle().read(question).await {
            Ok(View::ToldChannel(told)) => told,
            other => panic!("{other:?}"),
        }
    }

    async fn settled(&self) {
        while !self.webhooks.send(Idle).await.expect("runs") {
            actix_rt::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// A receiver on a thread of its own that answers each request with the next of the statuses, and
/// gives the bodies.
fn receiver(statuses: &'static [u16]) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let (sender, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        for status in statuses {
            let (mut socket, _) = listener.accept().expect("accepts");
            let mut request = Vec::new();
            let mut chunk = [0; 4_096];
            while !request.ends_with(b"]}") {
                let read = socket.read(&mut chunk).expect("reads");
                request.extend_from_slice(&chunk[..read]);
            }
            let request = String::from_utf8(request).expect("UTF-8");
            let (_, body) = request.split_once("\r\n\r\n").expect("a head");
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            socket.write_all(answer.as_bytes()).expect("writes");
            let (_, events) = body.split_once(r#""events":"#).expect("a body");
            let _ = sender.send(events.to_owned());
        }
    });
    (url, bodies)
}

async fn next(bodies: &mpsc::Receiver<String>) -> String {
    loop {
        match bodies.try_recv() {
            Ok(body) => return body,
            Err(mpsc::TryRecvError::Empty) => actix_rt::time::sleep(Duration::from_millis(5)).await,
            Err(mpsc::TryRecvError::Disconnected) => panic!("no request"),
        }
    }
}

#[actix_rt::test]
async fn what_was_reported_reaches_the_endpoint_and_so_does_what_falls_due() {
    let (url, bodies) = receiver(&[200, 200]);
    let rig = Rig::start(&url, Duration::from_millis(10), Duration::from_millis(30));
    rig.observe("a", true, clock::now());
    assert_eq!(next(&bodies).await, r#"[{"name":"channel_occupied","channel":"a"}]}"#);
    rig.observe("a", false, clock::now());
    assert_eq!(next(&bodies).await, r#"[{"name":"channel_vacated","channel":"a"}]}"#);
}

#[actix_rt::test]
async fn a_failed_request_comes_again_and_what_came_meanwhile_after_it() {
    let (url, bodies) = receiver(&[500, 200, 200]);
    let rig = Rig::start(&url, Duration::ZERO, Duration::ZERO);
    rig.observe("a", true, clock::now());
    let first = next(&bodies).await;
    rig.observe("a", false, clock::now());
    assert_eq!(next(&bodies).await, first);
    assert_eq!(next(&bodies).await, r#"[{"name":"channel_vacated","channel":"a"}]}"#);
}

#[actix_rt::test]
async fn a_key_does_not_fall_due_while_its_return_waits_in_the_mailbox() {
    let delay = Duration::from_millis(60);
    let rig = Rig::start("http://127.0.0.1:9/", Duration::ZERO, delay);
    let left = clock::now();
    rig.observe("a", true, left);
    rig.observe("a", false, left);
    rig.settled().await;
    let before = rig.told("a").await;
    assert!(before.told.is_some());
    // This thread is also that of the webhooks: they are as late as a thread with much to do.
    std::thread::sleep(2 * delay);
    rig.observe("b", true, left.after(delay / 3));
    rig.observe("a", true, left.after(delay / 2));
    rig.settled().await;
    assert_eq!(rig.told("a").await, before, "neither vacated nor occupied again");
}

#[actix_rt::test]
async fn a_window_is_taken_when_it_closes_though_nothing_else_comes() {
    let rig = Rig::start("http://127.0.0.1:9/", Duration::from_millis(50), Duration::ZERO);
    rig.observe("a", true, clock::now());
    rig.observe("a", false, clock::now());
    rig.observe("b", true, clock::now());
    rig.settled().await;
    assert!(rig.told("a").await.told.is_none());
    assert!(rig.told("b").await.told.is_some());
}

#[actix_rt::test]
async fn an_endpoint_is_tested_by_its_id_beside_the_ledger() {
    let (url, bodies) = receiver(&[204]);
    let rig = Rig::start(&url, Duration::ZERO, Duration::ZERO);
    let test = |id: &str| rig.webhooks.send(TestEndpoint(id.parse().expect("valid")));
    assert_eq!(test("other").await.expect("runs"), None);
    let report = test("e").await.expect("runs").expect("the app has it");
    assert_eq!((report.status, report.error), (Some(204), None));
    assert_eq!(next(&bodies).await, "[]}");
}
