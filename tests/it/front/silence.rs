//! Proxies that cut a connection on which they hear nothing from the server for a while.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::harness::{Client, Fallback, Frame, Process, config};

/// The silence after which the relay cuts: `ping_after`, and the extra time that a busy machine may need.
const CUT: Duration = Duration::from_secs(10);
/// Pings that each client waits for, so that it lives through some silences.
const PINGS: usize = 4;
/// How often a client sends something that is not answered: well below `ping_after`.
const SPEAK_EVERY: Duration = Duration::from_millis(250);

const PING: &str = r#"{"event":"pusher:ping","data":"{}"}"#;
/// A message that a client may send at any time and no server answers.
const PONG: &str = r#"{"event":"pusher:pong","data":{}}"#;

/// Whether a client sends something all the time. It is never answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Listens,
    Speaks,
}

fn server() -> Process {
    Process::start(&config("server: {ping_after: 1s, pong_timeout: 30s}", ""))
}

/// A relay in front of a port. It ends a connection on which the server wrote nothing for [`CUT`].
async fn relay(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let own = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, port));
        }
    });
    own
}

async fn pass(client: TcpStream, port: u16) {
    let server = TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut bytes = vec![0; 16 * 1_024];
    while let Ok(Ok(read)) = timeout(CUT, from_server.read(&mut bytes)).await {
        if read == 0 || to_client.write_all(&bytes[..read]).await.is_err() {
            break;
        }
    }
    up.abort();
}

/// Lives through the silences over a WebSocket.
async fn over_a_websocket(port: u16, manner: Manner) {
    let mut client = Client::connect(port).await;
    let mut pings = 0;
    while pings < PINGS {
        tokio::select! {
            frame = client.next() => {
                assert_eq!(frame, Frame::Ping, "{manner:?}");
                pings += 1;
                continue;
            }
            () = sleep(SPEAK_EVERY) => {}
        }
        if manner == Manner::Speaks {
            client.send(PONG).await;
        }
    }
}

/// The same over a fallback that streams: the response goes on.
async fn over_streaming(port: u16, manner: Manner) {
    let session = Fallback::new(port, &format!("{}/stream00", manner as u8));
    let mut receiving = session.receive("xhr_streaming").await;
    receiving.expect("o").await;
    receiving.established().await;
    let speaking = session.clone();
    let speaking = async move {
        if manner == Manner::Listens {
            std::future::pending::<()>().await;
        }
        loop {
            speaking.send(&[PONG]).await;
            sleep(SPEAK_EVERY).await;
        }
    };
    let listening = async {
        for _ in 0..PINGS {
            receiving.expect_message(PING).await;
            session.send(&[PONG]).await;
        }
    };
    tokio::select! {
        () = listening => {}
        never = speaking => never
    }
}

/// The same over a fallback that polls: no request waits for too long.
async fn over_polling(port: u16) {
    let session = Fallback::new(port, "9/polling0");
    session.receive("xhr").await.expect("o").await;
    session.receive("xhr").await.established().await;
    for _ in 0..PINGS {
        session.receive("xhr").await.expect_message(PING).await;
        session.send(&[PONG]).await;
    }
}

#[tokio::test]
async fn no_transport_is_silent_for_as_long_as_proxies_allow() {
    let server = server();
    let port = relay(server.port).await;
    tokio::join!(
        over_a_websocket(port, Manner::Listens),
        over_a_websocket(port, Manner::Speaks),
        over_streaming(port, Manner::Listens),
        over_streaming(port, Manner::Speaks),
        over_polling(port),
    );
}
