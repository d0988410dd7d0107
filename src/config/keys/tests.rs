use super::{
    super::{
        apps::of_test::{accepted, read_on, refused},
        error::Problem,
        reader::Provenance,
        settings::AppSettings,
    },
    *,
};

/// The keys of the first app, with their secrets and moments.
fn shown(apps: &[AppSettings]) -> Vec<(&str, &str, Option<u64>)> {
    apps[0]
        .keys
        .iter()
        .map(|key| (key.key.as_str(), key.secret.expose_secret(), key.since))
        .collect()
}

#[test]
fn the_single_key_is_the_oldest() {
    let single = accepted("apps: [{id: a, key: k, secret: x}]");
    assert_eq!(shown(&single), [("k", "x", None)]);
    let both = accepted("apps: [{id: a, key: k, secret: x, keys: [{key: l, secret: y, since: 1970-01-02}]}]");
    assert_eq!(shown(&both), [("k", "x", None), ("l", "y", Some(86_400_000))]);
}

#[test]
fn keys_are_ordered_by_their_moment_and_then_as_they_stand() {
    let apps = accepted(
        "apps: [{id: a, keys: [
            {key: c, secret: x, since: 1970-01-03},
            {key: e, secret: x, since: 9999-12-31},
            {key: d, secret: x, since: '1970-01-03T01:00:00+01:00'},
            {key: b, secret: x, since: 1970-01-01T00:00:01Z},
            {key: a, secret: x},
            {key: z, secret: x},
        ]}]",
    );
    let names: Vec<_> = shown(&apps).into_iter().map(|(key, ..)| key).collect();
    assert_eq!(names, ["a", "z", "b", "c", "d", "e"]);
}

#[test]
fn an_empty_list_of_keys_is_none() {
    for keys in ["[]", ""] {
        let apps = accepted(&format!("apps: [{{id: a, key: k, secret: x, keys: {keys}}}]"));
        assert_eq!(shown(&apps), [("k", "x", None)]);
        refused(
            &format!("apps: [{{id: a, keys: {keys}}}]"),
            &[
                "apps[0].key: is missing",
                "apps[0].secret: is missing, give `secret` or `secret_file`",
            ],
        );
    }
}

#[test]
fn a_single_key_that_is_begun_is_needed_whole() {
    let keys = "keys: [{key: l, secret: y}]";
    refused(
        &format!("apps: [{{id: a, key: k, {keys}}}]"),
        &["apps[0].secret: is missing, give `secret` or `secret_file`"],
    );
    for secret in ["secret: x", "secret_file: secret"] {
        refused(
            &format!("apps: [{{id: a, {secret}, {keys}}}]"),
            &["apps[0].key: is missing"],
        );
    }
    refused(
        &format!("apps: [{{id: a, secrt: x, {keys}}}]"),
        &["apps[0].secrt: unknown key, did you mean `secret`?"],
    );
}

#[test]
fn every_key_has_a_secret_and_a_moment_that_is_one() {
    refused(
        "apps: [{id: a, keys: [{}, {key: a/b, secret: x, since: soon}, {key: k, secret: x, secret_file: secret, since: 2026, sinc: 1}]}]",
        &[
            "apps[0].keys[0].key: is missing",
            "apps[0].keys[0].secret: is missing, give `secret` or `secret_file`",
            "apps[0].keys[1].key: app key has forbidden character '/'",
            "apps[0].keys[1].since: must be a date like 2026-11-24 or a time like 2026-11-24T09:30:00Z, from 1970 on",
            "apps[0].keys[2].secret: stands beside `secret_file`, remove one of them",
            "apps[0].keys[2].since: must be a date like 2026-11-24 or a time like 2026-11-24T09:30:00Z, from 1970 on, not a whole number",
            "apps[0].keys[2].sinc: unknown key, did you mean `since`?",
        ],
    );
    refused(
        "apps: [{id: a, keys: x}]",
        &["apps[0].keys: must be a list, not a text"],
    );
}

#[test]
fn a_key_is_unique_over_all_apps() {
    refused(
        "apps: [{id: a, key: k, secret: x, keys: [{key: k, secret: x}, {key: l, secret: x}]}, \
         {id: b, key: l, secret: x, keys: [{key: m, secret: x}]}, {id: c, keys: [{key: k, secret: x}, {key: m, secret: x}]}]",
        &[
            "apps[0].keys[0].key: apps[0].key has the same, give each its own",
            "apps[1].key: apps[0].keys[1].key has the same, give each its own",
            "apps[2].keys[0].key: apps[0].key has the same, give each its own",
            "apps[2].keys[1].key: apps[1].keys[0].key has the same, give each its own",
        ],
    );
    refused(
        "apps: [{id: a, secret: x}, {id: b, secret: x}]",
        &["apps[0].key: is missing", "apps[1].key: is missing"],
    );
}

