use secrecy::ExposeSecret;

use super::{
    super::{settings::LedgerStore, source::Origin},
    *,
};

const MINIMAL: &str = "apps: [{id: '1', key: k, secret: hunter2, webhooks: [{url: 'http://h/', \
                       events: [channel_occupied]}]}]";

fn files(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("minimal.yaml") => Ok(MINIMAL.into()),
        Some("etc/file.yaml") => Ok("apps: [{id: a, key: k, secret_file: s}]".into()),
        Some("etc/s") => Ok("hunter2\n".into()),
        Some("locked.yaml") => Err(io::Error::new(io::ErrorKind::PermissionDenied, "locked")),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    }
}

fn load_with(named: Option<&str>, variables: &[(&str, &str)], read: &ReadFile) -> Result<Loaded, ConfigError> {
    let environment = variables.iter().copied().collect();
    let surroundings = Surroundings {
        environment: &environment,
        parallelism: 2,
        read,
    };
    load(named.map(Path::new), &surroundings)
}

fn text(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let text = text.to_owned();
    load_with(Some("c.yaml"), variables, &move |_| Ok(text.clone()))
}

#[track_caller]
fn refused(result: Result<Loaded, ConfigError>, want: &str) {
    assert_eq!(result.expect_err("refused").to_string(), want);
}

#[test]
fn a_named_file_is_read() {
    let loaded = load_with(Some("minimal.yaml"), &[], &files).expect("valid");
    assert_eq!(loaded.source, ConfigSource::File("minimal.yaml".into()));
    assert_eq!(loaded.settings.apps[0].key.as_str(), "k");
    assert_eq!(loaded.settings.server.workers, 2);
}

#[test]
fn a_named_file_that_is_not_there_is_an_error() {
    refused(
        load_with(Some("none.yaml"), &[], &files),
        "none.yaml: cannot be read, name another with --config FILE: no such file",
    );
    refused(
        load_with(Some("config.yaml"), &[], &files),
        "config.yaml: cannot be read, name another with --config FILE: no such file",
    );
}

#[test]
fn without_a_file_the_one_in_the_binary_is_used() {
    let loaded = load_with(None, &[("OTHER", "x")], &files).expect("valid");
    assert_eq!(loaded.source, ConfigSource::Sample);
    assert_eq!(loaded.settings.apps[0].key.as_str(), "app-key");
    let of_file = |value: &&Provenance| value.origin == Origin::File;
    assert_eq!(loaded.report.iter().find(of_file), None);
    let key = loaded.report.iter().find(|value| value.path == "apps[0].key");
    assert_eq!(key.expect("reported").origin.to_string(), "built-in sample");
    let warned = loaded.warnings[0].to_string();
    assert!(
        warned.starts_with("built-in sample: is used, because there is no config.yaml"),
        "{warned}"
    );
}

#[test]
fn variables_without_a_file_begin_from_nothing() {
    let app = [
        ("VACANCY__APPS__0__ID", "1"),
        ("VACANCY__APPS__0__KEY", "k"),
        ("VACANCY__APPS__0__SECRET", "a-good-long-secret"),
        ("VACANCY_ADMIN_TOKEN", "0123456789abcdef"),
    ];
    let loaded = load_with(None, &app, &files).expect("valid");
    assert_eq!(loaded.source, ConfigSource::Environment);
    assert_eq!(
        (loaded.settings.apps.len(), loaded.settings.apps[0].webhooks.len()),
        (1, 0)
    );
    assert!(loaded.settings.admin.token.is_some());
    assert_eq!(loaded.warnings, []);
    refused(
        load_with(None, &[("VACANCY__SERVER__WORKERS", "7")], &files),
        "environment variables: 1 problem\n  apps: there is no app, add one with `id`, `key` and `secret`",
    );
}

#[test]
fn a_variable_clears_a_list_or_gives_all_of_it() {
    let webhooks = |value: &str| {
        let loaded = text(MINIMAL, &[("VACANCY__APPS__0__WEBHOOKS", value)]).expect(value);
        let shown = loaded.report.iter().find(|line| line.path == "apps[0].webhooks");
        let urls = loaded.settings.apps[0]
            .webhooks
            .iter()
            .map(|webhook| webhook.url.clone());
        (shown.map(|line| line.value.clone()), urls.collect::<Vec<_>>())
    };
    for (typed, shown) in [("", "\"\""), ("[]", "[]"), ("null", "null")] {
        assert_eq!(webhooks(typed), (Some(shown.to_owned()), vec![]));
    }
    let json = r#"[{"url": "http://a/", "events": ["existence"]}, {"url": "http://b/", "events": ["client"]}]"#;
    assert_eq!(
        webhooks(json),
        (None, vec!["http://a/".to_owned(), "http://b/".to_owned()])
    );
    for typed in ["http://hunter2/", "[hunter2", r#"[{"url": 1]"#] {
        refused(
            text(MINIMAL, &[("VACANCY__APPS__0__WEBHOOKS", typed)]),
            "c.yaml: 1 problem\n  apps[0].webhooks: must be a list: JSON like [\"a\", \"b\"], or empty for none \
             (environment VACANCY__APPS__0__WEBHOOKS)",
        );
    }
}

