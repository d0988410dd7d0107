//! The rules of the house: who may import whom, and who may touch a clock or an actor.
//!
//! The tables are DESIGN's layers as `ARCHITECTURE.md` shows them. A new module or a new import
//! changes a line here, in the open.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each module with those it may import.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("protocol", &["domain"]),
    ("signature", &["domain"]),
    ("clock", &["domain"]),
    ("ledger", &["domain", "clock"]),
    ("webhook", &["domain", "signature", "clock", "ledger"]),
    ("channel", &["domain", "protocol", "clock", "ledger"]),
    (
        "app",
        &["domain", "protocol", "signature", "ledger", "channel", "webhook"],
    ),
    ("wire", &[]),
    (
        "connection",
        &["domain", "protocol", "signature", "clock", "channel", "app", "wire"],
    ),
    (
        "http",
        &[
            "domain",
            "protocol",
            "signature",
            "clock",
            "ledger",
            "channel",
            "webhook",
            "app",
            "wire",
            "connection",
        ],
    ),
    ("config", &["domain"]),
    (
        "server",
        &[
            "domain",
            "protocol",
            "signature",
            "clock",
            "ledger",
            "channel",
            "webhook",
            "app",
            "connection",
            "http",
            "wire",
            "config",
        ],
    ),
    (
        "cli",
        &["domain", "clock", "ledger", "webhook", "http", "config", "server"],
    ),
];

/// The files that may touch a clock, chance, actors, tasks or sockets. All others are pure.
const SHELLS: &[&str] = &[
    "app/app.rs",
    "channel/channel.rs",
    "channel/messages.rs",
    "channel/registry.rs",
    "channel/relay.rs",
    "channel/relay/tests.rs",
    "channel/workers.rs",
    "clock.rs",
    "connection/connection.rs",
    "connection/fallback.rs",
    "connection/fallback/receive.rs",
    "connection/fallback/session.rs",
    "connection/frames.rs",
    "connection/socket.rs",
    "connection/answering.rs",
    "connection/upgrade.rs",
    "cli/admin/client.rs",
    "cli/admin/follow.rs",
    "cli/admin/listen.rs",
    "cli/admin/mod.rs",
    "cli/admin/channels.rs",
    "cli/admin/webhooks.rs",
    "http/admin/auth.rs",
    "http/admin/channels.rs",
    "http/admin/delivery_log.rs",
    "http/admin/endpoints.rs",
    "http/admin/error.rs",
    "http/admin/ledger.rs",
    "http/admin/listen.rs",
    "http/admin/log_stream.rs",
    "http/admin/replay.rs",
    "http/admin/routes.rs",
    "http/admin/state.rs",
    "http/admin/stream.rs",
    "http/admin/tests.rs",
    "http/admin/tests/replays.rs",
    "http/channels.rs",
    "http/error.rs",
    "http/events.rs",
    "http/fallbacks.rs",
    "http/health.rs",
    "http/occupancy.rs",
    "http/routes.rs",
    "http/signed_request.rs",
    "http/users.rs",
    "ledger/embedded/mod.rs",
    "ledger/embedded/tests.rs",
    "ledger/exit_on_panic.rs",
    "ledger/handle.rs",
    "ledger/messages.rs",
    "ledger/thread.rs",
    "ledger/thread/tests.rs",
    "server/admin_listener.rs",
    "server/assembly.rs",
    "server/door.rs",
    "server/drain.rs",
    "server/embedding.rs",
    "server/front.rs",
    "server/ledger.rs",
    "server/listener.rs",
    "server/mod.rs",
    "server/numbers.rs",
    "server/panics.rs",
    "server/quiet.rs",
    "server/signals.rs",
    "server/tls.rs",
    "server/tls/turns.rs",
    "server/tls/tests.rs",
    "webhook/connect.rs",
    "webhook/direct.rs",
    "webhook/endpoint.rs",
    "webhook/endpoint/tests.rs",
    "webhook/endpoint/tests/addresses.rs",
    "webhook/endpoint/tests/answers.rs",
    "webhook/endpoint/tests/kept.rs",
    "webhook/endpoint/tests/names.rs",
    "webhook/lookups.rs",
    "webhook/lookups/tests.rs",
    "webhook/post.rs",
    "webhook/tap.rs",
    "webhook/webhooks.rs",
    "webhook/webhooks/tests.rs",
    "wire/accept.rs",
    "wire/paced.rs",
    "wire/requests/agreement.rs",
    "wire/stream.rs",
];

/// What a pure file does not mention.
const IMPURE: &[&str] = &[
    "actix",
    "tokio::",
    "awc::",
    "clock::",
    "Instant::now",
    "SystemTime",
    "getrandom",
    "std::net::Tcp",
    "std::thread",
];

/// Most lines of a file before its tests.
const LINES_MAX: usize = 400;

