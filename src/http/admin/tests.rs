//! The routes, over a ledger that has what a test gives it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use actix_web::{App, http::StatusCode, middleware::from_fn, test, web};
use serde_json::{Value, json};
use utoipa_actix_web::AppExt;

use super::*;
use crate::{
    app::Apps,
    ledger::{self, DeadLetter, DisabledBecause, EndpointView, LedgerThread, LogEntry, Mode},
    webhook::Tap,
};

use fake::{Fake, attempted, decided, info, letter, view};

mod fake;
mod replays;

const TOKEN: &str = "hunter2-hunter2-hunter2";

/// The API over a ledger: `main` asks for everything, `jobs` for channels that begin with `job-`.
struct Api {
    ledger: LedgerThread,
    controls: Arc<Mutex<Vec<String>>>,
}

impl Api {
    fn new(fake: Fake) -> Self {
        Self::with_main(Mode::Paused, fake)
    }

    fn with_main(mode: Mode, mut fake: Fake) -> Self {
        fake.looks_at = 100_000;
        let main = EndpointView { mode, ..view("main") };
        fake.endpoints = vec![view("jobs"), main];
        Self {
            controls: Arc::clone(&fake.controls),
            ledger: ledger::spawn(Box::new(fake)).expect("a thread"),
        }
    }

    fn looking_at_two_lines(mut fake: Fake) -> Self {
        fake.looks_at = 2;
        fake.endpoints = vec![view("main")];
        Self {
            controls: Arc::clone(&fake.controls),
            ledger: ledger::spawn(Box::new(fake)).expect("a thread"),
        }
    }

