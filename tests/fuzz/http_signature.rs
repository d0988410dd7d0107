//! Signed requests to the API. An input is a method, a path, a query and a body, a line each; the
//! body may have more.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use proptest::prelude::*;
use sha2::Sha256;
use vacancy::signature::{
    SigningKey,
    http_request::{HttpAuthError, HttpRequestParts, Query, verify, verify_body},
};

use crate::{
    query::reference,
    runner::{Chance, mutated, run, text},
};

const KEY: &str = "278d425bdf160c739803";
const SECRET: &str = "7ad3773142a6692b25b8";
const NOW_S: u64 = 1_353_088_179;

#[test]
fn a_signed_request_is_valid_and_no_change_of_it_is() {
    const DICTIONARY: &[&str] = &["%2C", "%", "&", "=", "[]", "/", "\n", "%2f", "+", "info", "ż"];
    let query = "(([a-zA-Z_]|%[2-7][0-9a-f]){1,8}(\\[\\])?(=([a-z0-9+=,%]|%[2-7][0-9a-f]){0,8})?&?){0,4}";
    let path = "(/([a-z0-9;#-]|%[2-7][0-9a-f]|ż){0,8}){1,5}";
    let structured = ("GET|POST|PUT", path, query, "(\\PC|\n){0,40}");
    let inputs = prop_oneof![
        structured.prop_map(|(method, path, query, body)| [method, path, query, body].join("\n").into_bytes()),
        mutated("http_signature", DICTIONARY),
    ];
    // Each input is verified some twenty times, which takes its time in a build for tests.
    run("http_signature", 100, inputs, |input| check(&text(input)));
}

#[derive(Debug, Clone, PartialEq)]
struct Request {
    method: String,
    path: String,
    /// Encoded, without the parameters of the signature.
    query: String,
    body: Vec<u8>,
    timestamp_s: u64,
}

impl Request {
    fn encoded(&self, body_md5: Option<&str>) -> String {
        let md5 = body_md5.map_or_else(String::new, |md5| format!("&body_md5={md5}"));
        let own = format!(
            "auth_key={KEY}&auth_timestamp={}&auth_version=1.0{md5}",
            self.timestamp_s
        );
        [self.query.as_str(), &own].join("&")
    }

    /// The query that goes with the body, if it is signed at all.
    fn own_query(&self) -> String {
        let md5 = (!self.body.is_empty()).then(|| hex::encode(Md5::digest(&self.body)));
        self.encoded(md5.as_deref())
    }

    /// What PROTOCOL.md section 5.2 has signed.
    fn string_to_sign(&self, path: &str, query: &str) -> String {
        let mut sorted: Vec<(String, String)> = Vec::new();
        let plain = |name: &str| name.strip_suffix("[]").unwrap_or(name).to_owned();
        for (name, value) in reference(query).expect("utf-8") {
            let at = sorted
                .iter()
                .take_while(|(other, _)| plain(other) <= plain(&name))
                .count();
            sorted.insert(at, (name, value));
        }
        let params: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}\n{path}\n{}", self.method, params.join("&"))
    }
}

/// Whether a parameter is about the signature.
fn is_own(name: &str) -> bool {
    name.starts_with("auth_") || name == "body_md5"
}