#[test]
fn a_variable_gives_one_or_more_patterns() {
    let globs = |typed: &str| {
        let channels = "VACANCY__APPS__0__WEBHOOKS__0__CHANNELS__GLOB";
        let loaded = text(MINIMAL, &[(channels, typed)]).expect(typed);
        loaded.settings.apps[0].webhooks[0].channels.source().only.glob.clone()
    };
    assert_eq!(globs("[ab]*"), ["[ab]*"]);
    assert_eq!(globs("{a,b}"), ["{a,b}"]);
    assert_eq!(globs(r#"["[ab]*", "c"]"#), ["[ab]*", "c"]);
    for typed in ["", "[]", "null"] {
        assert_eq!(globs(typed), [""; 0], "{typed}");
    }
}

#[test]
fn a_default_file_that_is_there_and_unusable_is_an_error() {
    let locked = |_: &Path| files(Path::new("locked.yaml"));
    refused(
        load_with(None, &[], &locked),
        "config.yaml: cannot be read, name another with --config FILE: locked",
    );
    let text = |_: &Path| Ok("a: [".to_owned());
    let error = load_with(None, &[], &text).expect_err("not YAML").to_string();
    assert!(error.starts_with("config.yaml:1:4: not YAML: "), "{error}");
}

#[test]
fn a_secret_file_is_looked_for_beside_the_configuration() {
    let loaded = load_with(Some("etc/file.yaml"), &[], &files).expect("valid");
    assert_eq!(loaded.settings.apps[0].secret.expose_secret(), "hunter2");
}

#[test]
fn the_ledger_is_beside_the_configuration() {
    let path = |named| {
        let loaded = load_with(named, &[], &files).expect("valid");
        loaded.settings.ledger.store
    };
    assert_eq!(
        path(Some("etc/file.yaml")),
        LedgerStore::File("etc/data/vacancy.redb".into())
    );
    assert_eq!(
        path(Some("minimal.yaml")),
        LedgerStore::File("data/vacancy.redb".into())
    );
    assert_eq!(path(None), LedgerStore::File("data/vacancy.redb".into()));
}

#[test]
fn the_admin_api_is_off_until_the_variable_of_the_sample_is_set() {
    let token = |variables: &[(&str, &str)]| {
        let loaded = text(SAMPLE, variables).expect("valid");
        let token = loaded.settings.admin.token;
        token.map(|token| token.expose_secret().to_owned())
    };
    assert_eq!(token(&[]), None);
    assert_eq!(token(&[("VACANCY_ADMIN_TOKEN", "")]), None);
    let given = [("VACANCY_ADMIN_TOKEN", "0123456789abcdef")];
    assert_eq!(token(&given).as_deref(), Some("0123456789abcdef"));
    let overridden = [("VACANCY__ADMIN__TOKEN", "0123456789abcdef")];
    assert_eq!(token(&overridden).as_deref(), Some("0123456789abcdef"));
}

#[test]
fn every_problem_comes_in_one_error_and_none_holds_a_secret() {
    refused(
        text(
            "server: {listen: x, wrkers: 1}\nldger: {}\napps: [{id: a, key: k, secret: '${S', \
             webhooks: [{url: '${U}', events: [x], headers: {a: '${H}\n'}}]}]",
            &[("U", "hunter2 hunter2"), ("H", "hunter2"), ("VACANCY__APPS__3__ID", "hunter2")],
        ),
        "c.yaml: 8 problems
  c.yaml:3:1: apps: is a list, name an index of 0 to 1, not `3` (environment VACANCY__APPS__3__ID)
  c.yaml:3:24: apps[0].secret: has `${` without `}`, write `$$` for a `$` that is meant
  c.yaml:1:10: server.listen: must be an IP address and a port, like 127.0.0.1:6001, 0.0.0.0:6001 or [::]:6001
  c.yaml:1:21: server.wrkers: unknown key, did you mean `workers`?
  c.yaml:3:51: apps[0].webhooks[0].url: has a character at byte 7 that must be percent-encoded
  c.yaml:3:73: apps[0].webhooks[0].events[0]: no such webhook event, known are channel_occupied, channel_vacated, member_added, member_removed, client_event, cache_miss, subscription_count, user_online, user_offline and the groups existence, presence, client, cache
  c.yaml:3:87: apps[0].webhooks[0].headers.a: has a value with other than visible ASCII characters and spaces between them
  c.yaml:2:1: ldger: unknown key, did you mean `ledger`?",
    );
}

#[test]
fn a_variable_overrides_the_file_and_the_report_says_so() {
    let variables = [
        ("VACANCY__APPS__0__SECRET", "hunter3"),
        ("VACANCY__SERVER__PING_AFTER", "5s"),
    ];
    let loaded = text(MINIMAL, &variables).expect("valid");
    assert_eq!(loaded.settings.apps[0].secret.expose_secret(), "hunter3");
    let found = |path: &str| loaded.report.iter().find(|p| p.path == path).expect("reported");
    let secret = found("apps[0].secret");
    assert_eq!(secret.value, "********");
    assert_eq!(secret.origin, Origin::Environment("VACANCY__APPS__0__SECRET".into()));
    assert_eq!(found("server.ping_after").value, "5s");
}

#[test]
fn a_variable_that_names_no_key_is_a_problem() {
    refused(
        text(MINIMAL, &[("VACANCY__SERVER__LISTN", "hunter2")]),
        "c.yaml: 1 problem\n  server.listn: unknown key, did you mean `listen`? (environment VACANCY__SERVER__LISTN)",
    );
}

#[test]
fn variables_alone_can_make_an_app() {
    let variables = [
        ("VACANCY__APPS__0__ID", "1"),
        ("VACANCY__APPS__0__KEY", "k"),
        ("VACANCY__APPS__0__SECRET", "a${b$$"),
        ("VACANCY__APPS__0__ENABLED", "false"),
        ("VACANCY__APPS__0__WEBHOOKS__0__URL", "http://h/"),
        ("VACANCY__APPS__0__WEBHOOKS__0__EVENTS__0", "channel_vacated"),
    ];
    let loaded = text("", &variables).expect("valid");
    assert_eq!(loaded.settings.apps[0].secret.expose_secret(), "a${b$$");
    assert!(!loaded.settings.apps[0].enabled);
    assert_eq!(loaded.settings.apps[0].webhooks[0].url, "http://h/");
}

#[test]
fn a_secret_may_come_from_a_variable_that_the_file_names() {
    let yaml = "apps: [{id: a, key: k, secret: '${SECRET}'}]";
    let loaded = text(yaml, &[("SECRET", "hunter2")]).expect("valid");
    assert_eq!(loaded.settings.apps[0].secret.expose_secret(), "hunter2");
    refused(
        text(yaml, &[]),
        "c.yaml: 1 problem\n  c.yaml:1:24: apps[0].secret: environment variable SECRET is not set, set it or write `${SECRET:-default}`",
    );
}

#[test]
fn what_is_wrong_at_one_place_is_said_once() {
    refused(
        text(
            "server: {listen: '${NO}'}\napps: ['${ME}', {id: a, key: k, secret: x}]",
            &[],
        ),
        "c.yaml: 2 problems
  c.yaml:1:10: server.listen: environment variable NO is not set, set it or write `${NO:-default}`
  c.yaml:2:8: apps[0]: environment variable ME is not set, set it or write `${ME:-default}`",
    );
}

#[test]
fn nothing_that_is_loaded_shows_a_secret() {
    let loaded = text(MINIMAL, &[]).expect("valid");
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn every_default_in_the_file_of_the_repository_is_the_built_in_one() {
    let typed = text(SAMPLE, &[]).expect("valid");
    let paths: Vec<_> = typed.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(
        paths,
        ["apps[0].secret"],
        "its secret is the sample's, and nothing else is doubtful"
    );
    let built_in = text(MINIMAL, &[]).expect("valid");
    let required = ["apps[0].id", "apps[0].key", "apps[0].secret", "apps[0].webhooks[0].url"];
    for default in built_in.report.iter().filter(|p| p.origin == Origin::Default) {
        let Some(documented) = typed.report.iter().find(|p| p.path == default.path) else {
            panic!("{} is not documented", default.path);
        };
        if default.path != "apps[0].webhooks[0].id" {
            assert_eq!(
                (&documented.value, &documented.origin),
                (&default.value, &Origin::File),
                "{}",
                default.path
            );
        }
    }
    for path in required {
        assert!(
            typed.report.iter().any(|p| p.path == path && p.origin == Origin::File),
            "{path}"
        );
    }
    let optionals = [
        "# secret_file: ",
        "# tls: { cert: cert.pem, key: key.pem }",
        "# keys:",
        "since: ",
        "# batch_window: ",
        "# vacated_delay: ",
        "# recovery_window: ",
        "# token_file: ",
        "# id: ",
        "`event_types`",
        "`filter`",
    ];
    for optional in optionals {
        assert!(SAMPLE.contains(optional), "{optional}");
    }
}

#[test]
fn the_app_of_the_repository_is_the_sample() {
    let loaded = text(SAMPLE, &[]).expect("valid");
    let [app] = &loaded.settings.apps[..] else {
        panic!("one app")
    };
    assert_eq!(
        (app.id.as_str(), app.key.as_str(), app.secret.expose_secret()),
        ("1", "app-key", "app-secret")
    );
    let [webhook] = &app.webhooks[..] else {
        panic!("one webhook")
    };
    assert_eq!(webhook.url, "http://127.0.0.1:3000/webhooks");
    assert_eq!(webhook.events.len(), 2);
}
