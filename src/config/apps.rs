//! The apps of the file.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};

use super::{
    endpoints,
    load::ReadFile,
    reader::{Section, hidden},
    settings::{AppSettings, WebhookSettings},
    source::{Origin, Value},
    values,
};
use crate::domain::{AppId, AppKey};

/// The secret of the sample app, which everybody knows.
const SAMPLE_SECRET: &str = "app-secret";

/// What the apps are read with.
pub(super) struct Around<'a> {
    /// What an app takes over unless it says otherwise.
    pub(super) webhooks: &'a WebhookSettings,
    /// Where the server listens.
    pub(super) listen: SocketAddr,
    /// Where a relative `secret_file` starts.
    pub(super) folder: &'a Path,
    /// How a `secret_file` is read.
    pub(super) read: &'a ReadFile,
}

/// Reads `apps`. An app with a problem is left out.
pub(super) fn apps(root: &mut Section<'_>, around: &Around<'_>) -> Vec<AppSettings> {
    let mut ids: Vec<Option<AppId>> = Vec::new();
    let mut keys: Vec<Option<AppKey>> = Vec::new();
    let empty = "there is no app, add one with `id`, `key` and `secret`";
    let apps = root.sections("apps", Some(empty), |section| app(section, around, &mut ids, &mut keys));
    apps.into_iter().flatten().collect()
}

fn app(
    section: &mut Section<'_>,
    around: &Around<'_>,
    ids: &mut Vec<Option<AppId>>,
    keys: &mut Vec<Option<AppKey>>,
) -> Option<AppSettings> {
    let id = section.required("id", values::id::<AppId>, Value::shown);
    unique(section, "id", &id, ids);
    let key = section.required("key", values::name::<AppKey>, Value::shown);
    unique(section, "key", &key, keys);
    let secret = secret(section, around);
    let enabled = section.or_default("enabled", "true", values::boolean);
    let client_events = section.or_default("client_events", "true", values::boolean);
    let window = around.webhooks.batch_window;
    let batch_window = inherited(section, "batch_window", "webhooks.batch_window", window);
    let delay = around.webhooks.vacated_delay;
    let vacated_delay = inherited(section, "vacated_delay", "webhooks.vacated_delay", delay);
    let webhooks = endpoints::endpoints(section, id.as_ref());
    Some(AppSettings {
        id: id?,
        key: key?,
        secret: secret?,
        enabled,
        client_events,
        batch_window,
        vacated_delay,
        webhooks,
    })
}

/// Reports a value that an earlier app has, and remembers it.
fn unique<T: PartialEq + Clone>(section: &mut Section<'_>, key: &str, value: &Option<T>, earlier: &mut Vec<Option<T>>) {
    if value.is_some()
        && let Some(first) = earlier.iter().position(|other| other == value)
    {
        section.problem(key, format!("apps[{first}] has the same, give each app its own"));
    }
    earlier.push(value.clone());
}

fn inherited(section: &mut Section<'_>, key: &'static str, from: &'static str, value: Duration) -> Duration {
    if !section.has(key) {
        let shown = humantime::format_duration(value).to_string();
        section.note(key, shown, Origin::Inherited(from));
    }
    let own = section.optional(key, values::duration(Duration::ZERO), Value::shown);
    own.unwrap_or(value)
}

/// Reads `secret` or the file that `secret_file` names.
fn secret(section: &mut Section<'_>, around: &Around<'_>) -> Option<SecretString> {
    let (typed, in_file) = (section.has("secret"), section.has("secret_file"));
    let text = |value: &Value| values::filled(value).map(str::to_owned);
    let secret = section.optional("secret", text, hidden);
    let file = section.optional("secret_file", text, Value::shown);
    let (key, secret) = match (typed, in_file) {
        (true, true) => {
            section.problem("secret", "stands beside `secret_file`, remove one of them");
            return None;
        }
        (false, false) => {
            section.problem("secret", "is missing, give `secret` or `secret_file`");
            return None;
        }
        (true, false) => ("secret", secret?),
        (false, true) => ("secret_file", from_file(section, around, &file?)?),
    };
    if secret == SAMPLE_SECRET && !around.listen.ip().to_canonical().is_loopback() {
        let what = format!(
            "is the sample secret, which everybody knows, and server.listen {} is open to other \
             machines; make a good one with `openssl rand -hex 16`",
            around.listen
        );
        section.problem(key, what);
        return None;
    }
    Some(secret.into())
}

