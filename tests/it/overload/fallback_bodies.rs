//! What clients without WebSocket may have the server hold before it knows what it is.

use std::sync::atomic::{AtomicU16, Ordering};

use futures_util::future::select_all;

use super::{Rig, header, run};
use crate::harness::{Fallback, KEY, Raw, eventually};

/// Almost the longest body.
const LONG: usize = 1_000_000;

/// Begins to send a body of this length, and sends all but its end.
async fn begin(rig: &Rig, length: usize) -> Raw {
    let mut raw = rig.raw().await;
    let head =
        format!("POST /pusher/app/{KEY}/1/session1/xhr_send HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    raw.send(head.as_bytes()).await;
    raw.send(&vec![b' '; length - 1]).await;
    raw
}

#[test]
fn all_bodies_together_are_bounded_and_past_it_a_body_is_503_and_its_session_closed() {
    run(async {
        let rig = Rig::start("", &[]);
        let session = Fallback::new(rig.port(), "1/session1");
        let mut receiving = session.receive("xhr_streaming").await;
        while !receiving.line().await.expect("a line").starts_with('a') {}
        let mut held = Vec::new();
        for _ in 0..18 {
            held.push(begin(&rig, LONG).await);
        }
        // 16 MB are fewer than 17 such bodies: the first that is answered is one that did not fit.
        let answers = held.iter_mut().map(|raw| Box::pin(raw.response()));
        let (got, ..) = select_all(answers).await;
        assert_eq!(
            (got.status, got.body.as_str()),
            (503, "The server is over capacity, try again\n")
        );
        assert_eq!(header(&got, "retry-after"), Some("1"));
        let mut last = String::new();
        while let Some(line) = receiving.line().await {
            last = line;
        }
        assert_eq!(last, r#"c[4100,"Server is over capacity"]"#);
        drop(held);
        // A session whose message was refused meanwhile has ended.
        let attempts = AtomicU16::new(2);
        eventually("a message to be taken again", || async {
            let id = format!("{}/session2", attempts.fetch_add(1, Ordering::Relaxed));
            let session = Fallback::new(rig.port(), &id);
            let _receiving = session.receive("xhr_streaming").await;
            send_whole(&session).await == 204
        })
        .await;
        drop(receiving);
        rig.expect_nothing_left().await;
    });
}

/// Sends the longest body, whole.
async fn send_whole(session: &Fallback) -> u16 {
    session.post(&format!("[{}]", " ".repeat(LONG))).await.status
}
