//! `vacancy check`: says whether the configuration can be used.

use std::process::ExitCode;

use super::print;
use crate::{
    config::{ConfigError, Loaded},
    domain::counted,
};

/// Prints every problem, or that there is none, to the standard output.
pub(super) fn check(loaded: &Result<Loaded, ConfigError>) -> ExitCode {
    let (text, code) = report(loaded);
    print(&text);
    code
}

fn report(loaded: &Result<Loaded, ConfigError>) -> (String, ExitCode) {
    match loaded {
        Ok(loaded) => (verdict(loaded), ExitCode::SUCCESS),
        Err(error) => (format!("{error}\n"), ExitCode::FAILURE),
    }
}

/// The warnings, one a line, and what was found to be fine.
fn verdict(loaded: &Loaded) -> String {
    let warnings: String = loaded
        .warnings
        .iter()
        .map(|warning| format!("warning: {}\n", warning.in_file(&loaded.source)))
        .collect();
    let apps = &loaded.settings.apps;
    let webhooks = apps.iter().map(|app| app.webhooks.len()).sum();
    format!(
        "{warnings}{}: ok ({}, {})\n",
        loaded.source,
        counted(apps.len(), "app"),
        counted(webhooks, "webhook")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigSource, Environment, Surroundings, from_text};

    fn loaded(yaml: &str) -> Result<Loaded, ConfigError> {
        let surroundings = Surroundings {
            environment: &Environment::default(),
            parallelism: 1,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        };
        from_text(yaml, ConfigSource::File("config.yaml".into()), &surroundings)
    }

    #[track_caller]
    fn check(yaml: &str, want: &str) {
        assert_eq!(verdict(&loaded(yaml).expect("valid")), want);
    }

    #[test]
    fn the_verdict_counts_apps_and_webhooks() {
        let webhook = "{url: 'http://h/', events: [client_event]}";
        check(
            &format!("apps: [{{id: a, key: a, secret: 0123456789abcdef, webhooks: [{webhook}]}}]"),
            "config.yaml: ok (1 app, 1 webhook)\n",
        );
        check(
            "apps: [{id: a, key: a, secret: 0123456789abcdef}, {id: b, key: b, secret: 0123456789abcdef}]",
            "config.yaml: ok (2 apps, 0 webhooks)\n",
        );
    }

    #[test]
    fn a_warning_comes_before_the_verdict() {
        let webhook = "{url: 'http://h/', events: [client_event]}";
        check(
            &format!("apps: [{{id: a, key: a, secret: 0123456789abcdef, webhooks: [{webhook}, {webhook}]}}]"),
            "warning: config.yaml:1:106: apps[0].webhooks[1].url: apps[0].webhooks[0] has the same, give both an `id`: \
             without, removing one hands its queue to the other\n\
             config.yaml: ok (1 app, 2 webhooks)\n",
        );
    }

    #[test]
    fn the_exit_code_says_whether_it_can_be_used() {
        let (text, code) = report(&loaded("apps: [{id: a, key: a, secret: 0123456789abcdef}]"));
        assert_eq!(
            (text.as_str(), code),
            ("config.yaml: ok (1 app, 0 webhooks)\n", ExitCode::SUCCESS)
        );
        let (text, code) = report(&loaded("apps: [{id: a, key: a}]"));
        let want =
            "config.yaml: 1 problem\n  config.yaml:1:8: apps[0].secret: is missing, give `secret` or `secret_file`\n";
        assert_eq!((text.as_str(), code), (want, ExitCode::FAILURE));
    }
}
