//! From a file, named or not, to settings.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::{
    admin,
    apps::{self, Around},
    environment::Environment,
    error::{ConfigError, Problem},
    expand::expand,
    files::Files,
    ledger,
    reader::{self, Findings, Provenance},
    sections,
    settings::Settings,
    source,
};

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "config.yaml";
/// The file of the repository, for when there is none.
const EMBEDDED: &str = include_str!("../../config.yaml");

/// How a file is read; the process's is [`std::fs::read_to_string`].
pub type ReadFile = dyn Fn(&Path) -> io::Result<String>;

/// What a configuration is read with besides its file.
pub struct Surroundings<'a> {
    /// The environment variables.
    pub environment: &'a Environment,
    /// How many threads the machine runs at once: what `workers: auto` stands for.
    pub parallelism: usize,
    /// How the file, and those that it names, are read.
    pub read: &'a ReadFile,
}

/// Where the text of a configuration came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// This file.
    File(PathBuf),
    /// The copy of the repository's `config.yaml` in the binary, because there is no file.
    Embedded,
    /// A text that a program has given.
    Text,
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Embedded => write!(f, "built-in {DEFAULT_FILE}"),
            Self::Text => f.write_str("the given text"),
        }
    }
}

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub settings: Settings,
    /// Where the text came from.
    pub source: ConfigSource,
    /// Every value and who gave it, in the order of the documentation.
    pub report: Vec<Provenance>,
    /// What works and is doubtful.
    pub warnings: Vec<Problem>,
}

/// Loads the configuration from the file that is named, else from `config.yaml` in the current
/// folder, else from the copy in the binary.
///
/// # Errors
/// When a file that is named or there cannot be read, or what it says cannot be used.
pub fn load(named: Option<&Path>, surroundings: &Surroundings<'_>) -> Result<Loaded, ConfigError> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    match (surroundings.read)(path) {
        Ok(text) => from_text(&text, ConfigSource::File(path.to_owned()), surroundings),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            from_text(EMBEDDED, ConfigSource::Embedded, surroundings)
        }
        Err(error) => Err(ConfigError::Unreadable {
            file: path.display().to_string(),
            source: error,
        }),
    }
}

/// Reads the configuration from a text; relative paths in it start at the folder of its source.
///
/// # Errors
/// When the text is not YAML, or what it says cannot be used.
pub fn from_text(text: &str, source: ConfigSource, surroundings: &Surroundings<'_>) -> Result<Loaded, ConfigError> {
    let mut tree = source::parse(text).map_err(|error| ConfigError::NotYaml {
        file: source.to_string(),
        line: error.line,
        column: error.column,
        what: error.what,
    })?;
    let mut findings = Findings::default();
    let overlay = surroundings.environment.overlay(&mut tree);
    let expansion = expand(&mut tree, surroundings.environment);
    overlay
        .into_iter()
        .chain(expansion)
        .for_each(|problem| findings.problem(problem));
    let settings = settings(tree, &source, surroundings, &mut findings);
    if !findings.problems.is_empty() {
        return Err(ConfigError::Invalid {
            file: source.to_string(),
            problems: findings.problems,
        });
    }
    Ok(Loaded {
        settings,
        source,
        report: findings.report,
        warnings: findings.warnings,
    })
}

fn settings(
    tree: source::Node,
    source: &ConfigSource,
    surroundings: &Surroundings<'_>,
    findings: &mut Findings,
) -> Settings {
    let folder = match source {
        ConfigSource::File(path) => path.parent().unwrap_or(Path::new("")),
        ConfigSource::Embedded | ConfigSource::Text => Path::new(""),
    };
    let files = Files {
        folder,
        read: surroundings.read,
    };
    reader::read(tree, findings, |root| {
        let server = sections::server(root, surroundings.parallelism, &files);
        let ledger = ledger::ledger(root, &files);
        let webhooks = sections::webhooks(root);
        let admin = admin::admin(root, &files, server.listen);
        let around = Around {
            webhooks: &webhooks,
            listen: server.listen,
            files,
        };
        let apps = apps::apps(root, &around);
        Settings {
            server,
            ledger,
            webhooks,
            admin,
            apps,
        }
    })
}

#[cfg(test)]
mod tests {
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
        let loaded = load_with(None, &[("VACANCY__SERVER__WORKERS", "7")], &files).expect("valid");
        assert_eq!(loaded.source, ConfigSource::Embedded);
        assert_eq!(loaded.source.to_string(), "built-in config.yaml");
        assert_eq!(loaded.settings.server.workers, 7);
        assert_eq!(loaded.settings.apps[0].key.as_str(), "app-key");
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
            let loaded = load_with(None, variables, &files).expect("valid");
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
  apps: is a list, name an index of 0 to 1, not `3` (environment VACANCY__APPS__3__ID)
  apps[0].secret: has `${` without `}`, write `$$` for a `$` that is meant
  server.listen: must be an IP address and a port, like 127.0.0.1:6001, 0.0.0.0:6001 or [::]:6001
  server.wrkers: unknown key, did you mean `workers`?
  apps[0].webhooks[0].url: has a character at byte 7 that must be percent-encoded
  apps[0].webhooks[0].events[0]: no such webhook event, known are channel_occupied, channel_vacated, member_added, member_removed, client_event, cache_miss, subscription_count, user_online, user_offline and the groups existence, presence, client, cache
  apps[0].webhooks[0].headers.a: has a value with other than visible ASCII characters and spaces between them
  ldger: unknown key, did you mean `ledger`?",
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
            "c.yaml: 1 problem\n  apps[0].secret: environment variable SECRET is not set, set it or write `${SECRET:-default}`",
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
  server.listen: environment variable NO is not set, set it or write `${NO:-default}`
  apps[0]: environment variable ME is not set, set it or write `${ME:-default}`",
        );
    }

    #[test]
    fn nothing_that_is_loaded_shows_a_secret() {
        let loaded = text(MINIMAL, &[]).expect("valid");
        assert!(!format!("{loaded:?}").contains("hunter2"));
    }

    #[test]
    fn every_default_in_the_file_of_the_repository_is_the_built_in_one() {
        let typed = text(EMBEDDED, &[]).expect("valid");
        assert_eq!(typed.warnings, []);
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
            assert!(EMBEDDED.contains(optional), "{optional}");
        }
    }

    #[test]
    fn the_app_of_the_repository_is_the_sample() {
        let loaded = text(EMBEDDED, &[]).expect("valid");
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
}
