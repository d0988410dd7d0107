//! The command line: one file per command.

mod admin;
mod check;
mod config;
mod escape;
mod ledger;
mod serve;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    thread,
};

use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::config::{ConfigError, Environment, Loaded, Surroundings};

pub use admin::{ChannelsArgs, ClientArgs, EndpointArgs, ListenArgs, WebhooksArgs, WhyArgs};
pub use ledger::LedgerArgs;
pub use serve::serve;

/// The help heading for options that several commands share.
const SHARED: &str = "Shared options";

/// A realtime server that speaks the Pusher Channels protocol and whose webhooks can be trusted.
#[derive(Debug, Parser)]
#[command(name = "vacancy", version, disable_help_subcommand = true)]
pub struct Cli {
    /// The configuration file. Default: config.yaml in the current folder, else the VACANCY__… variables
    /// alone, else the built-in sample.
    #[arg(long, global = true, value_name = "FILE", help_heading = SHARED)]
    config: Option<PathBuf>,
    /// What to do; without, serve.
    #[command(subcommand)]
    command: Option<Command>,
}

/// What the program can do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Start the server.
    #[command(after_help = "Example: vacancy serve --config /etc/vacancy.yaml")]
    Serve,
    /// Print everything that is wrong with the configuration; exit with 1 if anything is.
    #[command(after_help = "Example: vacancy check --config my.yaml")]
    Check,
    /// Print the effective configuration, each value with where it came from, secrets hidden.
    #[command(after_help = "Example: VACANCY__SERVER__LISTEN=127.0.0.1:7000 vacancy config")]
    Config,
    /// Check, copy or compact the file of a ledger.
    Ledger(LedgerArgs),
    /// List, show, test, pause and replay the webhooks of a running server.
    Webhooks(WebhooksArgs),
    /// List the channels of a running server, as they were told and as they are.
    #[command(after_help = "Example: vacancy channels --prefix presence- --limit 20")]
    Channels(ChannelsArgs),
    /// Tell why the webhooks of a channel came, or did not.
    #[command(after_help = "Example: vacancy why room-1")]
    Why(WhyArgs),
    /// Post copies of a running server's webhooks to a URL near you.
    #[command(
        after_help = "Example: vacancy listen --forward http://127.0.0.1:3000/webhooks --url https://admin.example --token-file token.txt"
    )]
    Listen(ListenArgs),
}

impl Cli {
    /// Does what the command line asks for and returns the exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let loaded = self.load();
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => match loaded {
                Ok(loaded) => serve(loaded),
                Err(error) => fail(&error),
            },
            Command::Check => check::check(&loaded),
            Command::Config => match loaded {
                Ok(loaded) => config::config(&loaded),
                Err(error) => fail(&error),
            },
            Command::Ledger(args) => ledger::ledger(&args, loaded),
            Command::Webhooks(args) => admin::run(admin::Command::Webhooks(args), loaded),
            Command::Channels(args) => admin::run(admin::Command::Channels(args), loaded),
            Command::Why(args) => admin::run(admin::Command::Why(args), loaded),
            Command::Listen(args) => admin::run(admin::Command::Listen(args), loaded),
        }
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        let surroundings = Surroundings {
            environment: &Environment::from_os(std::env::vars_os()),
            parallelism: thread::available_parallelism().map_or(1, usize::from),
            read: &|path| std::fs::read_to_string(path),
        };
        crate::config::load(self.config.as_deref(), &surroundings)
    }
}

/// Prints to the standard output. A reader that went away has seen what it wanted.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A value as a line of JSON.
fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("what is shown is JSON");
    format!("{}\n", escape::json(&text))
}

/// Prints a value as a line of JSON.
fn print_json(value: &impl Serialize) {
    print(&json(value));
}

/// Prints an error and returns the exit code for it.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(io::stderr().lock(), "vacancy: {}", escape::lines(&error.to_string()));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory;

    use super::*;

    #[track_caller]
    fn check(args: &[&str], config: Option<&str>, command: Option<Command>) {
        let args = ["vacancy"].iter().chain(args);
        let cli = Cli::try_parse_from(args).expect("valid");
        assert_eq!((cli.config.as_deref(), cli.command), (config.map(Path::new), command));
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Collects the help of each command that does something, by its name.
    fn helps(command: &mut clap::Command, names: &str, found: &mut Vec<(String, String)>) {
        let help = command.render_long_help().to_string();
        let mut is_leaf = true;
        for sub in command.get_subcommands_mut() {
            is_leaf = false;
            let names = format!("{names} {}", sub.get_name());
            helps(sub, &names, found);
        }
        if is_leaf {
            found.push((names.to_owned(), help));
        }
    }

    #[test]
    fn the_help_of_each_command_has_its_own_options_the_shared_ones_and_an_example() {
        let mut command = Cli::command();
        command.build();
        let mut found = Vec::new();
        helps(&mut command, "vacancy", &mut found);
        assert_eq!(found.len(), 20, "every command");
        for (names, help) in &found {
            let (own, shared) = help.split_once("\nShared options:\n").expect(names);
            for option in ["--config", "--url", "--token-file", "--ca"] {
                assert!(!own.contains(&format!("      {option} ")), "{names}: {option}\n{help}");
            }
            assert!(shared.contains("--config <FILE>"), "{names}");
            let (_, example) = shared.split_once("\nExample: ").expect(names);
            assert!(example.contains(names.as_str()), "{names}: {example}");
        }
    }

    #[test]
    fn the_example_of_each_command_is_understood() {
        let mut command = Cli::command();
        command.build();
        let mut found = Vec::new();
        helps(&mut command, "vacancy", &mut found);
        for (names, help) in found {
            let (_, example) = help.split_once("\nExample: ").expect(&names);
            let words = example.split_whitespace().skip_while(|word| *word != "vacancy");
            assert!(Cli::try_parse_from(words).is_ok(), "{names}: {example}");
        }
    }

    #[test]
    fn a_command_and_a_file_may_be_named() {
        check(&[], None, None);
        check(&["serve"], None, Some(Command::Serve));
        check(&["check", "--config", "a.yaml"], Some("a.yaml"), Some(Command::Check));
        check(&["--config=a.yaml", "config"], Some("a.yaml"), Some(Command::Config));
        check(&["--config", "a.yaml"], Some("a.yaml"), None);
    }

    #[test]
    fn an_unknown_command_is_refused() {
        for args in [["vacancy", "chekc"], ["vacancy", "--conf"], ["vacancy", "--config"]] {
            assert!(Cli::try_parse_from(args).is_err(), "{args:?}");
        }
    }
}