fn from_file(section: &mut Section<'_>, around: &Around<'_>, file: &str) -> Option<String> {
    let path: PathBuf = around.folder.join(file);
    let text = match (around.read)(&path) {
        Ok(text) => SecretString::from(text),
        Err(error) => {
            section.problem("secret_file", format!("{} cannot be read: {error}", path.display()));
            return None;
        }
    };
    let text = text.expose_secret();
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        section.problem("secret_file", format!("{} is empty", path.display()));
        return None;
    }
    Some(line.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{
        super::{
            error::Problem,
            reader::{self, Findings},
            source::parse,
        },
        *,
    };

    const APP: &str = "id: a, key: k, secret: hunter2";

    fn files(path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("/etc/vacancy/secret") => Ok("hunter2\n".into()),
            Some("/etc/vacancy/crlf") => Ok("hunter2\r\n".into()),
            Some("/etc/vacancy/lines") => Ok("hunter\n2\n\n".into()),
            Some("/etc/vacancy/sample") => Ok("app-secret\n".into()),
            Some("/run/secret") => Ok("hunter3".into()),
            Some("/etc/vacancy/empty") => Ok("\n".into()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }

    fn read_on(listen: &str, yaml: &str) -> (Vec<AppSettings>, Findings) {
        let webhooks = WebhookSettings {
            batch_window: Duration::from_millis(50),
            vacated_delay: Duration::from_secs(3),
            max_batch_events: 100,
            max_batch_bytes: 1,
            timeout: Duration::ZERO,
            retry_for: Duration::ZERO,
        };
        let around = Around {
            webhooks: &webhooks,
            listen: listen.parse().expect("valid"),
            folder: Path::new("/etc/vacancy"),
            read: &files,
        };
        let mut findings = Findings::default();
        let tree = parse(yaml).expect(yaml);
        let apps = reader::read(tree, &mut findings, |root| apps(root, &around));
        (apps, findings)
    }

    #[track_caller]
    fn accepted(yaml: &str) -> Vec<AppSettings> {
        let (apps, findings) = read_on("127.0.0.1:1", yaml);
        assert_eq!(findings.problems, [], "{yaml}");
        apps
    }

    #[track_caller]
    fn refused(yaml: &str, want: &[&str]) {
        let (_, findings) = read_on("127.0.0.1:1", yaml);
        let said: Vec<_> = findings.problems.iter().map(Problem::to_string).collect();
        assert_eq!(said, want, "{yaml}");
    }

    #[test]
    fn an_app_has_defaults_for_all_but_id_key_and_secret() {
        let apps = accepted(&format!("apps: [{{{APP}}}]"));
        let app = &apps[0];
        assert_eq!((app.id.as_str(), app.key.as_str()), ("a", "k"));
        assert_eq!(app.secret.expose_secret(), "hunter2");
        assert_eq!((app.enabled, app.client_events), (true, true));
        assert_eq!(app.batch_window, Duration::from_millis(50));
        assert_eq!(app.vacated_delay, Duration::from_secs(3));
        assert!(app.webhooks.is_empty());
    }

    #[test]
    fn an_app_may_say_otherwise() {
        let apps = accepted(&format!(
            "apps: [{{{APP}, enabled: false, client_events: false, batch_window: 1s, vacated_delay: 0s}}]"
        ));
        let app = &apps[0];
        assert_eq!((app.enabled, app.client_events), (false, false));
        assert_eq!(
            (app.batch_window, app.vacated_delay),
            (Duration::from_secs(1), Duration::ZERO)
        );
        let one = accepted(&format!("apps: [{{{APP}, enabled: false}}]"));
        assert_eq!((one[0].enabled, one[0].client_events), (false, true));
        refused(
            &format!("apps: [{{{APP}, batch_window: 1, vacated_delay: x}}]"),
            &[
                "apps[0].batch_window: 1 has no unit, write 1ms, 1s, 1m or 1h",
                "apps[0].vacated_delay: must be a duration like 50ms, 3s or 24h",
            ],
        );
    }

    #[test]
    fn the_report_shows_what_is_inherited_and_hides_the_secret() {
        let (_, findings) = read_on("127.0.0.1:1", &format!("apps: [{{{APP}, batch_window: 2s}}]"));
        let line = |p: &reader::Provenance| format!("{} = {} ({})", p.path, p.value, p.origin);
        assert_eq!(
            findings.report.iter().map(line).collect::<Vec<_>>(),
            [
                "apps[0].id = a (file)",
                "apps[0].key = k (file)",
                "apps[0].secret = ******** (file)",
                "apps[0].enabled = true (default)",
                "apps[0].client_events = true (default)",
                "apps[0].batch_window = 2s (file)",
                "apps[0].vacated_delay = 3s (from webhooks.vacated_delay)",
            ]
        );
    }

    #[test]
    fn there_must_be_an_app() {
        for yaml in ["", "apps:", "apps: []"] {
            refused(yaml, &["apps: there is no app, add one with `id`, `key` and `secret`"]);
        }
        refused("apps: {}", &["apps: must be a list, not a map"]);
    }

    #[test]
    fn an_app_needs_id_key_and_secret() {
        refused(
            "apps: [{}]",
            &[
                "apps[0].id: is missing",
                "apps[0].key: is missing",
                "apps[0].secret: is missing, give `secret` or `secret_file`",
            ],
        );
    }

    #[test]
    fn ids_and_keys_are_unique() {
        refused(
            "apps: [{id: a, key: k, secret: x}, {id: b, key: k, secret: x}, {id: a, key: m, secret: x}]",
            &[
                "apps[1].key: apps[0] has the same, give each app its own",
                "apps[2].id: apps[0] has the same, give each app its own",
            ],
        );
        refused(
            "apps: [{key: k, secret: x}, {key: m, secret: x}]",
            &["apps[0].id: is missing", "apps[1].id: is missing"],
        );
        assert_eq!(
            accepted("apps: [{id: a, key: k, secret: x}, {id: k, key: a, secret: x}]").len(),
            2
        );
    }

    #[test]
    fn an_id_may_be_a_number_and_key_and_secret_must_be_quoted() {
        assert_eq!(accepted("apps: [{id: 12, key: k, secret: x}]")[0].id.as_str(), "12");
        refused(
            "apps: [{id: 12, key: 34, secret: 56}]",
            &[
                "apps[0].key: YAML reads it as a whole number, put it in quotes",
                "apps[0].secret: YAML reads it as a whole number, put it in quotes",
            ],
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
            ("lines", "hunter\n2\n"),
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
        let in_file = "apps: [{id: a, key: k, secret_file: sample}]";
        assert_eq!(read_on("0.0.0.0:1", in_file).1.problems[0].path, "apps[0].secret_file");
        assert_eq!(read_on("0.0.0.0:1", &format!("apps: [{{{APP}}}]")).1.problems, []);
    }

    #[test]
    fn an_unknown_key_of_an_app_is_a_problem() {
        refused(
            &format!("apps: [{{{APP}, enable: true}}]"),
            &["apps[0].enable: unknown key, did you mean `enabled`?"],
        );
    }
}
