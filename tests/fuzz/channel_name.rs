//! Names of channels.

use proptest::prelude::*;
use vacancy::domain::{AppLimits, ChannelKind, ChannelName};

use crate::runner::{CASES, mutated, noise, run, text};

#[test]
fn a_channel_name_is_what_the_documented_pattern_matches() {
    const DICTIONARY: &[&str] = &[
        "private-",
        "presence-",
        "encrypted-",
        "cache-",
        "#server-to-user-",
        "#",
        ":",
        "\n",
        "ż",
    ];
    let prefixes = "(#server-to-user-|private-|presence-|encrypted-|cache-|#|Private-){0,3}";
    let inputs = prop_oneof![
        3 => (prefixes, "[A-Za-z0-9_=@,.;-]{0,20}").prop_map(|(prefix, rest)| (prefix + &rest).into_bytes()),
        1 => (prefixes, "[ -~]{0,8}").prop_map(|(prefix, rest)| (prefix + &rest).into_bytes()),
        3 => mutated("channel_name", DICTIONARY),
        1 => noise(12),
    ];
    run("channel_name", CASES, inputs, check);
}

/// `^(#server-to-user-)?[A-Za-z0-9_\-=@,.;]+$`, of at most 1,024 bytes.
pub fn is_valid(name: &str) -> bool {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,.;";
    let rest = match name.split_at_checked(16) {
        Some(("#server-to-user-", rest)) => rest,
        Some(_) | None => name,
    };
    !rest.is_empty() && rest.chars().all(|c| ALPHABET.contains(c)) && name.len() <= 1_024
}

fn check(input: &[u8]) {
    let raw = text(input);
    let Ok(name) = raw.parse::<ChannelName>() else {
        assert!(!is_valid(&raw), "{raw:?} is refused");
        return;
    };
    assert!(is_valid(&raw), "{raw:?} is let through");
    assert_eq!((name.as_str(), name.to_string()), (&*raw, raw.clone()));
    // The table of PROTOCOL.md section 2.2, the longest first.
    let table = [
        ("private-encrypted-cache-", ChannelKind::PrivateEncrypted, true),
        ("private-encrypted-", ChannelKind::PrivateEncrypted, false),
        ("private-cache-", ChannelKind::Private, true),
        ("private-", ChannelKind::Private, false),
        ("presence-cache-", ChannelKind::Presence, true),
        ("presence-", ChannelKind::Presence, false),
        ("#server-to-user-", ChannelKind::ServerToUser, false),
        ("cache-", ChannelKind::Public, true),
        ("", ChannelKind::Public, false),
    ];
    let has_prefix = |prefix: &str| {
        raw.as_bytes()
            .iter()
            .zip(prefix.bytes())
            .filter(|(a, b)| **a == *b)
            .count()
            == prefix.len()
    };
    let (_, kind, is_cache) = table.into_iter().find(|(prefix, ..)| has_prefix(prefix)).unwrap();
    assert_eq!((name.kind(), name.is_cache()), (kind, is_cache), "{raw}");
    let user = (kind == ChannelKind::ServerToUser).then(|| &raw[16..]);
    assert_eq!(name.server_to_user(), user);
    let fits = AppLimits::default().check_channel_name(&name).is_ok();
    assert_eq!(fits, raw.len() <= 164);
}
