//! The vectors of PROTOCOL.md section 10.4.

use super::*;

#[test]
fn the_requests_of_the_documentation_are_valid() {
    let docs = [DOCS_KEY, DOCS_SECRET];
    check(
        docs,
        [
            "POST",
            "/apps/3/events",
            &format!("{DOCS_QUERY}&body_md5={H1_MD5}"),
            H1_BODY,
        ],
        H1_SIGNATURE,
    );
    check(
        docs,
        [
            "POST",
            "/apps/3/users/user;1/terminate_connections",
            &format!("{DOCS_QUERY}&body_md5=99914b932bd37a50b983c5e7c90ae93b"),
            "{}",
        ],
        "e158b465098d0b9019cf853515f005e4df99f4483b49d36bc27aeed858d2809f",
    );
    check(
        docs,
        [
            "POST",
            "/apps/3/batch_events",
            &format!("{DOCS_QUERY}&body_md5=792b065bc261bd230e98405b5b933a33"),
            r#"{"batch":[{"channel":"my-channel","name":"a","data":"{}"},{"channel":"private-x","name":"b","data":"hi","socket_id":"1.2"}]}"#,
        ],
        "b383a99cdebb616099aa0a660e54d05851d848c979b46c3c66ae3fe70a2c48f2",
    );
}

#[test]
fn the_requests_of_the_go_sdk_are_valid() {
    check_get(
        GO,
        "/apps/102015/channels",
        "auth_key=d41a439c438a100756f5&auth_timestamp=1427034994&auth_version=1.0&filter_by_prefix=presence-&info=user_count",
        "4d8a02edcc8a758b0162cd6da690a9a45fb8ae326a276dca1e06a0bc42796c11",
    );
    check_get(
        GO,
        "/apps/102015/channels",
        "auth_key=d41a439c438a100756f5&auth_timestamp=1427036577&auth_version=1.0&filter_by_prefix=presence-",
        "b540383af4582af5fbb5df7be5472d54bd0838c9c2021c7743062568839e6f97",
    );
    check_get(
        GO,
        "/apps/102015/channels",
        "auth_key=d41a439c438a100756f5&auth_timestamp=1427036787&auth_version=1.0",
        H4_SIGNATURE,
    );
    check_get(
        GO,
        "/apps/102015/channels/presence-session-d41a439c438a100756f5-4bf35003e819bb138249-ROpCFmgFhXY",
        "auth_key=d41a439c438a100756f5&auth_timestamp=1427053326&auth_version=1.0&info=user_count,subscription_count",
        "f93ceb31f396aef336226efe512aaf339bd5e39c7c2c04b81cc8681dc16ee785",
    );
    check_get(
        GO,
        "/apps/102015/channels/presence-session-d41a439c438a100756f5-4bf35003e819bb138249-nYJLy67qh52/users",
        "auth_key=d41a439c438a100756f5&auth_timestamp=1427053709&auth_version=1.0",
        "207feaf4e8efeb24e5f148011704251bf90e2059a5f97a3eb52d06178b11feca",
    );
}

#[test]
fn the_requests_of_the_rust_sdk_are_valid() {
    let h7 = format!("auth_key=key&auth_timestamp=1353088179&auth_version=1.0&body_md5={H1_MD5}");
    check(
        KEY,
        ["POST", "/apps/3/events", &h7, H1_BODY],
        "3695357e49aa04ae6f3cd76039dcefd82da079d0564bac566033d48ebae75459",
    );
    check_get(
        KEY,
        "/apps/102015/channels",
        "auth_key=key&auth_timestamp=1427034994&auth_version=1.0&filter_by_prefix=presence-&info=user_count",
        "0ba82990cff5311f09d88d8c9317d1ceb1b2e085c01deb65618f4eaea1624d89",
    );
    check_get(
        KEY,
        "/apps/102015/channels",
        "auth_key=key&auth_timestamp=1427036577&auth_version=1.0&filter_by_prefix=presence-",
        "a27c87175390e1748e14fb6531769362ffb1a4fb437e9f353ff09e7fa314ce84",
    );
    check_get(
        KEY,
        "/apps/102015/channels",
        "auth_key=key&auth_timestamp=1427036787&auth_version=1.0",
        "805473a9346a00c6ddca6059286f7f6b4e4c45dea1ead355f115decba06bfa4d",
    );
    check_get(
        KEY,
        "/apps/102015/channels/presence-session-d41a439c438a100756f5-4bf35003e819bb138249-ROpCFmgFhXY",
        "auth_key=key&auth_timestamp=1427053326&auth_version=1.0&info=user_count%2Csubscription_count",
        "c39bf2e1ef8a4cbfc8e283daa610862cf01fd250437476e1ff4100677ebd3dab",
    );
    check_get(
        KEY,
        "/apps/102015/channels/presence-session-d41a439c438a100756f5-4bf35003e819bb138249-nYJLy67qh52/users",
        "auth_key=key&auth_timestamp=1427053326&auth_version=1.0",
        "15f3d742965b5728ed2089c4fdae186a5684a8a17c9bf230ad5bd244bc8164f7",
    );
}

#[test]
fn the_requests_of_the_node_and_python_sdks_are_valid() {
    check(
        ["f00d", "tofu"],
        [
            "GET",
            "/event",
            "auth_key=f00d&auth_timestamp=1234567890&auth_version=1.0&body_md5=165d5e6d7ca8f73b3853ce45addf42fc",
            "example body",
        ],
        "a650196dc427ebe837226f8565ca9232198c6d1b9455eaa72374a9dc0b620e7b",
    );
    check_get(
        ["f00d", "tofu"],
        "/event",
        "auth_key=f00d&auth_timestamp=1234567890&auth_version=1.0&baz=123454321&foo=bar",
        "d8bdbd31911fb7400a14fbd36fd7de053494725b64400ae5856deafe304b34a9",
    );
    check(
        KEY,
        [
            "POST",
            "/some/obscure/api",
            "auth_key=key&auth_timestamp=1000&auth_version=1.0&body_md5=94232c5b8fc9272f6f73a1e36eb68fcf",
            r#"{"foo": "bar"}"#,
        ],
        "e05fa4cafee86311746ee3981d5581a5e4e87c27bbab0aeb1059e2df5c90258b",
    );
}
