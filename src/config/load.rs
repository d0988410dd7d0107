//! From a file, named or not, to settings.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::{
    admin,
    apps::{self, Around},
    doubts::doubts,
    environment::{ADMIN_TOKEN, Environment},
    error::{ConfigError, Problem},
    expand::expand,
    files::Files,
    ledger,
    parse::parse,
    places::Places,
    reader::{self, Findings, Provenance},
    sections,
    settings::Settings,
    source::{self, Origin},
};

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "config.yaml";
/// The base for variables alone: nothing but the token, from the same variable as in the sample.
const NOTHING: &str = "admin: { token: \"${VACANCY_ADMIN_TOKEN:-}\" }";
/// The sample of the repository, used when nothing is set.
const SAMPLE: &str = include_str!("../../config.yaml");

/// The warning that nothing is set.
const SAMPLE_USED: &str = "is used, because there is no config.yaml in this folder and no VACANCY__… variable; \
                           everybody knows its key and secret, so name a file with --config FILE";

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
    /// Environment variables alone, without a file.
    Environment,
    /// The copy of the repository's `config.yaml` in the binary, when nothing else is set.
    Sample,
    /// A text that a program has given.
    Text,
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment => f.write_str("environment variables"),
            Self::Sample => f.write_str("built-in sample"),
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
/// folder, else from the `VACANCY__…` variables alone, else from the sample in the binary.
///
/// # Errors
/// When a file that is named or there cannot be read, or what it says cannot be used.
pub fn load(named: Option<&Path>, surroundings: &Surroundings<'_>) -> Result<Loaded, ConfigError> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    match (surroundings.read)(path) {
        Ok(text) => from_text(&text, ConfigSource::File(path.to_owned()), surroundings),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            if surroundings.environment.overrides() {
                from_text(NOTHING, ConfigSource::Environment, surroundings)
            } else {
                from_text(SAMPLE, ConfigSource::Sample, surroundings)
            }
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
    let mut tree = parse(text).map_err(|error| ConfigError::NotYaml {
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
    if source == ConfigSource::Sample {
        source::mark(&mut tree, &Origin::Sample);
        findings.warnings.push(Problem::new(source.to_string(), SAMPLE_USED));
    }
    let places = match source {
        ConfigSource::File(_) | ConfigSource::Text => Places::of(&tree),
        ConfigSource::Environment | ConfigSource::Sample => Places::default(),
    };
    let settings = settings(tree, &source, surroundings, &mut findings);
    if source != ConfigSource::Text {
        let is_known = |name: &str| name == ADMIN_TOKEN && settings.admin.token.is_some();
        let misnamed = surroundings.environment.misnamed(text).into_iter();
        findings
            .warnings
            .extend(misnamed.filter(|warning| !is_known(&warning.path)));
    }
    places.find(&mut findings.problems);
    if !findings.problems.is_empty() {
        return Err(ConfigError::Invalid {
            file: source.to_string(),
            problems: findings.problems,
        });
    }
    findings.warnings.extend(doubts(&settings));
    places.find(&mut findings.warnings);
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
        ConfigSource::Environment | ConfigSource::Sample | ConfigSource::Text => Path::new(""),
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
            outbound_limit: server.outbound_limit,
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
mod tests;
