//! The signature of Standard Webhooks, version 1 (standardwebhooks.com): what `webhook-signature`
//! holds.

use std::fmt;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD as PADDED},
};
use secrecy::{ExposeSecret, SecretString};

use super::SigningKey;

/// What each secret begins with.
const PREFIX: &str = "whsec_";

/// A secret that an endpoint shares with us, `whsec_` and the base64 of its bytes, as a key that is
/// prepared once. Its `Debug` shows no content.
#[derive(Clone)]
pub struct StandardKey(SigningKey);

/// Why a text is no such secret. It never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StandardKeyError {
    /// It begins otherwise.
    #[error("does not begin with whsec_")]
    Prefix,
    /// The rest is no base64.
    #[error("is not base64 after whsec_")]
    Base64,
    /// Nothing comes after the prefix.
    #[error("has no bytes after whsec_")]
    Empty,
}

impl StandardKey {
    /// Reads a secret, with or without the padding of base64.
    ///
    /// # Errors
    /// When the text is not `whsec_` and the base64 of one byte or more.
    pub fn parse(secret: &SecretString) -> Result<Self, StandardKeyError> {
        let encoded = secret.expose_secret().strip_prefix(PREFIX);
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let decoded = GeneralPurpose::new(&STANDARD, lenient).decode(encoded.ok_or(StandardKeyError::Prefix)?);
        let bytes = decoded.map_err(|_| StandardKeyError::Base64)?;
        if bytes.is_empty() {
            return Err(StandardKeyError::Empty);
        }
        Ok(Self(SigningKey::from_bytes(&bytes)))
    }
}

impl fmt::Debug for StandardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StandardKey")
    }
}

/// The value of `webhook-signature`: a signature by each key, with a space between; none without a
/// key. `timestamp` is the value of `webhook-timestamp`, in seconds since 1970.
#[must_use]
pub fn sign(keys: &[StandardKey], id: &str, timestamp_s: u64, body: &[u8]) -> Option<String> {
    let head = format!("{id}.{timestamp_s}.");
    let signature = |key: &StandardKey| format!("v1,{}", PADDED.encode(key.0.digest(&[head.as_bytes(), body])));
    let signatures: Vec<String> = keys.iter().map(signature).collect();
    (!signatures.is_empty()).then(|| signatures.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of the specification's example.
    const SPEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_YSBzZWNyZXQgZm9yIHRoZSByb3RhdGlvbiwgb2YgNDAgYnl0ZXMhIQ==";
    const OCCUPIED: &str = r#"{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}"#;

    fn key(secret: &str) -> StandardKey {
        StandardKey::parse(&secret.into()).expect("a secret")
    }

    #[track_caller]
    fn check(secrets: &[&str], id: &str, timestamp_s: u64, body: &str, want: &str) {
        let keys: Vec<StandardKey> = secrets.iter().map(|secret| key(secret)).collect();
        assert_eq!(sign(&keys, id, timestamp_s, body.as_bytes()).as_deref(), Some(want));
    }

    #[test]
    fn the_example_of_the_specification_has_its_signature() {
        check(
            &[SPEC],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        );
    }

    #[test]
    fn a_webhook_has_the_signature_that_the_python_library_makes() {
        let id = "msg_00000000000000ab";
        check(
            &[SPEC],
            id,
            1_327_078_149,
            OCCUPIED,
            "v1,cilwwBs3AQty16ixMNDYZLcaiJ1r/DM9ZF1wqwvrC+c=",
        );
        check(
            &[NEW],
            id,
            1_327_078_149,
            r#"{"time_ms":1327078148132,"events":[{"name":"client_event","channel":"private-room","event":"client-msg","data":"{\"t\":\"zażółć 😀 \\u2028/\"}","socket_id":"1.1"}]}"#,
            "v1,ShOo7PJSwHJHamLJeDuPoi4BVthPn/7O+6DaeCgG9RY=",
        );
        check(
            &["whsec_eA=="],
            "msg_1",
            1,
            "",
            "v1,e0LM9AdzItTDV3/igaFymQ0zK4633JKJsiW1BaRBCSI=",
        );
    }

    #[test]
    fn while_secrets_rotate_each_signs_in_order() {
        check(
            &[SPEC, NEW],
            "msg_00000000000000ab",
            1_327_078_149,
            OCCUPIED,
            "v1,cilwwBs3AQty16ixMNDYZLcaiJ1r/DM9ZF1wqwvrC+c= v1,8iHRTbbIRVvunuhTgy+dbIFp4tl0kPfia4k+AKNc6Z8=",
        );
    }

    #[test]
    fn without_a_secret_there_is_no_signature() {
        assert_eq!(sign(&[], "msg_1", 1, b"{}"), None);
    }

    #[test]
    fn a_secret_may_lack_its_padding() {
        let [padded, bare] = [NEW, NEW.trim_end_matches('=')].map(|secret| sign(&[key(secret)], "msg_1", 1, b"{}"));
        assert_eq!(padded, bare);
    }

    #[test]
    fn a_text_that_is_no_secret_is_refused_and_says_why() {
        let read = |secret: &str| StandardKey::parse(&secret.into()).map(|_| ());
        for other in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "WHSEC_eA==", " whsec_eA=="] {
            assert_eq!(read(other), Err(StandardKeyError::Prefix), "{other}");
        }
        for other in ["whsec_x", "whsec_eA==eA==", "whsec_e-A_", "whsec_eA== "] {
            assert_eq!(read(other), Err(StandardKeyError::Base64), "{other}");
        }
        assert_eq!(read("whsec_"), Err(StandardKeyError::Empty));
    }

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        assert_eq!(format!("{:?}", key(SPEC)), "StandardKey");
    }
}
