use super::*;
use crate::signature::SigningKey;

mod refusals;
mod users;

/// A session of socket 1234.1234 in the app of the documentation's vectors. Commands are compared
/// as text: `>` sent, `+` entered, `-` left, `*` broadcast.
struct Check {
    session: Session,
    now: Now,
}

const PRIVATE: &str = "278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
const PRESENCE: &str = "278d425bdf160c739803:afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c";

impl Check {
    fn new() -> Self {
        Self::with_client_events(true)
    }

    fn with_client_events(client_events: bool) -> Self {
        Self::with(client_events, AppLimits::default())
    }

    fn with(client_events: bool, limits: AppLimits) -> Self {
        let now = Now::of_test();
        let key = |name: &str, secret: &str, since_ms| Key {
            key: name.parse().expect("valid"),
            signing: SigningKey::new(&secret.into()),
            since_ms,
        };
        let rules = SessionRules {
            keys: Keys::new(vec![
                key("278d425bdf160c739803", "7ad3773142a6692b25b8", None),
                key("next", "next-secret", Some(now.wall_ms + 1_000)),
            ]),
            limits,
            client_events,
        };
        let socket_id = "1234.1234".parse().expect("valid");
        Self {
            session: Session::new(socket_id, Arc::new(rules), now.instant),
            now,
        }
    }

    #[track_caller]
    fn says(&mut self, text: &str, want: &[&str]) -> &mut Self {
        let mut commands = Vec::new();
        let message = ClientMessage::decode(text);
        self.session.on_message(message, self.now, &mut commands);
        let is_said = |command: &&Command| !matches!(command, Command::Note(_));
        let got: Vec<String> = commands.iter().filter(is_said).map(print).collect();
        assert_eq!(got, want, "{text}");
        self
    }

