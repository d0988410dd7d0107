//! Handshakes in a second.

use super::{Rig, run};
use crate::harness::{Client, Fallback, Frame, eventually};

const AGAIN: &str = "Too many clients connect at once, please reconnect in a moment";

/// Connects on a path and gives the first frame.
async fn first_frame(rig: &Rig, path: &str) -> (Client, Frame) {
    let mut client = Client::open(rig.port(), path).await;
    let frame = client.next().await;
    (client, frame)
}

#[test]
fn of_many_who_connect_at_once_those_past_the_rate_are_closed_with_4100_and_may_come_again() {
    run(async {
        let rig = Rig::start(", handshakes_per_second: 1", &[]);
        let mut held = Vec::new();
        let mut refused = 0;
        for _ in 0..20 {
            let (client, frame) = first_frame(&rig, "/app/app-key?protocol=7").await;
            match frame {
                Frame::Text(_) => held.push(client),
                frame @ (Frame::Ping | Frame::Pong(_) | Frame::Close(..) | Frame::End) => {
                    assert_eq!(frame, Frame::Close(4100, AGAIN.into()));
                    refused += 1;
                }
            }
        }
        assert!(!held.is_empty() && 0 < refused, "{} in, {refused} refused", held.len());
        for client in &mut held {
            client.expect_nothing().await;
        }
        let rig = &rig;
        eventually("a client to be let in again", || async move {
            matches!(first_frame(rig, "/app/app-key?protocol=7").await.1, Frame::Text(_))
        })
        .await;
    });
}

#[test]
fn who_may_not_connect_anyway_takes_nobodys_turn() {
    run(async {
        let rig = Rig::start(", handshakes_per_second: 1", &[]);
        for _ in 0..20 {
            let (_, frame) = first_frame(&rig, "/app/nobody?protocol=7").await;
            assert!(matches!(frame, Frame::Close(4001, _)), "{frame:?}");
        }
        let (client, frame) = first_frame(&rig, "/app/app-key?protocol=7").await;
        assert!(matches!(frame, Frame::Text(_)), "{frame:?}");
        client.close().await;
        rig.expect_nothing_left().await;
    });
}

#[test]
fn a_fallback_past_the_rate_is_closed_with_4100_and_leaves_nothing() {
    run(async {
        let rig = Rig::start(", handshakes_per_second: 1", &[]);
        let mut refused = 0;
        for at in 0..20 {
            let session = Fallback::new(rig.port(), &format!("1/sessio{at:02}"));
            let mut receiving = session.receive("xhr_streaming").await;
            let mut line = receiving.line().await.expect("a line");
            while line.starts_with('h') || line == "o" {
                line = receiving.line().await.expect("a line");
            }
            if line.starts_with('c') {
                assert_eq!(line, format!("c[4100,\"{AGAIN}\"]"));
                refused += 1;
            }
        }
        assert!(0 < refused);
        rig.expect_nothing_left().await;
    });
}
