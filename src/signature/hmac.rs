//! HMAC-SHA256 with a key that is prepared once (PROTOCOL.md sections 2.4, 5.2 and 6.1).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Length of a signature, in characters of lower-case hex.
const SIGNATURE_CHARS: usize = 64;

/// The secret of an app as the state of an HMAC-SHA256 that has taken in its key.
///
/// Making it hashes the secret; cloning it copies about 200 bytes and allocates nothing. Its
/// `Debug` shows no content.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Prepares the secret of an app.
    ///
    /// # Panics
    /// Never: an HMAC takes a key of any length.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        Self::from_bytes(secret.expose_secret().as_bytes())
    }

    /// The same of a secret that is given as bytes.
    pub(super) fn from_bytes(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("an HMAC takes a key of any length"))
    }

    /// The signature of the parts, joined with nothing between them: 64 characters of lower-case
    /// hex.
    #[must_use]
    pub fn sign_hex(&self, parts: &[&[u8]]) -> String {
        hex::encode(self.digest(parts))
    }

    /// Whether `given` is the signature of the joined parts.
    ///
    /// Only lower-case hex counts, as all SDKs send it. The time taken depends on the lengths, not
    /// on where `given` differs.
    ///
    /// # Panics
    /// Never: the hex of a signature has the length of its buffer.
    #[must_use]
    pub fn verify_hex(&self, parts: &[&[u8]], given: &str) -> bool {
        let mut expected = [0; SIGNATURE_CHARS];
        hex::encode_to_slice(self.digest(parts), &mut expected).expect("the hex of 32 bytes is 64 characters");
        expected.ct_eq(given.as_bytes()).into()
    }

    /// The signature of the joined parts, as its bytes.
    pub(super) fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut state = self.0.clone();
        for part in parts {
            state.update(part);
        }
        state.finalize().into_bytes().into()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "64e3f44166575febbc5de88c9476325ea7d4b3684752158d9fdb31fce34b980d";

    fn supersecret() -> SigningKey {
        SigningKey::new(&"supersecret".into())
    }

    #[track_caller]
    fn check(given: &str, valid: bool) {
        assert_eq!(supersecret().verify_hex(&[b"Hello!"], given), valid, "{given}");
    }

    #[test]
    fn a_signature_is_the_lower_case_hex_of_the_hmac() {
        assert_eq!(supersecret().sign_hex(&[b"Hello!"]), HELLO);
    }

    #[test]
    fn the_parts_are_joined_with_nothing_between() {
        assert_eq!(supersecret().sign_hex(&[b"Hel", b"", b"lo", b"!"]), HELLO);
        assert!(supersecret().verify_hex(&[b"H", b"ello!"], HELLO));
        assert_ne!(supersecret().sign_hex(&[b"lo!", b"Hel"]), HELLO);
    }

    #[test]
    fn a_key_signs_many_times_and_so_does_its_clone() {
        let key = supersecret();
        let clone = key.clone();
        assert_ne!(key.sign_hex(&[b"other"]), HELLO);
        assert_eq!(key.sign_hex(&[b"Hello!"]), HELLO);
        assert_eq!(clone.sign_hex(&[b"Hello!"]), HELLO);
    }

    #[test]
    fn a_secret_longer_than_a_block_and_an_empty_one_are_keys_too() {
        let long = SigningKey::new(&"a".repeat(131).into());
        let empty = SigningKey::new(&"".into());
        assert_eq!(
            long.sign_hex(&[b"Hello!"]),
            "0c1246258bfc0a23f513b9ca6a01e7ba0cb430495bc22871462d1a14d4497e49"
        );
        assert_eq!(
            empty.sign_hex(&[b"Hello!"]),
            "b60ab50715ae53ac33a41b8a2a9efecb00accab880490d665bfeee4e6f826c74"
        );
    }

    #[test]
    fn only_the_whole_lower_case_signature_is_valid() {
        check(HELLO, true);
        check(&HELLO.to_uppercase(), false);
        check(&HELLO.replace("0d", "0e"), false);
        check(&HELLO.replace("64e", "74e"), false);
        check(&HELLO[..63], false);
        check(&format!("{HELLO}0"), false);
        check(&format!(" {HELLO}"), false);
        check("", false);
        check(&"é".repeat(32), false);
    }

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        assert_eq!(format!("{:?}", supersecret()), "SigningKey");
    }
}
