mod addresses;
mod answers;
mod kept;
mod names;

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{IpAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use actix::Addr;

use super::*;
use crate::{
    domain::Now,
    ledger::{Done, Event, EventBody, EventId, Key, Ledger, LedgerError, LedgerThread, Query, Step, View},
    signature::{SigningKey, StandardKey},
    webhook::Heard,
};

/// Tells what it was answered.
struct Recorder(mpsc::Sender<Answer>);

impl Ledger for Recorder {
    fn portion(&mut self, step: &Step, _: usize, _: Now) -> Result<Done, LedgerError> {
        for answer in &step.answers {
            let _ = self.0.send(answer.clone());
        }
        Ok(Done::default())
    }

    fn read(&self, _: &Query, _: Now) -> Result<View, LedgerError> {
        Ok(View::Unanswered(0))
    }
}

/// Lookups that find one list of addresses after the other, the last for ever, and how many there were.
fn lookups(lists: &[&[&str]]) -> (Lookups, Arc<AtomicUsize>) {
    let addresses = |list: &&[&str]| list.iter().map(|ip| ip.parse().expect("an address")).collect();
    let lists: Mutex<VecDeque<Vec<IpAddr>>> = Mutex::new(lists.iter().map(addresses).collect());
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let lookups = Lookups::by(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        let mut lists = lists.lock().expect("not poisoned");
        let list = lists.pop_front().expect("a list");
        if lists.is_empty() {
            lists.push_back(list.clone());
        }
        Ok(list)
    });
    (lookups, count)
}

/// An endpoint on a ledger that only records.
struct Rig {
    endpoint: Addr<Endpoint>,
    answers: mpsc::Receiver<Answer>,
    tap: Tap,
    lookups: Arc<AtomicUsize>,
    _ledger: LedgerThread,
}

impl Rig {
    /// One whose host's name means these addresses, one list after the other.
    fn start(url: &str, names: &[&[&str]]) -> Self {
        let (lookups, count) = lookups(names);
        Self::looking_up_by(&lookups, count, url, Duration::from_secs(10))
    }

    /// One that asks for names there, which counts how often it was, and waits so long for an answer.
    fn looking_up_by(lookups: &Lookups, count: Arc<AtomicUsize>, url: &str, timeout: Duration) -> Self {
        let (sender, answers) = mpsc::channel();
        let ledger = crate::ledger::spawn(Box::new(Recorder(sender))).expect("a thread");
        let settings = EndpointSettings {
            app: "1".parse().expect("valid"),
            id: "e".parse().expect("valid"),
            url: url.into(),
            headers: vec![
                ("Authorization".into(), "Bearer hunter2".into()),
                ("webhook-signature".into(), "v1,theirs".into()),
                ("x-pusher-key".into(), "theirs".into()),
            ],
            timeout,
            retry_after_max: Duration::from_secs(600),
            signer: Signer {
                key: "key".parse().expect("valid"),
                signing: SigningKey::new(&"secret".into()),
                standard: vec![StandardKey::parse(&"whsec_eA==".into()).expect("a secret")],
            },
            extras: true,
            tls: Tls::public(),
            link_local: LinkLocal::Refused,
        };
        let tap = Tap::new();
        let endpoint = Endpoint::new(settings, ledger.handle(), tap.clone(), lookups).start();
        Self {
            endpoint,
            answers,
            tap,
            lookups: count,
            _ledger: ledger,
        }
    }

    /// Delivers a request and gives the answer to the ledger.
    async fn deliver(&self) -> Answer {
        self.endpoint.do_send(Deliver(request(1)));
        next(&self.answers).await
    }

    /// Delivers a request that must fail, and gives its cause.
    async fn cause(&self) -> String {
        let answer = self.deliver().await;
        // Only what was answered is refused.
        match answer.outcome {
            Outcome::Refused { status, .. } => assert_eq!(answer.report.status, Some(status)),
            Outcome::Failed { .. } => assert!(matches!(answer.report.status, None | Some(200..300)), "{answer:?}"),
            Outcome::Delivered | Outcome::Gone => panic!("{answer:?}"),
        }
        answer.report.error.expect("a cause")
    }
}

async fn next<T>(values: &mpsc::Receiver<T>) -> T {
    loop {
        match values.try_recv() {
            Ok(value) => return value,
            Err(mpsc::TryRecvError::Empty) => actix_rt::time::sleep(Duration::from_millis(2)).await,
            Err(mpsc::TryRecvError::Disconnected) => panic!("nothing comes any more"),
        }
    }
}

