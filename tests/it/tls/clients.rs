//! The unchanged SDKs for Node against a server that speaks TLS.

use std::path::Path;

use super::section;
use crate::{
    conformance::clients::{check_in, clients, node_modules},
    harness::{certificate_files, config, free_port},
};

fn check_node(program: &str, at_least: usize) {
    node_modules();
    let port = free_port();
    let webhooks = format!("[{{url: \"http://127.0.0.1:{port}/\", events: [channel_occupied, channel_vacated]}}]");
    let sections = format!("{}\nwebhooks: {{vacated_delay: 300ms}}", section("localhost", ""));
    let [root, _] = certificate_files("root");
    let variables = [
        ("VACANCY_TLS", "1"),
        ("NODE_EXTRA_CA_CERTS", root.to_str().expect("UTF-8")),
    ];
    let program = clients("node").join(program);
    check_in(
        &variables,
        &config(&sections, &webhooks),
        port,
        Path::new("node"),
        &program,
        at_least,
    );
}

#[test]
fn pusher_js_works_over_wss() {
    check_node("pusher_js.mjs", 13);
}

#[test]
fn pusher_for_node_works_over_https() {
    check_node("pusher_server.mjs", 21);
}
