//! The real program's commands: what they print and how they end.

use crate::harness::{Folder, Ran};

/// The warnings when nothing is set.
const SAMPLE_WARNINGS: &str = "\
warning: built-in sample: is used, because there is no config.yaml in this folder and no VACANCY__… variable; everybody knows its key and secret, so name a file with --config FILE
warning: apps[0].secret: is the sample secret, which everybody knows: make your own with `openssl rand -hex 16`
";

/// What `check` says of a configuration.
fn checked(yaml: &str, variables: &[(&str, &str)]) -> Ran {
    Folder::new()
        .with("my.yaml", yaml)
        .run(&["check", "--config", "my.yaml"], variables)
}

const GOOD: &str = "apps: [{id: '1', key: k, secret: hunter2-hunter2-hunter2}]\n";

#[test]
fn check_of_a_good_file_says_what_is_in_it_and_exits_0() {
    checked(GOOD, &[]).is(0, "my.yaml: ok (1 app, 0 webhooks)\n", "");
}

#[test]
fn check_prints_every_problem_at_once_with_its_path_and_exits_1() {
    let yaml = r#"
server: {lisen: "127.0.0.1:1", workers: none, ping_after: 60, outbound_limit: 1XB}
webhooks: {max_batch_events: 0}
ledgr: {path: memory}
apps:
  - {id: "a b", key: k, secret: x, webhooks: [{url: "ftp://h/", events: [channel_ocupied]}]}
  - {id: "2", key: k, enabeld: true}
"#;
    let got = checked(yaml, &[]);
    assert_eq!((got.code, got.stderr.as_str()), (Some(1), ""));
    let mut lines = got.stdout.lines();
    let head = lines.next().expect("a line");
    let problems: Vec<&str> = lines.collect();
    assert_eq!(head, format!("my.yaml: {} problems", problems.len()));
    for begin in [
        "2:10: server.lisen: unknown key, did you mean `listen`?",
        "2:32: server.workers: ",
        "2:47: server.ping_after: ",
        "2:63: server.outbound_limit: ",
        "3:12: webhooks.max_batch_events: ",
        "4:1: ledgr: unknown key, did you mean `ledger`?",
        "6:6: apps[0].id: ",
        "6:48: apps[0].webhooks[0].url: ",
        "6:74: apps[0].webhooks[0].events[0]: no such webhook event, did you mean `channel_occupied`?",
        "7:15: apps[1].key: ",
        "7:5: apps[1].secret: ",
        "7:23: apps[1].enabeld: unknown key, did you mean `enabled`?",
    ] {
        let begin = format!("  my.yaml:{begin}");
        let found = problems.iter().any(|problem| problem.starts_with(&begin));
        assert!(found, "{begin}\n{}", got.stdout);
    }
}

#[test]
fn what_is_not_yaml_is_named_with_its_place() {
    let got = checked("server:\n  listen: [\n", &[]);
    assert_eq!(got.code, Some(1));
    assert!(
        got.stdout.starts_with("my.yaml:") && got.stdout.contains("not YAML"),
        "{}",
        got.stdout
    );
    let got = checked("apps: [{id: '1', key: k, secret: x}]\nserver: {}\nserver: {}\n", &[]);
    assert_eq!(got.code, Some(1), "a key given twice: {}", got.stdout);
}

#[test]
fn a_file_without_apps_or_without_anything_is_a_problem() {
    for yaml in ["", "server: {}\n", "apps: []\n", "apps: {}\n", "7\n"] {
        let got = checked(yaml, &[]);
        assert_eq!(got.code, Some(1), "{yaml:?}: {}", got.stdout);
    }
}

#[test]
fn two_apps_with_one_id_or_one_key_are_a_problem() {
    let got = checked(
        "apps: [{id: a, key: k, secret: x}, {id: a, key: l, secret: x}, {id: b, key: k, secret: x}]",
        &[],
    );
    assert_eq!(got.code, Some(1));
    assert!(
        got.stdout.contains("apps[1].id: ") && got.stdout.contains("apps[2].key: "),
        "{}",
        got.stdout
    );
}

