use super::*;

const SIGN_IN: &str = r#"{"event":"pusher:signin","data":{"auth":"278d425bdf160c739803:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba","user_data":"{\"id\":\"12345\"}"}}"#;

#[test]
fn a_signed_in_user_may_enter_its_own_channel_and_presence_channels_without_channel_data() {
    let signature = |text: &str| SigningKey::new(&"7ad3773142a6692b25b8".into()).sign_hex(&[text.as_bytes()]);
    let mut check = Check::new();
    let own = r##"{"event":"pusher:subscribe","data":{"channel":"#server-to-user-12345","auth":""}}"##;
    let refuses = |check: &mut Check, user: &str| {
        check.refuses(
            &own.replace("12345", user),
            &format!("#server-to-user-{user}"),
            ["AuthError", "401"],
            &format!("Connection is not signed in as the user of channel #server-to-user-{user}"),
        );
    };
    refuses(&mut check, "12345");
    assert!(!check.session.is_signed_in() && !check.session.is_authorized());
    check
        .says(
            SIGN_IN,
            &[r#"@12345 >{"event":"pusher:signin_success","data":{"user_data":"{\"id\":\"12345\"}"}}"#],
        )
        .says(own, &["+#server-to-user-12345"]);
    refuses(&mut check, "other");
    check.says(
        &format!(
            r#"{{"event":"pusher:subscribe","data":{{"channel":"presence-x","auth":"278d425bdf160c739803:{}"}}}}"#,
            signature("1234.1234:presence-x")
        ),
        &["+presence-x 12345 "],
    );
    assert!(check.session.is_signed_in() && check.session.is_authorized());
    let refused = |number| Attempt {
        channel: "presence-x".parse().expect("valid"),
        number,
    };
    check.session.on_refused(&refused(1));
    check.says(
        r#"{"event":"pusher:subscribe","data":{"channel":"presence-x"}}"#,
        &[r#">{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel presence-x"}}"#],
    );
    check.session.on_refused(&refused(2));
    check.says(
        r#"{"event":"pusher:unsubscribe","data":{"channel":"presence-x"}}"#,
        &[r#">{"event":"pusher:error","data":{"code":null,"message":"No current subscription to channel presence-x, or subscription in progress"}}"#],
    );
}

#[test]
fn a_connection_may_sign_in_again_as_the_same_user_but_not_as_another() {
    let sign_in = |user_data: &str| {
        let text = format!("1234.1234::user::{user_data}");
        let signature = SigningKey::new(&"7ad3773142a6692b25b8".into()).sign_hex(&[text.as_bytes()]);
        serde_json::json!({
            "event": "pusher:signin",
            "data": { "auth": format!("278d425bdf160c739803:{signature}"), "user_data": user_data },
        })
        .to_string()
    };
    let success =
        |user: &str, user_data: &str| format!("{user} >{}", ServerMessage::SignInSucceeded { user_data }.encode());
    let limits = AppLimits {
        watchlist_users: 2,
        ..AppLimits::default()
    };
    let [first, second] = [r#"{"id":"7"}"#, r#"{"id":"7","watchlist":["a","b","c"]}"#];
    Check::with(true, limits)
        .says(&sign_in(first), &[&success("@7", first)])
        .says(
            &sign_in(second),
            &[
                &success("@7 a b", second),
                r#">{"event":"pusher:error","data":{"code":4302,"message":"Watchlist limit exceeded, only the first 2 ids are watched: a, b"}}"#,
            ],
        )
        .says(
            &sign_in(r#"{"id":"8"}"#),
            &[r#">{"event":"pusher:error","data":{"code":null,"message":"Connection is signed in already, as another user"}}"#],
        )
        .says(
            &sign_in(r#"{"id":8}"#),
            &[r#">{"event":"pusher:error","data":{"code":null,"message":"id supplied to signin is invalid: user id must be a string"}}"#],
        );
}

#[test]
fn a_wrong_sign_in_is_told_and_changes_nothing() {
    let mut check = Check::new();
    check.says(
        r#"{"event":"pusher:signin","data":{"auth":"278d425bdf160c739803:00","user_data":"{\"id\":\"12345\"}"}}"#,
        &[r#">{"event":"pusher:error","data":{"code":null,"message":"Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234::user::{\"id\":\"12345\"}, but got 00"}}"#],
    );
    assert!(!check.session.is_signed_in() && !check.session.is_authorized());
}
