//! `docs/admin.md` names all that there is.

use std::collections::BTreeSet;

use crate::harness::Receiver;

use super::{Admin, TOKEN, run};

const PAGE: &str = include_str!("../../../docs/admin.md");

#[tokio::test]
async fn the_page_names_every_route() {
    let admin = Admin::start(&Receiver::start().await);
    let described = admin.ask("GET", "/admin/v1/openapi.json", Some(TOKEN)).await.json();
    for path in described["paths"].as_object().expect("a map").keys() {
        let (base, verb) = path.rsplit_once('/').expect("a path");
        let is_named =
            PAGE.contains(&format!("{path}`")) || PAGE.contains(base) && PAGE.contains(&format!("`/{verb}`"));
        assert!(is_named, "{path}");
    }
}

#[tokio::test]
async fn the_page_shows_every_command_and_every_option_of_it() {
    let help = run(&["webhooks", "--help"], None).await.stdout;
    let (_, after) = help.split_once("Commands:\n").expect("a list");
    let commands = after.lines().take_while(|line| !line.trim().is_empty());
    let names: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(10 <= names.len(), "{help}");
    let mut options = BTreeSet::new();
    for name in names {
        assert!(PAGE.contains(&format!("vacancy webhooks {name}")), "{name}");
        options.extend(options_of(&["webhooks", name]).await);
    }
    for command in ["channels", "why", "listen"] {
        assert!(PAGE.contains(&format!("vacancy {command} ")), "{command}");
        options.extend(options_of(&[command]).await);
    }
    for option in options {
        assert!(PAGE.contains(&option), "{option}");
    }
}

async fn options_of(command: &[&str]) -> BTreeSet<String> {
    let help = run(&[command, &["--help"]].concat(), None).await.stdout;
    let words = help.lines().filter_map(|line| {
        let line = line.trim_start().trim_start_matches("-f, ");
        line.starts_with("--")
            .then(|| line.split([' ', '=']).next().unwrap_or_default().to_owned())
    });
    words.collect()
}
