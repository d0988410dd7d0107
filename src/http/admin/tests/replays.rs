//! What is delivered once more, and what is not.

use super::*;

#[actix_rt::test]
async fn nothing_is_replayed_to_a_disabled_endpoint() {
    let fake = || Fake {
        entries: vec![decided(1, "a"), decided(2, "job-1"), attempted(3, 7, &[1])],
        letters: vec![letter(1, "main")],
        ..Fake::default()
    };
    let disabled = Mode::Disabled(DisabledBecause::Operator);
    let error = "the endpoint main of the app 1 is disabled (an operator disabled it); enable it first";
    for body in [
        json!({"endpoint": "main", "since": "0"}),
        json!({"dead": true, "endpoint": "main"}),
        json!({"dead": true}),
        json!({"id": "evt_0000000000000002", "endpoint": "main"}),
        json!({"id": "evt_0000000000000001"}),
        json!({"id": "msg_0000000000000007"}),
    ] {
        let api = Api::with_main(disabled, fake());
        let (status, answer) = api.replay(body.clone()).await;
        assert_eq!(
            (status, answer),
            (StatusCode::CONFLICT, json!({"error": error})),
            "{body}"
        );
        assert_eq!(api.controls(), [""; 0], "{body}");
    }
    let api = Api::with_main(disabled, fake());
    let (_, body) = api.replay(json!({"id": "evt_0000000000000002"})).await;
    assert_eq!(
        (&body["events"], &body["disabled"]),
        (&json!(1), &json!(1)),
        "the other one gets it"
    );
}

#[actix_rt::test]
async fn a_replay_ends_when_the_ledger_is_full() {
    let entries: Vec<LogEntry> = (1..=2_500).map(|no| decided(no, "a")).collect();
    let api = Api::new(Fake {
        full_after: Some(2),
        ..log_of(entries)
    });
    let (status, body) = api.replay(json!({"endpoint": "main", "since": "0"})).await;
    assert_eq!(
        (status, body),
        (
            StatusCode::INSUFFICIENT_STORAGE,
            json!({"error": "the ledger is full: it holds 7 bytes and may hold 7 (`ledger.max_bytes`), so after 2000 \
                             events no more are queued for a replay. Ask for the rest when those are delivered"})
        )
    );
    assert_eq!(api.controls().len(), 2);
}

