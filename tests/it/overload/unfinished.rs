//! What clients may have the server hold of messages that they do not end.

use std::time::{Duration, Instant};

use futures_util::future::{join_all, select_all};

use super::{Rig, run};
use crate::harness::{Frame, Raw, client_frame, client_text, eventually};

/// Sends all but the last byte of the longest message.
async fn begin(rig: &Rig) -> Raw {
    let mut raw = Raw::client(rig.port()).await;
    raw.send(&LONGEST[..LONGEST.len() - 1]).await;
    raw
}

static LONGEST: std::sync::LazyLock<Vec<u8>> =
    std::sync::LazyLock::new(|| client_text(&format!("{{}}{}", " ".repeat(131_000))));

#[test]
fn messages_that_do_not_end_are_bounded_together_and_what_is_past_it_is_closed() {
    run(async {
        let rig = Rig::start("", &[]);
        let mut bystander = Raw::client(rig.port()).await;
        let mut held = Vec::new();
        // 64 MB are fewer than 520 such messages: the first that is answered is one that did not fit.
        for _ in 0..520 {
            held.push(begin(&rig).await);
        }
        let answers = held.iter_mut().map(|raw| Box::pin(raw.next()));
        let (got, ..) = select_all(answers).await;
        assert_eq!(got, Frame::Close(4100, "Server is over capacity".to_owned()));
        bystander
            .send(&client_text(r#"{"event":"pusher:ping","data":{}}"#))
            .await;
        assert_eq!(
            bystander.next().await,
            Frame::Text(r#"{"event":"pusher:pong","data":"{}"}"#.to_owned())
        );
        drop(held);
        eventually("a long message to be taken again", || async {
            let mut raw = begin(&rig).await;
            raw.send(&LONGEST[LONGEST.len() - 1..]).await;
            matches!(raw.next().await, Frame::Text(error) if error.contains("pusher:error"))
        })
        .await;
        drop(bystander);
        rig.expect_nothing_left().await;
    });
}

#[test]
fn a_message_that_does_not_go_on_is_ended_after_30_s_though_its_client_says_nothing_more() {
    run(async {
        // No ping notices the silence.
        let rig = Rig::start(", ping_after: 1h", &[]);
        let began = Instant::now();
        let mut silent = Vec::new();
        for at in 0..100 {
            let mut raw = Raw::client(rig.port()).await;
            if at % 2 == 0 {
                raw.send(&LONGEST[..LONGEST.len() / 2]).await;
            } else {
                raw.send(&client_frame(0x01, &[b' '; 10_000])).await;
            }
            silent.push(raw);
        }
        let mut whole = begin(&rig).await;
        whole.send(&LONGEST[LONGEST.len() - 1..]).await;
        assert!(matches!(whole.next().await, Frame::Text(error) if error.contains("pusher:error")));
        // Otherwise the deadlines of the test and the server would be the same.
        tokio::time::sleep(Duration::from_secs(20)).await;
        for end in join_all(silent.iter_mut().map(Raw::next)).await {
            assert_eq!(end, Frame::Close(4100, "Message did not come whole in time".to_owned()));
        }
        let took = began.elapsed();
        assert!(Duration::from_secs(29) < took, "{took:?}");
        whole.send(&client_text(r#"{"event":"pusher:ping","data":{}}"#)).await;
        let pong = whole.next().await;
        assert_eq!(pong, Frame::Text(r#"{"event":"pusher:pong","data":"{}"}"#.to_owned()));
        drop((silent, whole));
        rig.expect_nothing_left().await;
    });
}