    async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> (StatusCode, Value) {
        let state = AdminState::new(AdminParts {
            apps: Arc::new(Apps::default()),
            ledger: self.ledger.handle(),
            webhooks: HashMap::new(),
            tap: Tap::new(),
            endpoints: vec![info("main", ""), info("jobs", "job-")],
        });
        let app = App::new()
            .app_data(web::Data::new(Token::new(&TOKEN.into())))
            .app_data(web::Data::new(state))
            .into_utoipa_app()
            .configure(admin_routes)
            .into_app()
            .wrap(from_fn(authenticate));
        let app = test::init_service(app).await;
        let mut request = test::TestRequest::with_uri(path).method(method.parse().expect("a method"));
        if let Some(token) = token {
            request = request.insert_header(("Authorization", format!("Bearer {token}")));
        }
        if let Some(body) = body {
            request = request.set_json(body);
        }
        let response = match test::try_call_service(&app, request.to_request()).await {
            Ok(response) => response.map_into_boxed_body(),
            Err(error) => {
                let response = error.error_response();
                let status = response.status();
                let body = actix_web::body::to_bytes(response.into_body()).await.expect("a body");
                return (status, serde_json::from_slice(&body).expect("JSON"));
            }
        };
        let status = response.status();
        let body = test::read_body(response).await;
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", &format!("/admin/v1{path}"), Some(TOKEN), None).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    async fn delete(&self, path: &str) -> Value {
        let path = format!("/admin/v1{path}");
        let (status, body) = self.ask("DELETE", &path, Some(TOKEN), None).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    async fn replay(&self, body: Value) -> (StatusCode, Value) {
        self.ask("POST", "/admin/v1/webhooks/replay", Some(TOKEN), Some(body))
            .await
    }

    fn controls(&self) -> Vec<String> {
        self.controls.lock().expect("not poisoned").clone()
    }
}

fn log_of(entries: Vec<LogEntry>) -> Fake {
    Fake {
        entries,
        ..Fake::default()
    }
}

#[actix_rt::test]
async fn a_request_without_the_token_is_refused_whatever_its_path() {
    let api = Api::new(Fake::default());
    for (path, token) in [
        ("/admin/v1/ledger", None),
        ("/admin/v1/ledger", Some("hunter2")),
        ("/admin/v1/openapi.json", None),
        ("/nowhere", None),
    ] {
        let (status, body) = api.ask("GET", path, token, None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(
            body["error"].as_str().is_some_and(|text| text.contains("Bearer")),
            "{body}"
        );
    }
    let (status, _) = api.ask("GET", "/nowhere", Some(TOKEN), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[actix_rt::test]
async fn an_endpoint_is_shown_with_its_filter_and_its_queue() {
    let api = Api::new(Fake::default());
    let endpoints = api.get("/webhooks/endpoints").await;
    assert_eq!(endpoints["endpoints"][1]["id"], "main");
    let jobs = api.get("/webhooks/endpoints/1/jobs").await;
    assert_eq!(endpoints["endpoints"][0], jobs);
    assert_eq!(jobs["url"], "http://h/");
    assert_eq!(jobs["channels"], json!({"only": {"prefix": ["job-"]}, "not": {}}));
    assert_eq!((&jobs["queued"], &jobs["mode"]), (&json!(3), &json!("paused")));
    let (status, body) = api
        .ask("GET", "/admin/v1/webhooks/endpoints/2/jobs", Some(TOKEN), None)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(body, json!({"error": "there is no endpoint \"2/jobs\""}));
}

#[actix_rt::test]
async fn an_endpoint_is_paused_resumed_disabled_and_enabled() {
    const DISABLED: &str = "the endpoint main of the app 1 is disabled (the endpoint answered 410); enable it instead";
    let gone = Mode::Disabled(DisabledBecause::Gone);
    for (verb, before, want) in [
        ("pause", Mode::Enabled, Ok("1/main Paused")),
        ("pause", Mode::Paused, Ok("1/main Paused")),
        ("pause", gone, Err(DISABLED)),
        ("resume", Mode::Paused, Ok("1/main Enabled")),
        ("resume", gone, Err(DISABLED)),
        (
            "resume",
            Mode::Enabled,
            Err("the endpoint main of the app 1 is not paused, so there is nothing to resume"),
        ),
        ("disable", Mode::Paused, Ok("1/main Disabled(Operator)")),
        ("enable", gone, Ok("1/main Enabled")),
        ("enable", Mode::Paused, Ok("1/main Enabled")),
    ] {
        let api = Api::with_main(before, Fake::default());
        let path = format!("/admin/v1/webhooks/endpoints/1/main/{verb}");
        let (status, body) = api.ask("POST", &path, Some(TOKEN), None).await;
        match want {
            Ok(control) => {
                assert_eq!(
                    (status, &body["id"]),
                    (StatusCode::OK, &json!("main")),
                    "{verb} {before:?}"
                );
                assert_eq!(api.controls(), [control]);
            }
            Err(error) => {
                assert_eq!(
                    (status, body),
                    (StatusCode::CONFLICT, json!({"error": error})),
                    "{verb} {before:?}"
                );
                assert_eq!(api.controls(), [""; 0]);
            }
        }
    }
    let path = "/admin/v1/webhooks/endpoints/1/none/pause";
    let (status, _) = Api::new(Fake::default()).ask("POST", path, Some(TOKEN), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[actix_rt::test]
async fn the_log_is_filtered_and_paged() {
    let api = Api::new(log_of(vec![decided(1, "a"), decided(2, "b"), decided(3, "a")]));
    let nos = |page: &Value| {
        let lines = page["lines"].as_array().expect("a list").iter();
        lines
            .map(|line| line["no"].as_u64().expect("a number"))
            .collect::<Vec<_>>()
    };
    assert_eq!(nos(&api.get("/webhooks/log").await), [3, 2, 1]);
    assert_eq!(nos(&api.get("/webhooks/log?channel=a").await), [3, 1]);
    assert_eq!(nos(&api.get("/webhooks/log?after=1").await), [2, 3]);
    assert_eq!(nos(&api.get("/webhooks/log?id=evt_0000000000000002").await), [2]);
    assert_eq!(
        nos(&api.get("/webhooks/log?since=1970-01-01T00:00:02Z&until=3000").await),
        [2]
    );
    let page = api.get("/webhooks/log?limit=1").await;
    assert_eq!((nos(&page), &page["next"]), (vec![3], &json!(3)));
    assert_eq!(nos(&api.get("/webhooks/log?limit=1&before=3").await), [2]);
    let (status, _) = api
        .ask("GET", "/admin/v1/webhooks/log?chanel=a", Some(TOKEN), None)
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[actix_rt::test]
async fn the_ledger_is_shown_with_its_commits_in_milliseconds() {
    let ledger = Api::new(Fake::default()).get("/ledger").await;
    assert_eq!((&ledger["bytes"], &ledger["commit_p50_ms"]), (&json!(7), &json!(2.5)));
}

#[actix_rt::test]
async fn every_path_of_the_description_is_served_and_says_what_it_answers() {
    let api = Api::new(Fake::default());
    let described = api.get("/openapi.json").await;
    assert_eq!(described["openapi"], "3.1.0");
    let paths = described["paths"].as_object().expect("a map");
    assert!(14 <= paths.len());
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("a map") {
            assert!(operation["responses"].is_object(), "{method} {path}");
            let path = path
                .replace("{app}", "1")
                .replace("{id}", "main")
                .replace("{channel}", "a");
            let (_, answer) = api.ask(&method.to_uppercase(), &path, Some(TOKEN), None).await;
            let refused = answer["error"].as_str().unwrap_or_default();
            assert!(!refused.contains("no such path"), "{method} {path}");
        }
    }
}
