//! The signature of a webhook body (PROTOCOL.md sections 6.1 and 6.8).

use super::SigningKey;

/// The value of `X-Pusher-Signature` for a body: lower-case hex of 64 characters over the bytes as
/// they are sent.
#[must_use]
pub fn sign(signing: &SigningKey, body: &[u8]) -> String {
    signing.sign_hex(&[body])
}

#[cfg(test)]
mod tests {
    use super::*;

    const W1_BODY: &str = r#"{"time_ms":1403175510755,"events":[{"channel":"test_channel","name":"channel_vacated"}]}"#;

    #[track_caller]
    fn check(secret: &str, body: &str, want: &str) {
        assert_eq!(sign(&SigningKey::new(&secret.into()), body.as_bytes()), want, "{body}");
    }

    #[track_caller]
    fn check_ours(body: &str, want: &str) {
        check("7ad3773142a6692b25b8", body, want);
    }

    #[test]
    fn the_bodies_of_the_sdks_have_the_signatures_of_the_sdks() {
        check(
            "tofu",
            W1_BODY,
            "c17257e92037cd7de407ebc1ed174ceb7b2e518db127f44411b9ffc4f5b28cc5",
        );
        check(
            "secret",
            r#"{"hello":"world"}"#,
            "2677ad3e7c090b2fa2c0fb13020d66d5420879b8316eb356a2d60fb9073bc778",
        );
        check(
            "secret",
            r#"{"time_ms":1327078148132,"events":[{"name":"event_name","some":"data"}]}"#,
            "05a115b7898e4956cf46df2dd2822b3b913a4255343acd82d31609f222765c6a",
        );
        check(
            "thisisasecret",
            r#"{"hello":"world"}"#,
            "40e0ad3b9aa49529322879e84de1aaaf18bde1efe839ca263d540cc865510d25",
        );
        check(
            "thisisasecret",
            r#"{"time_ms":1530710011901,"events":[{"name":"client_event","channel":"private-my-channel","event":"client-event","data":"Unencrypted","socket_id":"240621.35780774"}]}"#,
            "a19cab2af3ca1029257570395e78d5d675e9e700ca676d18a375a7083178df1c",
        );
        check(
            "1c9c753dddfd049dd7f1",
            r#"{"time_ms":1423778833207,"events":[{"channel":"test_channel","name":"channel_occupied"}]}"#,
            "851f492bab8f7652a2e4c82cd0212d97b4e678edf085c06bf640ed45ee7b1169",
        );
        check(
            "some_crazy_secret",
            r#"{"time_ms": 1327078148132, "events": [{"name": "channel_occupied", "channel": "test_channel" }]}"#,
            "003a63ce4da20830c4fecffb63d5b3944b64989b6458e15b26e08e244f758954",
        );
    }

    #[test]
    fn another_secret_signs_otherwise() {
        let w8 = "df1465f5ff93f83238152fd002cb904f9562d39569e68f00a6bfa0d8ccf88334";
        assert_ne!(sign(&SigningKey::new(&"tofu".into()), W1_BODY.as_bytes()), w8);
    }

    #[test]
    fn every_kind_of_event_has_its_signature() {
        check_ours(
            r#"{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}"#,
            "c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf",
        );
        check_ours(
            r#"{"time_ms":1327078148132,"events":[{"name":"channel_vacated","channel":"my-channel"}]}"#,
            "977e904304ad3104e7d0ee32f280598c74a1171aadd4721564611c4aca72b3b6",
        );
        check_ours(
            r#"{"time_ms":1327078148132,"events":[{"name":"member_added","channel":"presence-room","user_id":"a_user_id"}]}"#,
            "0bf6c31c4188784d9a37996ee65db798075883d30f6cd329214d516d3c2fbcaf",
        );
        check_ours(
            r#"{"time_ms":1327078148132,"events":[{"name":"member_removed","channel":"presence-room","user_id":"a_user_id"}]}"#,
            "74a3c3550d13e6af9a0bf0087437edc2c428bad57fe085a249ed3fb50efb7ead",
        );
        check_ours(
            r#"{"time_ms":1327078148132,"events":[{"name":"client_event","channel":"private-room","event":"client-typing","data":"{\"on\":true}","socket_id":"123.456"}]}"#,
            "6dbc294e8a887677bad6edac5e9d387ab6de5feb1e2c6c0aa1c609f78f4ad226",
        );
        check_ours(
            r#"{"time_ms":1327078148132,"events":[{"name":"client_event","channel":"presence-room","event":"client-typing","data":"{\"on\":true}","socket_id":"123.456","user_id":"a_user_id"}]}"#,
            "e9da59b81a6071ad364c8ae62a6a5d39cb8e71adf94c937f368b0cd353b54938",
        );
        check_ours(
            r#"{"time_ms":1327078148132,"events":[{"name":"cache_miss","channel":"cache-prices"}]}"#,
            "6fc652044277a9c5670e4a78dff6b4c044953e386ef62bada6f36637503e7d28",
        );
        check_ours(
            r#"{"time_ms":1327078148132,"events":[{"name":"subscription_count","channel":"my-channel","subscription_count":3}]}"#,
            "0e560897a86a9a1bf35624396eb077e8516a80de72376b1e177d8eda5fd656ba",
        );
    }

    #[test]
    fn a_batch_and_a_body_beyond_ascii_are_signed_as_their_bytes() {
        check_ours(
            r#"{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"},{"name":"channel_vacated","channel":"my-channel"},{"name":"member_added","channel":"presence-room","user_id":"a_user_id"}]}"#,
            "62bf138cbfbbae5372df4b670bb4a04e124c3f6a672a9f0ac99cbcfd3bcaf3d4",
        );
        check_ours(
            r#"{"time_ms":1327078148132,"events":[{"name":"client_event","channel":"private-room","event":"client-msg","data":"{\"t\":\"zażółć 😀 \\u2028/\"}","socket_id":"1.1"}]}"#,
            "e3b6e31541c780dd449920dd743cfe755af92be760830cf0f52c4f0c75a063d7",
        );
    }
}
