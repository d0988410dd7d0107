//! The files that a configuration names.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::{load::ReadFile, reader::Section};

/// Where relative paths start and how files are read.
#[derive(Clone, Copy)]
pub(super) struct Files<'a> {
    /// The folder of the configuration file; empty, which is the current one, when there is none.
    pub(super) folder: &'a Path,
    /// How a file is read.
    pub(super) read: &'a ReadFile,
}

impl Files<'_> {
    /// The path of a file as it was typed.
    pub(super) fn path(&self, typed: &str) -> PathBuf {
        self.folder.join(typed)
    }

    /// What is in the file that a key names. One that is empty or cannot be read is a problem of
    /// the key.
    pub(super) fn text(&self, section: &mut Section<'_>, key: &str, typed: &str) -> Option<SecretString> {
        let path = self.path(typed);
        let text = match (self.read)(&path) {
            Ok(text) => SecretString::from(text),
            Err(error) => {
                section.problem(key, format!("{} cannot be read: {error}", path.display()));
                return None;
            }
        };
        if line_of(text.expose_secret()).is_empty() {
            section.problem(key, format!("{} is empty", path.display()));
            return None;
        }
        Some(text)
    }

    /// The same without the line break at its end.
    pub(super) fn line(&self, section: &mut Section<'_>, key: &str, typed: &str) -> Option<SecretString> {
        let text = self.text(section, key, typed)?;
        Some(line_of(text.expose_secret()).into())
    }
}

fn line_of(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line)
}