fn request(attempt: u32) -> Request {
    let event = Event {
        id: EventId(5),
        body: EventBody::State {
            key: Key::Channel("news".parse().expect("valid")),
            occupied: true,
            seq: 7,
        },
        at_ms: 1_000,
    };
    Request {
        id: RequestId(1),
        app: "1".parse().expect("valid"),
        endpoint: "e".parse().expect("valid"),
        lane: 0,
        time_ms: 2_000,
        attempt,
        backoff: attempt,
        replay: false,
        events: vec![Arc::new(event)],
    }
}

/// A receiver on a thread of its own that answers each request with the next of these texts and
/// closes the connection. It gives the port and the requests.
fn receiver(answers: &'static [&'static str]) -> (u16, mpsc::Receiver<String>) {
    receiver_on("127.0.0.1:0", answers)
}

/// The same at an address.
fn receiver_on(address: &str, answers: &'static [&'static str]) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind(address).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut socket, _) = listener.accept().expect("accepts");
            let mut request = Vec::new();
            let mut chunk = [0; 4_096];
            while !request.ends_with(b"]}") {
                let read = socket.read(&mut chunk).expect("reads");
                request.extend_from_slice(&chunk[..read]);
            }
            let _ = sender.send(String::from_utf8(request).expect("UTF-8"));
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    (port, requests)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn an_attempt_that_breaks_is_answered_as_failed() {
    let (sender, answers) = mpsc::channel();
    let ledger = crate::ledger::spawn(Box::new(Recorder(sender))).expect("a thread");
    let pending = PendingAnswer::new(ledger.handle(), &request(3));
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _pending = pending;
        panic!("as an attempt might");
    }));
    assert!(broken.is_err());
    let answer = answers.recv().expect("an answer");
    let retry_in = Duration::from_secs(4);
    assert_eq!(answer.outcome, Outcome::Failed { retry_in });
    assert!(answer.report.error.is_some_and(|error| error.contains("broke")));
    let mut pending = PendingAnswer::new(ledger.handle(), &request(3));
    pending.is(Outcome::Delivered, AttemptReport::default());
    drop(pending);
    assert_eq!(answers.recv().map(|answer| answer.outcome), Ok(Outcome::Delivered));
    ledger.stop();
}

#[actix_rt::test]
async fn a_name_that_means_a_metadata_address_is_not_connected_to() {
    for (address, why) in [
        ("169.254.169.254", "169.254.169.254 is a cloud metadata address"),
        (
            "::ffff:169.254.169.254",
            "::ffff:169.254.169.254 is a cloud metadata address",
        ),
        ("fd00:ec2::254", "fd00:ec2::254 is a cloud metadata address"),
        ("169.254.7.7", "169.254.7.7 is a link-local address"),
        ("0.0.0.0", "0.0.0.0 is an unspecified address"),
    ] {
        let (port, requests) = receiver(&[OK]);
        let rig = Rig::start(&format!("http://innocent.example:{port}/"), &[&[address]]);
        let cause = rig.cause().await;
        assert!(cause.starts_with("its address is refused: "), "{cause}");
        assert!(cause.contains(why), "{cause}");
        assert_eq!(requests.try_recv(), Err(mpsc::TryRecvError::Empty));
    }
}

#[actix_rt::test]
async fn an_address_in_the_url_is_refused_without_asking_a_resolver() {
    for host in ["169.254.169.254", "0.0.0.0", "100.100.100.200"] {
        let rig = Rig::start(&format!("http://{host}:1/"), &[&["127.0.0.1"]]);
        assert!(rig.cause().await.contains(" is a"), "{host}");
        assert_eq!(rig.lookups.load(Ordering::Relaxed), 0);
    }
}

#[actix_rt::test]
async fn of_several_addresses_only_those_that_are_permitted_are_tried() {
    let (port, requests) = receiver(&[OK]);
    let url = format!("http://innocent.example:{port}/");
    let rig = Rig::start(&url, &[&["169.254.169.254", "fe80::1", "127.0.0.1"]]);
    assert_eq!(rig.deliver().await.outcome, Outcome::Delivered);
    assert!(requests.try_recv().is_ok());
}

#[actix_rt::test]
async fn a_name_is_asked_for_once_a_connection_so_that_it_cannot_change_between_check_and_use() {
    let (port, requests) = receiver(&[OK, OK]);
    let url = format!("http://rebinding.example:{port}/");
    let rig = Rig::start(&url, &[&["127.0.0.1"], &["169.254.169.254"]]);
    assert_eq!(rig.deliver().await.outcome, Outcome::Delivered);
    assert_eq!(rig.lookups.load(Ordering::Relaxed), 1);
    assert!(requests.try_recv().is_ok());
    // The receiver closed: the next attempt needs a connection of its own.
    let cause = rig.cause().await;
    assert!(cause.contains("169.254.169.254 is a cloud metadata address"), "{cause}");
    assert_eq!(rig.lookups.load(Ordering::Relaxed), 2);
}

