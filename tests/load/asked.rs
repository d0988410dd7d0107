//! What is asked for on the command line, and the plan that is made of it.

use std::time::Duration;

use super::{
    mark::Mark,
    place::Place,
    plan,
    plan::{Kind, Stream},
};

fn refused(line: &str) -> String {
    plan(line).unwrap_err()
}

fn one_stream(line: &str) -> Stream {
    let mut streams = plan(line).unwrap().streams;
    assert_eq!(streams.len(), 1);
    streams.remove(0)
}

#[test]
fn a_fanout_has_a_thousand_connections_in_one_channel_unless_asked_otherwise() {
    let stream = one_stream("fanout");
    assert_eq!((stream.connections, stream.channels, stream.rate), (1_000, 1, 100.0));
    assert_eq!((stream.kind, stream.messages), (Kind::Publish, 1_000));
    let stream = one_stream("fanout --connections 7 --rate 2.5 --seconds 4 --threads 1");
    assert_eq!((stream.connections, stream.messages), (7, 10));
}

#[test]
fn a_ramp_connects_at_its_rate_and_sends_nothing() {
    let plan = plan("ramp --rate 250 --connect-rate 9").unwrap();
    assert_eq!((plan.connect_rate, plan.connections()), (250.0, 5_000));
    assert_eq!((plan.streams[0].rate, plan.streams[0].messages), (0.0, 0));
}

#[test]
fn of_mixed_messages_four_sixths_are_publishes_and_a_sixth_are_joins_and_leaves() {
    let plan = plan("mixed --connections 600 --channels 60 --rate 60 --threads 1").unwrap();
    let rates: Vec<_> = plan.streams.iter().map(|stream| (stream.kind, stream.rate)).collect();
    assert_eq!(
        rates,
        [(Kind::Publish, 40.0), (Kind::ClientEvent, 10.0), (Kind::Presence, 10.0)]
    );
    assert_eq!(plan.connections(), 600);
    let channels: Vec<_> = plan.streams.iter().map(|stream| stream.channels).collect();
    assert_eq!(channels, [40, 10, 10]);
}

#[test]
fn of_presence_half_of_the_connections_join_and_leave_at_most() {
    let stream = one_stream("presence --connections 100 --channels 5 --rate 20 --threads 1");
    assert_eq!((stream.connections, stream.churners), (80, 20));
    let stream = one_stream("presence --connections 100 --channels 5 --rate 500 --threads 1");
    assert_eq!((stream.connections, stream.churners), (50, 50));
}

