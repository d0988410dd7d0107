//! What the documents say about the configuration goes through the real parser.

use std::path::{Path, PathBuf};

use vacancy::config::{ConfigError, ConfigSource, Environment, Loaded, Surroundings, from_text};

const SAMPLE: &str = include_str!("../../config.yaml");
const CERT: &str = include_str!("../../src/config/tls/cert.pem");
const KEY: &str = include_str!("../../src/config/tls/key.pem");

fn parse(yaml: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let environment: Environment = variables.iter().copied().collect();
    let surroundings = Surroundings {
        environment: &environment,
        parallelism: 2,
        read: &|path| match path.to_str() {
            Some("secret.txt") => Ok("from-a-file\n".into()),
            Some("token.txt") => Ok("a-token-from-a-file\n".into()),
            Some("ca.pem" | "vacancy.pem" | "cert.pem" | "fullchain.pem") => Ok(CERT.into()),
            Some("vacancy-key.pem" | "key.pem" | "privkey.pem") => Ok(KEY.into()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        },
    };
    from_text(yaml, ConfigSource::Text, &surroundings)
}

#[track_caller]
fn valid(yaml: &str, variables: &[(&str, &str)]) -> Loaded {
    parse(yaml, variables).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

/// Every document: the README, those beside it, and all below `docs` and `examples`.
pub fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("docs"), root.join("examples")];
    let mut paths: Vec<PathBuf> = markdown(root);
    while let Some(folder) = folders.pop() {
        paths.extend(markdown(&folder));
        let entries = std::fs::read_dir(&folder).expect("a folder");
        folders.extend(
            entries
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.is_dir() && !path.ends_with("node_modules") && !path.ends_with(".venv")),
        );
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a document");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

fn markdown(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// The YAML blocks of a document.
fn yaml_blocks(text: &str) -> Vec<String> {
    let blocks = text.split("\n```yaml\n").skip(1);
    blocks
        .map(|block| block.split("\n```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_yaml_sample_of_the_documents_is_a_configuration() {
    let documents = documents();
    assert!(documents.iter().any(|(path, _)| path.ends_with("README.md")));
    for (path, text) in &documents {
        for sample in yaml_blocks(text) {
            let whole = if sample.lines().any(|line| line.starts_with("apps:")) {
                sample
            } else {
                format!("{sample}\napps: [{{id: '1', key: k, secret: a-secret-of-its-own}}]\n")
            };
            if let Err(error) = parse(&whole, &[]) {
                panic!("{}: {error}\n{whole}", path.display());
            }
        }
    }
    assert_eq!(
        yaml_blocks("a\n```yaml\nb: 1\n```\nc\n```yaml\nd: 2\n```\n"),
        ["b: 1", "d: 2"]
    );
}

#[test]
fn every_environment_variable_of_the_documents_overrides_a_key() {
    let mut seen = 0;
    let mut texts = documents();
    texts.push(("config.yaml".into(), SAMPLE.to_owned()));
    for (path, text) in &texts {
        for at in text.match_indices("VACANCY__").map(|(at, _)| at) {
            let rest = &text[at..];
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let name = &rest[..end];
            let value = if name.ends_with("LISTEN") {
                "127.0.0.1:7000"
            } else if name.ends_with("WEBHOOKS") {
                ""
            } else {
                "0123456789abcdef"
            };
            let loaded = parse(SAMPLE, &[(name, value)]);
            let loaded = loaded.unwrap_or_else(|error| panic!("{}: {name}: {error}", path.display()));
            let origin = format!("environment {name}");
            assert!(
                loaded.report.iter().any(|line| line.origin.to_string() == origin),
                "{name}"
            );
            seen += 1;
        }
    }
    assert!(4 <= seen, "{seen} variables");
}

#[test]
fn the_sample_shows_the_defaults() {
    let sample = valid(SAMPLE, &[]);
    let minimal = valid(
        "apps: [{id: '1', key: app-key, secret: app-secret, webhooks: [{url: 'http://127.0.0.1:3000/webhooks', events: [channel_occupied, channel_vacated]}]}]",
        &[],
    );
    let values = |loaded: &Loaded| {
        let lines = loaded
            .report
            .iter()
            .map(|line| format!("{} = {}", line.path, line.value));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(values(&sample), values(&minimal));
}

#[test]
fn the_sample_names_every_key_with_its_default() {
    let loaded = valid(SAMPLE, &[]);
    for line in &loaded.report {
        let key = line.path.rsplit('.').next().expect("a name");
        let key = key.split('[').next().expect("a name");
        assert!(
            SAMPLE.contains(&format!("{key}:")),
            "{} is not in config.yaml",
            line.path
        );
    }
}

#[test]
fn the_commented_keys_of_the_sample_may_be_uncommented() {
    let uncommented = SAMPLE
        .replace(
            "  # tls: { cert: cert.pem, key: key.pem } ",
            "  tls: { cert: cert.pem, key: key.pem } #",
        )
        .replace("    secret: app-secret", "    # secret: app-secret")
        .replace("    # secret_file: secret.txt ", "    secret_file: secret.txt #")
        .replace("    # batch_window: 50ms ", "    batch_window: 50ms #")
        .replace("    # vacated_delay: 3s ", "    vacated_delay: 3s #")
        .replace("    # recovery_window: 30s ", "    recovery_window: 30s #")
        .replace("  token: $", "  # token: $")
        .replace("  # token_file: token.txt ", "  token_file: token.txt #")
        .replace("        # id: billing ", "        id: billing #")
        .replace("headers: {}", "headers: {Authorization: \"Bearer ${TOKEN}\"}");
    assert_eq!(uncommented.matches("\n    batch_window:").count(), 1);
    let loaded = valid(&uncommented, &[("TOKEN", "t")]);
    let shown = |path: &str| {
        let line = loaded.report.iter().find(|line| line.path == path);
        line.map(|line| line.origin.to_string())
    };
    assert_eq!(shown("apps[0].batch_window").as_deref(), Some("file"));
    assert_eq!(shown("apps[0].vacated_delay").as_deref(), Some("file"));
    assert_eq!(shown("apps[0].recovery_window").as_deref(), Some("file"));
    assert_eq!(shown("apps[0].webhooks[0].id").as_deref(), Some("file"));
    assert!(loaded.settings.admin.token.is_some());
    assert!(loaded.settings.server.tls.is_some());
}

#[test]
fn the_empty_lists_of_the_sample_may_be_filled() {
    let filled = SAMPLE
        .replace("glob: [] ", "glob: job-* #")
        .replace("regex: [] ", "regex: ['^a', 'b$'] #")
        .replace("not: {} ", "not: { prefix: private- } #")
        .replace("secrets: [] ", "secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw] #")
        .replace("http://127.0.0.1:3000", "https://127.0.0.1:3000")
        .replace(
            "tls: {} ",
            "tls: { roots: ca.pem, cert: vacancy.pem, key: vacancy-key.pem } #",
        );
    let loaded = valid(&filled, &[]);
    let endpoint = &loaded.settings.apps[0].webhooks[0];
    let pattern = endpoint.channels.source();
    assert_eq!((pattern.only.glob.len(), pattern.only.regex.len()), (1, 2));
    assert_eq!(pattern.not.prefix, ["private-"]);
    assert_eq!(endpoint.secrets.len(), 1);
    assert!(endpoint.tls.roots.is_some() && endpoint.tls.identity.is_some());
}
