//! What the ledger's log has as decided, by the admin API.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::Api;

/// Lines of a page.
const PAGE: usize = 1_000;

/// The ids of all events that were decided.
pub(super) async fn decided(admin_port: u16, token: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut after = Some(0);
    while let Some(no) = after {
        let page = page(admin_port, token, no).await;
        let lines = page["lines"].as_array().expect("an array");
        for line in lines {
            assert_eq!(line["what"], "decided", "{line}");
            let id = line["event"]["id"].as_str().expect("an id");
            assert!(ids.insert(id.to_owned()), "{id} was decided twice");
        }
        after = page["next"].as_u64();
    }
    ids
}

/// The lines after this number, the oldest first.
async fn page(admin_port: u16, token: &str, after: u64) -> Value {
    let request = format!(
        "GET /admin/v1/webhooks/log?status=decided&after={after}&limit={PAGE} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    let answer = Api::new(admin_port).raw_bytes(request.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}