#[test]
fn a_named_file_that_is_absent_stops_every_command() {
    let folder = Folder::new().with("config.yaml", GOOD);
    let want = "missing.yaml: cannot be read, name another with --config FILE: No such file or directory (os error 2)";
    folder
        .run(&["serve", "--config", "missing.yaml"], &[])
        .is(1, "", &format!("vacancy: {want}\n"));
    folder
        .run(&["--config", "missing.yaml"], &[])
        .is(1, "", &format!("vacancy: {want}\n"));
    folder
        .run(&["config", "--config", "missing.yaml"], &[])
        .is(1, "", &format!("vacancy: {want}\n"));
    folder
        .run(&["check", "--config", "missing.yaml"], &[])
        .is(1, &format!("{want}\n"), "");
}

#[test]
fn a_bad_file_stops_the_server_with_all_its_problems() {
    let folder = Folder::new().with("config.yaml", "servr: {}\napps: [{id: '1', key: k}]\n");
    for arguments in [&["serve"][..], &[]] {
        let got = folder.run(arguments, &[]);
        assert_eq!((got.code, got.stdout.as_str()), (Some(1), ""));
        assert!(
            got.stderr
                .starts_with("vacancy: config.yaml: 2 problems\n  config.yaml:2:8: apps[0].secret: is missing"),
            "{}",
            got.stderr
        );
        assert!(
            got.stderr.contains("\n  config.yaml:1:1: servr: unknown key"),
            "{}",
            got.stderr
        );
    }
}

#[test]
fn the_file_of_the_folder_is_the_default_and_the_sample_stands_in_for_it() {
    let folder = Folder::new().with("config.yaml", GOOD);
    folder
        .run(&["check"], &[])
        .is(0, "config.yaml: ok (1 app, 0 webhooks)\n", "");
    Folder::new().run(&["check"], &[]).is(
        0,
        &format!("{SAMPLE_WARNINGS}built-in sample: ok (1 app, 1 webhook)\n"),
        "",
    );
}

#[test]
fn config_shows_each_value_with_its_origin_and_hides_secrets() {
    let yaml = r#"
webhooks: {vacated_delay: 1s}
apps:
  - id: "1"
    key: "${KEY:-fallback}"
    secret: hunter2
    webhooks: [{url: "http://user:pw@h/path?token=t0ken", events: [client_event], headers: {Authorization: "Bearer t0ken"}}]
"#;
    let folder = Folder::new().with("config.yaml", yaml);
    let got = folder.run(
        &["config"],
        &[
            ("VACANCY__SERVER__LISTEN", "127.0.0.1:7000"),
            ("VACANCY__APPS__0__ENABLED", "false"),
        ],
    );
    assert_eq!((got.code, got.stderr.as_str()), (Some(0), ""));
    for line in [
        "server.listen = 127.0.0.1:7000   (environment VACANCY__SERVER__LISTEN)",
        "server.ping_after = 25s   (default)",
        "webhooks.vacated_delay = 1s   (file)",
        "apps[0].enabled = false   (environment VACANCY__APPS__0__ENABLED)",
        "apps[0].vacated_delay = 1s   (from webhooks.vacated_delay)",
        "apps[0].secret = ********   (file)",
    ] {
        assert!(got.stdout.lines().any(|got| got == line), "{line}\n{}", got.stdout);
    }
    assert!(got.stdout.contains("apps[0].key = fallback"), "{}", got.stdout);
    for secret in ["hunter2", "pw@", "t0ken"] {
        assert!(!got.stdout.contains(secret), "{secret}\n{}", got.stdout);
    }
}

#[test]
fn a_variable_overrides_the_file_lists_by_index() {
    let got = checked(
        GOOD,
        &[
            ("VACANCY__APPS__0__SECRET", "0123456789abcdef"),
            ("VACANCY__APPS__1__ID", "2"),
            ("VACANCY__APPS__1__KEY", "l"),
            ("VACANCY__APPS__1__SECRET", "0123456789abcdef"),
        ],
    );
    got.is(0, "my.yaml: ok (2 apps, 0 webhooks)\n", "");
    let got = checked(GOOD, &[("VACANCY__SERVER__LISTN", "127.0.0.1:1")]);
    got.is(
        1,
        "my.yaml: 1 problem\n  server.listn: unknown key, did you mean `listen`? (environment VACANCY__SERVER__LISTN)\n",
        "",
    );
    let got = checked(GOOD, &[("VACANCY__APPS__7__ID", "x")]);
    assert_eq!(got.code, Some(1), "{}", got.stdout);
    assert!(
        got.stdout.contains("(environment VACANCY__APPS__7__ID)"),
        "{}",
        got.stdout
    );
}

