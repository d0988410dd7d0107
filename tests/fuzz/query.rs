//! Query strings.

use proptest::{collection::vec, prelude::*};
use vacancy::signature::http_request::{Query, QueryError};

use crate::runner::{CASES, mutated, noise, run, text};

#[test]
fn a_query_is_read_as_a_form() {
    const DICTIONARY: &[&str] = &["&", "=", "%", "+", "%2C", "%c5%bc", "%C5", "%%41", "ż", "A", "[]"];
    let part = "([a-zA-Z+=&]|%[0-9a-fA-F]{2}|%|\\PC){0,12}";
    let inputs = prop_oneof![
        2 => vec((part, part), 0..5).prop_map(|pairs| {
            let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
            pairs.collect::<Vec<_>>().join("&").into_bytes()
        }),
        2 => mutated("query", DICTIONARY),
        1 => noise(40),
    ];
    run("query", CASES, inputs, |input| check(&text(input)));
}

fn check(raw: &str) {
    match (Query::parse(raw), reference(raw)) {
        (Ok(query), Ok(want)) => {
            let got: Vec<_> = query
                .pairs()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            assert_eq!(got, want);
            for (name, _) in &want {
                let first = want.iter().find(|(other, _)| other == name).map(|(_, value)| &**value);
                assert_eq!(query.get(name), first);
                assert!(!name.chars().any(|c| c.is_ascii_uppercase()));
            }
            assert_eq!(query.get("no such name"), None);
        }
        (Err(QueryError::NotUtf8 { number }), Err(want)) => assert_eq!(number, want),
        (got, want) => panic!("{got:?} for {want:?}"),
    }
}

/// Reads a query byte by byte: its pairs, or the number of the first that is not UTF-8.
pub fn reference(raw: &str) -> Result<Vec<(String, String)>, usize> {
    let bytes = raw.as_bytes();
    let mut pairs = vec![(Vec::new(), None::<Vec<u8>>, false)];
    let mut at = 0;
    while at < bytes.len() {
        let (name, value, is_there) = pairs.last_mut().unwrap();
        *is_there |= bytes[at] != b'&';
        let digit = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        let decoded = match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'&', ..) => {
                pairs.push((Vec::new(), None, false));
                at += 1;
                continue;
            }
            (b'=', ..) if value.is_none() => {
                *value = Some(Vec::new());
                at += 1;
                continue;
            }
            (b'%', Some(high), Some(low)) => {
                at += 2;
                u8::try_from(high * 16 + low).unwrap()
            }
            (b'+', ..) => b' ',
            (byte, ..) => byte,
        };
        value.as_mut().unwrap_or(name).push(decoded);
        at += 1;
    }
    let there = pairs.into_iter().filter(|(.., is_there)| *is_there);
    there
        .enumerate()
        .map(|(at, (name, value, _))| {
            let name = String::from_utf8(name).map_err(|_| at + 1)?;
            let value = String::from_utf8(value.unwrap_or_default()).map_err(|_| at + 1)?;
            let lower = |c: char| if c.is_ascii() { c.to_ascii_lowercase() } else { c };
            Ok((name.chars().map(lower).collect(), value))
        })
        .collect()
}
