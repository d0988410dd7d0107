//! Who may call the HTTP API (PROTOCOL.md section 5.2).

use md5::{Digest, Md5};

use super::{counting_server, plain_server, three_apps};
use crate::harness::{Process, hmac_hex, now_s};

/// A GET whose query is sent so and whose signature is over `signed`, made with `secret`.
struct Call<'a> {
    path: &'a str,
    sent: String,
    signed: String,
    secret: &'a str,
}

impl Call<'_> {
    async fn check(&self, server: &Process, status: u16, want: &str) {
        let signature = hmac_hex(self.secret, &format!("GET\n{}\n{}", self.path, self.signed));
        let target = format!("{}?{}&auth_signature={signature}", self.path, self.sent);
        let got = server.api().raw("GET", &target, "").await;
        assert_eq!((got.status, got.body.as_str()), (status, want), "{target}");
    }
}

/// A GET of the channels of app 1 whose query is sent as it is signed.
async fn check(server: &Process, query: String, status: u16, want: &str) {
    let call = Call {
        path: "/apps/1/channels",
        sent: query.clone(),
        signed: query,
        secret: "app-secret",
    };
    call.check(server, status, want).await;
}

const NONE: &str = r#"{"channels":{}}"#;

fn now_query() -> String {
    format!("auth_key=app-key&auth_timestamp={}&auth_version=1.0", now_s())
}

#[tokio::test]
async fn a_missing_or_wrong_parameter_is_named_in_the_order_key_version_timestamp() {
    let server = three_apps();
    let now = now_s();
    check(&server, "a=b".into(), 401, "Missing parameter: auth_key\n").await;
    check(&server, "auth_key=nobody".into(), 401, "Unknown auth_key\n").await;
    check(&server, "auth_key=other-key".into(), 401, "Unknown auth_key\n").await;
    check(&server, "auth_key=app-key".into(), 401, "Version required\n").await;
    check(
        &server,
        "auth_key=app-key&auth_version=2.0".into(),
        401,
        "Version not supported\n",
    )
    .await;
    check(
        &server,
        "auth_key=app-key&auth_version=1.0".into(),
        401,
        "Timestamp required\n",
    )
    .await;
    let right = format!("auth_key=app-key&auth_timestamp={now}&auth_version=1.0");
    check(&server, right, 200, NONE).await;
}

#[tokio::test]
async fn a_request_without_any_query_is_401() {
    let server = plain_server();
    let got = server.api().raw("GET", "/apps/1/channels", "").await;
    assert_eq!((got.status, got.body.as_str()), (401, "Missing parameter: auth_key\n"));
    let got = server.api().raw("POST", "/apps/1/events", "{}").await;
    assert_eq!((got.status, got.body.as_str()), (401, "Missing parameter: auth_key\n"));
}

#[tokio::test]
async fn a_timestamp_holds_for_600_seconds_both_ways() {
    let server = plain_server();
    let at = |timestamp: u64| format!("auth_key=app-key&auth_timestamp={timestamp}&auth_version=1.0");
    check(&server, at(now_s() - 580), 200, NONE).await;
    check(&server, at(now_s() + 599), 200, NONE).await;
    for timestamp in [now_s() - 600, now_s() + 630, 0, 1_353_088_179, u64::MAX] {
        let query = at(timestamp);
        let signature = hmac_hex("app-secret", &format!("GET\n/apps/1/channels\n{query}"));
        let target = format!("/apps/1/channels?{query}&auth_signature={signature}");
        let got = server.api().raw("GET", &target, "").await;
        assert_eq!(got.status, 401, "{timestamp}");
        assert!(
            got.body.starts_with("Timestamp expired: Given timestamp ("),
            "{}",
            got.body
        );
    }
}

#[tokio::test]
async fn an_expired_timestamp_is_shown_with_the_servers_time() {
    let server = plain_server();
    let got = server
        .api()
        .raw(
            "GET",
            "/apps/1/channels?auth_key=app-key&auth_version=1.0&auth_timestamp=1353088179",
            "",
        )
        .await;
    let rest = got
        .body
        .strip_prefix("Timestamp expired: Given timestamp (2012-11-16T17:49:39Z) not within 600s of server time (20")
        .unwrap_or_else(|| panic!("{}", got.body));
    assert!(
        rest.ends_with("Z)\n") && rest.len() == "24-01-01T00:00:00Z)\n".len(),
        "{rest}"
    );
}