#[test]
fn a_name_in_a_value_is_taken_from_the_environment_and_must_be_set() {
    let yaml = "apps: [{id: '1', key: k, secret: \"${SECRET}\"}]\n";
    let got = checked(yaml, &[]);
    assert_eq!(got.code, Some(1));
    assert!(
        got.stdout.contains("apps[0].secret: ") && got.stdout.contains("SECRET"),
        "{}",
        got.stdout
    );
    checked(yaml, &[("SECRET", "hunter2-hunter2-hunter2")]).is(0, "my.yaml: ok (1 app, 0 webhooks)\n", "");
    let yaml = yaml.replace("${SECRET}", "${SECRET:-hunter3-hunter3-hunter3}");
    checked(&yaml, &[]).is(0, "my.yaml: ok (1 app, 0 webhooks)\n", "");
}

#[test]
fn a_secret_may_be_in_a_file_beside_the_configuration() {
    let yaml = "apps: [{id: '1', key: k, secret_file: secret.txt}]\n";
    let folder = Folder::new().with("my.yaml", yaml).with("secret.txt", "hunter2\n");
    let got = folder.run(&["config", "--config", "my.yaml"], &[]);
    assert_eq!(got.code, Some(0), "{}", got.stderr);
    assert!(!got.stdout.contains("hunter2"), "{}", got.stdout);
    let got = Folder::new()
        .with("my.yaml", yaml)
        .run(&["check", "--config", "my.yaml"], &[]);
    assert_eq!(got.code, Some(1));
    assert!(got.stdout.contains("apps[0].secret_file: "), "{}", got.stdout);
}

#[test]
fn the_sample_secret_beyond_loopback_stops_the_server_and_says_how_to_make_a_good_one() {
    let folder = Folder::new().with("config.yaml", include_str!("../../../config.yaml"));
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let got = folder.run(&["serve"], &[("VACANCY__SERVER__LISTEN", listen)]);
        assert_eq!((got.code, got.stdout.as_str()), (Some(1), ""), "{listen}");
        assert!(
            got.stderr.contains("apps[0].secret: is the sample secret"),
            "{}",
            got.stderr
        );
        assert!(got.stderr.contains("openssl rand -hex 16"), "{}", got.stderr);
    }
    let good = [
        ("VACANCY__SERVER__LISTEN", "0.0.0.0:0"),
        ("VACANCY__APPS__0__SECRET", "e3b0c44298fc1c149afb"),
    ];
    assert_eq!(folder.run(&["check"], &good).code, Some(0));
}

#[test]
fn a_secret_that_can_be_guessed_is_warned_of_on_loopback_and_refused_elsewhere() {
    let yaml = "apps: [{id: '1', key: k, secret: short}]\n";
    let got = checked(yaml, &[]);
    let warned = "warning: my.yaml:1:26: apps[0].secret: has fewer than 16 characters, so it can be guessed";
    assert_eq!(got.code, Some(0));
    assert!(got.stdout.starts_with(warned), "{}", got.stdout);
    let elsewhere = ("VACANCY__SERVER__LISTEN", "0.0.0.0:0");
    let got = checked(yaml, &[elsewhere]);
    assert_eq!(got.code, Some(1));
    assert!(got.stdout.contains("or set `weak_secret: true`"), "{}", got.stdout);
    let moved = [elsewhere, ("VACANCY__APPS__0__WEAK_SECRET", "true")];
    checked(yaml, &moved).is(0, "my.yaml: ok (1 app, 0 webhooks)\n", "");
    let got = checked("apps: [{id: '1', key: k, secret: ' 0123456789abcdef'}]\n", &moved);
    assert_eq!(got.code, Some(1));
    assert!(got.stdout.contains("has white space around it"), "{}", got.stdout);
}

