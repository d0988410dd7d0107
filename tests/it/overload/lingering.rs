//! What a client may send after it was closed.

use tokio::io::AsyncWriteExt;

use super::{Rig, run};
use crate::harness::{Frame, Raw, upgrade_request, within};

/// More than a closed client may send, with what the kernel holds on both sides.
const FLOOD: usize = 64 * 1_024 * 1_024;

/// Sends until the server resets the connection; gives how much that was, at most [`FLOOD`].
async fn flood(raw: &mut Raw) -> usize {
    let (part, mut sent) = (vec![0; 64 * 1_024], 0);
    while sent < FLOOD {
        match within("send", raw.socket.write(&part)).await {
            Ok(written) => sent += written,
            Err(_) => break,
        }
    }
    sent
}

#[test]
fn a_client_that_sends_without_end_after_it_was_refused_is_reset() {
    run(async {
        let rig = Rig::start("", &[]);
        let mut raw = rig.raw().await;
        raw.send(upgrade_request("/app/no-such-key?protocol=7", "").as_bytes())
            .await;
        assert_eq!(raw.response().await.status, 101);
        assert!(matches!(raw.next().await, Frame::Close(4001, _)));
        let sent = flood(&mut raw).await;
        assert!(sent < FLOOD, "{sent} bytes were taken");
        rig.expect_nothing_left().await;
    });
}

#[test]
fn a_client_that_sends_without_end_after_it_broke_the_protocol_is_reset() {
    run(async {
        let rig = Rig::start("", &[]);
        let mut raw = Raw::client(rig.port()).await;
        raw.send(b"\x81\x02{}").await;
        assert!(matches!(raw.next().await, Frame::Close(1002, _)));
        let sent = flood(&mut raw).await;
        assert!(sent < FLOOD, "{sent} bytes were taken");
        rig.expect_nothing_left().await;
    });
}

#[test]
fn a_client_that_had_a_message_under_way_when_it_was_refused_reads_why() {
    run(async {
        let rig = Rig::start("", &[]);
        for _ in 0..20 {
            let mut raw = rig.raw().await;
            let mut bytes = upgrade_request("/app/no-such-key?protocol=7", "").into_bytes();
            bytes.extend_from_slice(&[0; 1_000_000]);
            raw.send(&bytes).await;
            assert_eq!(raw.response().await.status, 101);
            let close = raw.next().await;
            assert!(matches!(&close, Frame::Close(4001, _)), "{close:?}");
        }
        rig.expect_nothing_left().await;
    });
}
