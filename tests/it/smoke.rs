//! The main job, end to end.

use super::harness::{Process, Receiver, config, webhook};

#[tokio::test]
async fn a_channel_is_told_occupied_and_vacated_and_its_subscriber_gets_what_is_published() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config("webhooks: {vacated_delay: 100ms}", &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    server.api().trigger("news", "greeting", r#"{"hello":"world"}"#).await;
    client
        .expect(r#"{"event":"greeting","data":"{\"hello\":\"world\"}","channel":"news"}"#)
        .await;
    client.close().await;
    receiver.expect(&["+news", "-news"]).await;
}
