//! What a call that publishes costs the server, against a floor: a bare actix-web handler that
//! checks MD5 and HMAC and parses the JSON.
//!
//! Both get the same bytes over the same number of kept connections, by turns in one run. Nobody is
//! subscribed, so what is measured is the call and not the delivery.
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench reads clocks, and its parts are its own"
)]

mod harness;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, ExitCode, Stdio},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use harness::{KEY, Kept, SECRET, Server, cpu_time, median, on_one_thread, signed_post};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use serde_json::json;
use sha2::Sha256;

const CONNECTIONS: usize = 16;
/// Calls of each connection in one measurement.
const CALLS: usize = 1_500;
const ROUNDS: usize = 7;
/// Bytes of data in an event.
const DATA: usize = 200;
const RATIO_MAX: f64 = 1.5;
/// What the program is called with to be the floor.
const FLOOR: &str = "be-the-floor";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(FLOOR) {
        be_the_floor().expect("the floor serves");
        return ExitCode::SUCCESS;
    }
    let data = "x".repeat(DATA);
    let event = json!({ "name": "bench", "channel": "nobody", "data": data });
    let asking = json!({ "name": "bench", "channel": "nobody", "data": data, "info": "subscription_count" });
    let many: Vec<String> = (0..100).map(|at| format!("nobody-{at}")).collect();
    let many = json!({ "name": "bench", "channels": many, "data": data });
    let batch = json!({ "batch": vec![&event; 10] });
    let ratio = on_one_thread(async {
        let ratio = measure("one event", "/events", &event, 1).await;
        measure("asking for subscription_count", "/events", &asking, 1).await;
        measure("a batch of 10", "/batch_events", &batch, 1).await;
        measure("100 channels", "/events", &many, 4).await;
        ratio
    });
    if ratio <= RATIO_MAX {
        ExitCode::SUCCESS
    } else {
        println!("the ratio of one event is over {RATIO_MAX}");
        ExitCode::FAILURE
    }
}

/// Prints what a call costs both, and returns the ratio.
async fn measure(label: &str, path: &str, body: &serde_json::Value, fewer: usize) -> f64 {
    let server = Server::start_with(&config(), "warn,vacancy=info");
    let floor = Floor::start();
    let request = signed_post(path, &body.to_string());
    let calls = CALLS / fewer;
    let mut ours = Connections::open(server.port()).await;
    let mut theirs = Connections::open(floor.port).await;
    let [mut our_us, mut floor_us, mut ratios] = [(); 3].map(|()| Vec::new());
    for round in 0..=ROUNDS {
        let per_call = 1e6 / (CONNECTIONS * calls) as f64;
        let before = cpu_time(server.pid());
        ours.call(&request, calls).await;
        let our = (cpu_time(server.pid()) - before) * per_call;
        let before = cpu_time(floor.child.id());
        theirs.call(&request, calls).await;
        let floor = (cpu_time(floor.child.id()) - before) * per_call;
        if 0 < round {
            our_us.push(our);
            floor_us.push(floor);
            ratios.push(our / floor);
        }
    }
    let all: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    let ratio = median(ratios);
    println!(
        "{label}: {:.1} µs of CPU a call, floor {:.1} µs",
        median(our_us),
        median(floor_us)
    );
    println!("ratio {label}: {ratio:.2}   (median of {})", all.join(" "));
    ratio
}

fn config() -> String {
    format!(
        "ledger: {{path: memory}}\napps:\n  - id: \"1\"\n    key: {KEY}\n    secret: {SECRET}\n    subscription_count: true\n    webhooks: []\n"
    )
}

/// Kept connections, which call at the same time.
struct Connections(Vec<Kept>);

impl Connections {
    async fn open(port: u16) -> Self {
        let mut open = Vec::new();
        for _ in 0..CONNECTIONS {
            open.push(Kept::connect(port).await);
        }
        Self(open)
    }

    async fn call(&mut self, request: &[u8], calls: usize) {
        let all = self.0.iter_mut().map(|connection| async move {
            for _ in 0..calls {
                let (status, body) = connection.send(request).await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
            }
        });
        futures_util::future::join_all(all).await;
    }
}

/// The floor as a process. It is killed when this is dropped.
struct Floor {
    child: Child,
    port: u16,
}

impl Floor {
    fn start() -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .arg(FLOOR)
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let mut port = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        out.read_line(&mut port).expect("the floor tells its port");
        let port = port.trim().parse().expect("a port");
        Self { child, port }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The least that a server can do with such a call.
#[derive(serde::Deserialize)]
struct Event<'a> {
    name: std::borrow::Cow<'a, str>,
    data: std::borrow::Cow<'a, str>,
    channel: Option<std::borrow::Cow<'a, str>>,
    channels: Option<Vec<std::borrow::Cow<'a, str>>>,
}

#[derive(serde::Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    batch: Vec<Event<'a>>,
}

async fn events(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let event: Result<Event<'_>, _> = serde_json::from_slice(&body);
    let is_good = event.is_ok_and(|event| {
        !event.name.is_empty() && !event.data.is_empty() && (event.channel.is_some() || event.channels.is_some())
    });
    answer(&request, &body, is_good)
}

async fn batch(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let batch: Result<Batch<'_>, _> = serde_json::from_slice(&body);
    answer(&request, &body, batch.is_ok_and(|batch| !batch.batch.is_empty()))
}

fn answer(request: &HttpRequest, body: &[u8], is_good: bool) -> HttpResponse {
    let (signed, signature) = request
        .query_string()
        .split_once("&auth_signature=")
        .expect("a signature");
    let (_, md5) = signed.split_once("body_md5=").expect("an MD5");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
    mac.update(format!("POST\n{}\n{signed}", request.path()).as_bytes());
    let is_signed = hex::decode(signature).is_ok_and(|signature| mac.verify_slice(&signature).is_ok());
    if is_good && is_signed && hex::encode(Md5::digest(body)) == md5 {
        HttpResponse::Ok().json(json!({}))
    } else {
        HttpResponse::Unauthorized().finish()
    }
}

/// Serves from as many threads as the server has workers, and prints the port.
fn be_the_floor() -> std::io::Result<()> {
    actix_web::rt::System::new().block_on(async {
        let app = || {
            App::new()
                .route("/apps/1/events", web::post().to(events))
                .route("/apps/1/batch_events", web::post().to(batch))
        };
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let server = HttpServer::new(app).workers(workers).bind(("127.0.0.1", 0))?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", server.addrs()[0].port())?;
        out.flush()?;
        server.run().await
    })
}
