//! What a secret of Standard Webhooks looks like.

use std::ops::RangeInclusive;

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::{
    source::Value,
    values::{self, Wrong},
};

const PREFIX: &str = "whsec_";
/// Bytes that a secret may have.
const BYTES: RangeInclusive<usize> = 24..=64;

/// Why a text is no such secret. It never holds the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WebhookSecretError {
    #[error("must begin with whsec_, make one with: echo \"whsec_$(openssl rand -base64 32)\"")]
    Prefix,
    #[error("must be base64 after whsec_: A-Z a-z 0-9 + / and up to two = at its end")]
    Base64,
    #[error("must hold {} to {} bytes, not {len}", BYTES.start(), BYTES.end())]
    Length { len: usize },
}

/// Reads one secret.
pub(super) fn webhook_secret(value: &Value) -> Result<SecretString, Wrong> {
    let text = values::filled(value)?;
    let encoded = text.strip_prefix(PREFIX).ok_or(WebhookSecretError::Prefix)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| WebhookSecretError::Base64)?;
    let bytes = SecretSlice::from(bytes);
    let len = bytes.expose_secret().len();
    if !BYTES.contains(&len) {
        return Err(WebhookSecretError::Length { len }.into());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<(), Wrong>) {
        let read = webhook_secret(&Value::Text(text.into()));
        let read = read.map(|secret| assert_eq!(secret.expose_secret(), text));
        assert_eq!(read, want, "{text}");
    }

    fn of(bytes: usize) -> String {
        format!("whsec_{}", STANDARD.encode(vec![7; bytes]))
    }

    #[test]
    fn a_secret_is_whsec_and_base64_of_24_to_64_bytes() {
        check("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Ok(()));
        for bytes in [24, 25, 32, 64] {
            check(&of(bytes), Ok(()));
        }
        for len in [0, 1, 23, 65] {
            check(&of(len), Err(WebhookSecretError::Length { len }.into()));
        }
    }

    #[test]
    fn another_text_is_refused_without_quoting_it() {
        for text in ["hunter2", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", " whsec_"] {
            check(text, Err(WebhookSecretError::Prefix.into()));
        }
        let [good, url_safe, unpadded] = [of(25), of(24).replacen("Bw", "-_", 1), of(25).replace('=', "")];
        assert!(good.ends_with("=="));
        for text in [url_safe.as_str(), unpadded.as_str(), "whsec_hunter2!", "whsec_ "] {
            check(text, Err(WebhookSecretError::Base64.into()));
        }
        check("", Err(Wrong::Empty));
        assert_eq!(
            WebhookSecretError::Length { len: 3 }.to_string(),
            "must hold 24 to 64 bytes, not 3"
        );
    }
}
