//! Those who want to be nothing but a burden. None of them needs a key.

use std::{
    io,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout_at,
};

/// How long they go on.
const LASTS: Duration = Duration::from_secs(4);
/// Bytes that are written at once.
const WRITE: usize = 64 * 1_024;
const CALL: &[u8] = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n";
/// A client of an app that there is not, which is closed with 4001.
const UNKNOWN: &[u8] = b"GET /app/no-such-key?protocol=7 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Makes calls on so many connections without waiting for the answers.
pub async fn pipeline(port: u16, connections: usize) -> String {
    let until = Instant::now() + LASTS;
    let calls = CALL.repeat(WRITE / CALL.len());
    let pipelining = (0..connections).map(|_| {
        let calls = &calls;
        async move {
            let socket = connect(port).await;
            let (mut reading, mut writing) = socket.into_split();
            let (mut written, mut read) = (0, [0; WRITE]);
            let writing = async {
                while timeout_at(until.into(), writing.write_all(calls))
                    .await
                    .is_ok_and(|sent| sent.is_ok())
                {
                    written += calls.len() / CALL.len();
                }
            };
            let reading = async { while let Ok(Ok(1..)) = timeout_at(until.into(), reading.read(&mut read)).await {} };
            tokio::join!(writing, reading);
            written
        }
    });
    let calls: usize = join_all(pipelining).await.into_iter().sum();
    format!("{calls} calls on {connections} connections")
}

/// Connects to an unknown app, so many at once, and sends on when it is refused until the server resets.
pub async fn refused(port: u16, connections: usize) -> String {
    let until = Instant::now() + LASTS;
    let junk = vec![0; WRITE];
    let flooding = (0..connections).map(|_| {
        let junk = &junk;
        async move {
            let (mut times, mut bytes) = (0, 0);
            while Instant::now() < until {
                let mut socket = connect(port).await;
                let sending = async {
                    socket.write_all(UNKNOWN).await?;
                    loop {
                        bytes += socket.write(junk).await?;
                    }
                };
                let sent: Result<io::Result<()>, _> = timeout_at((until + LASTS).into(), sending).await;
                assert!(sent.is_ok(), "a refused client may send for seconds");
                times += 1;
            }
            (times, bytes)
        }
    });
    let all: Vec<(usize, usize)> = join_all(flooding).await;
    let times: usize = all.iter().map(|(times, _)| times).sum();
    let megabytes: usize = all.iter().map(|(_, bytes)| bytes).sum::<usize>() / 1_000_000;
    format!("{times} refused, who sent {megabytes} MB more")
}

async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("the server accepts")
}
