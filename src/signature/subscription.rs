//! The `auth` of a subscription (PROTOCOL.md section 2.4).

use crate::domain::{AppKey, ChannelName, SocketId};

use super::{
    SigningKey,
    auth::{self, ECHO_CHARS_MAX, Refusal, excerpt},
};

/// Why an `auth` does not allow a subscription, in the words of the hosted service
/// (PROTOCOL.md section 1.9).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionAuthError {
    /// There is no colon between a key and a signature.
    #[error("Invalid format: auth must have the format key:signature")]
    Format,
    /// What stands before the first colon is not the key of the app.
    #[error("Invalid key in subscription auth data: '{key}'")]
    Key {
        /// What stands there, at most 200 characters of it.
        key: String,
    },
    /// What stands behind the first colon is not the signature.
    #[error("Invalid signature: Expected HMAC SHA256 hex digest of {string_to_sign}, but got {signature}")]
    Signature {
        /// What had to be signed, with at most 200 characters of the channel data.
        string_to_sign: String,
        /// What stands there, at most 200 characters of it.
        signature: String,
    },
}

/// Checks that the application allows the connection to subscribe to the channel.
///
/// `channel_data` is the text as it was received. It is part of what is signed whenever it is not
/// empty, whatever the kind of the channel.
///
/// # Errors
/// When `auth` is not `key:signature` with the app's key and the right signature in lower-case hex.
pub fn verify(
    key: &AppKey,
    signing: &SigningKey,
    socket_id: SocketId,
    channel: &ChannelName,
    channel_data: Option<&str>,
    auth: &str,
) -> Result<(), SubscriptionAuthError> {
    let socket_id = socket_id.to_string();
    let channel = channel.as_str();
    let (separator, data) = match channel_data {
        Some(data) if !data.is_empty() => (":", data),
        Some(_) | None => ("", ""),
    };
    let signed = [&socket_id, ":", channel, separator, data].map(str::as_bytes);
    auth::verify(key, signing, &signed, auth).map_err(|refusal| match refusal {
        Refusal::Format => SubscriptionAuthError::Format,
        Refusal::Key { key } => SubscriptionAuthError::Key { key },
        Refusal::Signature { signature } => {
            let data = excerpt(data, ECHO_CHARS_MAX);
            SubscriptionAuthError::Signature {
                string_to_sign: format!("{socket_id}:{channel}{separator}{data}"),
                signature,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS_KEY: &str = "278d425bdf160c739803";
    const DOCS_SECRET: &str = "7ad3773142a6692b25b8";
    const C1: &str = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";
    const C2: &str = "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c";
    const C2_DATA: &str = r#"{"user_id":10,"user_info":{"name":"Mr. Pusher"}}"#;

    #[track_caller]
    fn check([key, secret]: [&str; 2], [socket_id, channel]: [&str; 2], channel_data: Option<&str>, signature: &str) {
        let verify = |auth: &str| {
            verify(
                &key.parse().expect(key),
                &SigningKey::new(&secret.into()),
                socket_id.parse().expect(socket_id),
                &channel.parse().expect(channel),
                channel_data,
                auth,
            )
        };
        assert_eq!(verify(&format!("{key}:{signature}")), Ok(()), "{channel}");
        let flipped = if signature.starts_with('0') { "1" } else { "0" };
        let wrong = format!("{key}:{flipped}{}", &signature[1..]);
        assert!(
            matches!(verify(&wrong), Err(SubscriptionAuthError::Signature { .. })),
            "{channel}"
        );
    }

    #[track_caller]
    fn check_docs(channel: &str, channel_data: Option<&str>, signature: &str) {
        check([DOCS_KEY, DOCS_SECRET], ["1234.1234", channel], channel_data, signature);
    }

    fn verify_docs(channel: &str, channel_data: Option<&str>, auth: &str) -> Result<(), SubscriptionAuthError> {
        verify(
            &DOCS_KEY.parse().expect("valid"),
            &SigningKey::new(&DOCS_SECRET.into()),
            "1234.1234".parse().expect("valid"),
            &channel.parse().expect("valid"),
            channel_data,
            auth,
        )
    }

    #[track_caller]
    fn check_refused(channel: &str, channel_data: Option<&str>, auth: &str, want: &str) {
        let got = verify_docs(channel, channel_data, auth).map_err(|error| error.to_string());
        assert_eq!(got, Err(want.to_owned()));
    }

    #[test]
    fn the_signatures_of_the_documentation_are_valid() {
        check_docs("private-foobar", None, C1);
        check_docs("presence-foobar", Some(C2_DATA), C2);
        check_docs(
            "presence-foobar",
            Some(r#"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#),
            "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
        );
        check_docs(
            "presence-foobar",
            Some(r#"{"user_id":"10","user_info":{"name":"Mr. Pusher"}}"#),
            "48dac51d2d7569e1e9c0f48c227d4b26f238fa68e5c0bb04222c966909c4f7c4",
        );
        check_docs(
            "private-azAZ9_=@,.;",
            None,
            "208cbbce2a22fd7d7c3509046b17a97b99d345cf4c195bc0d54af9004a022b0b",
        );
        check_docs(
            "private-cache-foobar",
            None,
            "395f4a03f06e17b74af8d9c58386cf386e70176f58452420f042b6e1bddefa43",
        );
        check_docs(
            "presence-cache-foobar",
            Some(r#"{"user_id":"1"}"#),
            "421e8e7494e7e1c83fb3bf182dc01a5317edf5368e0af7983ddfcb9506627d3d",
        );
        check_docs(
            "private-encrypted-foobar",
            None,
            "e6a18892d037c5d5e76a2265df4f086ffc38631605530dfd214aa5bff495f533",
        );
    }

    #[test]
    fn the_signatures_of_the_node_sdk_are_valid() {
        check(
            ["1234", "tofu"],
            ["123.456", "test"],
            None,
            "efa6cf7644a0b35cba36aa0f776f3cbf7bb60e95ea2696bde1dbe8403b61bd7c",
        );
        check(
            ["1234", "tofu"],
            ["321.654", "test"],
            None,
            "f6ecb0a17d3e4f68aca28f1673197a7608587c09deb0208faa4b5519aee0a777",
        );
        check(
            ["abcdef", "tofu"],
            ["123.456", "test1"],
            None,
            "d5ab857f805433cb50562da96afa41688d7742a3c3a021ed15a4d991a4d8cf94",
        );
        check(
            ["aaaa", "tofu"],
            ["123.456", "test2"],
            None,
            "43affa6a09af1fb9ce1cadf176171346beaf7366673ec1e5920f68b3e97a466d",
        );
        check(
            ["11111", "1"],
            ["123.456", "test"],
            None,
            "584828bd6e80b2d177d2b28fde07b8e170abf87ccb5a791a50c933711fb8eb28",
        );
        check(
            ["11111", "2"],
            ["123.456", "test"],
            None,
            "269bbf3f7625db4e0d0525b617efa5915c3ae667fd222dc8e4cb94bc531f26f2",
        );
        check(
            ["1234", "tofu"],
            ["123.456", "test"],
            Some(r#"{"foo":"bar"}"#),
            "f41faf9ead2ea76772cc6b1168363057459f02499ae4d92e88229dc7f4efa2d4",
        );
        check(
            ["1234", "tofu"],
            ["1.1", "test"],
            Some("\"ą§¶™€łü€ß£\""),
            "2a229263e89d9c50524fd80c2e88be2843379f6931e28995e2cc214282c9db0c",
        );
        check(
            ["f00d", "tofu"],
            ["123.456", "private-encrypted-bla"],
            Some("\"foo\""),
            "962c48b78bf93d98ff4c92ee7dff04865821455b7b401e9d60a9e0a90af2c105",
        );
        check(
            ["f00d", "tofu"],
            ["123.456", "bla"],
            Some("\"foo\""),
            "013ad3da0d88e0df6ae0a8184bef50b9c3933f2344499e6e3d1ad67fad799e20",
        );
    }

    #[test]
    fn the_signatures_of_the_python_sdk_are_valid() {
        check(
            ["foo", "bar"],
            ["345.23", "private-channel"],
            None,
            "89955e77e1b40e33df6d515a5ecbba86a01dc816a5b720da18a06fd26f7d92ff",
        );
        check(
            ["foo", "bar"],
            ["345.23", "private-encrypted-channel"],
            None,
            "fff0503dfe4929f5162efe4d1dacbce524b0d8e7e1331117a8651c0e74d369e3",
        );
        check(
            ["foo", "bar"],
            ["345.43245", "presence-channel"],
            Some(r#"{"user_id":"fred","user_info":{"key":"value"}}"#),
            "e80ba6439492c2113022c39297a87a948de14061cc67b5788e045645a68b8ccd",
        );
        check(
            ["key", "secret"],
            ["1.1", "presence-c1"],
            Some(r#"{"money": "1.32"}"#),
            "7f2ae5922800a20b9615543ce7c8e7d1c97115d108939410825ea690f308a05f",
        );
    }

    #[test]
    fn the_signatures_of_the_php_and_ruby_sdks_are_valid() {
        let php = ["thisisaauthkey", "thisisasecret"];
        check(
            php,
            ["1.1", "testing_pusher-php"],
            None,
            "751ccc12aeaa79d46f7c199bced5fa47527d3480b51fe61a0bd10438241bd52d",
        );
        check(
            php,
            ["45055.28877557", "-azAZ9_=@,.;"],
            None,
            "d1c20ad7684c172271f92c108e11b45aef07499b005796ae1ec5beb924f361c4",
        );
        check(
            php,
            ["45055.28877557", "-azAZ9_=@,.;"],
            Some(r#"{"user_id": "123"}"#),
            "3b3f1dcc4d7d2f95dd10ed05562397b3287b102d4cccfacbf30eed2f1ffa3d69",
        );
        check(
            ["12345678900000001", "12345678900000001"],
            ["1.1", "test_channel"],
            None,
            "02259dff9a2a3f71ea8ab29ac0c0c0ef7996c8f3fd3702be5533f30da7d7fed4",
        );
    }

    #[test]
    fn empty_channel_data_is_not_signed() {
        assert_eq!(
            verify_docs("private-foobar", Some(""), &format!("{DOCS_KEY}:{C1}")),
            Ok(())
        );
    }

    #[test]
    fn channel_data_cannot_be_added_left_out_or_written_anew() {
        let refused = |channel_data, signature| {
            let got = verify_docs("presence-foobar", channel_data, &format!("{DOCS_KEY}:{signature}"));
            assert!(matches!(got, Err(SubscriptionAuthError::Signature { .. })), "{got:?}");
        };
        refused(None, C2);
        refused(Some(""), C2);
        refused(Some(r#"{"user_id": 10,"user_info":{"name":"Mr. Pusher"}}"#), C2);
        refused(Some(C2_DATA), C1);
    }

    #[test]
    fn an_auth_without_a_colon_is_refused() {
        let want = "Invalid format: auth must have the format key:signature";
        check_refused("private-foobar", None, C1, want);
        check_refused("private-foobar", None, "", want);
    }

    #[test]
    fn the_key_ends_at_the_first_colon_and_must_be_the_key_of_the_app() {
        check_refused(
            "private-foobar",
            None,
            &format!("a9eb52af77fb29233428:{C1}"),
            "Invalid key in subscription auth data: 'a9eb52af77fb29233428'",
        );
        check_refused(
            "private-foobar",
            None,
            r#"{"auth":"278d425bdf160c739803:58df"}"#,
            "Invalid key in subscription auth data: '{\"auth\"'",
        );
        check_refused("private-foobar", None, ":", "Invalid key in subscription auth data: ''");
        check_refused(
            "private-foobar",
            None,
            &format!("{DOCS_KEY}::{C1}"),
            &format!(
                "Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234:private-foobar, \
                 but got :{C1}"
            ),
        );
    }

    #[test]
    fn a_wrong_signature_is_answered_with_what_had_to_be_signed() {
        check_refused(
            "presence-64347608ab76aa6d9f0da45a",
            Some(r#"{"user_id":1265}"#),
            "278d425bdf160c739803:f009e49f",
            "Invalid signature: Expected HMAC SHA256 hex digest of \
             1234.1234:presence-64347608ab76aa6d9f0da45a:{\"user_id\":1265}, but got f009e49f",
        );
        check_refused(
            "private-foobar",
            Some(""),
            "278d425bdf160c739803:",
            "Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234:private-foobar, \
             but got ",
        );
    }

    #[test]
    fn an_upper_case_signature_is_refused() {
        let auth = format!("{DOCS_KEY}:{}", C1.to_uppercase());
        assert!(verify_docs("private-foobar", None, &auth).is_err());
    }

    #[test]
    fn no_more_than_200_characters_of_the_client_are_repeated() {
        check_refused(
            "private-foobar",
            Some(&"ż".repeat(201)),
            &format!("{DOCS_KEY}:{}", "s".repeat(5_000)),
            &format!(
                "Invalid signature: Expected HMAC SHA256 hex digest of \
                 1234.1234:private-foobar:{}…, but got {}…",
                "ż".repeat(200),
                "s".repeat(200)
            ),
        );
        check_refused(
            "private-foobar",
            None,
            &format!("{}:", "k".repeat(201)),
            &format!("Invalid key in subscription auth data: '{}…'", "k".repeat(200)),
        );
        check_refused(
            "private-foobar",
            None,
            &format!("{}:", "k".repeat(200)),
            &format!("Invalid key in subscription auth data: '{}'", "k".repeat(200)),
        );
    }
}
