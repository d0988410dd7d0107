//! How an endpoint is delivered to.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn every_switch_of_an_endpoint_is_read_from_its_own_name() {
    let defaults = [
        ("batch", true),
        ("extras", false),
        ("compact", false),
        ("announce", true),
    ];
    for (name, default) in defaults {
        let endpoints = accepted(&format!("{{url: 'http://h/', {EVENTS}, {name}: {}}}", !default));
        let endpoint = &endpoints[0];
        let switches = [endpoint.batch, endpoint.extras, endpoint.compact, endpoint.announce];
        for ((other, default), on) in defaults.into_iter().zip(switches) {
            assert_eq!(on == default, other != name, "{name} {other}");
        }
        refused(
            &format!("{{url: 'http://h/', {EVENTS}, {name}: 1}}"),
            &[&format!(
                "webhooks[0].{name}: must be true or false, not a whole number"
            )],
        );
    }
}

#[test]
fn lanes_and_breaker_have_their_ranges() {
    for value in ["lanes: 64", "breaker: {after: 1}", "breaker: {open_for: 1ms}"] {
        accepted(&format!("{{url: 'http://h/', {EVENTS}, {value}}}"));
    }
    for (value, want) in [
        ("lanes: 0", "lanes: must be 1 to 64, not 0"),
        ("lanes: 65", "lanes: must be 1 to 64, not 65"),
        ("breaker: {after: 0}", "breaker.after: must be 1 to 10000, not 0"),
        (
            "breaker: {open_for: 0s}",
            "breaker.open_for: must be 1ms to 366days, not 0s",
        ),
        ("breaker: {afer: 1}", "breaker.afer: unknown key, did you mean `after`?"),
        ("breaker: off", "breaker: must be a map of keys, not a text"),
    ] {
        refused(
            &format!("{{url: 'http://h/', {EVENTS}, {value}}}"),
            &[&format!("webhooks[0].{want}")],
        );
    }
}

#[test]
fn secrets_are_one_or_several() {
    let [first, second] = [SECRET, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
    for (typed, want) in [
        (format!("[{first}, {second}]"), vec![first, second]),
        (first.to_owned(), vec![first]),
        ("[]".to_owned(), vec![]),
        ("''".to_owned(), vec![]),
    ] {
        let endpoints = accepted(&format!("{{url: 'http://h/', {EVENTS}, secrets: {typed}}}"));
        let secrets = endpoints[0].secrets.iter().map(ExposeSecret::expose_secret);
        assert_eq!(secrets.collect::<Vec<_>>(), want, "{typed}");
    }
    refused(
        &format!("{{url: 'http://h/', {EVENTS}, secrets: [hunter2, whsec_hunter2, whsec_aHVudGVyMg==, '']}}"),
        &[
            "webhooks[0].secrets[0]: must begin with whsec_, make one with: echo \"whsec_$(openssl rand -base64 32)\"",
            "webhooks[0].secrets[1]: must be base64 after whsec_: A-Z a-z 0-9 + / and up to two = at its end",
            "webhooks[0].secrets[2]: must hold 24 to 64 bytes, not 7",
            "webhooks[0].secrets[3]: is empty",
        ],
    );
}

#[test]
fn the_files_for_tls_are_read() {
    refused(
        &format!("{{url: 'https://h/', {EVENTS}, tls: {{roots: ca.pem}}}}"),
        &["webhooks[0].tls.roots: etc/ca.pem cannot be read: no such file"],
    );
    refused(
        &format!("{{url: 'http://h/', {EVENTS}, tls: {{cert: a.pem}}}}"),
        &[
            "webhooks[0].tls: is for a URL with https://, remove it",
            "webhooks[0].tls.cert: etc/a.pem cannot be read: no such file",
            "webhooks[0].tls.key: is missing, `cert` and `key` go together",
        ],
    );
}
