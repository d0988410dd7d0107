//! The receivers that `docs/webhooks.md` shows, each run as it stands in `docs/receivers`: against
//! the real server, and against requests that no server of ours would send.

mod programs;
mod standard;

use std::net::TcpStream;

use crate::harness::{Api, Process, Program, SECRET, config, eventually, free_port, hmac_hex};
use standard::Signed;

/// The secret of the endpoint in these tests, as `secrets` has it.
const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What its base64 stands for.
const WEBHOOK_KEY: [u8; 24] = [
    0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a, 0xab, 0x4f, 0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c, 0xf6, 0x48, 0xa3,
    0x62, 0xda, 0x2d, 0xa4, 0xb0,
];

/// A receiver that listens.
struct Running {
    program: Program,
    port: u16,
}

impl Running {
    /// Starts the receiver in this language, with a webhook secret or without.
    async fn start(language: &str, webhook_secret: &str) -> Self {
        let port = free_port();
        let mut command = programs::command(language, port);
        command
            .env("PORT", port.to_string())
            .env("APP_SECRET", SECRET)
            .env("WEBHOOK_SECRET", webhook_secret);
        let program = Program::start(&mut command);
        eventually("the receiver to listen", || async {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        Self { program, port }
    }

    /// Posts a body with these header lines and gives the status of the answer.
    async fn post(&self, headers: &[(&str, &str)], body: &str) -> u16 {
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let request = format!(
            "POST /webhooks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
            body.len()
        );
        Api::new(self.port).raw_bytes(request.as_bytes()).await.status
    }

    /// Posts a request that is signed as the server signs.
    async fn post_signed(&self, id: &str, body: &str) -> u16 {
        let signature = hmac_hex(SECRET, body);
        self.post(&[("X-Pusher-Signature", &signature), ("webhook-id", id)], body)
            .await
    }
}

fn body(events: &str) -> String {
    format!(r#"{{"time_ms":1327078148132,"events":[{events}]}}"#)
}

async fn hears_the_real_server(language: &str, webhook_secret: &str, settings: &str) {
    let receiver = Running::start(language, webhook_secret).await;
    let webhooks = format!(
        "[{{url: \"http://127.0.0.1:{}/webhooks\", events: [existence, presence]{settings}}}]",
        receiver.port
    );
    let server = Process::start(&config("webhooks: {vacated_delay: 0s}", &webhooks));
    let mut client = server.client().await;
    client.subscribe("demo").await;
    receiver.program.prints("verified channel_occupied demo\n").await;
    client.subscribe_as("presence-room", Some("7")).await;
    let mut want = "verified channel_occupied demo\n\
                    verified channel_occupied presence-room\n\
                    verified member_added presence-room 7\n"
        .to_owned();
    receiver.program.prints(&want).await;
    client.unsubscribe("demo").await;
    want.push_str("verified channel_vacated demo\n");
    receiver.program.prints(&want).await;
}

async fn refuses_a_wrong_signature(language: &str) {
    let receiver = Running::start(language, "").await;
    let occupied = body(r#"{"name":"channel_occupied","channel":"demo"}"#);
    let other = hmac_hex("another-secret", &occupied);
    let of_another_body = hmac_hex(SECRET, "{}");
    let refused: [&[(&str, &str)]; 5] = [
        &[("X-Pusher-Signature", &other), ("webhook-id", "msg_1")],
        &[("X-Pusher-Signature", &of_another_body), ("webhook-id", "msg_1")],
        &[("X-Pusher-Signature", ""), ("webhook-id", "msg_1")],
        &[("webhook-id", "msg_1")],
        &[],
    ];
    for headers in refused {
        assert_eq!(receiver.post(headers, &occupied).await, 401, "{headers:?}");
    }
    // Nothing of it is remembered either: the true request with this id is handled.
    assert_eq!(receiver.post_signed("msg_1", &occupied).await, 200);
    receiver.program.prints("verified channel_occupied demo\n").await;
}

async fn discards_what_comes_again_and_what_is_not_newer(language: &str) {
    let receiver = Running::start(language, "").await;
    let of = |name: &str, seq: u64| {
        body(&format!(
            r#"{{"name":"{name}","channel":"presence-rü/m","user_id":"7","seq":{seq},"id":"evt_0000000000000001","at_ms":5}}"#
        ))
    };
    let plain = body(r#"{"name":"cache_miss","channel":"cache-x"}"#);
    for (id, body) in [
        ("msg_1", plain.clone()),
        ("msg_1", plain.clone()),
        ("msg_2", of("member_added", 1_790_000_000_002)),
        ("msg_3", of("member_removed", 1_790_000_000_001)),
        ("msg_2", of("member_added", 1_790_000_000_002)),
        ("msg_4", of("member_added", 1_790_000_000_002)),
        ("msg_5", of("member_removed", 1_790_000_000_003)),
        ("msg_6", plain),
    ] {
        assert_eq!(receiver.post_signed(id, &body).await, 200, "{id}");
    }
    let want = "verified cache_miss cache-x\n\
                verified member_added presence-rü/m 7\n\
                verified member_removed presence-rü/m 7\n\
                verified cache_miss cache-x\n";
    receiver.program.prints(want).await;
}

async fn asks_for_the_standard_signature(language: &str) {
    let receiver = Running::start(language, WEBHOOK_SECRET).await;
    let occupied = body(r#"{"name":"channel_occupied","channel":"zażółć"}"#);
    let good = Signed::now(&WEBHOOK_KEY, "msg_1", &occupied);
    let refused = [
        Signed {
            signatures: None,
            ..good.clone()
        },
        Signed::now(&[7; 24], "msg_1", &occupied),
        Signed {
            id: "msg_2".into(),
            ..good.clone()
        },
        Signed {
            timestamp: (good.timestamp_s() + 1).to_string(),
            ..good.clone()
        },
        Signed {
            timestamp: "soon".into(),
            ..good.clone()
        },
        Signed::at(good.timestamp_s() - 400, &WEBHOOK_KEY, "msg_1", &occupied),
        Signed::at(good.timestamp_s() + 400, &WEBHOOK_KEY, "msg_1", &occupied),
    ];
    for signed in refused {
        assert_eq!(
            receiver.post(&signed.headers(), &occupied).await,
            401,
            "{:?}",
            signed.headers()
        );
    }
    // During a rotation there are several, and any may be ours.
    let other = Signed::now(&[7; 24], "msg_1", &occupied);
    let rotated = Signed {
        signatures: other
            .signatures
            .zip(good.signatures.clone())
            .map(|(a, b)| format!("{a} {b}")),
        ..good
    };
    assert_eq!(receiver.post(&rotated.headers(), &occupied).await, 200);
    receiver.program.prints("verified channel_occupied zażółć\n").await;
}

macro_rules! receivers {
    ($($language:ident),*) => { $(
        mod $language {
            const LANGUAGE: &str = stringify!($language);

            #[tokio::test]
            async fn hears_the_real_server() {
                super::hears_the_real_server(LANGUAGE, "", "").await;
            }

            #[tokio::test]
            async fn hears_the_real_server_with_a_secret_and_extras() {
                let settings = format!(", secrets: [{}], extras: true", super::WEBHOOK_SECRET);
                super::hears_the_real_server(LANGUAGE, super::WEBHOOK_SECRET, &settings).await;
            }

            #[tokio::test]
            async fn refuses_a_wrong_signature() {
                super::refuses_a_wrong_signature(LANGUAGE).await;
            }

            #[tokio::test]
            async fn discards_what_comes_again_and_what_is_not_newer() {
                super::discards_what_comes_again_and_what_is_not_newer(LANGUAGE).await;
            }

            #[tokio::test]
            async fn asks_for_the_standard_signature_when_it_has_a_secret() {
                super::asks_for_the_standard_signature(LANGUAGE).await;
            }
        }
    )* };
}

receivers!(node, python, php, ruby, go);