#[test]
fn a_number_that_is_not_above_zero_is_refused_by_the_name_of_its_option() {
    for (line, said) in [
        ("fanout --rate 0", "--rate 0: a number above 0 is needed"),
        ("fanout --rate NaN", "--rate NaN: a number above 0 is needed"),
        ("fanout --seconds inf", "--seconds inf: a number above 0 is needed"),
        ("fanout --connections 0", "--connections 0: a number above 0 is needed"),
        ("channels --channels 0", "--channels 0: a number above 0 is needed"),
        ("fanout --publishers 0", "--publishers 0: a number above 0 is needed"),
        (
            "fanout --connect-rate 0",
            "--connect-rate 0: a number above 0 is needed",
        ),
    ] {
        assert_eq!(refused(line), said, "{line}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    for (line, said) in [
        (
            "fanout --channels 2",
            "--channels: fanout has one; take the scenario `channels`",
        ),
        (
            "channels --connections 5 --channels 6",
            "--channels 6: each needs a connection, and there are 5 (--connections)",
        ),
        (
            "fanout --payload 16",
            "--payload 16: 17 or more are needed, for the number of a message is in its data",
        ),
        (
            "fanout --connections 3 --threads 4",
            "--connections: too few for the publishes in 1 channels",
        ),
        (
            "client-events --connections 10 --channels 5 --rate 101 --threads 1",
            "--rate: 101 client events per second are more than 10 for each of 10 connections, which is what one may send",
        ),
    ] {
        assert_eq!(refused(line), said, "{line}");
    }
}

#[test]
fn what_is_no_option_or_contradicts_another_is_refused() {
    for (line, said) in [
        ("", "<SCENARIO>"),
        ("flood", "invalid value 'flood'"),
        (
            "fanout --payload many",
            "invalid value 'many' for '--payload <PAYLOAD>'",
        ),
        ("fanout --no-such", "unexpected argument '--no-such'"),
        ("fanout --url http://h:1 --workers 2", "cannot be used with"),
        ("fanout --url http://h:1 --tls", "cannot be used with"),
    ] {
        let refused = refused(line);
        assert!(refused.contains(said), "{line}: {refused}");
    }
}

#[test]
fn a_message_is_due_by_its_number_and_the_rate_alone() {
    let stream = one_stream("fanout --rate 200");
    let due = [0, 1, 200, 1_000].map(|message| stream.due(message));
    assert_eq!(due, [0, 5, 1_000, 5_000].map(Duration::from_millis));
}

#[test]
fn who_leaves_was_due_a_turn_after_it_joined() {
    let stream = one_stream("presence --connections 100 --channels 5 --rate 20 --threads 1");
    let turns = [0, 19, 20, 39, 40].map(|message| stream.turn(message));
    assert_eq!(turns, [(0, true), (19, true), (0, false), (19, false), (0, true)]);
    let due = |message, is_leave| {
        stream.due_of(Mark {
            stream: 0,
            message,
            is_leave,
        })
    };
    assert_eq!(due(4, false), Duration::from_millis(200));
    assert_eq!(due(4, true), Duration::from_millis(1_200));
}

#[test]
fn connections_are_spread_over_channels_evenly_and_all_of_them_receive() {
    let stream = one_stream("channels --connections 10 --channels 4 --threads 1");
    let receivers: Vec<_> = (0..4).map(|channel| stream.receivers(channel)).collect();
    assert_eq!(receivers, [3, 3, 2, 2]);
    let of_channel = |channel| (0..10).filter(|at| stream.channel_of(*at) == channel).count();
    assert_eq!([0, 1, 2, 3].map(of_channel), [3, 3, 2, 2]);
}

#[test]
fn the_kind_of_a_channel_is_in_its_name() {
    let name = |line: &str| one_stream(line).channel_name(3);
    assert!(name("channels").starts_with("bench-"));
    assert!(name("client-events").starts_with("private-bench-"));
    assert!(name("presence").starts_with("presence-bench-"));
    assert!(name("channels").ends_with("-3"));
}

#[test]
fn a_url_says_where_the_server_is_and_whether_by_tls() {
    for (url, host, is_tls) in [
        ("http://10.0.0.5:6001", "10.0.0.5:6001", false),
        ("http://10.0.0.5:6001/", "10.0.0.5:6001", false),
        ("http://example.com", "example.com:80", false),
        ("https://example.com", "example.com:443", true),
        ("wss://example.com:8443", "example.com:8443", true),
        ("ws://[::1]:6001", "[::1]:6001", false),
        ("http://[::1]", "[::1]:80", false),
    ] {
        let place = Place::parse(url).unwrap();
        assert_eq!((place.host.as_str(), place.is_tls), (host, is_tls), "{url}");
    }
}

#[test]
fn a_url_that_says_no_place_is_refused_with_an_example() {
    for (url, why) in [
        ("10.0.0.5:6001", "it has no scheme"),
        ("ftp://10.0.0.5", "only http and https are spoken"),
        ("http://", "it has no scheme"),
        ("http:///", "it has no scheme"),
        ("https://:0/app", "a path is not served"),
        ("http://10.0.0.5/app", "a path is not served"),
    ] {
        let refused = Place::parse(url).unwrap_err();
        assert!(
            refused.starts_with("--url ") && refused.ends_with(&format!(": {why}; like http://127.0.0.1:6001")),
            "{url}: {refused}"
        );
    }
}
