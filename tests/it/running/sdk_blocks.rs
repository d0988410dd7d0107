//! The blocks of `docs/running.md` for each server SDK, as they stand there.

use std::process::{Command, Output};

use crate::{
    conformance::clients::{node_modules, python},
    harness::{Folder, Process, certificate_files, config},
};

const PAGE: &str = include_str!("../../../docs/running.md");

/// The block that the page marks with this name, with `port` instead of 6001.
fn block(name: &str, port: u16) -> String {
    let code = marked(name);
    assert_eq!(code.matches("6001").count(), 1, "{name} names one port:\n{code}");
    code.replace("6001", &port.to_string())
}

/// The block that the page marks with this name.
fn marked(name: &str) -> String {
    let mark = format!("<!-- sdk: {name} -->\n```");
    let (_, rest) = PAGE.split_once(&mark).unwrap_or_else(|| panic!("no block {name}"));
    let (_, rest) = rest.split_once('\n').expect("a language");
    let (code, _) = rest.split_once("\n```").expect("an end of the block");
    format!("{code}\n")
}

/// Runs a program that trusts the root of the tests, where its SDK lets it; it must print 200.
fn publishes(command: &mut Command) {
    let [root, _] = certificate_files("root");
    let output = command
        .env("NODE_EXTRA_CA_CERTS", &root)
        .output()
        .expect("it starts; run ./test, which installs it");
    let Output { status, stdout, stderr } = output;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success() && stdout == "200\n", "{status}\n{stdout}\n{stderr}");
}

/// Two servers, one without TLS and one with it.
fn servers() -> [(Process, bool); 2] {
    let [cert, key] = certificate_files("localhost").map(|file| file.display().to_string());
    let tls = format!("server: {{tls: {{cert: \"{cert}\", key: \"{key}\"}}}}");
    [
        (Process::start_alone(&config("", "")), false),
        (Process::start_alone(&config(&tls, "")), true),
    ]
}

#[test]
fn the_block_of_node_publishes_in_clear_and_through_tls() {
    let folder = Folder::new();
    std::os::unix::fs::symlink(node_modules(), folder.file("node_modules")).expect("a link");
    for (server, is_tls) in servers() {
        let code = block("node", server.port).replace("useTLS: false", &format!("useTLS: {is_tls}"));
        assert!(code.contains(&format!("useTLS: {is_tls}")));
        let call = "const { status } = await pusher.trigger(\"demo\", \"greeting\", {})\nconsole.log(status)\n";
        std::fs::write(folder.file("block.mjs"), code + call).expect("a file");
        publishes(Command::new("node").arg(folder.file("block.mjs")));
    }
}

#[test]
fn the_block_of_python_publishes_in_clear_and_through_tls() {
    let folder = Folder::new();
    for (server, is_tls) in servers() {
        let ssl = if is_tls { "ssl=True" } else { "ssl=False" };
        let code = block("python", server.port).replace("ssl=False", ssl);
        assert!(code.contains(ssl));
        let [root, _] = certificate_files("root").map(|file| file.display().to_string());
        let trust = if is_tls {
            marked("python ca").replace("ca.pem", &root)
        } else {
            String::new()
        };
        let call = "answer = client.trigger(\"demo\", \"greeting\", {})\nprint(200 if answer == {} else answer)\n";
        std::fs::write(folder.file("block.py"), code + &trust + call).expect("a file");
        publishes(Command::new(python()).arg(folder.file("block.py")));
    }
}

#[test]
fn the_blocks_of_php_and_ruby_are_programs() {
    let folder = Folder::new();
    for (name, file, begin, check) in [
        ("php", "block.php", "<?php\n", ["php", "-l"]),
        ("ruby", "block.rb", "", ["ruby", "-c"]),
    ] {
        std::fs::write(folder.file(file), begin.to_owned() + &block(name, 6002)).expect("a file");
        let [program, option] = check;
        let checked = Command::new(program).arg(option).arg(folder.file(file)).output();
        let checked = checked.expect("it starts; run ./test, which installs it");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    }
}

#[test]
fn each_language_is_told_what_its_sdk_needs() {
    for (name, needs) in [
        ("node", "useTLS: false"),
        ("php", "'scheme' => 'http'"),
        ("python", "ssl=False"),
        ("ruby", "use_tls: false"),
        ("go", "Secure: false"),
        ("java", "setEncrypted(false)"),
    ] {
        assert!(block(name, 1).contains(needs), "{name}");
    }
}