#[actix_rt::test]
async fn the_report_says_what_was_answered_and_how_long_it_took() {
    let (port, _requests) = receiver(&["HTTP/1.1 503 X\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n", OK]);
    let rig = Rig::start(&format!("http://e.example:{port}/"), &[&["127.0.0.1"]]);
    let before = clock::now().wall_ms;
    let failed = rig.deliver().await;
    let retry_in = Duration::from_secs(30);
    assert_eq!(failed.outcome, Outcome::Failed { retry_in });
    assert_eq!(failed.report.status, Some(503));
    assert_eq!(
        failed.report.error.as_deref(),
        Some("answered 503, only 2xx counts as received")
    );
    assert!((before..=clock::now().wall_ms).contains(&failed.report.at_ms));
    assert!(failed.report.took_ms < 500);
    let delivered = rig.deliver().await;
    assert_eq!(delivered.outcome, Outcome::Delivered);
    assert_eq!((delivered.report.status, delivered.report.error), (Some(200), None));
}

#[test]
fn an_answer_refuses_unless_it_is_2xx_or_asks_for_patience() {
    let outcome_of = |status: Option<u16>, retry_after: Option<Duration>| {
        let posted = Posted {
            took_ms: 1,
            status,
            retry_after,
            cause: Some("it failed".into()),
            untidy: None,
        };
        match outcome(1, &posted) {
            Outcome::Refused { status, .. } => Some(status),
            Outcome::Failed { .. } => None,
            ended @ (Outcome::Delivered | Outcome::Gone) => panic!("{ended:?}"),
        }
    };
    let patience = Some(Duration::from_secs(1));
    for status in [302, 400, 401, 404, 429, 500, 503] {
        assert_eq!(outcome_of(Some(status), None), Some(status));
        assert_eq!(outcome_of(Some(status), patience), None);
    }
    assert_eq!(outcome_of(Some(413), patience), Some(413));
    // No answer.
    assert_eq!(outcome_of(None, None), None);
}

#[actix_rt::test]
async fn an_endpoint_that_answers_410_is_gone() {
    let (port, _requests) = receiver(&["HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"]);
    let rig = Rig::start(&format!("http://e.example:{port}/"), &[&["127.0.0.1"]]);
    let answer = rig.deliver().await;
    assert_eq!(answer.outcome, Outcome::Gone);
    assert_eq!(answer.report.status, Some(410));
}

#[actix_rt::test]
async fn a_listener_gets_the_headers_and_the_body_as_they_were_sent_but_none_of_the_endpoints_own() {
    let (port, requests) = receiver(&[OK]);
    let rig = Rig::start(&format!("http://e.example:{port}/"), &[&["127.0.0.1"]]);
    let mut listener = rig.tap.listen();
    rig.deliver().await;
    let Some(Heard::Posted(copied)) = listener.next().await else {
        panic!("nothing was heard");
    };
    assert_eq!((copied.request, copied.attempt), (RequestId(1), 1));
    let sent = requests.recv().expect("a request");
    let (head, body) = sent.split_once("\r\n\r\n").expect("a head");
    assert_eq!(copied.body, body);
    assert!(
        body.contains(r#""seq":7,"id":"evt_0000000000000005","at_ms":1000"#),
        "{body}"
    );
    for (name, value) in &copied.headers {
        assert!(head.contains(&format!("\r\n{name}: {value}")), "{name} in {head}");
    }
    assert!(head.contains("\r\nAuthorization: Bearer hunter2"), "{head}");
    assert!(!format!("{copied:?}").contains("hunter2"));
    assert!(!head.contains("theirs"), "ours win: {head}");
    assert_eq!(head.matches("Webhook-Signature: v1,").count(), 1);
}

#[actix_rt::test]
async fn a_test_reaches_the_endpoint_and_not_the_ledger() {
    let (port, requests) = receiver(&[OK, "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", OK]);
    let rig = Rig::start(&format!("http://e.example:{port}/"), &[&["127.0.0.1"]]);
    let good = rig.endpoint.send(Test).await.expect("runs");
    assert_eq!((good.status, good.error), (Some(200), None));
    let sent = requests.recv().expect("a request");
    assert!(sent.contains("\r\nX-Vacancy-Test: 1\r\n"), "{sent}");
    assert!(sent.contains("\r\nWebhook-Signature: v1,"), "{sent}");
    assert!(sent.ends_with(r#","events":[]}"#), "{sent}");
    let bad = rig.endpoint.send(Test).await.expect("runs");
    assert_eq!(bad.status, Some(500));
    assert_eq!(bad.error.as_deref(), Some("answered 500, only 2xx counts as received"));
    // The first that the ledger hears is of a request of its own.
    assert_eq!(rig.deliver().await.outcome, Outcome::Delivered);
    assert_eq!(rig.answers.try_recv().map_err(drop), Err(()));
}
