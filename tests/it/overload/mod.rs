//! What the server refuses when it is asked for too much, and that it is as before afterwards.

mod unsigned;

use std::time::{Duration, Instant};

use vacancy::{Census, Server};

use crate::harness::{Api, Raw, config_of};

/// A server in this process, so that what it holds can be counted.
struct Rig {
    server: Server,
}

/// Runs a test in an actix system of its own.
fn run(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

impl Rig {
    /// One worker, with these settings of the server besides (like `, connections: 3`) and these
    /// lines among those of the app.
    fn start(server: &str, app: &[&str]) -> Self {
        let sections = format!("server: {{listen: \"127.0.0.1:0\", workers: 1{server}}}\nledger: {{path: memory}}");
        let settings = vacancy::settings(&config_of(&sections, app, "")).unwrap_or_else(|error| panic!("{error}"));
        let server = Server::start(&settings).expect("starts");
        Self { server }
    }

    fn port(&self) -> u16 {
        self.server.address().port()
    }

    fn api(&self) -> Api {
        Api::new(self.port())
    }

    async fn raw(&self) -> Raw {
        Raw::connect(self.port()).await
    }

    /// Waits until the server holds nothing, and stops it.
    async fn expect_nothing_left(self) {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let census = self.server.census().await;
            if census == Census::default() {
                break;
            }
            assert!(Instant::now() < deadline, "{census:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.server.stop().await.expect("stops");
    }
}
