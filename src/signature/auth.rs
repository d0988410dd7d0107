//! The `auth` that an application hands to a client: `key:signature` (PROTOCOL.md sections 2.4 and
//! 4.1).

use crate::domain::AppKey;

use super::SigningKey;

/// Most characters of a text of the client that an error repeats; more is cut and ends in `…`.
pub(super) const ECHO_CHARS_MAX: usize = 200;

/// Why an `auth` does not hold, with what of it an error repeats.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no colon between a key and a signature.
    Format,
    /// What stands before the first colon is not the key of the app.
    Key {
        /// What stands there, at most [`ECHO_CHARS_MAX`] characters of it.
        key: String,
    },
    /// What stands behind the first colon is not the signature.
    Signature {
        /// What stands there, at most [`ECHO_CHARS_MAX`] characters of it.
        signature: String,
    },
}

/// Checks that `auth` names the app's key and holds the signature of the joined parts.
pub(super) fn verify(key: &AppKey, signing: &SigningKey, signed: &[&[u8]], auth: &str) -> Result<(), Refusal> {
    let (given_key, signature) = auth.split_once(':').ok_or(Refusal::Format)?;
    if given_key != key.as_str() {
        return Err(Refusal::Key {
            key: excerpt(given_key, ECHO_CHARS_MAX),
        });
    }
    if signing.verify_hex(signed, signature) {
        return Ok(());
    }
    Err(Refusal::Signature {
        signature: excerpt(signature, ECHO_CHARS_MAX),
    })
}

/// The text, or its first `chars_max` characters and `…` when it has more.
pub(super) fn excerpt(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "64e3f44166575febbc5de88c9476325ea7d4b3684752158d9fdb31fce34b980d";

    #[track_caller]
    fn check(auth: &str, want: Result<(), Refusal>) {
        let signing = SigningKey::new(&"supersecret".into());
        let got = verify(&"k".parse().expect("valid"), &signing, &[b"Hel", b"lo!"], auth);
        assert_eq!(got, want, "{auth}");
    }

    #[test]
    fn an_auth_is_the_key_a_colon_and_the_signature_of_the_parts() {
        check(&format!("k:{HELLO}"), Ok(()));
        check(HELLO, Err(Refusal::Format));
        check(&format!("K:{HELLO}"), Err(Refusal::Key { key: "K".into() }));
        check(
            "k:0:1",
            Err(Refusal::Signature {
                signature: "0:1".into(),
            }),
        );
    }

    #[test]
    fn an_excerpt_ends_in_an_ellipsis_only_when_something_was_cut() {
        assert_eq!(excerpt("żółw", 4), "żółw");
        assert_eq!(excerpt("żółwie", 4), "żółw…");
        assert_eq!(excerpt("", 0), "");
    }
}
