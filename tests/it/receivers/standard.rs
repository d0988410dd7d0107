//! The signature of Standard Webhooks, made here and not by the code under test.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::harness::{hmac_hex, now_s};

/// The headers of a request that is signed both ways.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) pusher: String,
    pub(super) id: String,
    pub(super) timestamp: String,
    pub(super) signatures: Option<String>,
}

impl Signed {
    /// Signs a body now.
    pub(super) fn now(key: &[u8], id: &str, body: &str) -> Self {
        Self::at(now_s(), key, id, body)
    }

    /// Signs a body at another time.
    pub(super) fn at(timestamp_s: u64, key: &[u8], id: &str, body: &str) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
        mac.update(format!("{id}.{timestamp_s}.{body}").as_bytes());
        Self {
            pusher: hmac_hex(super::SECRET, body),
            id: id.into(),
            timestamp: timestamp_s.to_string(),
            signatures: Some(format!("v1,{}", base64(&mac.finalize().into_bytes()))),
        }
    }

    pub(super) fn timestamp_s(&self) -> u64 {
        self.timestamp.parse().expect("a number")
    }

    pub(super) fn headers(&self) -> Vec<(&str, &str)> {
        let mut headers = vec![
            ("X-Pusher-Signature", self.pusher.as_str()),
            ("webhook-id", &self.id),
            ("webhook-timestamp", &self.timestamp),
        ];
        headers.extend(self.signatures.as_deref().map(|text| ("webhook-signature", text)));
        headers
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let quad = |chunk: &[u8]| {
        let bits = chunk
            .iter()
            .chain(&[0; 2])
            .take(3)
            .fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        let digit = |at: usize| {
            let is_there = at <= chunk.len();
            let digit = DIGITS[bits >> (18 - 6 * at) & 63];
            char::from(if is_there { digit } else { b'=' })
        };
        [digit(0), digit(1), digit(2), digit(3)]
    };
    bytes.chunks(3).flat_map(quad).collect()
}

#[test]
fn base64_is_as_rfc_4648_has_it() {
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
    ] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}