const ONE_APP: [(&str, &str); 3] = [
    ("VACANCY__APPS__0__ID", "7"),
    ("VACANCY__APPS__0__KEY", "k"),
    ("VACANCY__APPS__0__SECRET", "e3b0c44298fc1c149afb"),
];

#[test]
fn variables_in_an_empty_folder_begin_from_nothing() {
    let folder = Folder::new();
    let got = folder.run(&["check"], &ONE_APP);
    got.is(0, "environment variables: ok (1 app, 0 webhooks)\n", "");
    let got = folder.run(&["config"], &ONE_APP);
    assert!(!got.stdout.contains("webhooks[0]"), "{}", got.stdout);
    let got = folder.run(&["serve"], &[("VACANCY__SERVER__LISTEN", "127.0.0.1:0")]);
    let want =
        "vacancy: environment variables: 1 problem\n  apps: there is no app, add one with `id`, `key` and `secret`\n";
    got.is(1, "", want);
}

#[test]
fn a_variable_clears_a_list_of_the_file_or_gives_all_of_it() {
    let yaml = "apps: [{id: '1', key: k, secret: 0123456789abcdef, webhooks: [{url: 'http://h/', events: [client]}]}]";
    let webhooks = "VACANCY__APPS__0__WEBHOOKS";
    for cleared in ["", "[]", "null"] {
        checked(yaml, &[(webhooks, cleared)]).is(0, "my.yaml: ok (1 app, 0 webhooks)\n", "");
    }
    let two = r#"[{"url": "http://a/", "events": ["client"]}, {"url": "http://b/", "events": ["presence"]}]"#;
    checked(yaml, &[(webhooks, two)]).is(0, "my.yaml: ok (1 app, 2 webhooks)\n", "");
}

#[test]
fn the_sample_is_shown_as_such_and_warned_of() {
    let got = Folder::new().run(&["config"], &[]);
    assert_eq!(got.code, Some(0));
    assert!(
        got.stdout.contains("apps[0].key = app-key   (built-in sample)\n"),
        "{}",
        got.stdout
    );
    assert!(!got.stdout.contains("(file)"), "{}", got.stdout);
}

#[test]
fn a_variable_that_is_named_almost_like_a_key_is_warned_of() {
    let got = checked(GOOD, &[("VACANCY_SERVER_LISTEN", "0.0.0.0:80")]);
    let want = "\
warning: VACANCY_SERVER_LISTEN: this variable is not read, did you mean VACANCY__SERVER__LISTEN?
my.yaml: ok (1 app, 0 webhooks)
";
    got.is(0, want, "");
}

#[test]
fn a_value_that_makes_no_sense_is_warned_of() {
    let got = checked(&format!("webhooks: {{recovery_window: 1y}}\n{GOOD}"), &[]);
    let want = "\
warning: my.yaml:1:12: webhooks.recovery_window: 1year is more than 1h: after a start, a channel whose clients do not come back stays told occupied for that long
my.yaml: ok (1 app, 0 webhooks)
";
    got.is(0, want, "");
}

#[test]
fn an_address_that_is_taken_stops_the_server_with_exit_code_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let got = Folder::new().with("config.yaml", GOOD).run(
        &["serve"],
        &[("VACANCY__SERVER__LISTEN", &address), ("RUST_LOG", "error")],
    );
    assert_eq!(got.code, Some(1));
    let want = format!("vacancy: cannot listen on {address} (server.listen): Address already in use (os error 98)\n");
    assert!(got.stderr.ends_with(&want), "{}", got.stderr);
}

#[test]
fn an_unknown_command_or_option_exits_2_with_a_suggestion() {
    let folder = Folder::new();
    let got = folder.run(&["chekc"], &[]);
    assert_eq!(got.code, Some(2));
    assert!(got.stderr.contains("'check'"), "{}", got.stderr);
    assert_eq!(folder.run(&["--config"], &[]).code, Some(2));
    let help = folder.run(&["--help"], &[]);
    assert_eq!(help.code, Some(0));
    for command in ["serve", "check", "config"] {
        assert!(help.stdout.contains(command), "{}", help.stdout);
    }
    let version = folder.run(&["--version"], &[]);
    version.is(0, &format!("vacancy {}\n", env!("CARGO_PKG_VERSION")), "");
}