fn sign(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn is_let_in(request: &Request, query: &str, signature: &str, now_s: u64) -> bool {
    let query = format!("{query}&auth_signature={signature}");
    let query = Query::parse(&query).expect("utf-8");
    let parts = HttpRequestParts {
        method: &request.method,
        path: &request.path,
        query: &query,
    };
    let verified = verify(&parts, &KEY.parse().unwrap(), &SigningKey::new(&SECRET.into()), now_s)
        .and_then(|()| verify_body(&query, &request.body));
    if let Err(error) = &verified {
        assert!(error.to_string().chars().count() < 60_000, "an error is bounded");
        if let HttpAuthError::Signature { sent, .. } = error {
            assert_eq!(sent.as_deref(), Some(signature));
        }
    }
    verified.is_ok()
}

fn check(input: &str) {
    let mut lines = input.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let request = Request {
        method: line(),
        path: line(),
        query: line(),
        body: line().into_bytes(),
        timestamp_s: NOW_S,
    };
    let Ok(pairs) = reference(&request.query) else {
        assert!(Query::parse(&request.query).is_err());
        return;
    };
    if pairs.iter().any(|(name, _)| is_own(name)) {
        return;
    }
    let query = request.own_query();
    let string = request.string_to_sign(&request.path, &query);
    let signature = sign(&string);
    assert!(is_let_in(&request, &query, &signature, NOW_S), "{string}");
    let mut chance = Chance::of(input.as_bytes());
    check_other_requests(&request, &string, &signature, &mut chance);
    check_other_bodies(&request, &query, &signature, &mut chance);
    check_other_signatures(&request, &query, &signature, &mut chance);
    for (now_s, is_in_time) in [
        (NOW_S - 599, true),
        (NOW_S + 599, true),
        (NOW_S - 600, false),
        (NOW_S + 600, false),
    ] {
        assert_eq!(is_let_in(&request, &query, &signature, now_s), is_in_time);
    }
}

/// Another method, path or parameter is let in only where what is signed is the same text.
fn check_other_requests(request: &Request, string: &str, signature: &str, chance: &mut Chance) {
    let changed = |change: &dyn Fn(&mut Request)| {
        let mut other = request.clone();
        change(&mut other);
        other
    };
    let at = chance.next();
    let character = char::from(b'!' + u8::try_from(chance.below(94)).unwrap());
    let mut others = vec![
        changed(&|other| other.method.push('S')),
        changed(&|other| other.method = other.method.to_lowercase()),
        changed(&|other| edit(&mut other.path, at, character)),
        changed(&|other| edit(&mut other.query, at, character)),
        changed(&|other| other.query.push_str("&more")),
        changed(&|other| other.query.insert_str(0, "info=x&")),
        changed(&|other| other.timestamp_s += 1),
    ];
    let segments: Vec<&str> = request.query.split('&').collect();
    for skip in 0..segments.len() {
        let kept: Vec<&str> = [&segments[..skip], &segments[skip + 1..]].concat();
        others.push(changed(&|other| other.query = kept.join("&")));
    }
    others.push(changed(&|other| {
        other.query = segments.iter().rev().copied().collect::<Vec<_>>().join("&");
    }));
    for other in others {
        let query = other.own_query();
        let Ok(pairs) = reference(&query) else {
            continue;
        };
        let own = pairs.iter().filter(|(name, _)| is_own(name)).count();
        if own != 3 + usize::from(!other.body.is_empty()) {
            continue;
        }
        let decoded = decoded(&other.path);
        let same = other.string_to_sign(&other.path, &query) == string
            || decoded.is_some_and(|path| other.string_to_sign(&path, &query) == string);
        assert_eq!(
            is_let_in(&other, &query, signature, NOW_S),
            same,
            "{other:?} for {request:?}"
        );
    }
}

/// Puts a character in the place of another, or at the end.
fn edit(text: &mut String, at: u64, character: char) {
    let mut characters: Vec<char> = text.chars().collect();
    let at = usize::try_from(at % (characters.len() as u64 + 1)).unwrap();
    characters.splice(at..characters.len().min(at + 1), [character]);
    *text = characters.into_iter().collect();
}

/// A path with its escapes taken out; none when it is not UTF-8 then.
fn decoded(path: &str) -> Option<String> {
    let guarded = path.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let pairs = reference(&format!("x={guarded}")).ok()?;
    pairs.into_iter().next().map(|(_, value)| value)
}

/// The body is what its MD5 says, and has one if it is not empty.
fn check_other_bodies(request: &Request, query: &str, signature: &str, chance: &mut Chance) {
    let mut other = request.clone();
    other.body.push(0);
    assert!(!is_let_in(&other, query, signature, NOW_S));
    if request.body.is_empty() {
        let query = request.encoded(Some("d41d8cd98f00b204e9800998ecf8427e"));
        let signature = sign(&request.string_to_sign(&request.path, &query));
        assert!(
            is_let_in(request, &query, &signature, NOW_S),
            "the MD5 of nothing may be sent"
        );
        return;
    }
    let mut other = request.clone();
    let at = chance.below(other.body.len());
    other.body[at] ^= 1 << chance.below(8);
    assert!(!is_let_in(&other, query, signature, NOW_S));
    other.body.clear();
    assert!(!is_let_in(&other, query, signature, NOW_S));
    let unsigned = request.encoded(None);
    let signature = sign(&request.string_to_sign(&request.path, &unsigned));
    assert!(!is_let_in(request, &unsigned, &signature, NOW_S), "a body is signed");
}

/// One digit more, less or other, or in upper case, is no signature.
fn check_other_signatures(request: &Request, query: &str, signature: &str, chance: &mut Chance) {
    let at = chance.below(64);
    let mut other = signature.to_owned();
    let digit = if &signature[at..=at] == "0" { "1" } else { "0" };
    other.replace_range(at..=at, digit);
    let more = format!("{signature}0");
    let upper = signature.to_uppercase();
    for other in [&other, &more, &upper, &signature[1..], &signature[..at], ""] {
        assert!(
            other == signature || !is_let_in(request, query, other, NOW_S),
            "{other}"
        );
    }
}