#[actix_rt::test]
async fn an_event_is_replayed_to_those_who_ask_for_it() {
    let log = || log_of(vec![decided(1, "a"), decided(2, "job-1")]);
    let api = Api::new(log());
    let (_, body) = api.replay(json!({"id": "evt_0000000000000001"})).await;
    assert_eq!(
        body,
        json!({"events": 1, "skipped": 0, "disabled": 0, "endpoints": [{"app": "1", "endpoint": "main", "mode": "paused", "events": 1}]})
    );
    let (_, body) = api.replay(json!({"id": "evt_0000000000000002"})).await;
    assert_eq!(body["events"], 2);
    let (_, body) = api
        .replay(json!({"id": "evt_0000000000000002", "endpoint": "jobs"}))
        .await;
    assert_eq!(body["events"], 1);
    let (status, _) = api
        .replay(json!({"id": "evt_0000000000000001", "endpoint": "jobs"}))
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = api.replay(json!({"id": "evt_0000000000000009"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[actix_rt::test]
async fn the_events_of_a_request_are_replayed_in_their_order() {
    let entries = vec![
        decided(1, "a"),
        decided(2, "a"),
        decided(3, "a"),
        attempted(4, 7, &[1, 3]),
        decided(5, "a"),
    ];
    let api = Api::new(log_of(entries));
    let (_, body) = api.replay(json!({"id": "msg_0000000000000007"})).await;
    assert_eq!((&body["events"], &body["skipped"]), (&json!(2), &json!(0)));
    assert_eq!(
        api.controls(),
        ["1/main 2 from evt_0000000000000001 to evt_0000000000000003"]
    );
}

#[actix_rt::test]
async fn a_span_is_replayed_in_chunks_of_a_thousand() {
    let entries: Vec<LogEntry> = (1..=2_500).map(|no| decided(no, "a")).collect();
    let api = Api::new(log_of(entries));
    let (status, body) = api
        .replay(json!({"endpoint": "main", "since": "101000", "until": "2201000"}))
        .await;
    assert_eq!((status, &body["events"]), (StatusCode::OK, &json!(2_100)));
    assert_eq!(
        api.controls(),
        [
            "1/main 1000 from evt_0000000000000065 to evt_000000000000044c",
            "1/main 1000 from evt_000000000000044d to evt_0000000000000834",
            "1/main 100 from evt_0000000000000835 to evt_0000000000000898",
        ]
    );
    let (_, body) = api.replay(json!({"endpoint": "jobs", "since": "0"})).await;
    assert_eq!(body["events"], 0, "no channel of them begins with job-");
}

#[actix_rt::test]
async fn dead_letters_are_replayed_to_their_endpoints_the_oldest_first() {
    let letters = || {
        vec![
            letter(1, "main"),
            letter(2, "gone"),
            letter(3, "jobs"),
            letter(4, "main"),
        ]
    };
    let fake = || Fake {
        letters: letters(),
        ..Fake::default()
    };
    let api = Api::looking_at_two_lines(fake());
    let (_, body) = api.replay(json!({"dead": true})).await;
    assert_eq!((&body["events"], &body["skipped"]), (&json!(3), &json!(1)));
    assert_eq!(
        api.controls(),
        [
            "1/jobs 1 from evt_0000000000000003 to evt_0000000000000003, of letters [3]",
            "1/main 2 from evt_0000000000000001 to evt_0000000000000004, of letters [1, 4]",
        ]
    );
    let api = Api::new(fake());
    let (_, body) = api.replay(json!({"dead": true, "endpoint": "jobs"})).await;
    assert_eq!(body["events"], 1);
    let (_, body) = api.replay(json!({"id": "evt_0000000000000004"})).await;
    assert_eq!(body["events"], 1, "the log has it no more, a dead letter has");
    let dead = api.get("/webhooks/dead?endpoint=main").await;
    assert_eq!(dead["letters"][0]["event"]["id"], "evt_0000000000000004");
    assert_eq!(dead["letters"][0]["because"], "too old");
}

#[actix_rt::test]
async fn what_was_replayed_already_is_replayed_only_when_that_is_asked_for() {
    let replayed = DeadLetter {
        replayed_ms: Some(9),
        ..letter(1, "main")
    };
    let api = Api::new(Fake {
        letters: vec![replayed, letter(2, "main")],
        ..Fake::default()
    });
    let (_, body) = api.replay(json!({"dead": true})).await;
    assert_eq!(body["events"], 1);
    let (_, body) = api.replay(json!({"dead": true, "again": true})).await;
    assert_eq!(body["events"], 2);
    assert_eq!(
        api.controls(),
        [
            "1/main 1 from evt_0000000000000002 to evt_0000000000000002, of letters [2]",
            "1/main 2 from evt_0000000000000001 to evt_0000000000000002, of letters [1, 2]",
        ]
    );
    let (status, answer) = api.replay(json!({"id": "evt_0000000000000001", "again": true})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let dead = api.get("/webhooks/dead?replayed=true").await;
    let letters = dead["letters"].as_array().expect("a list");
    assert_eq!((letters.len(), &letters[0]["replayed_ms"]), (1, &json!(9)));
    let dead = api.get("/webhooks/dead?replayed=false").await;
    assert_eq!(dead["letters"][0]["replayed_ms"], json!(null));
}

#[actix_rt::test]
async fn the_dead_letters_that_match_are_deleted_in_pages() {
    let api = Api::looking_at_two_lines(Fake {
        letters: (1..=5)
            .map(|no| letter(no, if no == 4 { "jobs" } else { "main" }))
            .collect(),
        ..Fake::default()
    });
    let body = api.delete("/webhooks/dead?endpoint=main&since=0").await;
    assert_eq!(body, json!({"letters": 4}));
    assert_eq!(api.controls(), ["deletes [1, 2]", "deletes [3]", "deletes [5]"]);
}

#[actix_rt::test]
async fn a_replay_names_one_thing() {
    let api = Api::new(Fake::default());
    for body in [
        json!({}),
        json!({"endpoint": "main"}),
        json!({"since": "1m"}),
        json!({"id": "evt_0000000000000001", "dead": true}),
        json!({"id": "evt_0000000000000001", "since": "1m"}),
        json!({"id": "1"}),
        json!({"endpoint": "main", "since": "yesterday"}),
        json!({"ded": true}),
    ] {
        let (status, answer) = api.replay(body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body} {answer}");
    }
    assert_eq!(api.controls(), [""; 0]);
}

#[actix_rt::test]
async fn what_a_request_held_and_the_log_does_not_is_counted() {
    let api = Api::new(log_of(vec![decided(3, "a"), attempted(4, 7, &[1, 3])]));
    let (_, body) = api.replay(json!({"id": "msg_0000000000000007"})).await;
    assert_eq!((&body["events"], &body["skipped"]), (&json!(1), &json!(1)));
}