#[tokio::test]
async fn a_wrong_signature_is_answered_with_what_had_to_be_signed() {
    let server = plain_server();
    let query = now_query();
    let expected = format!(
        r#"Invalid signature: you should have sent HmacSHA256Hex("GET\n/apps/1/channels\n{query}", your_secret_key), but you sent "#
    );
    for (sent, shown) in [
        ("&auth_signature=00ff", "\"00ff\"\n"),
        ("", "nil\n"),
        ("&auth_signature=", "\"\"\n"),
    ] {
        let got = server
            .api()
            .raw("GET", &format!("/apps/1/channels?{query}{sent}"), "")
            .await;
        assert_eq!((got.status, got.body), (401, format!("{expected}{shown}")));
    }
}

#[tokio::test]
async fn a_signature_holds_for_its_method_path_query_and_secret_only() {
    let server = three_apps();
    let query = now_query();
    let sign = |secret: &str, text: String| hmac_hex(secret, &text);
    let right = sign("app-secret", format!("GET\n/apps/1/channels\n{query}"));
    for (target, signature) in [
        (
            format!("/apps/1/channels?{query}"),
            sign("other-secret", format!("GET\n/apps/1/channels\n{query}")),
        ),
        (
            format!("/apps/1/channels?{query}"),
            sign("app-secret", format!("POST\n/apps/1/channels\n{query}")),
        ),
        (format!("/apps/1/channels/a?{query}"), right.clone()),
        (format!("/apps/1/channels?{query}&filter_by_prefix=a"), right.clone()),
    ] {
        let got = server
            .api()
            .raw("GET", &format!("{target}&auth_signature={signature}"), "")
            .await;
        assert_eq!(got.status, 401, "{target}");
        assert!(got.body.starts_with("Invalid signature: "), "{}", got.body);
    }
    let got = server
        .api()
        .raw("GET", &format!("/apps/2/channels?{query}&auth_signature={right}"), "")
        .await;
    assert_eq!((got.status, got.body.as_str()), (401, "Unknown auth_key\n"));
}

#[tokio::test]
async fn names_of_parameters_count_in_lower_case_and_sorted() {
    let server = plain_server();
    let now = now_s();
    let call = Call {
        path: "/apps/1/channels",
        sent: format!("Filter_By_Prefix=Ab&AUTH_VERSION=1.0&Auth_Timestamp={now}&auth_KEY=app-key"),
        signed: format!("auth_key=app-key&auth_timestamp={now}&auth_version=1.0&filter_by_prefix=Ab"),
        secret: "app-secret",
    };
    call.check(&server, 200, NONE).await;
}

#[tokio::test]
async fn values_are_signed_decoded_however_they_are_sent() {
    let server = counting_server();
    let mut client = server.client().await;
    client.subscribe_as("presence-a", Some("1")).await;
    let now = now_query();
    for info in [
        "user_count,subscription_count",
        "user_count%2Csubscription_count",
        "user_count%2csubscription_count",
    ] {
        let call = Call {
            path: "/apps/1/channels/presence-a",
            sent: format!("{now}&info={info}"),
            signed: format!("{now}&info=user_count,subscription_count"),
            secret: "app-secret",
        };
        let want = r#"{"occupied":true,"subscription_count":1,"user_count":1}"#;
        call.check(&server, 200, want).await;
    }
    for prefix in ["a+b", "a%20b"] {
        let call = Call {
            path: "/apps/1/channels",
            sent: format!("{now}&filter_by_prefix={prefix}"),
            signed: format!("{now}&filter_by_prefix=a b"),
            secret: "app-secret",
        };
        call.check(&server, 200, NONE).await;
    }
}