#[test]
fn every_import_is_in_the_table_of_layers() {
    let problems: Vec<String> = sources()
        .iter()
        .flat_map(|(file, text)| forbidden_imports(file, text))
        .collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn only_shells_touch_clocks_chance_actors_tasks_and_sockets() {
    let problems: Vec<String> = sources()
        .iter()
        .flat_map(|(file, text)| impurities(file, text))
        .collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_module_is_in_the_table_and_every_shell_exists() {
    let sources = sources();
    let modules: BTreeSet<&str> = sources.iter().map(|(file, _)| module(file)).collect();
    let table: BTreeSet<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
    let without: BTreeSet<&str> = ["lib", "main"].into();
    assert_eq!(modules.difference(&without).copied().collect::<BTreeSet<_>>(), table);
    for shell in SHELLS {
        assert!(sources.iter().any(|(file, _)| file == shell), "{shell} is gone");
    }
}

#[test]
fn the_layers_have_no_cycle() {
    for (at, (name, imports)) in LAYERS.iter().enumerate() {
        for import in *imports {
            let below = LAYERS[..at].iter().any(|(lower, _)| lower == import);
            assert!(below, "{name} imports {import}, which is not below it");
        }
    }
}

#[test]
fn no_file_grows_past_400_lines_before_its_tests() {
    for (file, text) in sources() {
        let lines = without_tests(&text).lines().count();
        assert!(
            lines <= LINES_MAX,
            "{file} has {lines} lines: does it have two subjects?"
        );
    }
}

#[test]
fn no_test_is_ignored() {
    for folder in ["src", "tests", "benches", "examples"] {
        let files = rust_files(folder);
        let problems: Vec<String> = files.iter().flat_map(|(file, text)| ignored(file, text)).collect();
        assert!(problems.is_empty(), "in {folder}: {problems:#?}");
    }
    assert!(100 < rust_files("tests").len(), "tests was found");
}

#[test]
fn an_import_against_the_table_is_found() {
    let found = |file, text| forbidden_imports(file, text).join(" ");
    assert_eq!(
        found("channel/roster.rs", "use crate::connection::Connection;"),
        "channel/roster.rs imports connection"
    );
    assert_eq!(
        found(
            "domain/member.rs",
            "use crate::{\n    clock,\n    ledger::{Edge, Key},\n};"
        ),
        "domain/member.rs imports clock domain/member.rs imports ledger"
    );
    assert_eq!(
        found("http/events.rs", "fn f() -> crate::config::Settings"),
        "http/events.rs imports config"
    );
    assert_eq!(found("channel/roster.rs", "use crate::domain::{Member, SocketId};"), "");
    assert_eq!(found("ledger/cut.rs", "use crate::ledger::Key; use super::Event;"), "");
}

#[test]
fn a_clock_in_a_pure_file_is_found() {
    let found = |file, text| impurities(file, text).join(" ");
    assert_eq!(
        found("ledger/occupancy.rs", "let now = Instant::now();"),
        "ledger/occupancy.rs mentions Instant::now"
    );
    assert_eq!(
        found("channel/roster.rs", "use actix::Addr;"),
        "channel/roster.rs mentions actix"
    );
    assert_eq!(found("channel/roster.rs", "//! Not an actix actor.\n"), "");
    assert_eq!(found("channel/relay.rs", "use actix::Addr;"), "");
}

#[test]
fn an_ignored_test_is_found() {
    let found = |text| ignored("a.rs", text).join(" ");
    assert_eq!(found("#[test]\n    #[ignore]\nfn a() {}"), "a.rs:2 ignores a test");
    assert_eq!(
        found("#[ignore = \"slow\"]\nfn a() {}\n#[test] #[ignore]\nfn b() {}"),
        "a.rs:1 ignores a test a.rs:3 ignores a test"
    );
    assert_eq!(
        found("#[cfg_attr(not(unix), ignore)]\nfn a() {}"),
        "a.rs:1 ignores a test"
    );
    assert_eq!(
        found("/// ```ignore\n/// f();\n/// ```\nfn f() {}"),
        "a.rs:1 ignores a test"
    );
    assert_eq!(found("#[test]\nfn ignore() {\n    f(\"#[ignore]\");\n}"), "");
}

/// Every source file with its path below `src` and its text.
fn sources() -> Vec<(String, String)> {
    let sources = rust_files("src");
    assert!(50 < sources.len(), "src was found");
    sources
}

/// Every Rust file of a folder with its path below that and its text.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let file = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                sources.push((file, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources.sort();
    sources
}

/// The module of a file: the first part of its path.
fn module(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

fn forbidden_imports(file: &str, text: &str) -> Vec<String> {
    let own = module(file);
    let allowed = LAYERS
        .iter()
        .find(|(name, _)| *name == own)
        .map_or(&[][..], |(_, imports)| imports);
    imports(text)
        .into_iter()
        .filter(|import| import != own && !allowed.contains(&import.as_str()))
        .map(|import| format!("{file} imports {import}"))
        .collect()
}

/// The modules that a text names after `crate::`.
fn imports(text: &str) -> BTreeSet<String> {
    let code = without_comments(text);
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let after = &code[at + "crate::".len()..];
        if let Some(group) = after.strip_prefix('{') {
            found.extend(first_names(group));
        } else {
            found.insert(first_name(after));
        }
    }
    found
}

/// The first name of each path in a group that was opened.
fn first_names(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut names = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            _ => names.last_mut().unwrap().push(c),
        }
    }
    let names = names.iter().map(|path| first_name(path.trim()));
    names.filter(|name| !name.is_empty()).collect()
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn impurities(file: &str, text: &str) -> Vec<String> {
    if SHELLS.contains(&file) {
        return Vec::new();
    }
    let code = without_comments(without_tests(text));
    IMPURE
        .iter()
        .filter(|word| code.contains(**word))
        .map(|word| format!("{file} mentions {word}"))
        .collect()
}

/// The lines that have a test or an example of a document compiled or found, but not run.
fn ignored(file: &str, text: &str) -> Vec<String> {
    let is_ignore = |line: &str| {
        let words = || line.split(|c: char| !c.is_alphanumeric() && c != '_');
        let is_example = line.starts_with("//") && line.contains("```");
        (line.starts_with("#[") || is_example) && words().any(|word| word == "ignore")
    };
    let lines = text.lines().zip(1..);
    lines
        .filter(|(line, _)| is_ignore(line.trim_start()))
        .map(|(_, at)| format!("{file}:{at} ignores a test"))
        .collect()
}

/// A file's text up to its tests, which may do what they like.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn without_comments(text: &str) -> String {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}
