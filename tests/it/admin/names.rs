//! Names that do not exist, in every command that takes one.

use crate::harness::Receiver;

use super::Admin;

#[tokio::test]
async fn a_name_that_does_not_exist_is_an_error_with_the_nearest_one_in_every_command() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    let mut client = admin.server.client().await;
    client.subscribe("lobby").await;
    receiver.expect(&["+lobby"]).await;
    let endpoint = "there is no endpoint mian, did you mean main?";
    let app = "there is no app 7; there are: 1";
    let channel = "there is no channel loby, did you mean lobby?";
    for (arguments, want) in [
        (&["webhooks", "log", "--endpoint", "mian"][..], endpoint),
        (&["webhooks", "log", "--endpoint", "mian", "--follow"], endpoint),
        (&["webhooks", "log", "--app", "7"], app),
        (&["webhooks", "log", "--channel", "loby"], channel),
        (&["webhooks", "log", "--event", "channel_ocupied"], "'channel_occupied'"),
        (&["webhooks", "dead", "--endpoint", "mian"], endpoint),
        (&["webhooks", "dead", "--app", "7", "--json"], app),
        (&["webhooks", "list", "--app", "7"], app),
        (&["webhooks", "show", "mian"], endpoint),
        (&["webhooks", "show", "main", "--app", "7"], app),
        (&["webhooks", "test", "mian"], endpoint),
        (&["webhooks", "pause", "mian"], endpoint),
        (&["webhooks", "replay", "--dead", "--endpoint", "mian"], endpoint),
        (&["webhooks", "replay", "--dead", "--app", "7"], app),
        (&["channels", "--app", "7"], app),
        (&["why", "loby"], channel),
        (&["why", "lobby", "--app", "7"], app),
        (
            &["listen", "--forward", "http://127.0.0.1:1/", "--endpoint", "mian"],
            endpoint,
        ),
        (&["listen", "--forward", "http://127.0.0.1:1/", "--app", "7"], app),
    ] {
        let ran = admin.run(arguments).await;
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(want), "{arguments:?}: {ran:?}");
    }
}

#[tokio::test]
async fn a_name_that_exists_and_of_which_there_is_nothing_is_no_error() {
    let receiver = Receiver::start().await;
    let admin = Admin::start(&receiver);
    let mut client = admin.server.client().await;
    client.subscribe("lobby").await;
    receiver.expect(&["+lobby"]).await;
    let none = "The log has no such line.\n";
    let failed = ["webhooks", "log", "--endpoint", "main", "--status", "failed"];
    assert_eq!(admin.says(&failed).await, none);
    let failed = ["webhooks", "log", "--channel", "lobby", "--status", "failed"];
    assert_eq!(admin.says(&failed).await, none);
    let dead = ["webhooks", "dead", "--endpoint", "main"];
    assert_eq!(admin.says(&dead).await, "There is no such dead letter.\n");
}