#[tokio::test]
async fn a_query_that_is_not_utf_8_is_400() {
    let server = plain_server();
    let got = server.api().raw("GET", "/apps/1/channels?auth_key=%FF", "").await;
    assert_eq!(
        (got.status, got.body.as_str()),
        (400, "query parameter 1 is not utf-8 after percent-decoding\n")
    );
}

#[tokio::test]
async fn a_get_may_carry_the_md5_of_the_empty_body_and_no_other() {
    let server = plain_server();
    let now = now_query();
    check(
        &server,
        format!("{now}&body_md5=d41d8cd98f00b204e9800998ecf8427e"),
        200,
        NONE,
    )
    .await;
    check(
        &server,
        format!("{now}&body_md5=ec365a775a4cd0599faeb73354201b6f"),
        401,
        "Invalid body_md5: the body has the MD5 d41d8cd98f00b204e9800998ecf8427e, but you sent \"ec365a775a4cd0599faeb73354201b6f\"\n",
    )
    .await;
}

#[tokio::test]
async fn a_body_must_come_with_its_md5() {
    let server = plain_server();
    let body = r#"{"name":"e","channel":"a","data":"x"}"#;
    let md5 = hex::encode(Md5::digest(body));
    let other = hex::encode(Md5::digest("{}"));
    let post = async |query: String, body: &str| {
        let signature = hmac_hex("app-secret", &format!("POST\n/apps/1/events\n{query}"));
        let target = format!("/apps/1/events?{query}&auth_signature={signature}");
        let got = server.api().raw("POST", &target, body).await;
        (got.status, got.body)
    };
    let now = now_query();
    assert_eq!(post(format!("{now}&body_md5={md5}"), body).await, (200, "{}".into()));
    assert_eq!(
        post(now.clone(), body).await,
        (401, "Missing parameter: body_md5\n".into())
    );
    let wrong = |sent: &str, is: &str| {
        (
            401,
            format!("Invalid body_md5: the body has the MD5 {is}, but you sent \"{sent}\"\n"),
        )
    };
    assert_eq!(post(format!("{now}&body_md5={other}"), body).await, wrong(&other, &md5));
    let changed = body.replace('x', "y");
    let md5_changed = hex::encode(Md5::digest(&changed));
    assert_eq!(
        post(format!("{now}&body_md5={md5}"), &changed).await,
        wrong(&md5, &md5_changed)
    );
    let upper = md5.to_uppercase();
    assert_eq!(post(format!("{now}&body_md5={upper}"), body).await, wrong(&upper, &md5));
}

#[tokio::test]
async fn an_unknown_app_is_404_and_a_disabled_one_403_when_the_signature_holds() {
    let server = three_apps();
    let get = |path, key: &str, secret| {
        let query = format!("auth_key={key}&auth_timestamp={}&auth_version=1.0", now_s());
        Call {
            path,
            sent: query.clone(),
            signed: query,
            secret,
        }
    };
    get("/apps/9/channels", "app-key", "app-secret")
        .check(&server, 404, "Unknown app id: 9\n")
        .await;
    get("/apps/3/channels", "off-key", "off-secret")
        .check(&server, 403, "App is disabled\n")
        .await;
    get("/apps/3/channels", "app-key", "app-secret")
        .check(&server, 401, "Unknown auth_key\n")
        .await;
    get("/apps/2/channels", "other-key", "other-secret")
        .check(&server, 200, NONE)
        .await;
}

#[tokio::test]
async fn no_secret_is_in_any_answer_or_in_the_log() {
    let server = three_apps();
    for target in [
        "/apps/1/channels",
        "/apps/1/channels?auth_key=app-key&auth_version=1.0&auth_timestamp=1",
    ] {
        let got = server.api().raw("GET", target, "").await;
        assert!(!got.body.contains("app-secret"), "{}", got.body);
    }
    let got = server
        .api()
        .raw("GET", &format!("/apps/1/channels?{}", now_query()), "")
        .await;
    assert!(
        got.body.contains("your_secret_key") && !got.body.contains("app-secret"),
        "{}",
        got.body
    );
    let log = server.log();
    assert!(log.contains("listening on"), "{log}");
    for secret in ["app-secret", "other-secret", "off-secret"] {
        assert!(!log.contains(secret), "{log}");
    }
}
