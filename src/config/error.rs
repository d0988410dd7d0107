//! What can be wrong with a configuration, in words for the one who wrote it.

use std::{fmt, io};

use crate::domain::counted;

/// One thing that is wrong, or doubtful, at one place of the configuration.
///
/// Neither field ever holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: the path of the key, like `apps[0].webhooks[1].url`.
    pub path: String,
    /// What is wrong there and what to do about it.
    pub what: String,
    /// The line and column in the file, or `None` for a value that is not in the file.
    pub place: Option<Place>,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1, in characters.
    pub column: u64,
}

impl Problem {
    /// A problem whose place is not known yet.
    pub(super) fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            what: what.into(),
            place: None,
        }
    }

    /// The problem after its place in a file, as compilers write it, if the place is known.
    #[must_use]
    pub fn in_file(&self, file: &impl fmt::Display) -> String {
        match self.place {
            Some(Place { line, column }) => format!("{file}:{line}:{column}: {self}"),
            None => self.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: cannot be read, name another with --config FILE: {source}")]
    Unreadable {
        /// The file, as it was named.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not YAML.
    #[error("{file}:{line}:{column}: not YAML: {what}")]
    NotYaml {
        /// The file, as it was named.
        file: String,
        /// The line, from 1; 0 when it is not known.
        line: u64,
        /// The column, from 1; 0 when it is not known.
        column: u64,
        /// What the parser said.
        what: String,
    },
    /// The file is YAML and what it says cannot be used.
    #[error("{file}: {}", listed(file, problems))]
    Invalid {
        /// The file, as it was named.
        file: String,
        /// Everything that is wrong; at least one.
        problems: Vec<Problem>,
    },
}

fn listed(file: &str, problems: &[Problem]) -> String {
    let mut text = counted(problems.len(), "problem");
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(&problem.in_file(&file));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_configuration_lists_its_problems_one_a_line() {
        let invalid = |problems| ConfigError::Invalid {
            file: "config.yaml".into(),
            problems,
        };
        assert_eq!(
            invalid(vec![Problem::new("apps[0].id", "app id is empty")]).to_string(),
            "config.yaml: 1 problem\n  apps[0].id: app id is empty"
        );
        assert_eq!(
            invalid(vec![
                Problem::new("a", "wrong"),
                Problem {
                    place: Some(Place { line: 3, column: 7 }),
                    ..Problem::new("b.c", "wrong too")
                }
            ])
            .to_string(),
            "config.yaml: 2 problems\n  a: wrong\n  config.yaml:3:7: b.c: wrong too"
        );
    }

    #[test]
    fn a_file_that_is_not_yaml_is_named_with_line_and_column() {
        let error = ConfigError::NotYaml {
            file: "my.yaml".into(),
            line: 3,
            column: 7,
            what: "unclosed quote".into(),
        };
        assert_eq!(error.to_string(), "my.yaml:3:7: not YAML: unclosed quote");
    }

    #[test]
    fn an_unreadable_file_says_how_to_name_another() {
        let error = ConfigError::Unreadable {
            file: "my.yaml".into(),
            source: io::Error::other("permission denied"),
        };
        assert_eq!(
            error.to_string(),
            "my.yaml: cannot be read, name another with --config FILE: permission denied"
        );
    }
}
