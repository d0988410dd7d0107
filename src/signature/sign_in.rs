//! The `auth` of a sign-in (PROTOCOL.md section 4.1).

use crate::domain::{AppKey, SocketId};

use super::{
    SigningKey,
    auth::{self, ECHO_CHARS_MAX, Refusal, excerpt},
};

/// What stands between the socket id and the user data in what is signed.
const SEPARATOR: &str = "::user::";

/// Why an `auth` does not allow a sign-in, in the style of the hosted service's refusals of
/// subscriptions (PROTOCOL.md section 1.9).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInAuthError {
    /// There is no colon between a key and a signature.
    #[error("Invalid format: auth must have the format key:signature")]
    Format,
    /// What stands before the first colon is not the key of the app.
    #[error("Invalid key in signin auth data: '{key}'")]
    Key {
        /// What stands there, at most 200 characters of it.
        key: String,
    },
    /// What stands behind the first colon is not the signature.
    #[error("Invalid signature: Expected HMAC SHA256 hex digest of {string_to_sign}, but got {signature}")]
    Signature {
        /// What had to be signed, with at most 200 characters of the user data.
        string_to_sign: String,
        /// What stands there, at most 200 characters of it.
        signature: String,
    },
}

/// Checks that the application allows the connection to sign in with this user data, which is the
/// text as it was received.
///
/// # Errors
/// When `auth` is not `key:signature` with the app's key and the right signature in lower-case hex.
pub fn verify(
    key: &AppKey,
    signing: &SigningKey,
    socket_id: SocketId,
    user_data: &str,
    auth: &str,
) -> Result<(), SignInAuthError> {
    let socket_id = socket_id.to_string();
    let signed = [&socket_id, SEPARATOR, user_data].map(str::as_bytes);
    auth::verify(key, signing, &signed, auth).map_err(|refusal| match refusal {
        Refusal::Format => SignInAuthError::Format,
        Refusal::Key { key } => SignInAuthError::Key { key },
        Refusal::Signature { signature } => SignInAuthError::Signature {
            string_to_sign: format!("{socket_id}{SEPARATOR}{}", excerpt(user_data, ECHO_CHARS_MAX)),
            signature,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS_KEY: &str = "278d425bdf160c739803";
    const DOCS_SECRET: &str = "7ad3773142a6692b25b8";
    const U1_DATA: &str = r#"{"id":"12345"}"#;
    const U1: &str = "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba";

    #[track_caller]
    fn check([key, secret]: [&str; 2], socket_id: &str, user_data: &str, signature: &str) {
        let signing = SigningKey::new(&secret.into());
        let socket_id: SocketId = socket_id.parse().expect(socket_id);
        let verify = |auth: &str| verify(&key.parse().expect(key), &signing, socket_id, user_data, auth);
        assert_eq!(verify(&format!("{key}:{signature}")), Ok(()), "{user_data}");
        let flipped = if signature.starts_with('0') { "1" } else { "0" };
        let wrong = format!("{key}:{flipped}{}", &signature[1..]);
        assert!(
            matches!(verify(&wrong), Err(SignInAuthError::Signature { .. })),
            "{user_data}"
        );
    }

    fn verify_docs(user_data: &str, auth: &str) -> Result<(), SignInAuthError> {
        verify(
            &DOCS_KEY.parse().expect("valid"),
            &SigningKey::new(&DOCS_SECRET.into()),
            "1234.1234".parse().expect("valid"),
            user_data,
            auth,
        )
    }

    #[track_caller]
    fn check_refused(user_data: &str, auth: &str, want: &str) {
        let got = verify_docs(user_data, auth).map_err(|error| error.to_string());
        assert_eq!(got, Err(want.to_owned()));
    }

    #[test]
    fn the_signature_of_the_documentation_is_valid() {
        check([DOCS_KEY, DOCS_SECRET], "1234.1234", U1_DATA, U1);
    }

    #[test]
    fn the_signatures_of_the_node_sdk_are_valid() {
        check(
            ["1234", "tofu"],
            "123.456",
            r#"{"id":"45678"}"#,
            "f4b1fdeea7c93e32648c7230e32b172057c5623cace6cfce791c6e7035e0babd",
        );
        check(
            ["1234", "tofu"],
            "123.456",
            r#"{"id":"55555","user_name":"test"}"#,
            "b8a9f173455903792ae2b788add0c4c78ad7372b3ae7fb5769479276a1993743",
        );
        check(
            ["11111", "1"],
            "123.456",
            r#"{"id":"45678"}"#,
            "79bddf29fe8e2153dd5d8d569b3f45e5aeb26ae2eb4758879d844791b466cfa2",
        );
        check(
            ["11111", "2"],
            "123.456",
            r#"{"id":"45678"}"#,
            "a542498ffa6faf6de7c17a8106b923c042319bd73acfd1d274df32e269b55d1f",
        );
        check(
            ["1234", "tofu"],
            "1.1",
            r#"{"id":"ą§¶™€łü€ß£"}"#,
            "620494cee53d6c568b49598313194088afda37218f0d059af03c0c898ed61ff4",
        );
    }

    #[test]
    fn the_signatures_of_the_php_python_and_go_sdks_are_valid() {
        check(
            ["thisisaauthkey", "thisisasecret"],
            "12345.6789",
            r#"{"id":"123"}"#,
            "fc713f433deb729d0d96f9e26ef054285cbc3e833ebe840b93722a2fa16a6a18",
        );
        check(
            ["thisisaauthkey", "thisisasecret"],
            "12345.6789",
            r#"{"id":"123","name":"John Smith"}"#,
            "0dddb208b53c7649f3fbbb86254a6e1986bc6f8b566423ea690c9ca773497373",
        );
        check(
            ["key", "secret"],
            "12345.12345",
            r#"{"id":"1234"}"#,
            "e4c63b82c1e1d0955901f6a29ca51b244155bafda93968bc5664010f5ba54a41",
        );
    }

    #[test]
    fn user_data_cannot_be_written_anew() {
        let got = verify_docs(r#"{"id": "12345"}"#, &format!("{DOCS_KEY}:{U1}"));
        assert!(matches!(got, Err(SignInAuthError::Signature { .. })), "{got:?}");
    }

    #[test]
    fn the_signature_of_a_subscription_signs_nobody_in() {
        let c1 = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
        check_refused(
            "private-foobar",
            &format!("{DOCS_KEY}:{c1}"),
            &format!(
                "Invalid signature: Expected HMAC SHA256 hex digest of \
                 1234.1234::user::private-foobar, but got {c1}"
            ),
        );
    }

    #[test]
    fn an_auth_without_a_colon_is_refused() {
        let want = "Invalid format: auth must have the format key:signature";
        check_refused(U1_DATA, U1, want);
        check_refused(U1_DATA, "", want);
    }

    #[test]
    fn the_key_ends_at_the_first_colon_and_must_be_the_key_of_the_app() {
        check_refused(
            U1_DATA,
            &format!("a9eb52af77fb29233428:{U1}"),
            "Invalid key in signin auth data: 'a9eb52af77fb29233428'",
        );
        check_refused(
            U1_DATA,
            &format!("{DOCS_KEY}::user::{U1}"),
            &format!(
                "Invalid signature: Expected HMAC SHA256 hex digest of \
                 1234.1234::user::{{\"id\":\"12345\"}}, but got :user::{U1}"
            ),
        );
    }

    #[test]
    fn an_upper_case_signature_is_refused() {
        assert!(verify_docs(U1_DATA, &format!("{DOCS_KEY}:{}", U1.to_uppercase())).is_err());
    }

    #[test]
    fn no_more_than_200_characters_of_the_client_are_repeated() {
        check_refused(
            &"ż".repeat(201),
            &format!("{DOCS_KEY}:{}", "s".repeat(5_000)),
            &format!(
                "Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234::user::{}…, \
                 but got {}…",
                "ż".repeat(200),
                "s".repeat(200)
            ),
        );
        check_refused(
            U1_DATA,
            &format!("{}:", "k".repeat(201)),
            &format!("Invalid key in signin auth data: '{}…'", "k".repeat(200)),
        );
    }
}