#[test]
fn the_report_hides_every_secret() {
    let (_, findings) = read_on(
        "127.0.0.1:1",
        "apps: [{id: a, keys: [{key: k, secret: hunter2, since: 2026-11-24}, {key: l, secret_file: secret}]}]",
    );
    let line = |p: &Provenance| format!("{} = {} ({})", p.path, p.value, p.origin);
    assert_eq!(
        findings.report[1..6].iter().map(line).collect::<Vec<_>>(),
        [
            "apps[0].keys[0].key = k (file)",
            "apps[0].keys[0].secret = ******** (file)",
            "apps[0].keys[0].since = 2026-11-24 (file)",
            "apps[0].keys[1].key = l (file)",
            "apps[0].keys[1].secret_file = secret (file)",
        ]
    );
}

#[test]
fn a_secret_is_not_empty() {
    refused("apps: [{id: a, key: k, secret: ''}]", &["apps[0].secret: is empty"]);
    refused(
        "apps: [{id: a, key: k, secret: }]",
        &["apps[0].secret: has no value, give one or remove the key"],
    );
}

#[test]
fn a_secret_may_stand_in_a_file() {
    for (file, want) in [
        ("secret", "hunter2"),
        ("crlf", "hunter2"),
        ("lines", "hunter\n2"),
        ("/run/secret", "hunter3"),
    ] {
        let apps = accepted(&format!("apps: [{{id: a, key: k, secret_file: {file}}}]"));
        assert_eq!(apps[0].secret.expose_secret(), want, "{file}");
    }
    refused(
        "apps: [{id: a, key: k, secret_file: none}]",
        &["apps[0].secret_file: /etc/vacancy/none cannot be read: no such file"],
    );
    refused(
        "apps: [{id: a, key: k, secret_file: empty}]",
        &["apps[0].secret_file: /etc/vacancy/empty is empty"],
    );
    refused(
        "apps: [{id: a, key: k, secret_file: ''}]",
        &["apps[0].secret_file: is empty"],
    );
}

#[test]
fn a_secret_stands_in_one_place() {
    refused(
        "apps: [{id: a, key: k, secret: x, secret_file: secret}]",
        &["apps[0].secret: stands beside `secret_file`, remove one of them"],
    );
}

#[test]
fn the_sample_secret_is_for_loopback_only() {
    let sample = "apps: [{id: a, key: k, secret: app-secret}]";
    for listen in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert_eq!(read_on(listen, sample).1.problems, [], "{listen}");
    }
    for listen in ["0.0.0.0:1", "[::]:1", "192.168.0.1:1"] {
        let said = read_on(listen, sample).1.problems[0].to_string();
        let want = format!(
            "apps[0].secret: is the sample secret, which everybody knows, and server.listen {listen} \
             is open to other machines; make a good one with `openssl rand -hex 16`"
        );
        assert_eq!(said, want);
    }
    let listed = "apps: [{id: a, keys: [{key: k, secret: app-secret}]}]";
    assert_eq!(
        read_on("0.0.0.0:1", listed).1.problems[0].path,
        "apps[0].keys[0].secret"
    );
    let in_file = "apps: [{id: a, key: k, secret_file: sample}]";
    assert_eq!(read_on("0.0.0.0:1", in_file).1.problems[0].path, "apps[0].secret_file");
    let allowed = "apps: [{id: a, key: k, secret: app-secret, weak_secret: true}]";
    assert_eq!(read_on("0.0.0.0:1", allowed).1.problems.len(), 1);
    let warned = read_on("127.0.0.1:1", sample).1.warnings[0].to_string();
    assert_eq!(
        warned,
        "apps[0].secret: is the sample secret, which everybody knows: make your own with `openssl rand -hex 16`"
    );
}

#[test]
fn a_secret_that_can_be_guessed_is_warned_of_on_loopback_and_refused_elsewhere() {
    let said = |listen: &str, yaml: &str| {
        let (_, findings) = read_on(listen, yaml);
        let paths = |found: &[Problem]| found.iter().map(|it| it.path.clone()).collect::<Vec<_>>();
        (paths(&findings.problems), paths(&findings.warnings))
    };
    let none: Vec<String> = Vec::new();
    let short = ["apps[0].keys[1].secret".to_owned()];
    let yaml = |secret: &str, more: &str| {
        format!("apps: [{{id: a, {more} keys: [{{key: k, secret: 0123456789abcdef}}, {{key: l, secret: {secret}}}]}}]")
    };
    let weak = yaml("0123456789abcde", "");
    assert_eq!(said("127.0.0.1:1", &weak), (none.clone(), short.to_vec()));
    assert_eq!(said("0.0.0.0:1", &weak), (short.to_vec(), none.clone()));
    for yaml in [yaml("0123456789abcdeé", ""), yaml("x", "weak_secret: true,")] {
        for listen in ["127.0.0.1:1", "0.0.0.0:1"] {
            assert_eq!(said(listen, &yaml), (none.clone(), none.clone()), "{listen} {yaml}");
        }
    }
}

#[test]
fn white_space_around_a_secret_is_a_problem() {
    let what = "has white space around it, which would be a part of it: remove that";
    for secret in ["' '", "' 0123456789abcdef'", "\"0123456789abcdef\\n\""] {
        refused(
            &format!("apps: [{{id: a, key: k, secret: {secret}, weak_secret: true}}]"),
            &[&format!("apps[0].secret: {what}")],
        );
    }
    refused(
        "apps: [{id: a, key: k, secret_file: spaced}]",
        &[&format!("apps[0].secret_file: {what}")],
    );
}