    /// Checks that a subscribe is refused with this text, class and status, on the connection and on the
    /// channel.
    #[track_caller]
    fn refuses(&mut self, text: &str, channel: &str, [class, status]: [&str; 2], message: &str) -> &mut Self {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let data = format!(r#"{{"type":"{class}","error":{},"status":{status}}}"#, quoted(message));
        let on_connection = format!(
            r#">{{"event":"pusher:error","data":{{"code":null,"message":{}}}}}"#,
            quoted(message)
        );
        let on_channel = format!(
            r#">{{"event":"pusher:subscription_error","data":{},"channel":{}}}"#,
            quoted(&data),
            quoted(channel)
        );
        self.says(text, &[&on_connection, &on_channel])
    }

    fn later_ms(&mut self, ms: u64) -> &mut Self {
        self.now = self.now.ms(ms);
        self
    }

    fn in_private(&mut self) -> &mut Self {
        let text =
            format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"private-foobar","auth":"{PRIVATE}"}}}}"#);
        self.says(&text, &["+private-foobar"])
    }

    fn in_presence(&mut self) -> &mut Self {
        let text = format!(
            r#"{{"event":"pusher:subscribe","data":{{"channel":"presence-foobar","auth":"{PRESENCE}","channel_data":"{{\"user_id\":10,\"user_info\":{{\"name\":\"Mr. Pusher\"}}}}"}}}}"#
        );
        self.says(&text, &[r#"+presence-foobar 10 {"name":"Mr. Pusher"}"#])
    }
}

fn print(command: &Command) -> String {
    match command {
        Command::Send(text) => format!(">{text}"),
        Command::Note(Mistake { reason, setting }) => format!("!{reason} {}", setting.unwrap_or_default()),
        Command::Enter(Attempt { channel, .. }, None) => format!("+{channel}"),
        Command::Enter(Attempt { channel, .. }, Some(member)) => {
            let info = member.user_info().unwrap_or_default();
            format!("+{channel} {} {info}", member.user_id())
        }
        Command::Leave(channel) => format!("-{channel}"),
        Command::SignIn {
            user_id,
            watchlist,
            confirmation,
        } => {
            let watched: Vec<&str> = watchlist.iter().map(UserId::as_str).collect();
            let signed_in = format!("@{user_id} {}", watched.join(" "));
            format!("{} >{confirmation}", signed_in.trim_end())
        }
        Command::PauseUntil(_) => "pause".into(),
        Command::Broadcast {
            channel,
            name,
            data,
            user_id,
        } => {
            let user = user_id.as_ref().map_or("", UserId::as_str);
            format!("*{channel} {name} {data} {user}").trim_end().to_owned()
        }
    }
}

#[test]
fn a_ping_is_answered_and_a_pong_is_not() {
    Check::new()
        .says(
            r#"{"event":"pusher:ping"}"#,
            &[r#">{"event":"pusher:pong","data":"{}"}"#],
        )
        .says(r#"{"event":"pusher:pong"}"#, &[]);
}

#[test]
fn anybody_may_subscribe_to_a_public_channel_whatever_the_auth() {
    Check::new()
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#, &["+news"])
        .says(
            r#"{"event":"pusher:subscribe","data":{"channel":"b","auth":"nonsense"}}"#,
            &["+b"],
        );
}

#[test]
fn a_signed_subscription_to_a_private_or_presence_channel_is_let_in() {
    Check::new().in_private().in_presence();
}

#[test]
fn the_channel_data_of_a_private_channel_is_signed_but_names_nobody() {
    let signature =
        SigningKey::new(&"7ad3773142a6692b25b8".into()).sign_hex(&[br#"1234.1234:private-x:{"user_id":"7"}"#]);
    Check::new().says(
        &format!(
            r#"{{"event":"pusher:subscribe","data":{{"channel":"private-x","auth":"278d425bdf160c739803:{signature}","channel_data":"{{\"user_id\":\"7\"}}"}}}}"#
        ),
        &["+private-x"],
    );
}

#[test]
fn a_client_event_goes_to_the_others_and_names_its_sender_only_on_presence_channels() {
    Check::new()
        .in_private()
        .in_presence()
        .says(
            r#"{"event":"client-x","channel":"private-foobar","data":{"on":true},"user_id":"forged"}"#,
            &[r#"*private-foobar client-x {"on":true}"#],
        )
        .says(
            r#"{"event":"client-x","channel":"presence-foobar","data":"hi"}"#,
            &["*presence-foobar client-x hi 10"],
        );
}

#[test]
fn a_client_event_needs_the_feature_the_right_kind_of_channel_and_a_subscription() {
    Check::with_client_events(false).in_private().says(
        r#"{"event":"client-x","channel":"private-foobar","data":1}"#,
        &[r#">{"event":"pusher:error","data":{"code":null,"message":"To send client events, you must enable this feature: client_events of the app in the configuration of the server"}}"#],
    );
    Check::new()
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#, &["+news"])
        .says(
            r#"{"event":"client-x","channel":"news","data":1}"#,
            &[r#">{"event":"pusher:error","data":{"code":null,"message":"Client events are only allowed on private and presence channels, not on news"}}"#],
        )
        .says(
            r#"{"event":"client-x","channel":"private-foobar","data":1}"#,
            &[r#">{"event":"pusher:error","data":{"code":null,"message":"Cannot broadcast client event (connection not subscribed to channel private-foobar)"}}"#],
        );
}

#[test]
fn ten_client_events_a_second_are_let_through() {
    let mut check = Check::new();
    check.in_private();
    let event = r#"{"event":"client-x","channel":"private-foobar","data":1}"#;
    let refused =
        r#">{"event":"pusher:error","data":{"code":4301,"message":"Client event rejected due to rate limit"}}"#;
    for _ in 0..10 {
        check.says(event, &["*private-foobar client-x 1"]);
    }
    check
        .says(event, &[refused])
        .later_ms(100)
        .says(event, &["*private-foobar client-x 1"])
        .says(event, &[refused]);
}

#[test]
fn a_client_event_of_over_10_kb_is_refused() {
    let event = |len: usize| {
        format!(
            r#"{{"event":"client-x","channel":"private-foobar","data":"{}"}}"#,
            "x".repeat(len)
        )
    };
    let mut check = Check::new();
    check.in_private();
    check.says(
        &event(10_240),
        &[&format!("*private-foobar client-x {}", "x".repeat(10_240))],
    );
    check.says(
        &event(10_241),
        &[r#">{"event":"pusher:error","data":{"code":4301,"message":"Client event data is 10241 bytes, limit is 10240"}}"#],
    );
}

#[test]
fn what_cannot_be_read_is_told_and_the_session_goes_on() {
    Check::new()
        .says(
            "nonsense",
            &[r#">{"event":"pusher:error","data":{"code":null,"message":"Received invalid JSON"}}"#],
        )
        .says(
            r#"{"event":"example_event"}"#,
            &[r#">{"event":"pusher:error","data":{"code":null,"message":"Unsupported event received on socket: 'example_event'"}}"#],
        )
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"a"}}"#, &["+a"]);
}

#[test]
fn past_its_rate_of_commands_a_client_is_not_read_until_it_has_tokens() {
    let limits = AppLimits {
        commands_per_second: 10,
        commands_burst: 3,
        ..AppLimits::default()
    };
    let mut check = Check::with(true, limits);
    check
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"a"}}"#, &["+a"])
        .says(r#"{"event":"pusher:unsubscribe","data":{"channel":"a"}}"#, &["-a"])
        .says(
            r#"{"event":"pusher:subscribe","data":{"channel":"a"}}"#,
            &["+a", "pause"],
        )
        .later_ms(100)
        .says(
            r#"{"event":"pusher:unsubscribe","data":{"channel":"a"}}"#,
            &["-a", "pause"],
        )
        .later_ms(1_000)
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"a"}}"#, &["+a"]);
    let mut commands = Vec::new();
    check.session.count_command(check.now.instant, &mut commands);
    assert_eq!(commands, []);
    check.session.count_command(check.now.instant, &mut commands);
    let ready_at = check.now.ms(100).instant;
    assert_eq!(commands, [Command::PauseUntil(ready_at)]);
}

#[test]
fn names_are_held_to_the_limits_of_the_app() {
    let limits = AppLimits {
        channel_name_bytes: 14,
        event_name_chars: 8,
        event_data_bytes: 2,
        ..AppLimits::default()
    };
    Check::with(true, limits)
        .refuses(
            r#"{"event":"pusher:subscribe","data":{"channel":"fifteen-letters"}}"#,
            "fifteen-letters",
            ["LimitReached", "4009"],
            "Invalid channel name: channel name is 15 bytes, limit is 14",
        )
        .in_private()
        .says(
            r#"{"event":"client-xy","channel":"private-foobar","data":1}"#,
            &[r#">{"event":"pusher:error","data":{"code":null,"message":"Invalid client event: event name is 9 characters, limit is 8"}}"#],
        )
        .says(
            r#"{"event":"client-x","channel":"private-foobar","data":123}"#,
            &[r#">{"event":"pusher:error","data":{"code":4301,"message":"Client event data is 3 bytes, limit is 2"}}"#],
        );
}

#[test]
fn every_live_key_signs_from_its_moment_on() {
    let signature = SigningKey::new(&"next-secret".into()).sign_hex(&[b"1234.1234:private-foobar"]);
    let subscribe =
        format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"private-foobar","auth":"next:{signature}"}}}}"#);
    let mut check = Check::new();
    let mut commands = Vec::new();
    check
        .session
        .on_message(ClientMessage::decode(&subscribe), check.now, &mut commands);
    assert_eq!(
        print(&commands[0]),
        r#">{"event":"pusher:error","data":{"code":null,"message":"Invalid key in subscription auth data: 'next'"}}"#
    );
    check.later_ms(1_000).says(&subscribe, &["+private-foobar"]);
    check.says(
        r#"{"event":"pusher:unsubscribe","data":{"channel":"private-foobar"}}"#,
        &["-private-foobar"],
    );
    check.in_private();
}

#[test]
fn leaving_all_gives_every_channel_once() {
    let mut check = Check::new();
    check
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"a"}}"#, &["+a"])
        .says(r#"{"event":"pusher:subscribe","data":{"channel":"b"}}"#, &["+b"]);
    let mut left: Vec<String> = check.session.leave_all().map(|name| name.to_string()).collect();
    left.sort();
    assert_eq!(left, ["a", "b"]);
    assert_eq!(check.session.leave_all().count(), 0);
}
