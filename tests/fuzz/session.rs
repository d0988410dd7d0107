//! The session of one connection. An input is what its client sends, a message a line; `SIGN` in
//! the place of an `auth` is a valid one. A line `refuse {channel}` is a channel that does not let
//! it in.

use std::{collections::HashMap, sync::Arc, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;
use sha2::Sha256;
use vacancy::{
    app::{Key, Keys},
    clock,
    connection::{Command, Session, SessionRules},
    domain::{AppLimits, Attempt, ChannelKind, ChannelName, Now, UserId},
    protocol::ClientMessage,
    signature::SigningKey,
};

use crate::{
    client_message::DICTIONARY,
    runner::{CASES, mutated, noise, run, text},
};

const KEY: &str = "278d425bdf160c739803";
const SECRET: &str = "7ad3773142a6692b25b8";
const SOCKET_ID: &str = "1234.1234";
const SUBSCRIPTIONS_MAX: usize = 3;
const WATCHLIST_MAX: usize = 2;

#[test]
fn a_session_enters_and_leaves_in_turn_whatever_it_is_sent() {
    let inputs = prop_oneof![
        5 => vec(line(), 0..14).prop_map(|lines| lines.join("\n").into_bytes()),
        3 => mutated("session", DICTIONARY),
        1 => noise(30),
    ];
    let now = clock::now();
    run("session", CASES, inputs, |input| check(&text(input), now));
}

fn line() -> impl Strategy<Value = String> {
    let channel = || {
        select(vec![
            "a",
            "private-a",
            "presence-a",
            "private-cache-a",
            "private-encrypted-a",
            "presence-cache-a",
            "#server-to-user-7",
            "#server-to-user-8",
        ])
    };
    let auth = || select(vec!["SIGN", "SIGN", "SIGN", "", "x", "278d425bdf160c739803:00"]);
    let data = |id: &'static str| {
        let id_value = prop_oneof![
            3 => select(vec!["\"7\"", "\"8\"", "7", "8"]).prop_map(str::to_owned),
            1 => "\\PC{0,3}".prop_map(|id| serde_json::to_string(&id).unwrap()),
            1 => select(vec!["null", "true", "-1.50", "1e999", "\"\"", "[]"]).prop_map(str::to_owned),
        ];
        let list = select(vec![
            "",
            r#","watchlist":["8","9"]"#,
            r#","watchlist":["8","8"]"#,
            r#","watchlist":["1","2","1","3"]"#,
            r#","watchlist":[1]"#,
        ]);
        let info = select(vec!["", "", r#","user_info":{"a":"b"}"#, r#","user_info":1"#]);
        (id_value, list, info).prop_map(move |(value, list, info)| {
            serde_json::to_string(&format!(r#"{{"{id}":{value}{list}{info}}}"#)).unwrap()
        })
    };
    prop_oneof![
        3 => (channel(), auth()).prop_map(|(channel, auth)| {
            format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}","auth":"{auth}"}}}}"#)
        }),
        2 => (channel(), auth(), data("user_id")).prop_map(|(channel, auth, data)| {
            format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}","auth":"{auth}","channel_data":{data}}}}}"#)
        }),
        2 => channel().prop_map(|channel| format!(r#"{{"event":"pusher:unsubscribe","data":{{"channel":"{channel}"}}}}"#)),
        2 => (auth(), data("id")).prop_map(|(auth, data)| {
            format!(r#"{{"event":"pusher:signin","data":{{"auth":"{auth}","user_data":{data}}}}}"#)
        }),
        2 => channel().prop_map(|channel| format!(r#"{{"event":"client-x","channel":"{channel}","data":"hi"}}"#)),
        1 => channel().prop_map(|channel| format!("refuse {channel}")),
        1 => Just(r#"{"event":"pusher:ping"}"#.to_owned()),
    ]
}

/// Puts a valid signature in the place of `SIGN`.
fn signed(line: &str) -> String {
    let Ok(mut message) = serde_json::from_str::<Value>(line) else {
        return line.to_owned();
    };
    let data = &message["data"];
    let part = |name: &str| data[name].as_str().unwrap_or_default();
    let string = match message["event"].as_str() {
        Some("pusher:signin") => format!("{SOCKET_ID}::user::{}", part("user_data")),
        _ if part("channel_data").is_empty() => format!("{SOCKET_ID}:{}", part("channel")),
        _ => format!("{SOCKET_ID}:{}:{}", part("channel"), part("channel_data")),
    };
    if data["auth"] != "SIGN" {
        return line.to_owned();
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(string.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    message["data"]["auth"] = format!("{KEY}:{signature}").into();
    message.to_string()
}

/// What must be so after every command.
#[derive(Default)]
struct Model {
    subscribed: HashMap<ChannelName, Option<UserId>>,
    attempts: HashMap<ChannelName, u32>,
    user: Option<UserId>,
    authorized: bool,
}

impl Model {
    fn take(&mut self, command: Command, now: Now, said: &str) {
        match command {
            Command::Send(text) => {
                let json: Value = serde_json::from_str(&text).unwrap();
                let event = json["event"].as_str().unwrap();
                assert!(event.starts_with("pusher:"), "{event}");
            }
            Command::Note(mistake) => assert!(!mistake.reason.is_empty(), "{said}"),
            Command::Enter(Attempt { channel, number }, member) => {
                self.attempts.insert(channel.clone(), number);
                match channel.kind() {
                    ChannelKind::Presence => {
                        assert!(
                            member
                                .as_ref()
                                .unwrap()
                                .user_info()
                                .is_none_or(|info| info.starts_with('{'))
                        );
                        self.authorized = true;
                    }
                    ChannelKind::Private | ChannelKind::PrivateEncrypted => self.authorized = true,
                    ChannelKind::Public => {}
                    ChannelKind::ServerToUser => {
                        assert_eq!(channel.server_to_user(), self.user.as_ref().map(UserId::as_str));
                    }
                }
                assert_eq!(member.is_some(), channel.kind() == ChannelKind::Presence);
                let user = member.map(|member| member.user_id().clone());
                assert_eq!(self.subscribed.insert(channel, user), None, "entered twice: {said}");
                assert!(self.subscribed.len() <= SUBSCRIPTIONS_MAX);
            }
            Command::Leave(channel) => assert!(self.subscribed.remove(&channel).is_some(), "not there: {said}"),
            Command::SignIn {
                user_id: user,
                watchlist,
                confirmation,
            } => {
                let json: Value = serde_json::from_str(&confirmation).unwrap();
                assert_eq!(json["event"], "pusher:signin_success");
                assert!(
                    self.user.as_ref().is_none_or(|known| *known == user),
                    "another user: {said}"
                );
                let mut distinct = watchlist.clone();
                distinct.sort();
                distinct.dedup();
                assert!(distinct.len() == watchlist.len() && watchlist.len() <= WATCHLIST_MAX);
                self.user = Some(user);
                self.authorized = true;
            }
            Command::PauseUntil(at) => assert!(now.instant < at && at <= now.instant + Duration::from_secs(10)),
            Command::Broadcast {
                channel,
                name,
                data,
                user_id,
            } => {
                assert!(name.as_str().starts_with("client-") && data.len() <= 10_240);
                assert!(!matches!(
                    channel.kind(),
                    ChannelKind::Public | ChannelKind::ServerToUser
                ));
                assert_eq!(self.subscribed.get(&channel), Some(&user_id), "{said}");
            }
        }
    }
}

fn check(input: &str, mut now: Now) {
    let rules = SessionRules {
        keys: Keys::new(vec![Key {
            key: KEY.parse().unwrap(),
            signing: SigningKey::new(&SECRET.into()),
            since_ms: None,
        }]),
        limits: AppLimits {
            subscriptions_per_connection: SUBSCRIPTIONS_MAX,
            watchlist_users: WATCHLIST_MAX,
            commands_per_second: 10,
            commands_burst: 5,
            ..AppLimits::default()
        },
        client_events: true,
    };
    let mut session = Session::new(SOCKET_ID.parse().unwrap(), Arc::new(rules), now.instant);
    let mut model = Model::default();
    for line in input.lines() {
        now = now.after(Duration::from_millis(37));
        if let Some(Ok(channel)) = line.strip_prefix("refuse ").map(str::parse::<ChannelName>) {
            // A channel's answer is to the newest attempt here; that to an older one changes nothing.
            let number = model.attempts.get(&channel).copied().unwrap_or(0);
            session.on_refused(&Attempt {
                number: number.wrapping_sub(1),
                channel: channel.clone(),
            });
            session.on_refused(&Attempt {
                number,
                channel: channel.clone(),
            });
            model.subscribed.remove(&channel);
            continue;
        }
        let mut commands = Vec::new();
        session.on_message(ClientMessage::decode(&signed(line)), now, &mut commands);
        let answers = commands
            .iter()
            .filter(|command| !matches!(command, Command::PauseUntil(_)));
        assert!(answers.count() <= 3, "a message has few answers: {line}");
        for command in commands {
            model.take(command, now, line);
        }
        assert_eq!(session.is_signed_in(), model.user.is_some());
        assert!(session.is_authorized() || !model.authorized);
    }
    let mut left: Vec<ChannelName> = session.leave_all().collect();
    let mut want: Vec<ChannelName> = model.subscribed.into_keys().collect();
    left.sort();
    want.sort();
    assert_eq!(left, want, "what is entered is left");
    assert_eq!(session.leave_all().count(), 0);
}
